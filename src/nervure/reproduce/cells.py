"""Running the cells of an experiment that a ledger does not hold yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

import torch

from nervure.processes import worker_pool
from nervure.reproduce.ledger import Cell, Ledger

Work = Callable[[Cell], dict[str, Any]]


def run_cells(
    ledger: Ledger,
    experiment: str,
    cells: Sequence[Cell],
    work: Work,
    *,
    jobs: int = 1,
    threads: int = 1,
    on_done: Callable[[Cell, dict[str, Any]], None] | None = None,
) -> None:
    """Compute what is missing, and write each result as soon as it is there.

    Parameters
    ----------
    ledger : Ledger
    experiment : str
    cells : sequence of mapping
        Everything that a result depends on, as JSON.
    work : callable
        Computes a cell; importable by name, since other processes call it.
    jobs : int
        Processes.
    threads : int
        Of each process; with one a figure does not depend on the number of processes.
    on_done : callable, optional
        Given each cell and its result, those that the ledger held at first.

    Raises
    ------
    Exception
        Whatever a cell raises, after the cells that were under way have been written.
    """
    heard = on_done or _ignore
    missing = []
    for cell in cells:
        known = ledger.get(experiment, cell)
        if known is None:
            missing.append(cell)
        else:
            heard(cell, known)
    if not missing:
        return
    if jobs == 1:
        _run_here(ledger, experiment, missing, work, heard, threads)
        return
    with worker_pool(min(jobs, len(missing)), threads) as pool:
        under_way: dict[Future[tuple[dict[str, Any], float]], Cell] = {}
        failure: BaseException | None = None
        while missing or under_way:
            # Only as many as run: what has not begun can then be left out.
            while missing and len(under_way) < jobs and failure is None:
                cell = missing.pop(0)
                under_way[pool.submit(_timed, work, cell)] = cell
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                cell = under_way.pop(future)
                if (error := future.exception()) is not None:
                    failure = failure or error
                    continue
                result, seconds = future.result()
                ledger.put(experiment, cell, result, seconds)
                heard(cell, result)
            if failure is not None and not under_way:
                raise failure


def _run_here(
    ledger: Ledger,
    experiment: str,
    missing: Sequence[Cell],
    work: Work,
    heard: Callable[[Cell, dict[str, Any]], None],
    threads: int,
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for cell in missing:
            result, seconds = _timed(work, cell)
            ledger.put(experiment, cell, result, seconds)
            heard(cell, result)
    finally:
        torch.set_num_threads(before)


def _ignore(_: Cell, __: dict[str, Any]) -> None:
    pass


def _timed(work: Work, cell: Cell) -> tuple[dict[str, Any], float]:
    begin = time.perf_counter()
    return work(cell), time.perf_counter() - begin
