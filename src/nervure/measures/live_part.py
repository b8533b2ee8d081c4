"""The part of a graph that measures see, and what they do where it has no value for them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nervure.errors import UndefinedMeasureError
from nervure.topology import Topology


def live_part(topology: Topology) -> Topology:
    """Cut out the nodes that lie on a path from an input to an output.

    Everything in this package is measured there: a dead path computes nothing, and counting it
    would make a pruned network look larger than it is. What is live is renumbered from 0 in its
    old order.

    Parameters
    ----------
    topology : Topology

    Returns
    -------
    Topology
        Itself when nothing is dead; without nodes when no path leads from input to output.

    Notes
    -----
    O(nodes + e log e).

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> live_part(from_edges([(0, 1), (1, 2), (1, 3)], inputs=[0], outputs=[3])).edges.tolist()
    [[0, 1], [1, 2]]
    """
    if topology.live.all():
        return topology
    return topology.subgraph(np.flatnonzero(topology.live))


def acyclic_live_part(topology: Topology, what: str) -> Topology:
    """Cut out the live part and refuse cycles in it, where paths have no end."""
    live = live_part(topology)
    if live.is_acyclic:
        return live
    sizes = live.components.sizes
    raise UndefinedMeasureError(
        f"{what}: paths through a cycle can go round for ever, and the live part has "
        f"{int((sizes > 1).sum())} cyclic components (the largest of {int(sizes.max())} nodes); "
        "measure an acyclic graph, or one without loops between the same nodes"
    )


def undirected(topology: Topology) -> sp.csr_array:
    """Write the edges without their direction, as a symmetric matrix of zeros and ones."""
    matrix = topology.to_scipy(np.ones(topology.num_edges))
    # An edge and its opposite are one.
    both: sp.csr_array = (matrix + matrix.T).sign().tocsr()
    return both


def hops(topology: Topology) -> npt.NDArray[np.float64]:
    """Edges on the shortest undirected path between all pairs of nodes; inf without one.

    O(nodes * edges) time and O(nodes^2) memory.
    """
    if not topology.num_nodes:
        return np.zeros((0, 0))
    found: npt.NDArray[np.float64] = sp.csgraph.shortest_path(
        undirected(topology), directed=False, unweighted=True
    )
    return found


def check_in_one_piece(topology: Topology, what: str) -> None:
    """Refuse a graph that falls into parts when directions are forgotten."""
    if not topology.num_nodes:
        return
    pieces, _ = sp.csgraph.connected_components(topology.to_scipy(), directed=False)
    if pieces > 1:
        raise UndefinedMeasureError(
            f"{what}: the live part falls into {pieces} pieces with no distance between them; "
            "measure each piece alone (subgraph)"
        )
