"""Topologies to and from NetworkX and SciPy."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

import networkx as nx
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nervure.errors import NodeOutOfRangeError, TopologyError
from nervure.topology.building import build
from nervure.topology.edges import (
    SHOWN,
    Int64s,
    check_edge_count,
    check_self_loops,
    csr_of_keys,
    keys_of_pairs,
)
from nervure.topology.validation import checked_num_nodes

if TYPE_CHECKING:
    from nervure.topology.graph import Topology

# The value of the node attribute "role", by (is input, is output).
ROLES = {
    (False, False): "interior",
    (True, False): "input",
    (False, True): "output",
    (True, True): "both",
}


class SparseMatrix(Protocol):
    """What all sparse matrices and arrays of SciPy have in common."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its extents."""

    def tocsr(self) -> Any:  # noqa: ANN401 - one of two classes that share no typed base
        """Turn it into CSR form."""


def from_scipy(
    matrix: SparseMatrix,
    inputs: npt.ArrayLike | None = None,
    outputs: npt.ArrayLike | None = None,
) -> Topology:
    """Build a topology of a square sparse matrix.

    Parameters
    ----------
    matrix : scipy sparse array or matrix, shape (n, n)
        Entry ``[target, source]``. Stored zeros are no edges; entries stored twice are summed, as
        SciPy does everywhere.
    inputs, outputs : array_like of int, optional
        Roles. By default the nodes without incoming and those without outgoing edges.

    Returns
    -------
    Topology
        One edge per nonzero entry.

    Raises
    ------
    SelfLoopError
        When an entry of the diagonal is nonzero.

    Notes
    -----
    O(nodes + edges) for a matrix in CSR form.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from nervure.topology import from_scipy
    >>> from_scipy(sp.csr_array([[0, 0], [0.5, 0]])).edges.tolist()
    [[0, 1]]
    """
    if not sp.issparse(matrix):
        raise TopologyError(f"a SciPy sparse matrix is expected, not {type(matrix).__name__}")
    if len(matrix.shape) != 2 or matrix.shape[0] != matrix.shape[1]:
        raise TopologyError(f"matrix must be square, [target, source], not {matrix.shape}")
    n = checked_num_nodes(matrix.shape[0])
    rows = sp.csr_array(matrix.tocsr(), copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    check_edge_count(rows.nnz)
    check_self_loops(rows.indices, np.repeat(np.arange(n), np.diff(rows.indptr)))
    return build(n, rows.indptr.astype(np.int32), rows.indices.astype(np.int32), inputs, outputs)


def to_scipy(topology: Topology, weights: npt.ArrayLike | None = None) -> sp.csr_array:
    """Write a topology as a sparse matrix.

    Parameters
    ----------
    topology : Topology
        The graph.
    weights : array_like, optional
        One value per edge, in edge order; by default true.

    Returns
    -------
    scipy.sparse.csr_array
        Entry ``[target, source]``: the matrix that takes node states to weighted sums. It owns
        its arrays.

    Notes
    -----
    O(nodes + edges).

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> from_edges([(0, 1), (0, 2)]).to_scipy([0.5, 2.0]).toarray().tolist()
    [[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [2.0, 0.0, 0.0]]
    """
    values = (
        np.ones(topology.num_edges, dtype=np.bool_)
        if weights is None
        else np.array(per_edge(topology, weights))
    )
    return sp.csr_array(
        (values, topology.sources.copy(), topology.indptr.copy()),
        shape=(topology.num_nodes, topology.num_nodes),
    )


def per_edge(topology: Topology, weights: npt.ArrayLike) -> npt.NDArray[Any]:
    """Check that there is one weight per edge."""
    values = np.asarray(weights)
    if values.shape != (topology.num_edges,):
        raise TopologyError(
            f"weights must have shape ({topology.num_edges},), one per edge, not {values.shape}"
        )
    return values


def from_networkx(
    graph: nx.DiGraph,
    inputs: Iterable[Hashable] | None = None,
    outputs: Iterable[Hashable] | None = None,
) -> Topology:
    """Build a topology of a directed NetworkX graph.

    Parameters
    ----------
    graph : networkx.DiGraph
        Any node labels; nodes are numbered in graph order, see `node_labels`.
    inputs, outputs : iterable of node labels, optional
        Roles. By default they come from the node attribute ``role`` ("input", "output", "both" or
        "interior"), in graph order or in that of the attributes ``input_position`` and
        ``output_position``; and if no node has a role, they are the nodes without incoming and
        those without outgoing edges.

    Returns
    -------
    Topology
        The same graph; `edge_weights` reads an edge attribute in its edge order.

    Notes
    -----
    O(nodes + e log e), in Python speed.

    Examples
    --------
    >>> import networkx as nx
    >>> from nervure.topology import from_networkx, node_labels
    >>> graph = nx.DiGraph([("eye", "brain"), ("brain", "hand")])
    >>> from_networkx(graph).edges.tolist(), node_labels(graph)
    ([[0, 1], [1, 2]], ['eye', 'brain', 'hand'])
    """
    if not graph.is_directed():
        raise TopologyError("a directed graph is expected; graph.to_directed() makes one")
    ids = {label: number for number, label in enumerate(graph.nodes)}
    if any(role is not None for _, role in graph.nodes(data="role")):
        inputs = _role_of(graph, "input") if inputs is None else inputs
        outputs = _role_of(graph, "output") if outputs is None else outputs
    n = checked_num_nodes(len(ids))
    keys = keys_of_pairs(*_ends(graph, ids), n)
    return build(n, *csr_of_keys(keys, n), _ids_of(inputs, ids), _ids_of(outputs, ids))


def _ends(graph: nx.DiGraph, ids: dict[Hashable, int]) -> tuple[Int64s, Int64s]:
    count = graph.number_of_edges()
    check_edge_count(count)
    sources = np.fromiter((ids[u] for u, _ in graph.edges()), dtype=np.int64, count=count)
    targets = np.fromiter((ids[v] for _, v in graph.edges()), dtype=np.int64, count=count)
    return sources, targets


def _ids_of(labels: Iterable[Hashable] | None, ids: dict[Hashable, int]) -> list[int] | None:
    if labels is None:
        return None
    labels = list(labels)
    unknown = [label for label in labels if label not in ids]
    if unknown:
        raise NodeOutOfRangeError(
            f"{len(unknown)} roles name no node of the graph: "
            + ", ".join(repr(label) for label in unknown[:SHOWN])
        )
    return [ids[label] for label in labels]


def _role_of(graph: nx.DiGraph, role: str) -> list[Hashable]:
    placed: list[tuple[int, Hashable]] = []
    for label, data in graph.nodes(data=True):
        value = data.get("role", "interior")
        if value not in ROLES.values():
            raise TopologyError(
                f"node {label!r} has role {value!r}; known are {', '.join(ROLES.values())}"
            )
        if value in (role, "both"):
            position = data.get(f"{role}_position", len(placed))
            if not isinstance(position, int):
                raise TopologyError(
                    f"node {label!r} has {role}_position {position!r}, which is no integer"
                )
            placed.append((position, label))
    return [label for _, label in sorted(placed, key=lambda item: item[0])]


def node_labels(graph: nx.DiGraph) -> list[Hashable]:
    """List the labels of a NetworkX graph; entry i belongs to node i of `from_networkx`.

    Notes
    -----
    O(nodes).

    Examples
    --------
    >>> import networkx as nx
    >>> from nervure.topology import node_labels
    >>> node_labels(nx.DiGraph([("b", "a")]))
    ['b', 'a']
    """
    return list(graph.nodes)


def edge_weights(graph: nx.DiGraph, attribute: str = "weight") -> npt.NDArray[np.float64]:
    """Read an edge attribute of a NetworkX graph in the edge order of `from_networkx`.

    Parameters
    ----------
    graph : networkx.DiGraph
        The graph.
    attribute : str
        Name of a numeric attribute that every edge has.

    Returns
    -------
    ndarray of float64
        One value per edge.

    Notes
    -----
    O(nodes + e log e), in Python speed.

    Examples
    --------
    >>> import networkx as nx
    >>> from nervure.topology import edge_weights
    >>> graph = nx.DiGraph()
    >>> graph.add_nodes_from("abc")
    >>> graph.add_edge("a", "c", weight=2.0)
    >>> graph.add_edge("a", "b", weight=1.0)
    >>> edge_weights(graph).tolist()
    [1.0, 2.0]
    """
    sources, targets = _ends(graph, {label: number for number, label in enumerate(graph.nodes)})
    values = [value for _, _, value in graph.edges(data=attribute)]
    try:
        weights = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TopologyError(f"every edge needs a number as its {attribute!r}: {error}") from error
    if np.isnan(weights).any() and None in values:
        raise TopologyError(f"{values.count(None)} edges have no attribute {attribute!r}")
    return weights[np.lexsort((sources, targets))]


def to_networkx(topology: Topology, weights: npt.ArrayLike | None = None) -> nx.DiGraph:
    """Write a topology as a NetworkX graph.

    Parameters
    ----------
    topology : Topology
        The graph.
    weights : array_like, optional
        One value per edge, in edge order; becomes the edge attribute ``weight``.

    Returns
    -------
    networkx.DiGraph
        Nodes 0, 1, ... with attributes ``role`` ("input", "output", "both" or "interior"),
        ``component`` and ``level``; inputs and outputs also have their place in the role,
        ``input_position`` and ``output_position``. `from_networkx` gives the topology back.

    Notes
    -----
    O(nodes + edges), in Python speed.

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> from_edges([(0, 1), (1, 2)]).to_networkx().nodes[2]
    {'role': 'output', 'component': 2, 'level': 2, 'output_position': 0}
    """
    graph = nx.DiGraph()
    is_input, is_output = (np.zeros(topology.num_nodes, dtype=np.bool_) for _ in range(2))
    is_input[topology.inputs] = True
    is_output[topology.outputs] = True
    columns = (is_input, is_output, topology.components.labels, topology.levels)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for node, (takes, gives, component, level) in enumerate(rows):
        graph.add_node(node, role=ROLES[takes, gives], component=component, level=level)
    for role, nodes in (("input", topology.inputs), ("output", topology.outputs)):
        for position, node in enumerate(nodes.tolist()):
            graph.nodes[node][f"{role}_position"] = position
    ends = zip(topology.sources.tolist(), topology.targets.tolist(), strict=True)
    if weights is None:
        graph.add_edges_from(ends)
    else:
        values = per_edge(topology, weights).tolist()
        graph.add_weighted_edges_from((*end, w) for end, w in zip(ends, values, strict=True))
    return graph
