"""The main job: train a network on data, compare, and leave a run folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from nervure.baselines import PlainNetwork
from nervure.data import Prepared, open_source, prepare
from nervure.engine.sweeping import OnFailure
from nervure.errors import EngineError
from nervure.modules import module_statistics
from nervure.networks import NeuralModules
from nervure.report import write_report
from nervure.rules import Repulsion, Rewiring
from nervure.rules.repulsion import Penalty
from nervure.training import Fitted, TrainingOptions, evaluate, fit
from nervure.training.checkpoint import save_model
from nervure.training.fit import automatic_learning_rate
from nervure.training.run import RewiringRow, Run

METHOD = "neural-modules"
# At most so many snapshots of the wiring are kept for the report.
_SNAPSHOTS = 20


@dataclass(frozen=True)
class TrainRequest:
    """What to train, on what, and where to put it.

    Attributes
    ----------
    data : str
        Name of a dataset, or path of a CSV, Parquet or NPZ file.
    target : str, optional
        Column to predict, for files.
    task : {"classification", "regression"}, optional
        Detected if None.
    nodes, keep, alpha, penalty, activation, contraction, on_failure
        Of the network and its rule; `keep` None means twice the nodes.
    epochs, batch_size, learning_rate, momentum
        As in `TrainingOptions`; `learning_rate` None means 0.3 for classes and 1 / nodes for
        regression.
    seed : int
        For split, weights and the order of samples.
    split_by : str, optional
        Group (subject, batch) that must not be on both sides of the split.
    baseline : bool
        Whether to train the plain network beside it.
    out : Path, optional
        Run folder; ``runs/<method>-<dataset>-<time>`` if None.
    force : bool
        Whether an existing run there may be replaced.
    """

    data: str = "digits"
    target: str | None = None
    task: str | None = None
    nodes: int = 200
    keep: int | None = None
    alpha: float = 1e-2
    penalty: Penalty = "repulsion"
    activation: str = "tanh"
    contraction: float | None = None
    on_failure: OnFailure = "raise"
    epochs: int = 30
    batch_size: int | None = None
    learning_rate: float | None = None
    momentum: float = 0.5
    seed: int = 0
    split_by: str | None = None
    baseline: bool = True
    out: Path | None = None
    force: bool = False


class Listener(Protocol):
    """Hears how a job goes on."""

    def started(self, prepared: Prepared, request: TrainRequest) -> None:
        """Hear that the data is ready and training begins."""

    def epoch(self, network: str, metrics: Mapping[str, Any]) -> None:
        """Hear that an epoch of "neural modules" or "plain network" has ended."""


class SilentListener:
    """Hears nothing."""

    def started(self, prepared: Prepared, request: TrainRequest) -> None:
        """Ignore."""

    def epoch(self, network: str, metrics: Mapping[str, Any]) -> None:
        """Ignore."""


@dataclass(frozen=True)
class TrainResult:
    """What came of a job.

    Attributes
    ----------
    summary : dict
        The figures, as ``--json`` prints them.
    folder, report, model : Path
        The run folder, and its report and model files.
    network : NeuralModules
        Trained, in compact form.
    messages : tuple of str
        What a reader should know of the data.
    interrupted : bool
        Whether Ctrl-C ended training early.
    """

    summary: dict[str, Any]
    folder: Path
    report: Path
    model: Path
    network: NeuralModules
    messages: tuple[str, ...]
    interrupted: bool


def train_neural_modules(request: TrainRequest, listener: Listener | None = None) -> TrainResult:
    """Train neural modules and the plain network of the same size, and write the run folder.

    Parameters
    ----------
    request : TrainRequest
    listener : Listener, optional

    Returns
    -------
    TrainResult

    Raises
    ------
    DataError, EngineError, RunError, ConvergenceError
        With cause and remedy; the run folder keeps what was recorded up to then.
    """
    heard = listener or SilentListener()
    keep = 2 * request.nodes if request.keep is None else request.keep
    possible = request.nodes * (request.nodes - 1)
    if not 1 <= keep <= possible:
        raise EngineError(
            f"keep: expected 1 to {possible} edges for {request.nodes} nodes, got {keep}"
        )
    source = open_source(request.data, target=request.target, task=request.task)
    data = prepare(source, seed=request.seed, split_by=request.split_by)
    learning_rate = request.learning_rate
    if learning_rate is None:
        learning_rate = automatic_learning_rate(data.task, request.nodes)
    options = TrainingOptions(
        epochs=request.epochs,
        batch_size=request.batch_size,
        learning_rate=learning_rate,
        momentum=request.momentum,
        seed=request.seed,
    )
    inputs = data.x_train.shape[1]
    outputs = len(data.class_names) if data.task == "classification" else 1
    network = NeuralModules(
        inputs,
        outputs,
        nodes=request.nodes,
        activation=request.activation,
        contraction=request.contraction,
        on_failure=request.on_failure,
        seed=request.seed,
    )

    def rule(_: nn.Module, optimizer: torch.optim.Optimizer) -> Repulsion:
        return Repulsion(
            network, optimizer, keep=keep, alpha=request.alpha, penalty=request.penalty
        )

    folder = request.out or Path("runs") / f"{METHOD}-{data.name}-{_stamp()}"
    config = {
        **{k: v for k, v in asdict(request).items() if k not in ("out", "force")},
        "method": METHOD,
        "dataset": data.name,
        "task": data.task,
        "keep": keep,
        "learning_rate": learning_rate,
        "messages": list(data.messages),
    }
    begin = time.perf_counter()
    with Run.create(folder, config=config, force=request.force) as run:
        heard.started(data, request)
        fitted = _train(network, data, options, rule, run, heard)
        final = network.compact()
        summary = _summary(request, data, final, fitted)
        if request.baseline and not fitted.interrupted:
            plain = PlainNetwork(
                inputs,
                outputs,
                nodes=request.nodes,
                activation=request.activation,
                seed=request.seed,
            )
            plain_fitted = fit(
                plain,
                data.x_train,
                data.y_train,
                task=data.task,
                options=options,
                validation=(data.x_validation, data.y_validation),
                on_epoch=lambda metrics: heard.epoch("plain network", metrics),
            )
            merit = "baseline_test_error" if data.task == "classification" else "baseline_test_rmse"
            summary[merit] = _test_error(plain, data)
            summary["baseline_seconds"] = plain_fitted.seconds
            summary["baseline_epochs"] = plain_fitted.history
        save_model(
            run.model_path,
            final,
            metadata={
                "data": {
                    "name": data.name,
                    "task": data.task,
                    "target": request.target,
                    "class_names": list(data.class_names),
                    "feature_names": list(data.feature_names),
                    "target_mean": data.target_mean,
                    "target_std": data.target_std,
                    "encoder": data.encoder.to_json(),
                },
                "training": config,
            },
        )
        summary["total_seconds"] = time.perf_counter() - begin
        summary["run"] = str(folder)
        run.finish(summary, interrupted=fitted.interrupted)
    with Run.open(folder) as finished:
        report = write_report(finished, model=final)
    return TrainResult(
        summary, folder, report, run.model_path, final, data.messages, fitted.interrupted
    )


def _train(
    network: NeuralModules,
    data: Prepared,
    options: TrainingOptions,
    rule: Any,  # noqa: ANN401
    run: Run,
    heard: Listener,
) -> Fitted:
    pending: list[RewiringRow] = []
    every = max(1, options.epochs // _SNAPSHOTS)

    def on_rewiring(step: int, epoch: int, rewiring: Rewiring, gamma: float) -> None:
        pending.append(RewiringRow(step, epoch, rewiring.pruned, rewiring.grown, gamma))

    def on_epoch(metrics: Mapping[str, Any]) -> None:
        run.record_epoch(metrics["epoch"], metrics)
        run.record_rewirings(pending)
        pending.clear()
        if metrics["epoch"] % every == 0 or metrics["epoch"] in (1, options.epochs):
            run.record_topology(metrics["epoch"], network.topology)
        heard.epoch("neural modules", metrics)

    return fit(
        network,
        data.x_train,
        data.y_train,
        task=data.task,
        options=options,
        rule=rule,
        validation=(data.x_validation, data.y_validation),
        on_epoch=on_epoch,
        on_rewiring=on_rewiring,
    )


def _test_error(network: nn.Module, data: Prepared) -> float:
    """Share of wrong classes, or RMSE in the units of the target, on the held-out test rows."""
    error = evaluate(network, data.x_test, data.y_test, data.task).error
    return error if data.task == "classification" else error * data.target_std


def _summary(
    request: TrainRequest, data: Prepared, network: NeuralModules, fitted: Fitted
) -> dict[str, Any]:
    modules = module_statistics(network.topology)
    merit = "test_error" if data.task == "classification" else "test_rmse"
    return {
        "method": METHOD,
        "dataset": data.name,
        "seed": request.seed,
        merit: _test_error(network, data),
        "edges": network.topology.num_edges,
        "edges_possible": request.nodes * (request.nodes - 1),
        "modules": modules.count,
        "largest_module": modules.largest,
        "module_sizes": list(modules.sizes),
        "converged": fitted.converged,
        "best_epoch": fitted.best_epoch,
        "seconds": fitted.seconds,
    }


def _stamp() -> str:
    # Local time to the microsecond: two runs started together must not share a folder.
    return datetime.now().astimezone().strftime("%Y%m%d-%H%M%S-%f")
