"""One trial of a sweep, in whatever process it runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from nervure.data import Prepared
from nervure.errors import EngineError, RunError, StoppedError
from nervure.jobs.request import TrainRequest
from nervure.jobs.sweep.study import Store, require_optuna
from nervure.jobs.train import TrainResult
from nervure.training.run import Run

# In the sweep's folder while Ctrl-C waits for the trials under way.
STOP = ".stop"
# Trials that end before others are pruned, and the share of its epochs that each has in any case.
_FIRST_TRIALS, _FIRST_EPOCHS = 5, 0.2


@dataclass(frozen=True)
class Work:
    """What a trial needs to know.

    Attributes
    ----------
    number : int
        In the study.
    folder : Path
        Of the sweep; absolute.
    train : callable
    request : TrainRequest
        With the values of the trial and its run folder.
    prune : bool
    """

    number: int
    folder: Path
    train: Callable[..., TrainResult]
    request: TrainRequest
    prune: bool


@dataclass(frozen=True)
class Outcome:
    """What came of it: "stopped" is one that Ctrl-C ended, and that will go on."""

    state: Literal["complete", "pruned", "failed", "stopped"]
    error: float | None = None
    reason: str = ""


class _PrunedError(StoppedError):
    """A trial that is worse than most."""


def run_trial(work: Work) -> Outcome:
    """Train with the values of a trial, or go on with it.

    Returns
    -------
    Outcome
        A training that fails (its loss is no longer finite, say) is an outcome too.

    Raises
    ------
    DataError, RunError
        What would end any other trial as well.
    """
    folder = work.request.out
    if folder is None:
        raise RunError("a trial needs a run folder")
    status = _status(folder)
    if status == "finished":
        with Run.open(folder) as run:
            return _judged(run.result or {})
    request = replace(work.request, resume=status == "begun", force=status == "nothing")
    try:
        result = work.train(request, _Reports(work))
    except _PrunedError as pruned:
        return Outcome("pruned", reason=str(pruned))
    except (StoppedError, KeyboardInterrupt):
        return Outcome("stopped")
    except EngineError as error:
        return Outcome("failed", reason=str(error))
    return Outcome("stopped") if result.interrupted else _judged(result.summary)


def _status(folder: Path) -> Literal["nothing", "begun", "finished"]:
    """Tell how far a trial had come when it was killed."""
    try:
        with Run.open(folder) as run:
            if run.status == "finished":
                return "finished"
            return "nothing" if run.request is None else "begun"
    except RunError:
        return "nothing"


def _judged(summary: Mapping[str, Any]) -> Outcome:
    error = summary.get("validation_error", summary.get("validation_rmse", math.nan))
    if not math.isfinite(error):
        return Outcome("failed", reason=f"its validation error is {error}")
    return Outcome("complete", float(error))


class _Reports:
    """Hears how a trial goes on, tells the study, and ends what is not worth going on with."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._store = Store(work.folder)
        self._scale = 1.0
        self._pruner: Any = None

    def started(self, prepared: Prepared, epochs: int | None) -> None:
        """Take note of the units, and of how long the trial is."""
        self._scale = prepared.target_std if prepared.task == "regression" else 1.0
        # Rounds of sculpting are no epochs: their errors do not fall, their edges do.
        if self._work.prune and epochs is not None:
            self._pruner = require_optuna().pruners.MedianPruner(
                n_startup_trials=_FIRST_TRIALS, n_warmup_steps=math.ceil(_FIRST_EPOCHS * epochs)
            )

    def epoch(self, network: str, metrics: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Report an epoch."""
        if (self._work.folder / STOP).exists():
            raise StoppedError("the sweep was stopped; it goes on when it is run again")
        error = metrics.get("validation_error", metrics.get("validation_rmse"))
        if error is None:
            return
        epoch, error = int(metrics["epoch"]), float(error) * self._scale
        self._store.report(self._work.number, epoch, error)
        if self._pruner is not None and self._store.prunes(self._pruner, self._work.number):
            raise _PrunedError(
                f"pruned after epoch {epoch}: its lowest validation error so far is above the "
                f"median of the other trials at this epoch; the last is {error:.4g}"
            )
