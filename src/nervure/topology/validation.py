"""The checks behind ``Topology(...)``, each one pass over the arrays."""

from __future__ import annotations

import operator
from typing import SupportsIndex

import numpy as np

from nervure.errors import TopologyError
from nervure.topology.edges import (
    MAX_INDEX,
    Int32s,
    as_integers,
    as_nodes,
    check_edge_count,
    check_repeated,
    check_self_loops,
    name_nodes,
)


def checked_count(value: SupportsIndex, what: str) -> int:
    """Return a number of nodes or edges as an int that fits int32."""
    try:
        count = operator.index(value)
    except TypeError as error:
        raise TopologyError(f"{what} must be an integer, not {value!r}") from error
    if not 0 <= count <= MAX_INDEX:
        raise TopologyError(f"{what} must lie in 0..{MAX_INDEX}, not {count}")
    return count


def checked_num_nodes(value: SupportsIndex) -> int:
    """Return the number of nodes as an int that fits int32."""
    return checked_count(value, "the number of nodes")


def checked_csr(num_nodes: int, indptr: object, sources: object) -> tuple[Int32s, Int32s]:
    """Return fresh copies of a CSR by target whose rows rise and hold neither loops nor repeats."""
    offsets = as_integers(indptr, "indptr")
    raw_sources = as_integers(sources, "sources")
    check_edge_count(raw_sources.size)
    if offsets.shape != (num_nodes + 1,):
        raise TopologyError(
            f"indptr must have shape ({num_nodes + 1},), one more than the nodes, "
            f"not {offsets.shape}"
        )
    if offsets[0] != 0 or offsets[-1] != raw_sources.size or (offsets[1:] < offsets[:-1]).any():
        raise TopologyError(
            f"indptr must rise from 0 to the number of edges, {raw_sources.size}; "
            f"it goes from {offsets[0]} to {offsets[-1]}"
            + (" and falls on the way" if (offsets[1:] < offsets[:-1]).any() else "")
        )
    row_offsets = np.array(offsets, dtype=np.int32)
    row_sources = as_nodes(raw_sources, num_nodes, "sources")
    _check_rows(num_nodes, row_offsets, row_sources)
    return row_offsets, row_sources


def _check_rows(num_nodes: int, indptr: Int32s, sources: Int32s) -> None:
    targets = np.repeat(np.arange(num_nodes, dtype=np.int64), np.diff(indptr))
    check_self_loops(sources, targets)
    keys = targets * num_nodes + sources
    falling = targets[1:][keys[1:] < keys[:-1]]
    if falling.size:
        raise TopologyError(
            f"sources must rise inside each target's row; they fall for {name_nodes(falling)}; "
            "sort them, or build the topology with from_edges, which sorts"
        )
    check_repeated(keys, num_nodes)


def checked_role(nodes: object, num_nodes: int, what: str) -> Int32s:
    """Return the nodes of a role as a fresh int32 array of distinct node ids."""
    role = as_nodes(nodes, num_nodes, what)
    ordered = np.sort(role)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if repeated.size:
        raise TopologyError(f"{what} must name each node once; repeated: {name_nodes(repeated)}")
    return role
