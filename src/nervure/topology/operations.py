"""Operations that make a new topology of old ones; all of them are methods of `Topology` too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nervure.errors import DuplicateEdgeError, TopologyError
from nervure.topology.edges import (
    as_pairs,
    check_edge_count,
    csr_of_keys,
    find_keys,
    keys_of_pairs,
    name_keys,
    offsets_of,
)
from nervure.topology.positions import edge_keys
from nervure.topology.validation import checked_num_nodes, checked_role

if TYPE_CHECKING:
    from nervure.topology.graph import Topology


def keep(topology: Topology, edge_mask: npt.ArrayLike) -> Topology:
    """Keep the edges where the mask is true.

    Parameters
    ----------
    topology : Topology
        The graph to prune.
    edge_mask : array_like of bool
        One entry per edge, in edge order.

    Returns
    -------
    Topology
        Same nodes and roles, fewer edges; their order stays.

    Notes
    -----
    O(nodes + edges).

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> from_edges([(0, 1), (0, 2), (1, 2)]).keep([True, False, True]).edges.tolist()
    [[0, 1], [1, 2]]
    """
    mask = np.asarray(edge_mask)
    if mask.dtype != np.bool_ or mask.shape != (topology.num_edges,):
        raise TopologyError(
            f"edge_mask must be bool of shape ({topology.num_edges},), one entry per edge, "
            f"not {mask.dtype} of shape {mask.shape}"
        )
    kept_before = offsets_of(mask)
    return topology._trusted(
        topology.num_nodes,
        kept_before[topology.indptr],
        topology.sources[mask],
        topology.inputs,
        topology.outputs,
    )


def grow(topology: Topology, pairs: npt.ArrayLike) -> Topology:
    """Add edges.

    Parameters
    ----------
    topology : Topology
        The graph to extend.
    pairs : array_like of int, shape (m, 2)
        Rows of (source, target), in any order.

    Returns
    -------
    Topology
        Same nodes and roles, `m` edges more.

    Raises
    ------
    DuplicateEdgeError
        When an edge is given twice or exists already.
    SelfLoopError, NodeOutOfRangeError
        When a pair is no edge of these nodes.

    Notes
    -----
    O(nodes + edges + m log m).

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> from_edges([(0, 1), (1, 2)]).grow([(0, 2)]).edges.tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    n = topology.num_nodes
    new = keys_of_pairs(*as_pairs(pairs, n), n)
    check_edge_count(topology.num_edges + new.size)
    keys = edge_keys(topology)
    at = find_keys(new, keys)
    if (at >= 0).any():
        raise DuplicateEdgeError(
            f"already in the topology: {name_keys(new[at >= 0], n)}; grow only absent edges"
        )
    new_targets, new_sources = np.divmod(new, max(n, 1))
    added_before = offsets_of(np.bincount(new_targets, minlength=n))
    return topology._trusted(
        n,
        topology.indptr + added_before,
        np.insert(topology.sources, np.searchsorted(keys, new), new_sources.astype(np.int32)),
        topology.inputs,
        topology.outputs,
    )


def drop(topology: Topology, pairs: npt.ArrayLike) -> Topology:
    """Remove edges named by their ends.

    Parameters
    ----------
    topology : Topology
        The graph to prune.
    pairs : array_like of int, shape (m, 2)
        Rows of (source, target), in any order.

    Returns
    -------
    Topology
        Same nodes and roles, `m` edges fewer.

    Raises
    ------
    TopologyError
        When an edge does not exist.

    Notes
    -----
    O(nodes + edges + m log m).

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> from_edges([(0, 1), (0, 2), (1, 2)]).drop([(0, 2)]).edges.tolist()
    [[0, 1], [1, 2]]
    """
    n = topology.num_nodes
    old = keys_of_pairs(*as_pairs(pairs, n), n)
    at = find_keys(old, edge_keys(topology))
    if (at < 0).any():
        raise TopologyError(
            f"not in the topology: {name_keys(old[at < 0], n)}; drop only present edges"
        )
    mask = np.ones(topology.num_edges, dtype=np.bool_)
    mask[at] = False
    return keep(topology, mask)


def with_roles(topology: Topology, inputs: npt.ArrayLike, outputs: npt.ArrayLike) -> Topology:
    """Give the same graph other inputs and outputs.

    Parameters
    ----------
    topology : Topology
        The graph.
    inputs, outputs : array_like of int
        Distinct node ids; their order is kept. A node may have both roles.

    Returns
    -------
    Topology
        Same nodes and edges.

    Notes
    -----
    O(roles); the edges are shared.

    Examples
    --------
    >>> from nervure.topology import complete
    >>> complete(3).with_roles(inputs=[2], outputs=[0, 1])
    Topology(nodes=3, edges=6, density=1, inputs=1, outputs=2, modules=1, largest=3)
    """
    return topology._trusted(
        topology.num_nodes,
        topology.indptr,
        topology.sources,
        checked_role(inputs, topology.num_nodes, "inputs"),
        checked_role(outputs, topology.num_nodes, "outputs"),
    )


