"""The main job: train a network on data, compare, and leave a run folder.

What all methods share. A method adds a request, and a function that makes an `Experiment` of it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from nervure.data import Prepared, open_source, prepare
from nervure.networks import FreeNet, NeuralModules, SparseMLP
from nervure.report import write_report
from nervure.rules import Rewiring
from nervure.training import Fitted, TrainingOptions, evaluate, fit
from nervure.training.checkpoint import save_model
from nervure.training.loop import RuleMaker
from nervure.training.run import RewiringRow, Run

# At most so many snapshots of the wiring are kept for the report.
_SNAPSHOTS = 20

LearnedNetwork = NeuralModules | FreeNet | SparseMLP


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """On what to train, how long, and where to put it; methods add what is theirs.

    Attributes
    ----------
    data : str
        Name of a dataset, or path of a CSV, Parquet or NPZ file.
    target : str, optional
        Column to predict, for files.
    task : {"classification", "regression"}, optional
        Detected if None.
    split_by : str, optional
        Group (subject, batch) that must not be on both sides of the split.
    epochs, batch_size
        As in `TrainingOptions`.
    learning_rate : float, optional
        None means what suits method and task.
    seed : int
        For split, weights and the order of samples.
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
    split_by: str | None = None
    epochs: int = 30
    batch_size: int | None = None
    learning_rate: float | None = None
    seed: int = 0
    baseline: bool = True
    out: Path | None = None
    force: bool = False


class Listener(Protocol):
    """Hears how a job goes on."""

    def started(self, prepared: Prepared, request: TrainRequest) -> None:
        """Hear that the data is ready and training begins."""

    def epoch(self, network: str, metrics: Mapping[str, Any]) -> None:
        """Hear that an epoch of "neural modules", say, or of "plain network" has ended."""


class SilentListener:
    """Hears nothing."""

    def started(self, prepared: Prepared, request: TrainRequest) -> None:
        """Ignore."""

    def epoch(self, network: str, metrics: Mapping[str, Any]) -> None:
        """Ignore."""


@dataclass(frozen=True)
class Experiment:
    """What a method makes of a request and the data.

    Attributes
    ----------
    method : str
        Its name for machines, which run folders begin with.
    label : str
        Its network's name for people.
    options : TrainingOptions
        Of the plain network too.
    train : callable
        Gives the trained network and how training went, with the help of a `Recorder`.
    settings : mapping
        What was chosen where the request left it open; kept with the run.
    figures : callable
        Given the final network and how training went, its figures for the summary.
    baseline : callable
        Makes the fixed network that it is held against; None if there is to be none.
    baseline_label : str
        That one's name for people.
    """

    method: str
    label: str
    options: TrainingOptions
    train: Callable[[Recorder], tuple[LearnedNetwork, Fitted]]
    settings: Mapping[str, Any]
    figures: Callable[[LearnedNetwork, Fitted], dict[str, Any]]
    baseline: Callable[[], nn.Module] | None
    baseline_label: str = "plain network"


@dataclass(frozen=True)
class TrainResult:
    """What came of a job.

    Attributes
    ----------
    summary : dict
        The figures, as ``--json`` prints them.
    folder, report, model : Path
        The run folder, and its report and model files.
    network : LearnedNetwork
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
    network: LearnedNetwork
    messages: tuple[str, ...]
    interrupted: bool


class Notes:
    """What a training has to tell the run folder, written as it comes or held back at first.

    Parameters
    ----------
    run : Run
    network : LearnedNetwork
        In training.
    epochs : int
        How many there will be.
    heard : callable
        Given the metrics of each epoch.
    more : callable
        Gives further metrics of the epoch that has just ended.
    held : bool
        Whether nothing is written before `release`.
    """

    def __init__(
        self,
        run: Run,
        network: LearnedNetwork,
        epochs: int,
        heard: Callable[[Mapping[str, Any]], None],
        *,
        more: Callable[[], Mapping[str, Any]] = dict,
        held: bool = False,
    ) -> None:
        self._run = run
        self._network = network
        self._epochs = epochs
        self._heard = heard
        self._more = more
        self._pending: list[RewiringRow] = []
        self._held: list[Callable[[], None]] | None = [] if held else None

    def release(self) -> None:
        """Write what was held back, and from now on as it comes."""
        held, self._held = self._held or [], None
        for write in held:
            write()

    def on_rewiring(self, step: int, epoch: int, rewiring: Rewiring, gamma: float) -> None:
        """Take note of an update."""
        self._pending.append(RewiringRow(step, epoch, rewiring.pruned, rewiring.grown, gamma))

    def on_epoch(self, metrics: Mapping[str, Any]) -> None:
        """Take note of an epoch, and of the wiring at some of them."""
        epoch, rewirings = metrics["epoch"], self._pending
        self._pending = []
        row = {**metrics, **self._more()}
        every = max(1, self._epochs // _SNAPSHOTS)
        topology = self._network.topology
        snapshot = epoch % every == 0 or epoch in (1, self._epochs)

        def write() -> None:
            self._run.record_epoch(epoch, row)
            self._run.record_rewirings(rewirings)
            if snapshot:
                self._run.record_topology(epoch, topology)

        if self._held is None:
            write()
        else:
            self._held.append(write)
        self._heard(metrics)


class Recorder:
    """Trains, and writes into the run folder what happens."""

    def __init__(
        self, run: Run, data: Prepared, heard: Callable[[str, Mapping[str, Any]], None], label: str
    ) -> None:
        self.run = run
        self.data = data
        self._heard = heard
        self._label = label

    def notes(
        self,
        network: LearnedNetwork,
        epochs: int,
        *,
        label: str | None = None,
        more: Callable[[], Mapping[str, Any]] = dict,
        held: bool = False,
    ) -> Notes:
        """Make the notes of a network's training, by which listeners hear of it too."""
        heard = functools.partial(self._heard, label or self._label)
        return Notes(self.run, network, epochs, heard, more=more, held=held)

    def fit(
        self,
        network: LearnedNetwork,
        options: TrainingOptions,
        rule: RuleMaker,
        *,
        more: Callable[[], Mapping[str, Any]] = dict,
    ) -> Fitted:
        """Train as `nervure.training.fit` does.

        Parameters
        ----------
        network, options, rule
            As for `fit`.
        more : callable
            Gives further metrics of the epoch that has just ended.

        Returns
        -------
        Fitted
        """
        notes = self.notes(network, options.epochs, more=more)
        return _fit(
            network, self.data, options, notes.on_epoch, rule=rule, on_rewiring=notes.on_rewiring
        )


