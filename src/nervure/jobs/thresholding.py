"""Taking the weak edges out of a trained DAG of blocks, and what it comes to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nervure.data import Prepared
from nervure.errors import EngineError
from nervure.measures import DEFAULT, MEASURES, characterise, sparsity, stage_nodes, stage_sparsity
from nervure.networks import BlockDAG
from nervure.topology import Topology
from nervure.training import (
    THRESHOLDS,
    ThresholdPoint,
    evaluate,
    highest_threshold,
    threshold_sweep,
)


@dataclass(frozen=True)
class Thresholding:
    """What thresholds cost on the validation rows, and the one that was taken.

    Attributes
    ----------
    threshold : float
        Edges of less strength went; 0 where all were kept.
    points : tuple of ThresholdPoint
        By rising threshold, on the validation rows.
    error : float
        Of all edges there: a share of wrong classes, or an RMSE in the units of the target.
    start : Topology
        Before.
    notes : tuple of str
        Sentences a reader should see.
    """

    threshold: float
    points: tuple[ThresholdPoint, ...]
    error: float
    start: Topology
    notes: tuple[str, ...]


def take_weak_edges(
    network: BlockDAG, data: Prepared, threshold: float | None, tolerance: float
) -> Thresholding:
    """Take the edges below a threshold out of a network, and what then leads nowhere.

    Parameters
    ----------
    network : BlockDAG
        Rewired in place.
    data : Prepared
        Only its validation rows are looked at.
    threshold : float, optional
        None takes the highest one of `THRESHOLDS` that validation allows.
    tolerance : float
        What that one, and those below it, may add to the validation error: a share of the rows, or
        of the target's standard deviation.

    Returns
    -------
    Thresholding
        Of a threshold at which no path would be left, and where even the lowest costs too much, all
        edges are kept: a training that is over is not thrown away. A note says so.
    """
    start, strengths = network.topology, network.strengths
    x, y = data.x_validation, data.y_validation
    error = evaluate(network, x, y, data.task).error
    tried = sorted({*THRESHOLDS} if not threshold else {*THRESHOLDS, threshold})
    points = threshold_sweep(network, tried, x, y, task=data.task)
    chosen, notes = _chosen(points, error, threshold, tolerance)
    if chosen is not None and chosen.topology is not None:
        network.rewire_(chosen.topology)
        notes += _of_dead_paths(chosen, strengths, start)
    scale = data.target_std if data.task == "regression" else 1.0
    return Thresholding(
        threshold=0.0 if chosen is None else chosen.threshold,
        points=tuple(points),
        error=error * scale,
        start=start,
        notes=tuple(notes),
    )


def _chosen(
    points: list[ThresholdPoint], error: float, threshold: float | None, tolerance: float
) -> tuple[ThresholdPoint | None, list[str]]:
    if threshold is None:
        try:
            return highest_threshold(points, error, tolerance=tolerance), []
        except EngineError as reason:
            return None, [f"all edges were kept: {reason}"]
    if threshold == 0:
        return None, []
    (point,) = (point for point in points if point.threshold == threshold)
    if point.topology is not None:
        return point, []
    possible = [p.threshold for p in points if p.topology is not None]
    remedy = f"a path is left at up to {max(possible):g}" if possible else "the price is too high"
    return None, [
        f"all edges were kept: at a threshold of {threshold:g} no path from the input to the "
        f"output is left; {remedy}"
    ]


def _of_dead_paths(
    chosen: ThresholdPoint, strengths: NDArray[np.float64], start: Topology
) -> list[str]:
    """Say what went along with the weak edges."""
    dead = int((strengths >= chosen.threshold).sum()) - chosen.edges
    if not dead:
        return []
    return [
        f"dead paths: {dead:,} of the edges above the threshold lay on no path from the input to "
        f"the output any more and went too; {start.num_nodes - chosen.nodes:,} of "
        f"{start.num_nodes:,} nodes are not run"
    ]


def sweep_rows(found: Thresholding, data: Prepared) -> list[dict[str, Any]]:
    """Give the sweep on the validation rows for a summary; None where no path is left."""
    scale, merit = 1.0, "validation_error"
    if data.task == "regression":
        scale, merit = data.target_std, "validation_rmse"
    return [
        {
            "threshold": point.threshold,
            "edges": point.edges,
            "nodes": point.nodes,
            "parameters": point.parameters,
            "sparsity": 1 - point.edges / found.start.num_edges,
            merit: None if point.topology is None else point.error * scale,
        }
        for point in found.points
    ]


def characteristics(
    topology: Topology, start: Topology, stages: NDArray[np.int64]
) -> dict[str, float | None]:
    """Measure a graph and its stages as Tables 1 and 2 of connectivity-tradeoff do.

    Parameters
    ----------
    topology : Topology
    start : Topology
        What it was pruned from, whose edges are the possible ones.
    stages : ndarray of int64, shape (nodes,)

    Returns
    -------
    dict
        By the names of `nervure.measures`; None where a measure has no value.
    """
    measures = {name: MEASURES[name] for name in DEFAULT}
    measures["sparsity"] = partial(sparsity, start=start)
    found = characterise([topology], ["graph"], measures=measures).to_dict()["graph"]
    by_stage = {
        "sparsity_stage": stage_sparsity(topology, stages, start),
        "nodes_stage": stage_nodes(topology, stages),
    }
    for name, values in by_stage.items():
        found |= {f"{name}_{k}": float(value) for k, value in enumerate(values)}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}