def reversed_topology(topology: Topology) -> Topology:
    """Turn every edge round and swap inputs with outputs.

    Edge k of the result is edge ``topology.out_adjacency.edges[k]`` of the original.

    Parameters
    ----------
    topology : Topology
        The graph.

    Returns
    -------
    Topology
        The graph on which the adjoint runs.

    Notes
    -----
    O(nodes + edges).

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> from_edges([(0, 1), (1, 2)]).reversed().edges.tolist()
    [[1, 0], [2, 1]]
    """
    out = topology.out_adjacency
    return topology._trusted(
        topology.num_nodes, out.indptr, out.targets, topology.outputs, topology.inputs
    )


def union(topology: Topology, *others: Topology) -> Topology:
    """Put topologies side by side, with no edge between them.

    Node ids of each topology are shifted by the nodes before it; edges, inputs and outputs follow
    one another in the order given. So does every array in edge order: the weights of a population
    are the concatenation of the weights of its members.

    Parameters
    ----------
    topology, *others : Topology
        The members.

    Returns
    -------
    Topology
        The disjoint union.

    Notes
    -----
    O(nodes + edges) of the result.

    Examples
    --------
    >>> from nervure.topology import complete
    >>> complete(2).union(complete(2)).edges.tolist()
    [[1, 0], [0, 1], [3, 2], [2, 3]]
    """
    if not others:
        return topology
    members = (topology, *others)
    first_node = np.cumsum([0] + [member.num_nodes for member in members])
    first_edge = np.cumsum([0] + [member.num_edges for member in members])
    num_nodes = checked_num_nodes(first_node[-1])
    check_edge_count(int(first_edge[-1]))
    node_shift, edge_shift = first_node.astype(np.int32), first_edge.astype(np.int32)

    def shifted(name: str) -> npt.NDArray[np.int32]:
        pieces = zip(members, node_shift, strict=False)
        return np.concatenate([getattr(member, name) + shift for member, shift in pieces])

    rows = [m.indptr[:-1] + shift for m, shift in zip(members, edge_shift, strict=False)]
    return topology._trusted(
        num_nodes,
        np.concatenate([*rows, edge_shift[-1:]]),
        shifted("sources"),
        shifted("inputs"),
        shifted("outputs"),
    )


def subgraph(topology: Topology, nodes: npt.ArrayLike) -> Topology:
    """Cut out the graph on some nodes.

    Node ``nodes[i]`` becomes node i. Roles are restricted to the nodes that remain and keep their
    order. ``part.edge_positions_in(whole, nodes)`` says which edges of the whole survive.

    Parameters
    ----------
    topology : Topology
        The whole.
    nodes : array_like of int
        Distinct node ids.

    Returns
    -------
    Topology
        The induced subgraph.

    Notes
    -----
    O(nodes + edges) of the whole, and O(e log e) in the edges that remain.

    Examples
    --------
    >>> from nervure.topology import complete
    >>> whole = complete(4)
    >>> part = whole.subgraph([3, 1])
    >>> part.edges.tolist(), part.edge_positions_in(whole, [3, 1]).tolist()
    ([[1, 0], [0, 1]], [10, 5])
    """
    chosen = checked_role(nodes, topology.num_nodes, "nodes")
    size = len(chosen)
    new_id = np.full(topology.num_nodes, -1, dtype=np.int64)
    new_id[chosen] = np.arange(size)
    sources, targets = new_id[topology.sources], new_id[topology.targets]
    inside = (sources >= 0) & (targets >= 0)
    keys = np.sort(targets[inside] * size + sources[inside])
    inputs, outputs = (
        new_id[role].astype(np.int32) for role in (topology.inputs, topology.outputs)
    )
    return topology._trusted(
        size, *csr_of_keys(keys, size), inputs[inputs >= 0], outputs[outputs >= 0]
    )


def relabelled(topology: Topology, permutation: npt.ArrayLike) -> Topology:
    """Renumber the nodes.

    Parameters
    ----------
    topology : Topology
        The graph.
    permutation : array_like of int
        New id of each node, a permutation of all node ids.

    Returns
    -------
    Topology
        The same graph under other numbers; roles keep their order.

    Notes
    -----
    O(nodes + e log e).

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> from_edges([(0, 1), (1, 2)]).relabelled([2, 0, 1]).edges.tolist()
    [[2, 0], [0, 1]]
    """
    new_id = checked_role(permutation, topology.num_nodes, "permutation")
    if len(new_id) != topology.num_nodes:
        raise TopologyError(
            f"permutation must hold all {topology.num_nodes} nodes once, not {len(new_id)}"
        )
    old_id = np.empty_like(new_id)
    old_id[new_id] = np.arange(topology.num_nodes, dtype=np.int32)
    return subgraph(topology, old_id)