def run_job(
    request: TrainRequest,
    design: Callable[[Prepared], Experiment],
    listener: Listener | None = None,
) -> TrainResult:
    """Train a network and the plain one it is held against, and write the run folder.

    Parameters
    ----------
    request : TrainRequest
    design : callable
        Makes the experiment, once the data is known.
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
    source = open_source(request.data, target=request.target, task=request.task)
    data = prepare(source, seed=request.seed, split_by=request.split_by)
    experiment = design(data)
    folder = request.out or Path("runs") / f"{experiment.method}-{data.name}-{_stamp()}"
    config = {
        **{k: v for k, v in asdict(request).items() if k not in ("out", "force")},
        "method": experiment.method,
        "dataset": data.name,
        "task": data.task,
        **experiment.settings,
        "baseline_label": experiment.baseline_label,
        "messages": list(data.messages),
    }
    merit = "test_error" if data.task == "classification" else "test_rmse"
    begin = time.perf_counter()
    with Run.create(folder, config=config, force=request.force) as run:
        heard.started(data, request)
        recorder = Recorder(run, data, heard.epoch, experiment.label)
        network, fitted = experiment.train(recorder)
        final = network.compact()
        summary = {
            "method": experiment.method,
            "dataset": data.name,
            "seed": request.seed,
            merit: _test_error(final, data),
            **experiment.figures(final, fitted),
            "best_epoch": fitted.best_epoch,
            "seconds": fitted.seconds,
        }
        if request.baseline and experiment.baseline is not None and not fitted.interrupted:
            plain = experiment.baseline()
            plain_fitted = _fit(
                plain,
                data,
                experiment.options,
                lambda metrics: heard.epoch(experiment.baseline_label, metrics),
            )
            summary[f"baseline_{merit}"] = _test_error(plain, data)
            summary["baseline_seconds"] = plain_fitted.seconds
            summary["baseline_epochs"] = plain_fitted.history
        save_model(run.model_path, final, metadata=_metadata(request, data, config))
        summary["total_seconds"] = time.perf_counter() - begin
        summary["run"] = str(folder)
        run.finish(summary, interrupted=fitted.interrupted)
    with Run.open(folder) as finished:
        report = write_report(finished, model=final)
    return TrainResult(
        summary, folder, report, run.model_path, final, data.messages, fitted.interrupted
    )


def sizes_of(data: Prepared) -> tuple[int, int]:
    """Give the features that a network for this data takes in, and the values it gives out."""
    return data.x_train.shape[1], len(data.class_names) if data.task == "classification" else 1


def _fit(
    network: nn.Module,
    data: Prepared,
    options: TrainingOptions,
    on_epoch: Callable[[Mapping[str, Any]], None],
    rule: RuleMaker | None = None,
    on_rewiring: Callable[[int, int, Rewiring, float], None] | None = None,
) -> Fitted:
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


def _metadata(request: TrainRequest, data: Prepared, config: Mapping[str, Any]) -> dict[str, Any]:
    """Say how data was prepared, which `predict` repeats, and how it was trained."""
    return {
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
    }


def _stamp() -> str:
    # Local time to the microsecond: two runs started together must not share a folder.
    return datetime.now().astimezone().strftime("%Y%m%d-%H%M%S-%f")
