"""Where trials run: here, in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

import torch

from nervure.errors import RunError
from nervure.jobs.sweep.request import Engine
from nervure.jobs.sweep.trial import Outcome, Work, run_trial
from nervure.optional import install, require
from nervure.processes import worker_pool


class TrialEngine(Protocol):
    """Runs trials side by side."""

    def submit(self, work: Work) -> None:
        """Begin a trial."""

    def next(self) -> list[tuple[Work, Outcome]]:
        """Wait until trials have ended, and give them; an error in one is raised."""
        ...

    def close(self, *, at_once: bool) -> None:
        """End; trials under way are killed if it must be at once."""


def engine_of(kind: Engine, jobs: int) -> TrialEngine:
    """Make the engine for so many trials at a time.

    Raises
    ------
    MissingDependencyError
        When Ray is asked for and not installed.
    """
    if kind == "ray":
        return _Ray(jobs)
    return _Here() if jobs == 1 else _Processes(jobs)


class _Here:
    """One trial at a time, in this process: Ctrl-C ends its training as it ends any other."""

    def __init__(self) -> None:
        self._work: list[Work] = []

    def submit(self, work: Work) -> None:
        self._work.append(work)

    def next(self) -> list[tuple[Work, Outcome]]:
        work = self._work.pop(0)
        return [(work, run_trial(work))]

    def close(self, *, at_once: bool) -> None:
        pass


class _Processes:
    """Processes that wait for work, each with its share of the cores."""

    def __init__(self, jobs: int) -> None:
        self._others = set(multiprocessing.active_children())
        # Ctrl-C goes to the sweep, which stops them between two epochs.
        self._pool = worker_pool(jobs, _threads(jobs), interruptible=False)
        self._under_way: dict[Future[Outcome], Work] = {}

    def submit(self, work: Work) -> None:
        self._under_way[self._pool.submit(run_trial, work)] = work

    def next(self) -> list[tuple[Work, Outcome]]:
        done, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
        try:
            return [(self._under_way.pop(future), future.result()) for future in done]
        except BrokenProcessPool as error:
            raise _killed() from error

    def close(self, *, at_once: bool) -> None:
        if at_once:
            for child in set(multiprocessing.active_children()) - self._others:
                child.terminate()
        self._pool.shutdown(cancel_futures=True)


class _Ray:
    """Tasks on a Ray cluster: the one of RAY_ADDRESS, one that runs here, or one of its own."""

    def __init__(self, jobs: int) -> None:
        self._ray = require("ray", "--engine ray", install("ray"))
        self._own = not self._ray.is_initialized()
        if self._own:
            self._ray.init(log_to_driver=False, logging_level="error")
        # A task that asks for more than there is would wait for ever.
        cores = min(_threads(jobs), int(self._ray.cluster_resources().get("CPU", 1)))
        self._run = self._ray.remote(num_cpus=cores, max_retries=0)(run_trial)
        self._under_way: dict[Any, Work] = {}

    def submit(self, work: Work) -> None:
        self._under_way[self._run.remote(work)] = work

    def next(self) -> list[tuple[Work, Outcome]]:
        done, _ = self._ray.wait(list(self._under_way), num_returns=1)
        try:
            return [(self._under_way.pop(task), self._ray.get(task)) for task in done]
        except self._ray.exceptions.RayTaskError as error:
            # What the trial raised, not Ray's wrapping of it.
            raise error.cause from error
        except self._ray.exceptions.WorkerCrashedError as error:
            raise _killed() from error

    def close(self, *, at_once: bool) -> None:
        if at_once:
            for task in self._under_way:
                self._ray.cancel(task, force=True)
        if self._own:
            self._ray.shutdown()


def _killed() -> RunError:
    return RunError(
        "a process of the sweep was killed, perhaps for want of memory; run the same command "
        "again to go on, with fewer --jobs"
    )


def _threads(jobs: int) -> int:
    return max(1, torch.get_num_threads() // jobs)
