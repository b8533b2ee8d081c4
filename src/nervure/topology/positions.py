"""Where the edges of one topology stand in another: what a rewiring carries state by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nervure.errors import TopologyError
from nervure.topology.edges import Int64s, as_nodes, find_keys

if TYPE_CHECKING:
    from nervure.topology.graph import Topology


def edge_keys(topology: Topology) -> Int64s:
    """Key ``target * num_nodes + source`` of each edge, which rises in edge order.

    Notes
    -----
    O(edges).

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> from nervure.topology.positions import edge_keys
    >>> edge_keys(from_edges([(0, 1), (1, 2)])).tolist()
    [3, 7]
    """
    return topology.targets.astype(np.int64) * topology.num_nodes + topology.sources


def edge_positions_in(
    topology: Topology, other: Topology, nodes: npt.ArrayLike | None = None
) -> Int64s:
    """Find each edge in the edge order of another topology.

    This is what carries weights and optimizer state over a rewiring: an edge at position -1 is
    new, every other one takes the state of its old position.

    Parameters
    ----------
    topology : Topology
        The graph whose edges are looked up.
    other : Topology
        The graph in which they are looked up.
    nodes : array_like of int, optional
        Node of `other` for each node of `topology`. By default both number their nodes alike.

    Returns
    -------
    ndarray of int64
        For each edge of `topology` its position in `other`, or -1.

    Notes
    -----
    O(e log e) comparisons in sorted order.

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> before = from_edges([(0, 1), (0, 2), (1, 2)])
    >>> after = before.drop([(0, 2)]).grow([(2, 1)])
    >>> after.edge_positions_in(before).tolist()
    [0, -1, 2]
    """
    if nodes is None:
        if topology.num_nodes != other.num_nodes:
            raise TopologyError(
                f"{topology.num_nodes} nodes are looked up among {other.num_nodes}: pass nodes=, "
                "the node of the other topology for each node"
            )
        return find_keys(edge_keys(topology), edge_keys(other))
    there = as_nodes(nodes, other.num_nodes, "nodes").astype(np.int64)
    if len(there) != topology.num_nodes:
        raise TopologyError(f"nodes must have {topology.num_nodes} entries, not {len(there)}")
    wanted = there[topology.targets] * other.num_nodes + there[topology.sources]
    return find_keys(wanted, edge_keys(other))
