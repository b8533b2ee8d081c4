"""Shortest sums of products: prime implicants, and the fewest literals that cover a function.

Quine 1952, The problem of simplifying truth functions; McCluskey 1956, Minimization of Boolean
functions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# A product: 1, 0 or None (not there) for each input.
Product = tuple[int | None, ...]

# The search tries so many choices before it settles for the best cover found.
CHOICES = 20_000


def prime_implicants(allowed: NDArray[np.bool_]) -> list[Product]:
    """Give every product that is 1 only where allowed, and is no more so if a literal is left out.

    Parameters
    ----------
    allowed : ndarray of bool, shape (2, ..., 2)
        An axis per input.
    """
    # Along each axis: input is 0, input is 1, either.
    cubes = allowed
    for axis in range(allowed.ndim):
        both = cubes.take([0], axis) & cubes.take([1], axis)
        cubes = np.concatenate([cubes, both], axis=axis)
    prime = cubes.copy()
    for axis in range(allowed.ndim):
        wider = cubes.take([2], axis)
        narrower: tuple[slice, ...] = (slice(None),) * axis + (slice(0, 2),)
        prime[narrower] &= ~wider
    return [tuple(None if v == 2 else int(v) for v in cube) for cube in np.argwhere(prime)]


def minimal_sum(on: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> list[Product]:
    """Give products that together are 1 wherever `on` is, and only where allowed.

    The fewest literals and operators, where `CHOICES` are enough to prove it; near it otherwise.

    Parameters
    ----------
    on, allowed : ndarray of bool, shape (2, ..., 2)
        An axis per input; `on` is within `allowed`.
    """
    if not on.any():
        return []
    products = prime_implicants(allowed)
    inside = np.array([_cells(product, on) for product in products])
    # The cells with the fewest products first: the search covers them in this order.
    inside = inside[:, np.argsort(inside.sum(axis=0), kind="stable")]
    covers = [sum(1 << int(cell) for cell in np.flatnonzero(row)) for row in inside]
    search = _Search(covers, [length(product) for product in products], inside.shape[1])
    return [products[i] for i in search.best]


def length(product: Product) -> int:
    """Literals of a product, and one for the operator that joins it to others."""
    return 1 + sum(value is not None for value in product)


def _cells(product: Product, on: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say for each cell that is on whether the product covers it."""
    inside = np.zeros(on.shape, dtype=bool)
    inside[tuple(slice(None) if value is None else value for value in product)] = True
    return inside[on]


class _Search:
    """Branch and bound: cover the first cell that is left, by the product that covers most first.

    Sets of cells are the bits of a number.
    """

    def __init__(self, covers: list[int], costs: list[int], cells: int) -> None:
        self.covers, self.costs = covers, costs
        self.by_cell = [[i for i, c in enumerate(covers) if c >> cell & 1] for cell in range(cells)]
        # No product covers a cell for less than this.
        self.cheapest = min(
            cost / cover.bit_count() for cost, cover in zip(costs, covers, strict=True) if cover
        )
        everything = (1 << cells) - 1
        self.best = self._greedy(everything)
        self.best_cost = sum(costs[i] for i in self.best)
        self.choices = 0
        self._extend((), 0, everything)

    def _greedy(self, left: int) -> tuple[int, ...]:
        chosen = []
        while left:
            gains = [(cover & left).bit_count() for cover in self.covers]
            worth = [gain / cost for gain, cost in zip(gains, self.costs, strict=True)]
            best = worth.index(max(worth))
            chosen.append(best)
            left &= ~self.covers[best]
        return tuple(chosen)

    def _extend(self, chosen: tuple[int, ...], cost: int, left: int) -> None:
        if not left:
            if cost < self.best_cost:
                self.best, self.best_cost = chosen, cost
            return
        if cost + self.cheapest * left.bit_count() >= self.best_cost or self.choices > CHOICES:
            return
        first = (left & -left).bit_length() - 1
        covered = {i: (self.covers[i] & left).bit_count() for i in self.by_cell[first]}
        for i in sorted(covered, key=lambda i: (-covered[i], self.costs[i])):
            self.choices += 1
            self._extend((*chosen, i), cost + self.costs[i], left & ~self.covers[i])
