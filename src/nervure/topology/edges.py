"""Edges as sorted integer keys: the one trick behind every vectorised graph operation.

Edge ``source -> target`` of a graph with ``n`` nodes has the key ``target * n + source``. Sorted
keys are exactly the edge order of a `Topology`, so that sets of edges are merged, searched and
compared with sorted int64 arrays instead of loops.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nervure.errors import DuplicateEdgeError, NodeOutOfRangeError, SelfLoopError, TopologyError

Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

MAX_INDEX = int(np.iinfo(np.int32).max)
SHOWN = 5  # how many nodes or edges a message names before it only counts


def check_edge_count(count: int) -> None:
    """Refuse more edges than an int32 index can number, before memory is spent on them."""
    if count > MAX_INDEX:
        raise TopologyError(
            f"{count} edges asked for, but edges are numbered in int32: at most {MAX_INDEX}; "
            "use fewer nodes or a lower density"
        )


def as_integers(values: object, what: str) -> npt.NDArray[np.integer[Any]]:
    """Turn what a caller passed into an integer array, without changing its width."""
    if not isinstance(values, np.ndarray) and not hasattr(values, "__array__"):
        values = list(values) if isinstance(values, Iterable) else values
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise TopologyError(f"{what} must be an array of integers: {error}") from error
    if array.size == 0:
        return np.zeros(array.shape, dtype=np.int32)
    if array.dtype.kind not in "iu":
        raise TopologyError(f"{what} must hold integers, not {array.dtype}")
    return array


def as_nodes(values: object, num_nodes: int, what: str) -> Int32s:
    """Turn a sequence of node ids into a fresh int32 array and check their range."""
    array = as_integers(values, what)
    if array.ndim != 1:
        raise TopologyError(f"{what} must be one-dimensional, not of shape {array.shape}")
    check_range(array, num_nodes, what)
    return np.array(array, dtype=np.int32)


def check_range(nodes: npt.NDArray[np.integer[Any]], num_nodes: int, what: str) -> None:
    """Refuse node ids outside ``0 .. num_nodes - 1``."""
    if nodes.size == 0 or (nodes.min() >= 0 and nodes.max() < num_nodes):
        return
    wrong = nodes[(nodes < 0) | (nodes >= num_nodes)]
    raise NodeOutOfRangeError(
        f"{what}: {name_nodes(wrong)} outside 0..{num_nodes - 1}"
        if num_nodes
        else f"{what}: {name_nodes(wrong)}, but the topology has no nodes"
    )


def as_pairs(pairs: object, num_nodes: int | None = None) -> tuple[Int64s, Int64s]:
    """Split an ``(m, 2)`` array of (source, target) into two int64 arrays, range checked."""
    array = as_integers(pairs, "pairs")
    if array.size == 0:
        array = array.reshape(0, 2)
    if array.ndim != 2 or array.shape[1] != 2:
        raise TopologyError(
            f"pairs must have shape (m, 2), rows of (source, target), not {array.shape}"
        )
    limit = MAX_INDEX if num_nodes is None else num_nodes
    check_range(array, limit, "edges")
    check_edge_count(len(array))
    sources, targets = array.astype(np.int64).T
    return sources, targets


def keys_of_pairs(sources: Int64s, targets: Int64s, num_nodes: int) -> Int64s:
    """Sorted keys of new edges; refuses self-loops and repetitions."""
    check_self_loops(sources, targets)
    keys = np.sort(targets * num_nodes + sources)
    check_repeated(keys, num_nodes)
    return keys


def check_self_loops(sources: npt.NDArray[Any], targets: npt.NDArray[Any]) -> None:
    """Refuse edges from a node to itself."""
    loops = sources[sources == targets]
    if loops.size:
        raise SelfLoopError(
            f"self-loop on {name_nodes(loops)}: an edge joins two different nodes, "
            "biases are separate"
        )


def check_repeated(keys: Int64s, num_nodes: int) -> None:
    """Refuse sorted keys in which one occurs twice."""
    repeated = keys[1:][keys[1:] == keys[:-1]]
    if repeated.size:
        raise DuplicateEdgeError(f"{name_keys(repeated, num_nodes)} given more than once")


def csr_of_keys(keys: Int64s, num_nodes: int) -> tuple[Int32s, Int32s]:
    """Row offsets and sources of sorted, distinct keys."""
    targets, sources = np.divmod(keys, max(num_nodes, 1))
    return offsets_of(np.bincount(targets, minlength=num_nodes)), sources.astype(np.int32)


def offsets_of(counts: npt.NDArray[np.integer[Any]]) -> Int32s:
    """Turn row lengths into the row offsets of a CSR."""
    offsets = np.zeros(len(counts) + 1, dtype=np.int32)
    np.cumsum(counts, dtype=np.int32, out=offsets[1:])
    return offsets


def find_keys(wanted: Int64s, keys: Int64s) -> Int64s:
    """Position of each wanted key in the sorted `keys`, or -1."""
    if not keys.size:
        return np.full(wanted.shape, -1, dtype=np.int64)
    at = np.searchsorted(keys, wanted)
    found = keys[np.minimum(at, keys.size - 1)] == wanted
    return np.where(found, at, -1)


def name_nodes(nodes: npt.NDArray[Any]) -> str:
    """Name a few nodes in words: ``nodes 3, 5 and 4 more``."""
    return _name("node", [str(int(node)) for node in nodes[:SHOWN]], len(nodes))


def name_keys(keys: Int64s, num_nodes: int) -> str:
    """Name a few edges in words: ``edges 0 -> 3, 1 -> 3 and 4 more``."""
    pairs = [divmod(int(key), num_nodes) for key in keys[:SHOWN]]
    return _name("edge", [f"{source} -> {target}" for target, source in pairs], len(keys))


def _name(noun: str, shown: list[str], count: int) -> str:
    more = f" and {count - len(shown)} more" if count > len(shown) else ""
    return f"{noun}{'s' if count != 1 else ''} {', '.join(shown)}{more}"
