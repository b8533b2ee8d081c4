"""The main job: train a network on data, compare, and leave a run folder.

What all methods share. A method adds a request, and a function that makes an `Experiment` of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from torch import nn

from nervure.data import Prepared, open_source, prepare
from nervure.errors import DataError
from nervure.jobs.bit_tasks import is_bit_task
from nervure.jobs.boards import Boards, heard_by
from nervure.jobs.recording import LearnedNetwork, Recorder, fit_prepared
from nervure.jobs.request import ELSEWHERE, TrainRequest
from nervure.jobs.resuming import asked, resumed
from nervure.report import write_report
from nervure.training import Checkpoint, Fitted, TrainingOptions, evaluate
from nervure.training.loop import Augment
from nervure.training.model_file import save_model
from nervure.training.run import Run


class Listener(Protocol):
    """Hears how a job goes on."""

    def started(self, prepared: Prepared, epochs: int | None) -> None:
        """Hear that the data is ready and training begins, and how long it is, if that is known."""

    def epoch(self, network: str, metrics: Mapping[str, Any]) -> None:
        """Hear that an epoch of "neural modules", say, or of "plain network" has ended.

        Sculpting tells of its rounds, with many networks each.
        """


class SilentListener:
    """Hears nothing."""

    def started(self, prepared: Prepared, epochs: int | None) -> None:
        """Ignore."""

    def epoch(self, network: str, metrics: Mapping[str, Any]) -> None:
        """Ignore."""


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C, where there is no result yet.

    Attributes
    ----------
    folder : Path
        Of the run, which is kept and can be gone on with.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("interrupted before there was a result")
        self.folder = folder


@dataclass(frozen=True)
class Experiment:
    """What a method makes of a request and the data.

    Attributes
    ----------
    method : str
        Its name for machines, which run folders begin with.
    label : str
        Its network's name for people.
    options : TrainingOptions, optional
        Of the plain network too. None where training is not by epochs, and there is none.
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
    augment : callable, optional
        What changes batches in the training of that one, as for `nervure.training.fit`.
    """

    method: str
    label: str
    options: TrainingOptions | None
    train: Callable[[Recorder], tuple[LearnedNetwork, Fitted]]
    settings: Mapping[str, Any]
    figures: Callable[[LearnedNetwork, Fitted], dict[str, Any]]
    baseline: Callable[[], nn.Module] | None
    baseline_label: str = "plain network"
    augment: Augment | None = None


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


def run_job(
    request: TrainRequest,
    design: Callable[[Prepared], Experiment],
    listener: Listener | None = None,
    *,
    opened: Callable[[TrainRequest], Prepared] | None = None,
) -> TrainResult:
    """Train a network and the plain one it is held against, and write the run folder.

    Parameters
    ----------
    request : TrainRequest
    design : callable
        Makes the experiment, once the data is known.
    listener : Listener, optional
    opened : callable, optional
        Gives the data of the request, for methods that take more than tables and datasets.

    Returns
    -------
    TrainResult

    Raises
    ------
    DataError, EngineError, RunError, ConvergenceError
        With cause and remedy; the run folder keeps what was recorded up to then.
    RunInterrupted
        If Ctrl-C came before there was a network to give.
    """
    heard = listener or SilentListener()
    data = (opened or prepared)(request)
    experiment = design(data)
    folder = request.out or Path("runs") / f"{experiment.method}-{data.name}-{_stamp()}"
    config = {
        **{k: v for k, v in asdict(request).items() if k not in ELSEWHERE},
        "method": experiment.method,
        "dataset": data.name,
        "task": data.task,
        **experiment.settings,
        # Errors of epochs are in units of it.
        **({"target_std": data.target_std} if data.task == "regression" else {}),
        "baseline_label": experiment.baseline_label,
        "messages": list(data.messages),
    }
    known = asked(experiment.method, request, data)
    boards = Boards(folder) if request.tensorboard else None
    begin = time.perf_counter()
    with (
        (
            resumed(folder, known)
            if request.resume
            else Run.create(folder, config=config, request=known, force=request.force)
        ) as run,
        _naming(folder),
        boards or nullcontext(),
    ):
        heard.started(data, None if experiment.options is None else experiment.options.epochs)
        recorder = Recorder(run, data, heard_by(heard.epoch, boards), experiment.label)
        network, fitted = experiment.train(recorder)
        final = network.compact()
        summary = {
            "method": experiment.method,
            "dataset": data.name,
            "seed": request.seed,
            _merit(data): held_out_error(final, data),
            _merit(data, "validation"): held_out_error(final, data, rows="validation"),
            **experiment.figures(final, fitted),
            **({} if experiment.options is None else {"best_epoch": fitted.best_epoch}),
            "seconds": fitted.seconds,
        }
        interrupted = fitted.interrupted
        if request.baseline and not interrupted:
            beside, interrupted = _beside(experiment, recorder)
            summary |= beside
        save_model(run.model_path, final, metadata=_metadata(request, data, config))
        summary["total_seconds"] = time.perf_counter() - begin
        summary["run"] = str(folder)
        run.finish(summary, interrupted=interrupted)
    with Run.open(folder) as finished:
        report = write_report(finished, model=final)
    return TrainResult(summary, folder, report, run.model_path, final, data.messages, interrupted)


def _beside(experiment: Experiment, recorder: Recorder) -> tuple[dict[str, Any], bool]:
    """Train what the network is held against, if anything; and say whether Ctrl-C came."""
    if experiment.baseline is None or experiment.options is None:
        return {}, False
    plain, label, data = experiment.baseline(), experiment.baseline_label, recorder.data
    try:
        fitted = fit_prepared(
            plain,
            data,
            experiment.options,
            lambda metrics: recorder.heard(label, metrics),
            augment=experiment.augment,
            checkpoint=Checkpoint(recorder.run.checkpoint_path("baseline")),
        )
    except KeyboardInterrupt:
        return {}, True
    if fitted.interrupted:
        # Half a training is nothing to be held against.
        return {}, True
    return {
        f"baseline_{_merit(data)}": held_out_error(plain, data),
        "baseline_seconds": fitted.seconds,
        "baseline_epochs": fitted.history,
    }, False


def _merit(data: Prepared, rows: str = "test") -> str:
    return f"{rows}_rmse" if data.task == "regression" else f"{rows}_error"


def prepared(request: TrainRequest, others: Iterable[str] = ()) -> Prepared:
    """Open, split and encode the table or dataset of a request; `others` as for `open_source`."""
    if is_bit_task(request.data):
        raise DataError(
            f"{request.data} has several bits to predict; of the methods, nervure train sculpt "
            "learns such tasks"
        )
    source = open_source(request.data, target=request.target, task=request.task, others=others)
    return prepare(source, seed=request.seed, split_by=request.split_by)


def sizes_of(data: Prepared) -> tuple[int, int]:
    """Give the features that a network for this data takes in, and the values it gives out."""
    return data.x_train.shape[1], 1 if data.task == "regression" else len(data.class_names)


def held_out_error(
    network: nn.Module, data: Prepared, *, rows: Literal["test", "validation"] = "test"
) -> float:
    """Share of wrong classes or bits, or RMSE in the units of the target, on held-out rows."""
    x, y = (data.x_test, data.y_test) if rows == "test" else (data.x_validation, data.y_validation)
    error = evaluate(network, x, y, data.task).error
    return error * data.target_std if data.task == "regression" else error


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


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Let Ctrl-C say which run it ended."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise RunInterrupted(folder) from stop


def _stamp() -> str:
    # Local time to the microsecond: two runs started together must not share a folder.
    return datetime.now().astimezone().strftime("%Y%m%d-%H%M%S-%f")
