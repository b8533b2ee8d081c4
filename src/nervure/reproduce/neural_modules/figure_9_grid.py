"""`Grid`: the results of one dataset over alpha and k, and which of its settings are good."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules.part import Found

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Setting = tuple[float, float]

SEVERAL = 3  # modules
BALANCED = 0.1  # nodes of the largest module, by all


@dataclass(frozen=True, eq=False)
class Grid:
    """What one dataset gave.

    Attributes
    ----------
    data : str
    nodes : int
    alphas, degrees, seeds : sequence
        The axes, rising. A degree is k by nodes.
    found : sequence of (cell, result)
        Cells of this dataset.
    """

    data: str
    nodes: int
    alphas: Sequence[float]
    degrees: Sequence[float]
    seeds: Sequence[int]
    found: Found

    def each(self, key: str) -> Floats:
        """Give a figure of every network, shape (alphas, degrees, seeds); nan where there is none.

        There is none for a network that failed, and for a cell that was not run.
        """
        values = np.full((len(self.alphas), len(self.degrees), len(self.seeds)), np.nan)
        for cell, result in self.found:
            value = result.get(key)
            if value is not None:
                place = (
                    self.alphas.index(cell["alpha"]),
                    self.degrees.index(cell["degree"]),
                    self.seeds.index(cell["seed"]),
                )
                values[place] = value
        return values

    def mean(self, key: str) -> Floats:
        """Average over seeds, shape (alphas, degrees); nan if a seed is missing.

        A mean over the seeds that went well would compare splits that are easy with all splits.
        """
        return np.asarray(self.each(key).mean(axis=2))

    @property
    def failures(self) -> list[tuple[float, float, int]]:
        """(alpha, degree, seed) of the networks that could not be trained."""
        return [
            (cell["alpha"], cell["degree"], cell["seed"])
            for cell, result in self.found
            if "failed" in result
        ]

    @cached_property
    def best(self) -> tuple[int, int] | None:
        """Place of the lowest mean validation error, of equals that of the lowest loss."""
        error, loss = self.mean("validation_error"), self.mean("validation_loss")
        places = [(int(i), int(j)) for i, j in np.argwhere(np.isfinite(error))]
        return min(places, key=lambda p: (error[p], loss[p]), default=None)

    @cached_property
    def standard_error(self) -> float:
        """Binomial standard error of the best setting's validation error, over all its rows.

        Two or three seeds have no standard error worth the name. One is added to the errors and to
        what is right, so that a perfect score has one too.
        """
        if self.best is None:
            return math.nan
        rows = self.each("validation_rows")[self.best]
        wrong = float((self.each("validation_error")[self.best] * rows).sum())
        share = (wrong + 1) / (rows.sum() + 2)
        return math.sqrt(share * (1 - share) / rows.sum())

    @cached_property
    def several(self) -> Bools:
        """Where every seed has `SEVERAL` modules or more."""
        return np.asarray((self.each("modules") >= SEVERAL).all(axis=2))

    @cached_property
    def balanced(self) -> Bools:
        """Where in no seed a module has `BALANCED` of the nodes."""
        return np.asarray((self.each("largest_share") < BALANCED).all(axis=2))

    @cached_property
    def near_best(self) -> Bools:
        """Where the mean validation error is within one standard error of the best."""
        error = self.mean("validation_error")
        if self.best is None:
            return np.zeros(error.shape, dtype=np.bool_)
        return np.asarray(error <= error[self.best] + self.standard_error)

    @cached_property
    def good(self) -> Bools:
        """Where modules are several and balanced, at no loss."""
        return self.several & self.balanced & self.near_best


def grids(found: Found) -> list[Grid]:
    """Sort results into a grid for each dataset, with the same axes."""
    alphas, degrees, seeds = (
        sorted({cell[key] for cell, _ in found}) for key in ("alpha", "degree", "seed")
    )
    by_data: dict[str, list[tuple[Cell, Mapping[str, Any]]]] = {}
    for cell, result in found:
        by_data.setdefault(cell["data"], []).append((cell, result))
    return [
        Grid(data, own[0][0]["nodes"], alphas, degrees, seeds, own) for data, own in by_data.items()
    ]


def good_settings(grid: Grid) -> list[Setting]:
    """List the (alpha, degree) at which a dataset has several balanced modules at no loss.

    Returns
    -------
    list of (float, float)
        Lowest validation error first. In every seed there are `SEVERAL` modules or more, the
        largest of under `BALANCED` of the nodes, and the mean validation error is within one
        standard error of the best of the grid.
    """
    error = grid.mean("validation_error")
    places = sorted(np.argwhere(grid.good).tolist(), key=lambda p: float(error[p[0], p[1]]))
    return [(grid.alphas[i], grid.degrees[j]) for i, j in places]


def joint_settings(several: Sequence[Grid]) -> list[tuple[Setting, list[str]]]:
    """List the settings that are good for the most datasets, and those datasets.

    Returns
    -------
    list of ((alpha, degree), names)
        Only those that are good for as many as any is; empty if none is good for any. Smallest
        excess of validation error over the best first, in standard errors, over all datasets.
    """
    if not several:
        return []
    names = {
        (alpha, degree): [grid.data for grid in several if grid.good[i, j]]
        for i, alpha in enumerate(several[0].alphas)
        for j, degree in enumerate(several[0].degrees)
    }
    most = max(len(good) for good in names.values())
    total = np.sum([_excess(grid) for grid in several], axis=0)
    excess = dict(zip(names, total.reshape(-1), strict=True))
    chosen = [(setting, good) for setting, good in names.items() if good and len(good) == most]
    return sorted(chosen, key=lambda pair: _nan_last(float(excess[pair[0]])))


def _excess(grid: Grid) -> Floats:
    error = grid.mean("validation_error")
    if grid.best is None:
        return np.full(error.shape, np.nan)
    return np.asarray((error - error[grid.best]) / grid.standard_error)


def _nan_last(value: float) -> float:
    return math.inf if math.isnan(value) else value


def first_degree(grid: Grid, alpha: int) -> float | None:
    """Find the smallest degree from which on the largest module is no longer small.

    Parameters
    ----------
    grid : Grid
    alpha : int
        Place on the axis.

    Returns
    -------
    float, or None
        From there to the end of the axis the largest module has `BALANCED` of the nodes or more, on
        average over the seeds that were solved; None if it ends below.
    """
    start = None
    for degree, shares in zip(grid.degrees, grid.each("largest_share")[alpha], strict=True):
        solved = shares[np.isfinite(shares)]
        if not len(solved):
            continue
        if solved.mean() < BALANCED:
            start = None
        elif start is None:
            start = degree
    return start


def solved_up_to(grid: Grid, alpha: int) -> float | None:
    """Find the largest degree at which any seed was solved; None if none was.

    Beyond it nothing is known of modules, and large ones are what makes a network unsolvable.
    """
    known = np.isfinite(grid.each("largest_share")[alpha]).any(axis=1)
    return max(np.array(grid.degrees)[known].tolist(), default=None)


def giant_component(degree: float) -> float:
    """Give the share of a large random digraph that lies in its largest component.

    Parameters
    ----------
    degree : float
        Edges by nodes.

    Returns
    -------
    float
        s^2, where s solves 1 - s = exp(-degree s): the share of nodes that reach, and are reached
        from, a giant part. 0 up to degree 1.

    References
    ----------
    R. M. Karp, "The transitive closure of a random digraph", Random Struct. Algorithms 1 (1990).

    Examples
    --------
    >>> giant_component(1.0), round(giant_component(2.0), 3)
    (0.0, 0.635)
    """
    if degree <= 1:
        return 0.0
    share = 1.0
    for _ in range(200):
        share = 1 - math.exp(-degree * share)
    return share**2
