"""`run_sweep`: trials asked for, trained and told, until there are enough."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from nervure.errors import EngineError
from nervure.jobs.sweep.engines import TrialEngine, engine_of
from nervure.jobs.sweep.folder import taken
from nervure.jobs.sweep.request import SweepRequest
from nervure.jobs.sweep.study import Study, Trial, require_optuna
from nervure.jobs.sweep.trial import STOP, Outcome, Work
from nervure.training.run import Run


class SweepListener(Protocol):
    """Hears how a sweep goes on."""

    def started(self, folder: Path, total: int, known: int) -> None:
        """Hear how many trials there will be, and how many an earlier go has left."""

    def trial(self, trial: Trial) -> None:
        """Hear that a trial has ended."""

    def stopping(self, under_way: int) -> None:
        """Hear that Ctrl-C came, and that so many trials end after their epoch."""


@dataclass(frozen=True)
class SweepResult:
    """What came of a sweep.

    Attributes
    ----------
    folder : Path
    trials : tuple of Trial
        Those that have ended, the best first; pruned and failed ones after the others.
    best : Trial or None
    result : dict
        Of the best one's run, with its test error: the only one that is looked at.
    interrupted : bool
        Whether Ctrl-C ended the sweep; run again, it goes on.
    """

    folder: Path
    trials: tuple[Trial, ...]
    best: Trial | None
    result: dict[str, Any]
    interrupted: bool


def run_sweep(sweep: SweepRequest, listener: SweepListener | None = None) -> SweepResult:
    """Search the settings with the lowest validation error.

    Parameters
    ----------
    sweep : SweepRequest
        Asked for again, a sweep goes on: trials that have ended are known, and those that were
        killed go on in their run folders.
    listener : SweepListener, optional

    Returns
    -------
    SweepResult

    Raises
    ------
    MissingDependencyError
        When Optuna, or Ray where it is asked for, is not installed.
    RunError
        If the folder has another sweep, or one that runs, or cannot be written.
    DataError
        If the data cannot be used.
    EngineError
        If every trial fails.

    Notes
    -----
    Tree-structured Parzen estimators propose the settings, the median of the other trials at the
    same epoch prunes. Where the space has no more points than there are trials, each is trained
    once. With one job, the seed decides everything.

    References
    ----------
    T. Akiba et al., "Optuna: a next-generation hyperparameter optimization framework" (2019).
    J. Bergstra et al., "Algorithms for hyper-parameter optimization" (2011).
    D. Golovin et al., "Google Vizier: a service for black-box optimization" (2017), for the
    median rule.
    """
    # Before a folder is made, or one is replaced.
    require_optuna()
    with taken(sweep.folder, force=sweep.force) as folder:
        study = Study(sweep, folder)
        known = len(study.ended())
        if listener is not None:
            listener.started(folder, study.total, known)
        interrupted = known < study.total and _run(sweep, folder, study, listener)
        trials = sorted(study.ended(), key=_rank)
    best = trials[0] if trials and trials[0].state == "complete" else None
    if best is None and not interrupted:
        reasons = [trial.reason for trial in trials] or ["there was none"]
        raise EngineError(f"every trial failed; the first: {reasons[0]}; search elsewhere")
    result: dict[str, Any] = {}
    if best is not None:
        with Run.open(folder / best.run) as run:
            result = run.result or {}
    return SweepResult(folder, tuple(trials), best, result, interrupted)


def _run(sweep: SweepRequest, folder: Path, study: Study, listener: SweepListener | None) -> bool:
    """Run what is missing; whether Ctrl-C came."""
    engine = engine_of(sweep.engine, sweep.jobs)
    loop = _Loop(sweep, folder, study, engine, listener)
    at_once = True
    try:
        try:
            interrupted = loop.run()
        except KeyboardInterrupt:
            (folder / STOP).touch()
            if listener is not None:
                listener.stopping(loop.under_way)
            # Again Ctrl-C, and they are killed; what they have is kept.
            try:
                loop.drain()
            except KeyboardInterrupt:
                return True
            interrupted = True
        at_once = False
        return interrupted
    finally:
        engine.close(at_once=at_once)
        (folder / STOP).unlink(missing_ok=True)


@dataclass
class _Loop:
    """Keeps the engine busy."""

    sweep: SweepRequest
    folder: Path
    study: Study
    engine: TrialEngine
    listener: SweepListener | None
    under_way: int = 0

    def run(self) -> bool:
        """Run until there are enough trials; True if one of them was interrupted."""
        while True:
            while self.under_way < self.sweep.jobs and self._missing():
                self._begin()
            if not self.under_way:
                return False
            if self._end():
                return True

    def drain(self) -> None:
        """Wait for the trials under way, and begin no other."""
        while self.under_way:
            self._end()

    def _missing(self) -> bool:
        return len(self.study.ended()) + self.under_way < self.study.total

    def _begin(self) -> None:
        number, values, run = self.study.ask()
        # Where the process runs that trains is not known: its folders are said in full.
        folder = self.folder.absolute()
        request = self.sweep.request
        data = Path(request.data)
        request = replace(
            request,
            **values,
            data=str(data.absolute()) if data.is_file() else request.data,
            baseline=False,
            out=folder / run,
        )
        work = Work(number, folder, self.sweep.train, request, self.sweep.prune)
        self.engine.submit(work)
        self.under_way += 1

    def _end(self) -> bool:
        stopped = False
        for work, outcome in self.engine.next():
            self.under_way -= 1
            stopped |= outcome.state == "stopped"
            self._tell(work, outcome)
        return stopped

    def _tell(self, work: Work, outcome: Outcome) -> None:
        if outcome.state == "stopped":
            # It stays as one that runs, and is taken up when the sweep goes on.
            return
        self.study.tell(work.number, outcome.state, outcome.error, outcome.reason)
        if self.listener is not None:
            (told,) = (t for t in self.study.ended() if t.number == work.number)
            self.listener.trial(told)


def _rank(trial: Trial) -> tuple[int, float, int]:
    order = ("complete", "pruned", "failed").index(trial.state)
    return order, float("inf") if trial.error is None else trial.error, trial.number
