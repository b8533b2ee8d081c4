"""What thresholds on edge strengths save and cost, and how high one may be."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nervure.errors import DisconnectedError, EngineError
from nervure.networks import count_parameters
from nervure.rules.resource_tradeoff import threshold_, wired_part
from nervure.topology import Topology
from nervure.training.evaluation import evaluate
from nervure.training.options import Task
from nervure.training.rows import Rows

THRESHOLDS = (1e-4, 3e-4, 1e-3, 2e-3, 3e-3, 6e-3, 1e-2, 2e-2, 3e-2, 6e-2, 0.1, 0.2, 0.3)
"""What `threshold_sweep` is given if nothing else is asked; the paper's 0.006 among them."""


@dataclass(frozen=True)
class ThresholdPoint:
    """A network without its edges below a threshold.

    Attributes
    ----------
    threshold : float
    topology : Topology or None
        What is left; None where no path from an input to an output is. Then there are no nodes,
        edges and parameters, and loss and error are nan.
    nodes, edges : int
        On a path from an input to an output.
    parameters : int
    loss, error : float
        As of `evaluate`.
    """

    threshold: float
    topology: Topology | None
    nodes: int
    edges: int
    parameters: int
    loss: float
    error: float


def threshold_sweep(
    network: nn.Module,
    thresholds: Sequence[float],
    x: Rows,
    y: NDArray[Any],
    *,
    task: Task = "classification",
) -> list[ThresholdPoint]:
    """Take out the edges below each of several thresholds, and measure what is left.

    Parameters
    ----------
    network : BlockDAG, or GraphLayer, or a module whose `core` is one
        Not changed.
    thresholds : sequence of float
        Each is applied to the network as it is, not to what another has left.
    x, y, task
        As for `evaluate`.

    Returns
    -------
    list of ThresholdPoint
        In the order of the thresholds.

    Raises
    ------
    EngineError
        If there is no threshold, or one is below 0.

    Notes
    -----
    An evaluation, and a copy of the network, per threshold that leaves another wiring than the one
    before. Paper: connectivity-tradeoff, section 4 and Figure 2.

    Examples
    --------
    >>> import torch
    >>> from nervure.networks import BlockDAG
    >>> from nervure.topology import dense_dag
    >>> network = BlockDAG(dense_dag(5), node="mlp", inputs=4, outputs=3, channels=6, seed=0)
    >>> with torch.no_grad():
    ...     _ = network.edge_weight[1].zero_()
    >>> x, y = torch.rand(20, 4).numpy(), torch.arange(20).numpy() % 3
    >>> [point.edges for point in threshold_sweep(network, [0.0, 0.1, 0.6], x, y)]
    [10, 9, 0]
    """
    if not len(thresholds) or min(thresholds) < 0:
        raise EngineError(f"thresholds: expected some of at least 0, got {list(thresholds)}")
    points: list[ThresholdPoint] = []
    for threshold in thresholds:
        points.append(_point(network, threshold, x, y, task, points[-1] if points else None))
    return points


def _point(
    network: nn.Module,
    threshold: float,
    x: Rows,
    y: NDArray[Any],
    task: Task,
    before: ThresholdPoint | None,
) -> ThresholdPoint:
    left = copy.deepcopy(network)
    try:
        threshold_(left, threshold)
    except DisconnectedError:
        return ThresholdPoint(threshold, None, 0, 0, 0, float("nan"), float("nan"))
    topology = wired_part(left).topology
    if before is not None and before.topology == topology:
        loss, error = before.loss, before.error
    else:
        seen = evaluate(left, x, y, task)
        loss, error = seen.loss, seen.error
    return ThresholdPoint(
        threshold=threshold,
        topology=topology,
        nodes=int(topology.live.sum()),
        edges=topology.num_edges,
        parameters=count_parameters(left),
        loss=loss,
        error=error,
    )


def highest_threshold(
    points: Sequence[ThresholdPoint], error: float, *, tolerance: float = 0.005
) -> ThresholdPoint:
    """Choose the highest threshold that costs no more than a tolerance, and all below it neither.

    Parameters
    ----------
    points : sequence of ThresholdPoint
        From `threshold_sweep` on data that is not the test data.
    error : float
        Of the network with all its edges, on the same data.
    tolerance : float
        How much more error is accepted: a share of the rows, or in units of the RMSE.

    Returns
    -------
    ThresholdPoint

    Raises
    ------
    EngineError
        If even the lowest threshold costs more.
    """
    chosen = None
    for point in sorted(points, key=lambda point: point.threshold):
        # Not a number, where the graph is cut in two, is no more than nothing.
        if not point.error <= error + tolerance + np.finfo(float).eps:
            break
        chosen = point
    if chosen is None:
        raise EngineError(
            f"already the lowest threshold costs more than {tolerance:g} of error; ask for lower "
            "thresholds, or train longer so that edges which do not pay fade"
        )
    return chosen
