"""Neural modules of a wiring: its strongly connected components of two nodes or more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nervure.topology import Topology


@dataclass(frozen=True)
class ModuleStatistics:
    """Number and sizes of modules.

    Attributes
    ----------
    count : int
        Number of modules.
    sizes : tuple of int
        Nodes per module, largest first.
    largest : int
        Nodes of the largest module, 0 without modules.
    covered : float
        Share of all nodes that lie in a module.
    balance : float
        Entropy of the sizes relative to that of equal sizes: 1 when all modules are equal, near 0
        when one holds nearly everything; 1 for a single module, nan without modules.
    """

    count: int
    sizes: tuple[int, ...]
    largest: int
    covered: float
    balance: float


def module_statistics(topology: Topology) -> ModuleStatistics:
    """Count and measure the modules of a wiring.

    Parameters
    ----------
    topology : Topology
        What is wired.

    Returns
    -------
    ModuleStatistics

    Notes
    -----
    O(nodes + edges) the first time, then kept with the topology. Paper: neural-modules, section
    3.5 (a neural module is a strongly connected component) and appendix H (balance).

    Examples
    --------
    >>> from nervure import Topology
    >>> module_statistics(Topology.from_edges([(0, 1), (1, 0), (1, 2)])).sizes
    (2,)
    """
    sizes = topology.components.sizes
    sizes = np.sort(sizes[sizes > 1])[::-1]
    if not len(sizes):
        return ModuleStatistics(0, (), 0, 0.0, float("nan"))
    share = sizes / sizes.sum()
    entropy = float(-(share * np.log(share)).sum())
    balance = 1.0 if len(sizes) == 1 else entropy / float(np.log(len(sizes)))
    covered = float(sizes.sum()) / topology.num_nodes
    return ModuleStatistics(
        len(sizes), tuple(int(s) for s in sizes), int(sizes[0]), covered, balance
    )
