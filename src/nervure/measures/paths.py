"""Paths from inputs to outputs: how many there are, and how long they are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from nervure.measures.live_part import acyclic_live_part
from nervure.measures.wide_range import segment_sums, total_log, wide
from nervure.topology import Topology, from_edges


def num_paths(topology: Topology) -> int:
    """Count the paths from any input to any output, exactly.

    Parameters
    ----------
    topology : Topology
        Acyclic in its live part. A node that is input and output at once is a path of length 0.

    Returns
    -------
    int
        Of any size: a complete DAG of n nodes has 2^(n-2). 0 when no path is left.

    Raises
    ------
    UndefinedMeasureError
        When there are cycles.

    Notes
    -----
    O(nodes + edges) additions of integers of up to log2(paths) bits.

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> num_paths(dense_dag(60)) == 2**58
    True
    """
    live = acyclic_live_part(topology, "num_paths")
    starts = _ones_at(live, live.inputs.tolist())
    counts = [0] * live.num_nodes
    for node, sources in _in_order(live):
        counts[node] = sum((counts[s] for s in sources), start=starts[node])
    return sum(counts[node] for node in live.outputs.tolist())


def log_paths(topology: Topology) -> float:
    """Compute the natural logarithm of the number of paths from inputs to outputs.

    Parameters
    ----------
    topology : Topology
        Acyclic in its live part.

    Returns
    -------
    float
        -inf when no path is left. It agrees with ``log(num_paths(topology))`` to rounding.

    Raises
    ------
    UndefinedMeasureError
        When there are cycles.

    Notes
    -----
    O(nodes + edges) in floats that carry their own exponents: nothing overflows, and the number of
    paths does not matter for the cost. One pass of NumPy per level of the graph. Paper:
    connectivity-tradeoff, Table 6.

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> round(log_paths(dense_dag(60)) / math.log(2), 9)
    58.0
    """
    live = acyclic_live_part(topology, "log_paths")
    if not live.num_nodes:
        return -math.inf
    # One node before all inputs: every other node then has an edge into it.
    first = live.num_nodes
    joined = live.union(from_edges([], 1)).grow([(first, node) for node in live.inputs.tolist()])
    # Numbered by level, the nodes of a level and the edges into them are slices.
    order = np.argsort(joined.levels, kind="stable")
    graph = joined.with_roles([first], live.outputs).subgraph(order)
    begin = np.searchsorted(joined.levels[order], np.arange(1, joined.depth + 2))
    counts = wide(np.zeros(graph.num_nodes))
    counts.mantissa[0], counts.exponent[0] = np.frexp(1.0)
    for low, high in pairwise(begin):
        edges = slice(graph.indptr[low], graph.indptr[high])
        starts = graph.indptr[low:high] - graph.indptr[low]
        sums = segment_sums(counts, graph.sources[edges], starts.astype(np.int64))
        counts.mantissa[low:high], counts.exponent[low:high] = sums
    return total_log(counts.at(graph.outputs))


def path_lengths(topology: Topology) -> dict[int, int]:
    """Count the paths from inputs to outputs by their number of edges, exactly.

    Parameters
    ----------
    topology : Topology
        Acyclic in its live part.

    Returns
    -------
    dict of int to int
        Number of paths of each length, lengths rising; empty when no path is left.

    Raises
    ------
    UndefinedMeasureError
        When there are cycles.

    Notes
    -----
    O(edges * depth * log2(paths) / 64) word operations. A node's counts are the digits of one
    large integer, wide enough that no digit ever carries: a step along an edge is a shift and an
    addition.

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> path_lengths(dense_dag(5))
    {1: 1, 2: 3, 3: 3, 4: 1}
    """
    live = acyclic_live_part(topology, "path_lengths")
    # Every live node has a way on to an output, so no digit exceeds the number of all paths.
    bits = num_paths(live).bit_length()
    starts = _ones_at(live, live.inputs.tolist())
    digits = [0] * live.num_nodes
    for node, sources in _in_order(live):
        digits[node] = (sum(digits[s] for s in sources) << bits) + starts[node]
    rest = sum(digits[node] for node in live.outputs.tolist())
    counts: dict[int, int] = {}
    length = 0
    while rest:
        count = rest & ((1 << bits) - 1)
        if count:
            counts[length] = count
        rest >>= bits
        length += 1
    return counts


def mean_path(topology: Topology) -> float:
    """Compute the mean number of edges on a path from an input to an output.

    Parameters
    ----------
    topology : Topology
        Acyclic in its live part.

    Returns
    -------
    float
        Every path counts once, so that long ones, which are many, prevail; nan when no path is
        left. The sum is exact, and rounded once at the end.

    Raises
    ------
    UndefinedMeasureError
        When there are cycles.

    Notes
    -----
    O(nodes + edges) additions of integers of up to log2(paths) bits. Paper: connectivity-tradeoff,
    Table 6.

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> mean_path(dense_dag(5))
    2.5
    """
    live = acyclic_live_part(topology, "mean_path")
    starts = _ones_at(live, live.inputs.tolist())
    counts, lengths = [0] * live.num_nodes, [0] * live.num_nodes
    for node, sources in _in_order(live):
        coming = sum(counts[s] for s in sources)
        counts[node] = coming + starts[node]
        lengths[node] = sum(lengths[s] for s in sources) + coming
    outputs = live.outputs.tolist()
    paths = sum(counts[node] for node in outputs)
    # Integer by integer is rounded correctly, however large both are.
    return sum(lengths[node] for node in outputs) / paths if paths else math.nan


def max_path(topology: Topology) -> float:
    """Count the edges on the longest path from an input to an output.

    Parameters
    ----------
    topology : Topology
        Acyclic in its live part.

    Returns
    -------
    float
        A whole number; nan when no path is left.

    Raises
    ------
    UndefinedMeasureError
        When there are cycles.

    Notes
    -----
    O(nodes + edges). Paper: connectivity-tradeoff, Table 6.

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> max_path(dense_dag(5))
    4.0
    """
    live = acyclic_live_part(topology, "max_path")
    # In the live part nothing but inputs comes first and nothing but outputs last.
    return float(live.depth) if live.num_nodes else math.nan


def _in_order(live: Topology) -> Iterator[tuple[int, list[int]]]:
    """Each node with its sources, sources first."""
    indptr, sources = live.indptr.tolist(), live.sources.tolist()
    for node in live.components.order.tolist():
        yield node, sources[indptr[node] : indptr[node + 1]]


def _ones_at(live: Topology, nodes: list[int]) -> list[int]:
    marks = [0] * live.num_nodes
    for node in nodes:
        marks[node] = 1
    return marks
