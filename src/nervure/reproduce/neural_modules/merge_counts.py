"""`MergeCounts`: how often a node outside a module has a kept edge into it."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from nervure.topology import Topology


class MergeCounts:
    """Counts pairs of a module and a node outside of it, and those with a kept edge, by size.

    Of every module a random set of as many nodes is counted beside it, as a control: it has the
    same number of possible edges, and was not chosen by them.

    Parameters
    ----------
    seed : int
        Of the random sets.

    Attributes
    ----------
    graphs : int
        That have been added.

    Notes
    -----
    Paper: neural-modules, eq. 16. A node outside can have an edge into a module or one out of it,
    never both, since it would be inside; edges out of it are therefore not counted as merging.

    Examples
    --------
    >>> counts = MergeCounts(seed=0)
    >>> counts.add(Topology.from_edges([(0, 1), (1, 0), (2, 1)], 4))
    >>> [(line["nodes"], line["pairs"], line["linked"]) for line in counts.lines()]
    [(2, 2, 1)]
    """

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)
        self.graphs = 0
        self._counts: dict[int, NDArray[np.int64]] = defaultdict(lambda: np.zeros(4, np.int64))

    def add(self, topology: Topology) -> None:
        """Count all modules of a wiring; O(modules * edges)."""
        self.graphs += 1
        n = topology.num_nodes
        for nodes in topology.components.modules:
            size = len(nodes)
            if size == n:
                continue
            chosen = self._generator.permutation(n)[:size]
            self._counts[size] += (
                1, n - size, _linked(topology, nodes), _linked(topology, chosen)
            )  # fmt: skip

    def lines(self) -> list[dict[str, int]]:
        """Give the counts by size, rising.

        Returns
        -------
        list of dict
            nodes (of a module), modules, pairs (of a module and a node outside), linked (pairs with
            at least one kept edge into the module) and linked_random (the same of the random sets).
        """
        names = ("modules", "pairs", "linked", "linked_random")
        return [
            {"nodes": size, **dict(zip(names, counts.tolist(), strict=True))}
            for size, counts in sorted(self._counts.items())
        ]


def _linked(topology: Topology, nodes: NDArray[np.integer]) -> int:
    """Count the nodes outside a set that have an edge into it."""
    inside = np.zeros(topology.num_nodes, dtype=np.bool_)
    inside[nodes] = True
    enters = inside[topology.targets] & ~inside[topology.sources]
    return len(np.unique(topology.sources[enters]))
