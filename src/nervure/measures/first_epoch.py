"""The graph that the first epoch would have chosen."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from nervure.errors import TopologyError
from nervure.topology import Topology


def top_k_first(
    strengths: npt.ArrayLike,
    topology: Topology,
    share: float,
    *,
    span: Literal["touched", "all"] = "touched",
) -> Topology:
    """Keep the fewest strongest edges that are at least a given share and hold together.

    Parameters
    ----------
    strengths : array_like of float, shape (num_edges,)
        Of every edge after the first epoch; signs do not count. Among equals the first in edge
        order goes first.
    topology : Topology
        The graph that was trained.
    share : float
        Least share of the edges to keep: 1 minus the mean sparsity of the graphs to compare with.
    span : {"touched", "all"}
        What must be weakly connected: the inputs, the outputs and all nodes with an edge, or all
        nodes of the graph. The paper does not say; its smallest graphs have 23 edges for 60 nodes,
        too few for "all".

    Returns
    -------
    Topology
        Same nodes and roles. Weakly connected does not mean that a path leads from input to output.

    Raises
    ------
    TopologyError
        When even all edges leave the graph in pieces.

    Notes
    -----
    O(e log e): edges are added one by one and pieces are merged as they meet. With "touched" a
    further edge may well open a new piece. Paper: connectivity-tradeoff, appendix D.

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> dag = dense_dag(4)  # edges 0->1, 0->2, 1->2, 0->3, 1->3, 2->3
    >>> top_k_first([0.1, 0.9, 0.8, 0.2, 0.3, 0.4], dag, share=1 / 3).edges.tolist()
    [[0, 2], [1, 2], [2, 3]]
    """
    if span not in ("touched", "all"):
        raise ValueError(f"span: expected touched or all, got {span!r}")
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie in 0..1, not {share!r}")
    strength = np.abs(np.asarray(strengths, dtype=np.float64))
    if strength.shape != (topology.num_edges,) or np.isnan(strength).any():
        raise TopologyError(
            f"strengths must have shape ({topology.num_edges},), one per edge, without nan; got "
            f"shape {strength.shape} with {int(np.isnan(strength).sum())} nan"
        )
    # A share such as 0.3 is not exact: 0.3 * 10 must not become 4 edges.
    least = math.ceil(share * topology.num_edges - 1e-9)
    order = np.argsort(-strength, kind="stable")
    size = _smallest_in_one_piece(topology, order, least, span == "all")
    mask = np.zeros(topology.num_edges, dtype=np.bool_)
    mask[order[:size]] = True
    return topology.keep(mask)


def _smallest_in_one_piece(
    topology: Topology, order: npt.NDArray[np.int64], least: int, whole: bool
) -> int:
    """Find the smallest number of edges, from `least` on, that leave one piece."""
    roles = np.union1d(topology.inputs, topology.outputs)
    touched = set(range(topology.num_nodes)) if whole else {int(node) for node in roles}
    pieces = len(touched)
    parent = list(range(topology.num_nodes))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    if least == 0 and pieces <= 1:
        return 0
    sources, targets = topology.sources[order].tolist(), topology.targets[order].tolist()
    for size, ends in enumerate(zip(sources, targets, strict=True), start=1):
        pieces += len({*ends} - touched)
        touched.update(ends)
        a, b = root(ends[0]), root(ends[1])
        if a != b:
            parent[a] = b
            pieces -= 1
        if size >= least and pieces == 1:
            return size
    raise TopologyError(
        f"even all {topology.num_edges} edges leave {pieces} pieces; train a graph that is weakly "
        "connected" + ("" if whole else ", its inputs and outputs included")
    )
