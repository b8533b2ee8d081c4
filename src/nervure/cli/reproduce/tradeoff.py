"""`nervure reproduce tradeoff`."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from nervure.cli.console import result_console
from nervure.cli.options import Json
from nervure.cli.reproduce.shared import cell_progress
from nervure.cli.reproduce.tradeoff_printing import print_report
from nervure.data import COLOUR_IMAGES
from nervure.reproduce import Ledger, cells, tradeoff, tradeoff_figures, tradeoff_report
from nervure.reproduce.tradeoff_paper import REACH

_PAPER_SEEDS = 10
_QUICK_SEEDS = 3


def reproduce_tradeoff(
    data: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(COLOUR_IMAGES)}; repeat for several. All if not given."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help=f"Per dataset; {_PAPER_SEEDS}, quick {_QUICK_SEEDS}.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Instead of those of the configuration.")
    ] = None,
    train: Annotated[
        int | None, typer.Option(min=1, help="Rows to train on, instead of the configuration's.")
    ] = None,
    test: Annotated[
        int | None, typer.Option(min=1, help="Rows to test on, instead of the configuration's.")
    ] = None,
    retraining: Annotated[
        bool, typer.Option(help="Train the wirings again from scratch (Figure 5, Tables 3, 5).")
    ] = True,
    bias: Annotated[
        bool, typer.Option(help="Start from short edges alone as well (Table 5, CIFAR-10).")
    ] = True,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Small networks, fewer images and epochs: for a machine of two cores."
        ),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Processes of one thread each; all cores, or one with a GPU."),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the ledger, figures and models; go on where it stopped.")
    ] = Path("reproduced/tradeoff"),
    as_json: Json = False,
) -> None:
    """Reproduce the performance-resources trade-off: Tables 1 to 5 and Figures 2 to 8.

    The full configuration is the paper's (60 nodes, 100 epochs of all images, ten seeds for each of
    five datasets): more than a week, at its seconds per epoch. Results are kept cell by cell;
    stopped and started again, it goes on where it was.
    """
    settings = tradeoff.QUICK if quick else tradeoff.Settings()
    given: dict[str, Any] = {"epochs": epochs, "train": train, "test": test}
    settings = replace(settings, **{k: v for k, v in given.items() if v is not None})
    count = seeds or (_QUICK_SEEDS if quick else _PAPER_SEEDS)
    ledger = Ledger(out / "ledger.sqlite")
    models = out / "models"
    models.mkdir(exist_ok=True)
    wanted: list[dict[str, Any]] = []
    run = functools.partial(
        _run, ledger, models, jobs or (1 if torch.cuda.is_available() else os.cpu_count() or 1)
    )
    wirings = tradeoff.wiring_cells(data or COLOUR_IMAGES, range(count), settings)
    if bias and (data is None or "cifar10" in data):
        # The same share of the graph's length as in the paper.
        reach = max(1, round(REACH * settings.nodes / tradeoff.Settings().nodes))
        wirings += tradeoff.wiring_cells(["cifar10"], range(count), settings, reach=reach)
    run(wirings)
    wanted += wirings
    if retraining:
        whole = [cell for cell in wirings if tradeoff.is_wired(ledger, cell)]
        # The subgraph of Table 5 was trained again with fitted channels alone.
        again = tradeoff.retraining_cells(
            [cell for cell in whole if cell["reach"] is None], fit_channels=False
        ) + tradeoff.retraining_cells(whole, fit_channels=True)
        run(again)
        wanted += again
    found = [(c, r) for c, r in ledger.results(tradeoff.EXPERIMENT) if c in wanted]
    report = tradeoff_report.report_of(found)
    drawn = tradeoff_figures.write_figures(
        found, report.likeness, report.accuracies, report.first_epochs, out
    )
    if as_json:
        values = {
            **tradeoff_report.to_json(report),
            "settings": asdict(settings),
            "figures": [str(path) for path in drawn],
        }
        sys.stdout.write(json.dumps(values) + "\n")
        return
    console = result_console()
    print_report(console, report)
    console.print(f"figures, models and ledger: {out}", soft_wrap=True, highlight=False)


def _run(ledger: Ledger, models: Path, jobs: int, wanted: Sequence[Mapping[str, Any]]) -> None:
    if not wanted:  # No threshold left a wiring that could be trained again.
        return
    with cell_progress() as bars:
        task = bars.add_task(
            "wirings" if wanted[0]["kind"] == "wiring" else "trained again",
            total=len(wanted),
            last="",
        )

        def done(cell: Mapping[str, Any], result: Mapping[str, Any]) -> None:
            accuracy = 100 * result["accuracy"]
            bars.update(
                task, advance=1, last=f"{cell['data']} seed {cell['seed']}: {accuracy:.2f} %"
            )

        cells.run_cells(
            ledger,
            tradeoff.EXPERIMENT,
            wanted,
            functools.partial(tradeoff.run, ledger=ledger.path, models=models),
            jobs=jobs,
            on_done=done,
        )
