"""The job `nervure train tradeoff`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from nervure.data import COLOUR_IMAGES, Prepared
from nervure.errors import DataError, EngineError
from nervure.jobs.colour_tasks import PHOTOGRAPHS, colour_task, open_colour_task
from nervure.jobs.recording import LearnedNetwork, Recorder
from nervure.jobs.request import TrainRequest
from nervure.jobs.thresholding import (
    Thresholding,
    characteristics,
    sweep_rows,
    take_weak_edges,
)
from nervure.jobs.train import (
    Experiment,
    Listener,
    TrainResult,
    held_out_error,
    prepared,
    run_job,
    sizes_of,
)
from nervure.networks import BlockDAG, count_parameters
from nervure.networks.block_design import EDGE_START
from nervure.rules import ResourceTradeoff
from nervure.topology import Topology, dense_dag
from nervure.training import Fitted, FlipAndCrop, TrainingOptions

# Chosen on the validation rows of the digits. The paper's price is 1e-3, for forty times the steps.
PENALTY = 1e-2
TOLERANCE = 0.005
LEARNING_RATE = 0.1
_MOMENTUM, _WEIGHT_DECAY = 0.9, 1e-4
_IMAGE_STAGES = 3
_SHIFT = 8  # a shift is by up to this part of a side: the paper's 4 pixels of 32


@dataclass(frozen=True, kw_only=True)
class TradeoffRequest(TrainRequest):
    """What to train as a DAG of blocks whose edges have a price.

    `data` may also be one of `nervure.data.COLOUR_IMAGES`.

    Attributes
    ----------
    nodes, channels, entry_stride, recompute
        Of the network, as for `BlockDAG` on `dense_dag(nodes, reach=reach)`.
    stages : int, optional
        None means 3 for images, which the network takes with convolutional nodes, and 1 for all
        else.
    reach : int, optional
    penalty, edge_rate : float
        As for `ResourceTradeoff`.
    threshold : float, optional
        Strength below which edges go in the end. None takes the highest that validation allows.
    tolerance : float
        What that one may add to the validation error: a share of the rows, or of the target's
        standard deviation.
    rows : int, optional
        At most so many rows to train on, and to validate on.
    augment : bool, optional
        Whether images are mirrored and shifted at random in training. None means where they are
        photographs, "cifar10" and "cifar10_t8".
    epochs : int
        `learning_rate` None means 0.1.
    """

    nodes: int = 12
    stages: int | None = None
    channels: int = 8
    entry_stride: int = 1
    reach: int | None = None
    penalty: float = PENALTY
    edge_rate: float = 1.0
    threshold: float | None = None
    tolerance: float = TOLERANCE
    rows: int | None = None
    augment: bool | None = None
    recompute: bool = False
    epochs: int = 15


def train_tradeoff(request: TradeoffRequest, listener: Listener | None = None) -> TrainResult:
    """Train a DAG of blocks whose edges have a price, take out the weak ones, write the run folder.

    The network it is held against is a chain of as many of the same blocks.

    Parameters
    ----------
    request : TradeoffRequest
    listener : Listener, optional

    Returns
    -------
    TrainResult

    Raises
    ------
    DataError, EngineError, RunError, TopologyError
        With cause and remedy; the run folder keeps what was recorded up to then.
    """
    return run_job(
        request,
        lambda data: _experiment(request, data),
        listener,
        opened=lambda _: _opened(request),
    )


def _opened(request: TradeoffRequest) -> Prepared:
    task = colour_task(request.data)
    if task is None:
        data = prepared(request, COLOUR_IMAGES)
        return data if request.rows is None else _first_rows(data, request.rows, request.seed)
    given = [name for name in ("target", "task", "split_by") if getattr(request, name) is not None]
    if given:
        raise DataError(
            f"--{given[0].replace('_', '-')} is for files and datasets; {task} knows its own "
            "target and rows"
        )
    return open_colour_task(task, seed=request.seed, rows=request.rows)


def _first_rows(data: Prepared, rows: int, seed: int) -> Prepared:
    """Draw at most so many rows to train on, and to validate on."""
    generator = np.random.default_rng([seed, 0])
    train, validation = (
        np.sort(generator.permutation(len(y))[:rows]) for y in (data.y_train, data.y_validation)
    )
    message = (
        f"of these, {len(train):,} training and {len(validation):,} validation rows are used, "
        "drawn at random"
    )
    return replace(
        data,
        x_train=data.x_train[train],
        y_train=data.y_train[train],
        x_validation=data.x_validation[validation],
        y_validation=data.y_validation[validation],
        messages=(*data.messages, message),
    )


def _experiment(request: TradeoffRequest, data: Prepared) -> Experiment:
    options = TrainingOptions(
        epochs=request.epochs,
        batch_size=request.batch_size,
        learning_rate=LEARNING_RATE if request.learning_rate is None else request.learning_rate,
        momentum=_MOMENTUM,
        weight_decay=_WEIGHT_DECAY,
        schedule="steps",
        seed=request.seed,
        # The weights of the last epoch, as in the paper: edges only settle with the lower rates.
        keep_best=False,
    )
    network = _network(request, data, dense_dag(request.nodes, reach=request.reach))
    augment = _augmentation(request, data)
    before = count_parameters(network)
    merit = "test_rmse" if data.task == "regression" else "test_error"
    chain = None
    if request.baseline:
        chain = _network(request, data, dense_dag(request.nodes, reach=1))
    ended: list[tuple[float, Thresholding]] = []

    def rule(graph: nn.Module, optimizer: torch.optim.Optimizer) -> ResourceTradeoff:
        return ResourceTradeoff(
            graph, optimizer, penalty=request.penalty, edge_rate=request.edge_rate,
            # What it would record, the run folder has.
            interval=options.epochs * options.steps_per_epoch(len(data.y_train)),
        )  # fmt: skip

    def train(recorder: Recorder) -> tuple[LearnedNetwork, Fitted]:
        recorder.run.record_topology(0, network.topology)
        fitted = recorder.fit(
            network, options, rule, augment=augment, more=lambda: _strengths(network),
            snapshots=False,
        )  # fmt: skip
        whole = held_out_error(network, data)
        found = take_weak_edges(network, data, request.threshold, request.tolerance)
        ended.append((whole, found))
        recorder.run.record_topology(len(fitted.history), network.topology)
        return network, fitted

    def figures(final: LearnedNetwork, _: Fitted) -> dict[str, Any]:
        whole, found = ended[0]
        return {
            f"{merit}_all_edges": whole,
            "parameters": count_parameters(final),
            "parameters_start": before,
            **({} if chain is None else {"baseline_parameters": count_parameters(chain)}),
            **_of_wiring(cast(BlockDAG, final), found, data),
        }

    return Experiment(
        method="tradeoff",
        label="DAG of blocks",
        options=options,
        train=train,
        settings={
            "stages": int(network.stages.max()) + 1,
            "node": network.config()["node"],
            "image_shape": None if data.image_shape is None else list(data.image_shape),
            "augment": augment is not None,
            "edge_start": EDGE_START,
            "batch_size": options.batch_size_for(len(data.y_train)),
            "learning_rate": options.learning_rate,
            "momentum": options.momentum,
            "weight_decay": options.weight_decay,
            "schedule": options.schedule,
        },
        figures=figures,
        baseline=None if chain is None else lambda: chain,
        baseline_label="chain of blocks",
        augment=augment,
    )


def _network(request: TradeoffRequest, data: Prepared, topology: Topology) -> BlockDAG:
    features, outputs = sizes_of(data)
    images = data.image_shape is not None
    if not images and request.entry_stride != 1:
        raise EngineError(
            f"entry stride: expected 1, since the {features:,} features of {data.name} are no "
            f"image, got {request.entry_stride}"
        )
    stages = request.stages
    if stages is None:
        stages = min(_IMAGE_STAGES, request.nodes) if images else 1
    return BlockDAG(
        topology,
        stages,
        request.channels,
        inputs=None if images else features,
        outputs=outputs,
        node="conv" if images else "mlp",
        entry_stride=request.entry_stride,
        image_shape=data.image_shape,
        recompute=request.recompute,
        seed=request.seed,
    )


def _augmentation(request: TradeoffRequest, data: Prepared) -> FlipAndCrop | None:
    wanted = request.augment
    if wanted is None:
        wanted = data.name in PHOTOGRAPHS
    if not wanted:
        return None
    if data.image_shape is None:
        raise EngineError(
            f"augment: expected images, got the {data.x_train.shape[1]:,} features of {data.name}; "
            "leave it out"
        )
    return FlipAndCrop(min(data.image_shape[:2]) // _SHIFT, image_shape=data.image_shape)


def _strengths(network: BlockDAG) -> dict[str, Any]:
    # Four digits draw and compare them; all of them would fill the run folder.
    return {"strengths": [float(f"{strength:.4g}") for strength in network.strengths]}


def _of_wiring(network: BlockDAG, found: Thresholding, data: Prepared) -> dict[str, Any]:
    topology, start, stages = network.topology, found.start, network.stages
    after = characteristics(topology, start, stages)
    merit = "validation_rmse" if data.task == "regression" else "validation_error"
    return {
        "threshold": found.threshold,
        "sparsity": after["sparsity"],
        "edges": topology.num_edges,
        "edges_possible": start.num_edges,
        "live_nodes": int(topology.live.sum()),
        "nodes_start": start.num_nodes,
        "nodes_by_stage": [
            int(after[f"nodes_stage_{k}"] or 0) for k in range(int(stages.max()) + 1)
        ],
        "depth": topology.depth,
        f"{merit}_all_edges": found.error,
        "threshold_sweep": sweep_rows(found, data),
        "characteristics": after,
        "characteristics_start": characteristics(start, start, stages),
        "notes": list(found.notes),
    }
