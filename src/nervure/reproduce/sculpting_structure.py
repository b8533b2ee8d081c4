"""What pruning makes of the paths of a network: table 1, figures 1 to 4 and 34 to 36."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nervure.reproduce.ledger import Cell
from nervure.reproduce.sculpting import PAPER_REJECTED
from nervure.reproduce.sculpting_trials import Found

KINDS = {"dense": "dense", "edges": "edge-pruned", "sculpted": "sculpted"}
LEVEL = 0.05
_SEPARABLE, _REUSED = "[4, 2, 4]", "[4, 1, 2, 16]"


@dataclass(frozen=True)
class Separation:
    """Whether networks of one architecture keep the two halves of [4, 2, 4] apart.

    Attributes
    ----------
    kind : {"dense", "edges", "sculpted"}
    depth, width, networks : int
    rejected : int
        Networks for which both hypotheses, that inputs are tied as much to the outputs of the other
        half, are rejected at p < 0.05.
    t_first, t_second, p_first, p_second : float
        Medians over networks (of an even number the upper one) of the two tests; t is infinite
        where no product varies.
    paper : bool or None
        Whether the paper's are rejected (table 1, of dense networks).
    """

    kind: str
    depth: int
    width: int
    networks: int
    rejected: int
    t_first: float
    t_second: float
    p_first: float
    p_second: float
    paper: bool | None


@dataclass(frozen=True)
class Cover:
    """How many units of a hidden layer carry 90 % of the paths of [4, 1, 2, 16].

    Attributes
    ----------
    kind : {"dense", "edges", "sculpted"}
    width, layer : int
        The first hidden layer is 1.
    networks : tuple of int
        N_90 of each.
    """

    kind: str
    width: int
    layer: int
    networks: tuple[int, ...]


def separations(found: Found) -> list[Separation]:
    """Test dense, edge-pruned and sculpted networks, by hidden layers and width."""
    lines = []
    for kind in KINDS:
        for cell, networks in _networks(found, _SEPARABLE, kind):
            t = np.array([[_statistic(test) for test in one["tests"]] for one in networks])
            p = np.array([[test["p"] for test in one["tests"]] for one in networks])
            t_first, t_second = (_median(column) for column in t.T)
            p_first, p_second = (_median(column) for column in p.T)
            lines.append(
                Separation(
                    kind, cell["depth"], cell["width"], len(networks),
                    int((p < LEVEL).all(axis=1).sum()), t_first, t_second, p_first, p_second,
                    PAPER_REJECTED.get(cell["depth"]) if kind == "dense" else None,
                )
            )  # fmt: skip
    return lines


def covers(found: Found) -> list[Cover]:
    """List N_90 of both hidden layers, by kind and width (figures 2b, 3b and 4b)."""
    return [
        Cover(
            kind, cell["width"], layer + 1, tuple(one["n90"][layer] for one in networks)
        )
        for kind in KINDS
        for cell, networks in _networks(found, _REUSED, kind)
        for layer in range(cell["depth"])
    ]  # fmt: skip


def example_products(found: Found) -> dict[str, tuple[str, list[list[float]]]]:
    """Give the products of one network of each kind (figures 1b, 3a and 4a).

    Returns
    -------
    dict of str to (str, list of list of float)
        By kind an architecture in words and a row for each input, of the first network of the
        narrowest with two hidden layers, or the next best: one in which the paper's dense networks
        do not separate the inputs.
    """
    examples = {}
    for kind in KINDS:
        networks = _networks(found, _SEPARABLE, kind)
        if networks:
            cell, (first, *_) = min(
                networks, key=lambda pair: (abs(pair[0]["depth"] - 2), pair[0]["width"])
            )
            layers = "1 hidden layer" if cell["depth"] == 1 else f"{cell['depth']} hidden layers"
            examples[kind] = (f"{layers} of {cell['width']}", first["products"])
    return examples


def _networks(found: Found, task: str, kind: str) -> list[tuple[Cell, Sequence[Mapping[str, Any]]]]:
    return [
        (cell, result["kinds"][kind])
        for cell, result in found
        if cell["part"] == "structure" and cell["task"] == task and "kinds" in result
    ]


def _statistic(test: Mapping[str, Any]) -> float:
    """Give t; the ledger cannot hold an infinite one, whose sign p tells."""
    if test["t"] is not None:
        return float(test["t"])
    return -math.inf if test["p"] < 0.5 else math.inf


def _median(values: Sequence[float]) -> float:
    """Give the median, which of an even number is the upper: two infinities have no mean."""
    return float(sorted(values)[len(values) // 2])
