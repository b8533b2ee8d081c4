"""The memory of a sweep: an Optuna study in an SQLite file of its folder."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from nervure.errors import RunError
from nervure.jobs.sweep.request import SweepRequest
from nervure.jobs.sweep.space import Between, OneOf, Range, combinations, every_combination, text_of
from nervure.optional import install, require

DATABASE = "sweep.sqlite"
_NAME = "sweep"

State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """A trial that has ended.

    Attributes
    ----------
    number : int
    values : dict
        Of the settings that are searched.
    texts : dict of str
        The same as they are written.
    state : {"complete", "pruned", "failed"}
    error : float or None
        On the validation rows: share of wrong classes, or RMSE in units of the target. Of a
        pruned trial, that of its last epoch.
    reason : str
        Why it was pruned, or failed.
    run : str
        Its run folder, from the sweep's.
    """

    number: int
    values: dict[str, Any]
    texts: dict[str, str]
    state: State
    error: float | None
    reason: str
    run: str


class Study:
    """What a sweep knows, and what it tries next; survives a kill at any moment.

    Parameters
    ----------
    sweep : SweepRequest
    folder : Path

    Raises
    ------
    MissingDependencyError
        When Optuna is not installed.
    RunError
        If the folder has another sweep, or the file cannot be read.
    """

    def __init__(self, sweep: SweepRequest, folder: Path) -> None:
        self._optuna = require_optuna()
        self._space = sweep.space
        self._seed = sweep.request.seed
        self._parallel = sweep.jobs > 1
        self._store = Store(folder, create=True)
        self._study = self._store.study
        self._remember(sweep.asked(), folder)
        self.total = sweep.trials
        points = combinations(self._space)
        self._whole = points is not None and points <= sweep.trials
        if points is not None:
            self.total = min(points, sweep.trials)
        self._take_up()

    def ask(self) -> tuple[int, dict[str, Any], str]:
        """Begin a trial.

        Returns
        -------
        int, dict, str
            Its number, the values of its settings, and its run folder.
        """
        # By the trials that have ended: a sweep that was killed tries what it would have tried.
        known = len(self.ended()) + self._running()
        self._study.sampler = self._sampler(known)
        trial = self._study.ask(fixed_distributions=self._distributions())
        run = trial.user_attrs.get("run") or f"trials/{trial.number:04d}"
        trial.set_user_attr("run", run)
        return trial.number, self._values(trial.params), str(run)

    def tell(self, number: int, state: State, error: float | None, reason: str) -> None:
        """End a trial."""
        self._store.note(number, state=state, reason=reason)
        if state == "complete":
            self._study.tell(number, error)
        else:
            # So is a failed one told: Optuna then looks elsewhere, which it does not after a FAIL.
            self._study.tell(number, state=self._optuna.trial.TrialState.PRUNED)

    def ended(self) -> list[Trial]:
        """Give the trials that have ended, in the order of their numbers."""
        return [
            Trial(
                trial.number,
                self._values(trial.params),
                {name: text_of(trial.params[name]) for name in self._space},
                trial.user_attrs["state"],
                self._error_of(trial),
                trial.user_attrs["reason"],
                trial.user_attrs["run"],
            )
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state.name in ("COMPLETE", "PRUNED")
        ]

    def _remember(self, asked: Mapping[str, Any], folder: Path) -> None:
        before = self._study.user_attrs.get("asked")
        if before is None:
            self._study.set_user_attr("asked", dict(asked))
        elif before != asked:
            old, new = (
                {"method": one["method"], **one["arguments"], "space": one["space"]}
                for one in (before, asked)
            )
            other = [name for name in {**old, **new} if old.get(name) != new.get(name)]
            raise RunError(
                f"the sweep in {folder} is another one ({', '.join(other)}): ask for the same to "
                "go on with it, choose another folder (--out), or pass --force to replace it"
            )

    def _take_up(self) -> None:
        """Let trials that were killed begin again, each in the run folder that it had."""
        trials = self._study.get_trials(deepcopy=False)
        waiting = [t.system_attrs.get("fixed_params") for t in trials if t.state.name == "WAITING"]
        for trial in trials:
            if trial.state.name == "RUNNING":
                self._study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
                run = trial.user_attrs.get("run")
                attributes = {} if run is None else {"run": run}
                self._study.enqueue_trial(trial.params, user_attrs=attributes)
                waiting.append(trial.params)
        if self._whole:
            tried = [*waiting, *(t.params for t in trials if t.state.name != "WAITING")]
            for point in every_combination(self._space):
                if point not in tried:
                    self._study.enqueue_trial(point)

    def _running(self) -> int:
        return sum(t.state.name == "RUNNING" for t in self._study.get_trials(deepcopy=False))

    def _sampler(self, known: int) -> Any:  # noqa: ANN401
        seed = int(np.random.SeedSequence([self._seed, known]).generate_state(1)[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            # Trials that run at the same time shall not be all alike.
            return self._optuna.samplers.TPESampler(seed=seed, constant_liar=self._parallel)

    def _distributions(self) -> dict[str, Any]:
        kinds = self._optuna.distributions

        def of(where: Range) -> Any:  # noqa: ANN401
            if isinstance(where, OneOf):
                return kinds.CategoricalDistribution(where.texts)
            if where.whole:
                return kinds.IntDistribution(int(where.low), int(where.high), log=where.log)
            return kinds.FloatDistribution(where.low, where.high, log=where.log)

        return {name: of(where) for name, where in self._space.items()}

    def _values(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: parameters[name]
            if isinstance(where, Between)
            else where.values[where.texts.index(parameters[name])]
            for name, where in self._space.items()
        }

    def _error_of(self, trial: Any) -> float | None:  # noqa: ANN401
        if trial.state.name == "COMPLETE":
            return float(trial.value)
        last = trial.intermediate_values
        return float(last[max(last)]) if last else None


class Store:
    """The study in the file of a sweep's folder, as any process opens it.

    Raises
    ------
    RunError
        If it cannot be read or made.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        optuna = require_optuna()
        alchemy = importlib.import_module("sqlalchemy")
        path = folder.absolute() / DATABASE
        url = alchemy.engine.URL.create("sqlite", database=str(path))
        try:
            self.storage = optuna.storages.RDBStorage(
                url.render_as_string(),
                # Several processes write to it, one at a time.
                engine_kwargs={"connect_args": {"timeout": 60}},
            )
            if create:
                optuna.create_study(storage=self.storage, study_name=_NAME, load_if_exists=True)
            self.study = optuna.load_study(storage=self.storage, study_name=_NAME)
        except (OSError, RuntimeError, KeyError, alchemy.exc.SQLAlchemyError) as error:
            raise RunError(
                f"cannot open {path}: {error}; restore it from a copy, or pass --force to begin "
                "anew"
            ) from error

    def note(self, number: int, **attributes: str) -> None:
        """Write something down about a trial."""
        for name, value in attributes.items():
            self.storage.set_trial_user_attr(self._id(number), name, value)

    def report(self, number: int, epoch: int, error: float) -> None:
        """Write down the validation error of a trial after an epoch."""
        self.storage.set_trial_intermediate_value(self._id(number), epoch, error)

    def prunes(self, pruner: Any, number: int) -> bool:  # noqa: ANN401
        """Whether a trial is not worth going on with."""
        return bool(pruner.prune(self.study, self.storage.get_trial(self._id(number))))

    def _id(self, number: int) -> int:
        study = self.storage.get_study_id_from_name(_NAME)
        return int(self.storage.get_trial_id_from_study_id_trial_number(study, number))


def require_optuna() -> ModuleType:
    """Import Optuna.

    Raises
    ------
    MissingDependencyError
        When it is not installed.
    """
    optuna: ModuleType = require("optuna", "a sweep", install("sweep"))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
