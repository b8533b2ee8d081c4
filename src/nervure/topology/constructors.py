"""Topologies to start from; each function is a static method of `Topology` too."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nervure.errors import TopologyError
from nervure.topology import interchange
from nervure.topology.building import build
from nervure.topology.edges import (
    as_pairs,
    check_edge_count,
    check_self_loops,
    csr_of_keys,
    keys_of_pairs,
    offsets_of,
)
from nervure.topology.validation import checked_count, checked_num_nodes

if TYPE_CHECKING:
    from nervure.topology.graph import Topology


def complete(n: int) -> Topology:
    """Join every node to every other node.

    Every node is input and output, as in the paper on neural modules, where a dense encoder
    drives all of them and a dense decoder reads all of them.

    Parameters
    ----------
    n : int
        Number of nodes, at most 46341 (edges are numbered in int32).

    Returns
    -------
    Topology
        The complete digraph with its ``n (n - 1)`` edges.

    Notes
    -----
    O(n^2), the size of the result.

    Examples
    --------
    >>> from nervure.topology import complete
    >>> complete(5)
    Topology(nodes=5, edges=20, density=1, inputs=5, outputs=5, modules=1, largest=5)
    """
    n = checked_num_nodes(n)
    check_edge_count(n * (n - 1))
    nodes = np.arange(n, dtype=np.int32)
    others = np.tile(nodes[:-1], (n, 1))
    others += others >= nodes[:, np.newaxis]
    indptr = np.arange(n + 1, dtype=np.int32) * max(n - 1, 0)
    return build(n, indptr.astype(np.int32), others.ravel(), nodes, nodes)


def dense_dag(
    n: int,
    inputs: npt.ArrayLike | None = None,
    outputs: npt.ArrayLike | None = None,
    *,
    reach: int | None = None,
) -> Topology:
    """Join every node to all nodes with a higher number, or to the next few of them.

    Parameters
    ----------
    n : int
        Number of nodes, at most 65536 (edges are numbered in int32).
    inputs, outputs : array_like of int, optional
        Roles. By default node 0 is the input and node ``n - 1`` the output.
    reach : int, optional
        Greatest difference of the numbers of two nodes that are joined; by default any.

    Returns
    -------
    Topology
        The strictly lower triangular graph with its ``n (n - 1) / 2`` edges, or the band of it
        below the diagonal.

    Raises
    ------
    TopologyError
        If the graph would have more edges than int32 can number, or the reach is below 1.

    Notes
    -----
    O(n + edges).

    References
    ----------
    R. Madhavan and V. Yerram, "Provably high degree polynomial representation learning with
    FreeNets"; connectivity-tradeoff, appendix D.1, for the reach.

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> dense_dag(4, inputs=[0, 1], outputs=[3]).edges.tolist()
    [[0, 1], [0, 2], [1, 2], [0, 3], [1, 3], [2, 3]]
    """
    n = checked_num_nodes(n)
    furthest = n if reach is None else min(checked_count(reach, "reach"), n)
    if reach is not None and reach < 1:
        raise TopologyError(f"reach: expected at least 1, got {reach}")
    # The first nodes have fewer before them than the reach.
    short = min(n, furthest)
    count = short * (short - 1) // 2 + (n - short) * furthest
    check_edge_count(count)
    row_lengths = np.minimum(np.arange(n, dtype=np.int32), np.int32(furthest))
    indptr = offsets_of(row_lengths)
    first = np.arange(n, dtype=np.int32) - row_lengths
    sources = np.arange(count, dtype=np.int32) + np.repeat(first - indptr[:-1], row_lengths)
    return build(n, indptr, sources, inputs, outputs)


def from_edges(
    pairs: npt.ArrayLike,
    num_nodes: int | None = None,
    inputs: npt.ArrayLike | None = None,
    outputs: npt.ArrayLike | None = None,
) -> Topology:
    """Build a topology of a list of edges.

    Parameters
    ----------
    pairs : array_like of int, shape (m, 2)
        Rows of (source, target), in any order.
    num_nodes : int, optional
        Number of nodes; by default one more than the highest node named.
    inputs, outputs : array_like of int, optional
        Roles. By default the nodes without incoming and those without outgoing edges.

    Returns
    -------
    Topology
        The edges, sorted into edge order.

    Raises
    ------
    NodeOutOfRangeError, DuplicateEdgeError, SelfLoopError, TopologyError
        When the pairs are no edges of these nodes.

    Notes
    -----
    O(nodes + m log m).

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> topology = from_edges([(1, 2), (0, 2), (2, 3)])
    >>> topology.inputs.tolist(), topology.outputs.tolist()
    ([0, 1], [3])
    """
    n = None if num_nodes is None else checked_num_nodes(num_nodes)
    sources, targets = as_pairs(pairs, n)
    if n is None:
        n = int(max(sources.max(), targets.max())) + 1 if sources.size else 0
    return build(n, *csr_of_keys(keys_of_pairs(sources, targets, n), n), inputs, outputs)


def from_mask(
    mask: npt.ArrayLike | interchange.SparseMatrix,
    inputs: npt.ArrayLike | None = None,
    outputs: npt.ArrayLike | None = None,
) -> Topology:
    """Build a topology of a square matrix whose nonzero entries are edges.

    Parameters
    ----------
    mask : array_like or scipy sparse matrix, shape (n, n)
        Entry ``[target, source]``, as in a weight matrix that multiplies from the left. Weights
        serve as well as truth values.
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
    O(n^2), or O(nodes + edges) for a sparse matrix. ``matrix[topology.targets,
    topology.sources]`` gives the entries in edge order.

    Examples
    --------
    >>> from nervure.topology import from_mask
    >>> from_mask([[0, 0], [1, 0]]).edges.tolist()
    [[0, 1]]
    """
    if sp.issparse(mask):
        return interchange.from_scipy(cast("interchange.SparseMatrix", mask), inputs, outputs)
    matrix = np.asarray(mask)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise TopologyError(f"mask must be square, [target, source], not of shape {matrix.shape}")
    n = checked_num_nodes(len(matrix))
    targets, sources = np.nonzero(matrix)
    check_edge_count(targets.size)
    check_self_loops(sources, targets)
    indptr = offsets_of(np.bincount(targets, minlength=n))
    return build(n, indptr, sources.astype(np.int32), inputs, outputs)
