"""Topologies made of blocks: groups of consecutive nodes that are wired as wholes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nervure.errors import TopologyError
from nervure.topology.edges import Int32s, check_edge_count
from nervure.topology.validation import checked_count, checked_num_nodes

if TYPE_CHECKING:
    from nervure.topology.graph import Topology


def expanded(topology: Topology, block: int) -> Topology:
    """Put a block of nodes in the place of every node, and all pairs in the place of every edge.

    Parameters
    ----------
    topology : Topology
        What wires the blocks.
    block : int
        Nodes per block, m; node i becomes the nodes i m to i m + m - 1.

    Returns
    -------
    Topology
        m times the nodes, m^2 times the edges; the roles of a block are those of all its nodes.

    Raises
    ------
    TopologyError
        If m is no integer of at least 1, or nodes or edges become more than int32 can number.

    See Also
    --------
    coarsened : the way back.

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> from_edges([(0, 1)]).expanded(2).edges.tolist()
    [[0, 2], [1, 2], [0, 3], [1, 3]]
    """
    block = checked_count(block, "block")
    if block < 1:
        raise TopologyError(f"block must be at least 1, not {block}")
    checked_num_nodes(topology.num_nodes * block)
    check_edge_count(topology.num_edges * block * block)
    member = np.arange(block, dtype=np.int32)
    degree = np.repeat(topology.in_degree.astype(np.int64), block) * block
    indptr = np.concatenate([[0], np.cumsum(degree)]).astype(np.int32)
    rows = np.repeat(np.arange(topology.num_nodes), block)
    # The sources of a block, spelled out, once for each of its nodes.
    spelled = (topology.sources[:, None] * np.int32(block) + member).reshape(-1)
    start = topology.indptr[rows].astype(np.int64) * block
    within = np.arange(indptr[-1], dtype=np.int64) - np.repeat(indptr[:-1].astype(np.int64), degree)
    sources = spelled[np.repeat(start, degree) + within]
    return topology._trusted(
        topology.num_nodes * block,
        indptr,
        sources,
        _members(topology.inputs, block),
        _members(topology.outputs, block),
    )


def coarsened(topology: Topology, block: int) -> Topology:
    """Take blocks of consecutive nodes for nodes, where the wiring is that regular.

    Parameters
    ----------
    topology : Topology
        Nodes i m to i m + m - 1 form block i.
    block : int
        Nodes per block, m.

    Returns
    -------
    Topology
        What wires the blocks: ``coarsened(t, m).expanded(m)`` has the edges of ``t``. A block that
        holds an input (output) is one.

    Raises
    ------
    TopologyError
        If some edge is not one of all m^2 between two blocks, or m does not divide the nodes.
    """
    n = topology.num_nodes
    if block < 1 or n % block:
        raise TopologyError(f"blocks of {block} do not divide {n} nodes")
    found = _coarse(topology, block)
    if found is None:
        raise TopologyError(
            f"the wiring is not regular in blocks of {block}: some edge is not one of all "
            f"{block * block} between two blocks"
        )
    indptr, sources = found
    roles = (np.unique(r // block).astype(np.int32) for r in (topology.inputs, topology.outputs))
    return topology._trusted(n // block, indptr, sources, *roles)


def largest_block(topology: Topology, sizes: Sequence[int] = (8, 4, 3, 2)) -> int:
    """Find the largest block size in which a wiring is regular.

    Parameters
    ----------
    topology : Topology
    sizes : sequence of int
        Sizes to try.

    Returns
    -------
    int
        1 if none fits.

    Notes
    -----
    O(nodes + edges) per size.
    """
    for block in sorted(sizes, reverse=True):
        if block > 1 and topology.num_nodes % block == 0 and _coarse(topology, block) is not None:
            return block
    return 1


def _coarse(topology: Topology, block: int) -> tuple[Int32s, Int32s] | None:
    """Incoming lists of the blocks, or None if they are not regular."""
    degree = topology.in_degree
    first = degree[::block]
    if (degree != np.repeat(first, block)).any() or (first % block).any():
        return None
    # Rows of a block must be equal, and each must consist of whole blocks.
    start = topology.indptr[:-1:block].astype(np.int64)
    size = first.astype(np.int64)
    within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    heads = topology.sources[np.repeat(start, size) + within]
    for row in range(1, block):
        shift = np.repeat(start + row * size, size)
        if (topology.sources[shift + within] != heads).any():
            return None
    whole = heads.reshape(-1, block)
    expected = whole[:, :1] + np.arange(block, dtype=np.int32)
    if (whole[:, 0] % block).any() or (whole != expected).any():
        return None
    indptr = np.concatenate([[0], np.cumsum(size // block)]).astype(np.int32)
    sources = (whole[:, 0] // block).astype(np.int32)
    if (sources == np.repeat(np.arange(len(size)), size // block)).any():
        return None
    return indptr, sources


def _members(blocks: Int32s, block: int) -> Int32s:
    members = blocks[:, None] * np.int32(block) + np.arange(block, dtype=np.int32)
    return members.reshape(-1).astype(np.int32)
