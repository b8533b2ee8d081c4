"""In which order a sweep visits the nodes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nervure.topology import Topology

# As in csrc/program.cpp: from so many edges per node on, the order hardly matters to convergence.
_DENSE_DEGREE = 4


def sweep_order(topology: Topology, block: int = 1) -> NDArray[np.int64]:
    """Give the nodes in the order in which the native sweep of a plan computes them.

    Sources come first, component by component. Inside a component with cycles a sweep is one pass
    of Gauss-Seidel in this order: a node reads the new values of those before it, and the old ones
    of those after it.

    Parameters
    ----------
    topology : Topology
    block : int
        Nodes per block, as in `nervure.engine.plan`.

    Returns
    -------
    ndarray of int64, shape (nodes * block,)

    Notes
    -----
    O(nodes log nodes + edges). Weakly connected parts may be swept in another order, which changes
    no value.

    Examples
    --------
    >>> from nervure import Topology
    >>> sweep_order(Topology.from_edges([(2, 1), (1, 0)])).tolist()
    [2, 1, 0]
    """
    components = topology.components
    order = components.order.astype(np.int64)
    labels = components.labels
    inside = labels[topology.sources] == labels[topology.targets]
    edges = np.bincount(labels[topology.targets[inside]], minlength=components.count)
    dense = components.cyclic & (edges >= _DENSE_DEGREE * components.sizes)
    for component in np.flatnonzero(dense):
        order[components.offsets[component] : components.offsets[component + 1]].sort()
    return (order[:, None] * block + np.arange(block)).reshape(-1)
