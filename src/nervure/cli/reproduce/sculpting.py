"""`nervure reproduce sculpting`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from nervure.cli.console import result_console
from nervure.cli.options import Json
from nervure.cli.reproduce.sculpting_printing import print_tables
from nervure.cli.reproduce.shared import cell_progress
from nervure.reproduce import (
    Ledger,
    cells,
    sculpting,
    sculpting_figures,
    sculpting_quick,
    sculpting_report,
    sculpting_runs,
)
from nervure.reproduce.plain import plain


def reproduce_sculpting(
    part: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"{', '.join(sculpting.PARTS)}; all if not given. Quick: "
            f"{', '.join(sculpting_quick.PARTS)}.",
            metavar="[PART]...",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, help="Per architecture; 4 and 2 of images as they take long, quick 2 and 1."
        ),
    ] = None,
    width: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Of hidden layers of Boolean tasks; repeat for several. The paper's."
        ),
    ] = None,
    train_rows: Annotated[
        int | None, typer.Option(min=1, help="Pairs of images; 20000, quick 3000.")
    ] = None,
    validation_rows: Annotated[
        int | None,
        typer.Option(min=1, help="Pairs of images, and as many to test on; 5000, quick 1000."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Of each round on images; 10, quick 2.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few tasks, widths, steps and images: ten minutes.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes of one thread each; all cores.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the ledger and figures; go on where it stopped.")
    ] = Path("reproduced/sculpting"),
    as_json: Json = False,
) -> None:
    """Reproduce neural sculpting: Tables 1 to 4, Figures 1 to 4, 7, 8, 10, 12, 13, and structures.

    Networks are trained, pruned with every pair of steps of a grid, and their modules held against
    the sub-functions of the task. Results are kept cell by cell: stopped and started again, it goes
    on where it was.
    """
    settings = sculpting_quick.SETTINGS if quick else sculpting.Settings()
    images = sculpting_quick.IMAGES if quick else sculpting.ImageSettings()
    settings = replace(
        settings, seeds=seeds or settings.seeds, widths=tuple(width) if width else None
    )
    images = replace(
        images,
        seeds=seeds or images.seeds,
        train=train_rows or images.train,
        validation=validation_rows or images.validation,
        test=validation_rows or images.test,
        epochs=epochs or images.epochs,
    )
    parts = list(dict.fromkeys(part or (sculpting_quick.PARTS if quick else sculpting.PARTS)))
    wanted = sculpting.cells(parts, settings, images)
    if quick:
        wanted = sculpting_quick.chosen(wanted, widths=width)
    errors = Console(stderr=True)
    for name in parts:
        count = sum(cell["part"] == name for cell in wanted)
        errors.print(f"{name}: {sculpting.PARTS[name]} (cells: {count})", highlight=False)
    ledger = Ledger(out / "ledger.sqlite")
    with cell_progress() as bars:
        task = bars.add_task("cells", total=len(wanted), last="")

        def done(cell: Mapping[str, Any], result: Mapping[str, Any]) -> None:
            bars.update(task, advance=1, last=_last(cell, result))

        cells.run_cells(
            ledger, sculpting.EXPERIMENT, wanted, sculpting_runs.run,
            jobs=jobs or os.cpu_count() or 1, on_done=done,
        )  # fmt: skip
    # In the order of the cells, not of their ends, which differs from run to run.
    found = [(c, r) for c in wanted if (r := ledger.get(sculpting.EXPERIMENT, c)) is not None]
    # Table 4 finds modules in forty ways.
    with errors.status("tables and figures"):
        report = sculpting_report.report_of(found)
        drawn = sculpting_figures.write_figures(found, report, out)
    if as_json:
        tables = {
            name: [plain(asdict(line)) for line in lines] for name, lines in vars(report).items()
        }
        values = {
            **tables,
            "settings": asdict(settings),
            "images": asdict(images),
            "figures": [str(path) for path in drawn],
        }
        sys.stdout.write(json.dumps(values) + "\n")
        return
    console = result_console()
    print_tables(console, report)
    console.print(f"figures and ledger: {out}", soft_wrap=True, highlight=False)


def _last(cell: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """Say in short what came of a cell."""
    layers = f"{cell['depth']} x {cell['width']}"
    if "task" not in cell:
        pruned = f"{result['edges']:,} edges left" if result["reached"] else "not good enough"
        return f"{cell['part']}, {layers}, seed {cell['seed']}: {pruned}"
    trials = result.get("trials")
    if trials is None:
        return f"{cell['part']} {cell['task']}, {layers}: not learned"
    exact = sum(trial["exact"] for trial in trials)
    return f"{cell['part']} {cell['task']}, {layers}: {exact} of {len(trials)} exact"
