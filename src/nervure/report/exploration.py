"""What the rewirings of a layered network have tried, cell by cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nervure.topology import Topology
from nervure.training.run import RewiringRow

# A byte is kept for each cell while they are counted.
MOST_CELLS = 1 << 28


class LoggedUpdate(NamedTuple):
    """When the wiring was updated, how many edges went and came, and how many were never before."""

    step: int
    epoch: int
    pruned: int
    grown: int
    new: int


@dataclass(frozen=True, eq=False)
class Exploration:
    """What all updates of a run did, in the order of their steps.

    Attributes
    ----------
    updates : list of LoggedUpdate
    start, kept : ndarray of int64, shape (pairs of layers,)
        Edges of the wiring before the first update, and those of them that the last snapshot has.
    pruned, grown : ndarray of int64, shape (pairs of layers,)
        Edges that went and came, each as often as it did.
    tried : ndarray of int64, shape (pairs of layers,)
        Cells that held an edge at some time.
    """

    updates: list[LoggedUpdate]
    start: NDArray[np.int64]
    kept: NDArray[np.int64]
    pruned: NDArray[np.int64]
    grown: NDArray[np.int64]
    tried: NDArray[np.int64]


class _Cells:
    """Numbers the pairs of nodes in neighbouring layers, pair of layers by pair of layers."""

    def __init__(self, sizes: Sequence[int]) -> None:
        possible = [n * m for n, m in pairwise(sizes)]
        self.bounds = np.concatenate(([0], np.cumsum(possible, dtype=np.int64)))
        self._layer = np.repeat(np.arange(len(sizes)), sizes)
        self._place = np.concatenate([np.arange(size) for size in sizes])
        # Where the cells of a source begin; outputs have none.
        widths = np.array([*sizes[1:], 0], dtype=np.int64)
        self._row = self.bounds[self._layer] + self._place * widths[self._layer]

    def of(self, edges: NDArray[np.int32]) -> NDArray[np.int64] | None:
        """Give the cell of each edge, rows of (source, target); None if one has none."""
        if edges.size and (int(edges.min()) < 0 or int(edges.max()) >= len(self._layer)):
            return None
        source, target = edges[:, 0], edges[:, 1]
        if (self._layer[target] != self._layer[source] + 1).any():
            return None
        place: NDArray[np.int64] = self._row[source] + self._place[target]
        return place

    def edges_between(self, edges: NDArray[np.int32]) -> NDArray[np.int64]:
        """Count edges by their pair of layers."""
        pairs = len(self.bounds) - 1
        return np.bincount(self._layer[edges[:, 0]], minlength=pairs).astype(np.int64)

    def marked(self, marks: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Count marked cells by their pair of layers."""
        return np.array([np.count_nonzero(marks[a:b]) for a, b in pairwise(self.bounds)])


def explored(
    sizes: Sequence[int],
    snapshots: Sequence[tuple[int, Topology]],
    rewirings: Iterable[RewiringRow],
) -> Exploration | None:
    """Follow every edge of a layered network through all its updates.

    Parameters
    ----------
    sizes : sequence of int
        Nodes of each layer, inputs first.
    snapshots : sequence of (epoch, topology)
        At least one.
    rewirings : iterable of RewiringRow
        All of the run, in the order of their steps.

    Returns
    -------
    Exploration or None
        None if there was no update, one was not of such layers, or they have more than 2^28 cells.

    Notes
    -----
    No snapshot of the start is needed: a cell whose first event is that its edge is pruned held
    one then, and cells without an event are as in any snapshot. O(edges rewired + cells).
    """
    cells = _Cells(sizes)
    if cells.bounds[-1] > MOST_CELLS:
        return None
    last_edges = snapshots[-1][1].edges
    present, last = cells.of(snapshots[0][1].edges), cells.of(last_edges)
    if present is None or last is None:
        return None
    untouched, was_there, came_later = 0, 1, 2
    history = np.full(int(cells.bounds[-1]), untouched, dtype=np.uint8)
    updates: list[LoggedUpdate] = []
    total = {name: np.zeros(len(sizes) - 1, dtype=np.int64) for name in ("pruned", "grown")}
    for row in rewirings:
        pruned, grown = cells.of(row.pruned), cells.of(row.grown)
        if pruned is None or grown is None:
            return None
        history[pruned[history[pruned] == untouched]] = was_there
        new = grown[history[grown] == untouched]
        history[new] = came_later
        total["pruned"] += cells.edges_between(row.pruned)
        total["grown"] += cells.edges_between(row.grown)
        updates.append(LoggedUpdate(row.step, row.epoch, len(pruned), len(grown), len(new)))
    if not updates:
        return None
    history[present[history[present] == untouched]] = was_there
    return Exploration(
        updates,
        start=cells.marked(history == was_there),
        kept=cells.edges_between(last_edges[history[last] == was_there]),
        tried=cells.marked(history != untouched),
        **total,
    )
