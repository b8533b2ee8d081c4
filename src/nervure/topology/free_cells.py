"""Pairs of nodes in two layers, numbered, and those of them that no edge takes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nervure.errors import TopologyError
from nervure.topology.edges import Int64s
from nervure.topology.sampling import draw_distinct


class FreeCells:
    """The cells of a matrix that are not taken, without listing them.

    Cells are numbered row by row from 0.

    Parameters
    ----------
    cells : int
        Of the whole matrix.
    taken : ndarray of int64
        Numbers of the cells that are not free, distinct, in any order.

    Examples
    --------
    >>> import numpy as np
    >>> from nervure.topology import FreeCells
    >>> free = FreeCells(6, np.array([0, 4]))
    >>> len(free), free[np.arange(4)].tolist()
    (4, [1, 2, 3, 5])
    """

    def __init__(self, cells: int, taken: Int64s) -> None:
        self.cells = cells
        self.taken = np.sort(taken)
        # So many cells before each taken one are free.
        self._before = self.taken - np.arange(len(taken))

    def __len__(self) -> int:
        return self.cells - len(self.taken)

    def __getitem__(self, index: npt.NDArray[np.int64]) -> Int64s:
        """Give the free cells by their rank among the free, O(log taken) each.

        Raises
        ------
        IndexError
            If there are not so many; ranks do not count from the end.
        """
        ranks = np.asarray(index)
        if ranks.size and not (ranks.min() >= 0 and ranks.max() < len(self)):
            raise IndexError(f"ranks: expected 0 to {len(self) - 1}, got {index}")
        return index + np.searchsorted(self._before, index, side="right")

    def draw(self, count: int, rng: np.random.Generator) -> Int64s:
        """Draw distinct free cells uniformly, sorted.

        Raises
        ------
        TopologyError
            If there are not so many.
        """
        if count > len(self):
            raise TopologyError(f"{count} cells asked for, but only {len(self)} are free")
        return self[draw_distinct(len(self), count, rng)]
