"""Running a part of the reproduction, stage by stage, from where its ledger stands."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import torch

from nervure.reproduce.cells import run_cells
from nervure.reproduce.ledger import Cell, Ledger
from nervure.reproduce.neural_modules.part import Configuration, Found, Part

EXPERIMENT = "neural-modules"

Heard = Callable[[Cell, Mapping[str, Any]], None]


def run_part(
    part: Part,
    configuration: Configuration,
    ledger: Ledger,
    *,
    jobs: int | None = None,
    on_stage: Callable[[int], Heard] | None = None,
) -> Found:
    """Compute the cells of a part that are missing.

    Parameters
    ----------
    part : Part
    configuration : Configuration
    ledger : Ledger
    jobs : int, optional
        Processes of one thread each; all cores by default. Timings run one at a time, with all
        threads.
    on_stage : callable, optional
        Given the number of cells as a stage begins, gives what to call with each cell and result.

    Returns
    -------
    sequence of (cell, result)
        Of all cells of this configuration, in the order of its stages.
    """
    found: list[tuple[Cell, Mapping[str, Any]]] = []
    threads = torch.get_num_threads() if part.timed else 1
    processes = 1 if part.timed else jobs or os.cpu_count() or 1
    for stage in part.stages:
        wanted = list(stage(configuration, found))
        if not wanted:
            continue
        run_cells(
            ledger,
            EXPERIMENT,
            wanted,
            part.run,
            jobs=processes,
            threads=threads,
            on_done=None if on_stage is None else on_stage(len(wanted)),
        )
        found += held(ledger, wanted)
    return found


def held(ledger: Ledger, wanted: list[Cell]) -> list[tuple[Cell, Mapping[str, Any]]]:
    """Give those of some cells that a ledger holds."""
    results = ((cell, ledger.get(EXPERIMENT, cell)) for cell in wanted)
    return [(cell, result) for cell, result in results if result is not None]
