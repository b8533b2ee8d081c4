"""Uniform draws without replacement from populations far too large to list."""

from __future__ import annotations

import numpy as np

from nervure.errors import TopologyError
from nervure.topology.edges import Int64s


def as_generator(seed: int | np.random.Generator | None, what: str) -> np.random.Generator:
    """Make a generator of an explicit seed; the global state is never used."""
    if seed is None:
        raise TopologyError(f"{what} draws edges at random: pass seed=, an int or numpy Generator")
    return np.random.default_rng(seed)


def draw_distinct(population: int, count: int, rng: np.random.Generator) -> Int64s:
    """Draw `count` distinct integers below `population`, uniformly, sorted.

    Integers are drawn with replacement until enough distinct ones have come; what is too many is
    then removed at random. By symmetry every set of `count` is equally likely. Above half of the
    population the integers left out are drawn instead, so that memory and time stay O(count) up to
    the sort.
    """
    if 2 * count > population:
        chosen = np.ones(population, dtype=np.bool_)
        chosen[draw_distinct(population, population - count, rng)] = False
        return np.flatnonzero(chosen)
    distinct = np.zeros(0, dtype=np.int64)
    while distinct.size < count:
        # Of m drawn, population * (1 - exp(-m / population)) are distinct on average; solved for
        # m, plus a little, so that a second round is rare.
        missing, free = count - distinct.size, population - distinct.size
        expected = -population * np.log1p(-missing / free)
        drawn = rng.integers(population, size=int(expected * 1.01) + 16)
        merged = np.sort(np.concatenate((distinct, drawn)))
        distinct = merged[np.concatenate(([True], merged[1:] != merged[:-1]))]
    if distinct.size == count:
        return distinct
    surplus = rng.choice(distinct.size, distinct.size - count, replace=False)
    return np.delete(distinct, surplus)
