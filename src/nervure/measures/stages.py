"""Sparsity and size, overall and by stage of processing."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nervure.errors import TopologyError
from nervure.measures.live_part import live_part
from nervure.topology import Topology
from nervure.topology.edges import Int64s, as_integers


def num_nodes(topology: Topology) -> int:
    """Count the nodes on a path from an input to an output.

    Notes
    -----
    O(nodes + edges). Paper: connectivity-tradeoff, Table 1.

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> num_nodes(from_edges([(0, 1), (1, 2), (1, 3)], inputs=[0], outputs=[2]))
    3
    """
    return int(topology.live.sum())


def density(topology: Topology) -> float:
    """Divide the live edges by the n (n - 1) that are possible between the n live nodes.

    Returns
    -------
    float
        nan below two live nodes.

    Notes
    -----
    O(nodes + edges). `Topology.density` is the same of all nodes.

    Examples
    --------
    >>> from nervure.topology import complete
    >>> density(complete(4))
    1.0
    """
    live = live_part(topology)
    return live.density if live.num_nodes > 1 else math.nan


def sparsity(topology: Topology, start: Topology | None = None) -> float:
    """Compute the share of the possible edges that are missing or dead.

    Parameters
    ----------
    topology : Topology
        The pruned graph, under the node numbers it was pruned from: dead nodes count as nodes that
        could have had edges.
    start : Topology, optional
        The graph it was pruned from, whose edges are the possible ones. By default the complete DAG
        on all nodes if `topology` is acyclic, and the complete digraph if not.

    Returns
    -------
    float
        1 when no path is left; nan when no edge is possible.

    Notes
    -----
    O(nodes + edges). Paper: connectivity-tradeoff, Table 1.

    Examples
    --------
    >>> from nervure.topology import dense_dag, from_edges
    >>> sparsity(dense_dag(60)), sparsity(from_edges([(0, 1), (1, 2)], 3, inputs=[0], outputs=[1]))
    (0.0, 0.6666666666666667)
    """
    everywhere = np.zeros(topology.num_nodes, dtype=np.int64)
    return float(stage_sparsity(topology, everywhere, start)[0])


def stage_sparsity(
    topology: Topology, stages: npt.ArrayLike, start: Topology | None = None
) -> npt.NDArray[np.float64]:
    """Compute the sparsity of the edges inside each stage.

    Parameters
    ----------
    topology : Topology
        As in `sparsity`.
    stages : array_like of int, shape (num_nodes,)
        Stage of each node, from 0.
    start : Topology, optional
        As in `sparsity`.

    Returns
    -------
    ndarray of float64
        One per stage; nan for a stage in which no edge is possible.

    Notes
    -----
    O(nodes + edges). Paper: connectivity-tradeoff, Table 1.

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> chain = dense_dag(6).keep([t == s + 1 for s, t in dense_dag(6).edges])
    >>> stage_sparsity(chain, [0, 0, 0, 1, 1, 1]).round(3).tolist()
    [0.333, 0.333]
    """
    stage = checked_stages(stages, topology)
    count = int(stage.max()) + 1 if len(stage) else 1
    alive = topology.live[topology.sources] & topology.live[topology.targets]
    left = _edges_inside(topology, stage, count, alive)
    if start is None:
        sizes = np.bincount(stage, minlength=count)
        possible = sizes * (sizes - 1) // (2 if topology.is_acyclic else 1)
    else:
        if (topology.edge_positions_in(start) < 0).any():
            raise TopologyError("start: expected a graph that has every edge of the pruned one")
        possible = _edges_inside(start, stage, count, np.ones(start.num_edges, dtype=np.bool_))
    missing = 1 - left / np.maximum(possible, 1)
    return np.where(possible > 0, missing, np.nan)


def stage_nodes(topology: Topology, stages: npt.ArrayLike) -> Int64s:
    """Count the live nodes of each stage.

    Parameters
    ----------
    topology : Topology
    stages : array_like of int, shape (num_nodes,)
        Stage of each node, from 0.

    Returns
    -------
    ndarray of int64
        One per stage.

    Notes
    -----
    O(nodes + edges). Paper: connectivity-tradeoff, Table 1.

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> stage_nodes(dense_dag(5), [0, 0, 0, 1, 1]).tolist()
    [3, 2]
    """
    stage = checked_stages(stages, topology)
    count = int(stage.max()) + 1 if len(stage) else 1
    return np.bincount(stage[topology.live], minlength=count)


def checked_stages(stages: npt.ArrayLike, topology: Topology) -> Int64s:
    """Check that there is one stage per node."""
    values = as_integers(stages, "stages")
    if values.shape != (topology.num_nodes,):
        raise TopologyError(
            f"stages must have shape ({topology.num_nodes},), one per node, not {values.shape}"
        )
    if len(values) and values.min() < 0:
        raise TopologyError(f"stages are numbered from 0; the lowest is {values.min()}")
    return values.astype(np.int64)


def _edges_inside(
    topology: Topology, stage: Int64s, count: int, chosen: npt.NDArray[np.bool_]
) -> Int64s:
    at = stage[topology.sources]
    inside = (at == stage[topology.targets]) & chosen
    return np.bincount(at[inside], minlength=count)
