"""`nervure reproduce motif-set`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.table import Table

from nervure.cli.console import result_console
from nervure.cli.options import Json
from nervure.cli.reproduce.shared import cell_progress
from nervure.reproduce import Ledger, cells, motif_set, motif_set_figures, motif_set_tables
from nervure.training import comprehensive_score


def reproduce_motif_set(
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="fashion_mnist, lung or tox171; repeat for several. The first two; quick: "
            "fashion_mnist and tox171."
        ),
    ] = None,
    hidden: Annotated[
        list[str] | None,
        typer.Option(help="3x3000 or 2x1000; repeat for both. Both; quick: 2x1000."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds per cell; 3, quick 1.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="300 as in the paper, quick 5.")] = None,
    epsilon: Annotated[
        float, typer.Option(min=1e-6, help="Density of the layers, as SET's authors have it.")
    ] = motif_set.Settings().epsilon,
    learning_rate: Annotated[
        float, typer.Option(min=1e-9, help="Of SGD with momentum, the paper's.")
    ] = motif_set.Settings().learning_rate,
    weight_decay: Annotated[
        float, typer.Option(min=0.0, help="L2 penalty, as SET's authors have it.")
    ] = motif_set.Settings().weight_decay,
    dense: Annotated[
        bool, typer.Option(help="Train the dense network too, which takes longest.")
    ] = True,
    dense_rate: Annotated[
        float | None,
        typer.Option(min=1e-9, help="Learning rate of the dense network, if another."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few epochs of the smaller network: ten minutes.")
    ] = False,
    out: Annotated[
        Path, typer.Option(help="Folder of the ledger and figures; go on where it stopped.")
    ] = Path("reproduced/motif-set"),
    as_json: Json = False,
) -> None:
    """Reproduce motif-based SET: Tables 1 to 3 and Figures 6 to 9, time and accuracy in one run.

    Networks of motif size 1, 2 and 4, with free and with tied weights, and a static one train in
    turns, an epoch each; beside them a dense network, the time of a masked one, and logistic
    regression. Results are kept cell by cell: stopped and started again, it goes on where it was.
    """
    settings = motif_set.Settings(
        epochs=epochs or (5 if quick else 300),
        epsilon=epsilon,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
    )
    datasets = data or ["fashion_mnist", "tox171" if quick else "lung"]
    structures = hidden or (["2x1000"] if quick else list(motif_set.HIDDEN))
    wanted = motif_set.cells(
        datasets,
        structures,
        range(seeds or (1 if quick else 3)),
        settings,
        dense=dense,
        dense_rate=dense_rate,
    )
    properties = [motif_set.properties(name) for name in datasets]
    ledger = Ledger(out / "ledger.sqlite")
    with cell_progress() as bars:
        task = bars.add_task("cells", total=len(wanted), last="")

        def done(cell: Mapping[str, Any], _: Mapping[str, Any]) -> None:
            where = f"{cell['data']} {cell.get('hidden', '')}"
            bars.update(task, advance=1, last=f"{where} {cell['part']}, seed {cell['seed']}")

        # One after the other with all cores: time is what is measured.
        cells.run_cells(
            ledger, motif_set.EXPERIMENT, wanted, motif_set.run, threads=torch.get_num_threads(),
            on_done=done,
        )  # fmt: skip
    found = [(c, r) for c, r in ledger.results(motif_set.EXPERIMENT) if c in wanted]
    lines = motif_set_tables.lines(found)
    drawn = motif_set_figures.write_figures(found, lines, out)
    if as_json:
        values = {
            "table": [asdict(line) for line in lines],
            "properties": properties,
            "settings": asdict(settings),
            "figures": [str(path) for path in drawn],
        }
        sys.stdout.write(json.dumps(values) + "\n")
        return
    console = result_console()
    console.print(_properties_table(properties))
    for where in dict.fromkeys((line.data, line.hidden) for line in lines):
        chosen = [line for line in lines if (line.data, line.hidden) == where]
        console.print(_table(chosen, " ".join(filter(None, where)), settings.epochs))
    console.print(f"figures and ledger: {out}", soft_wrap=True, highlight=False)


def _properties_table(properties: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="Table 3: the data")
    for name in ("data", "features", "rows", "classes", "kind"):
        table.add_column(name, justify="left" if name in ("data", "kind") else "right")
    for row in properties:
        table.add_row(*(f"{v:,}" if isinstance(v, int) else str(v) for v in row.values()))
    return table


def _accuracy(line: motif_set_tables.Line) -> str:
    lost = f"{line.diverged} diverged" if line.diverged else ""
    if line.accuracy is None:
        return lost or "-"
    mean, spread = line.accuracy
    return f"{100 * mean:.2f} ± {100 * spread:.2f}" + (f", {lost}" if lost else "")


def _table(lines: Sequence[motif_set_tables.Line], where: str, epochs: int) -> Table:
    table = Table(title=f"{where}: {epochs} epochs, seeds: {max(line.seeds for line in lines)}")
    table.add_column("network", no_wrap=True)
    for name in ("accuracy, %", "s / epoch", "time saved", "S", "weights"):
        table.add_column(name, justify="right", no_wrap=True)
    base = next((line.paper for line in lines if line.paper is not None), None)
    for line in lines:
        table.add_row(
            line.network,
            _accuracy(line),
            "-" if line.epoch_seconds is None else f"{line.epoch_seconds:.2f}",
            "-" if line.saved is None else f"{100 * line.saved:.1f} %",
            "-" if line.score is None else f"{line.score:.4f}",
            "-" if line.weights is None else f"{line.weights:,}",
        )
        paper = line.paper
        if paper is not None and base is not None:
            score = comprehensive_score(paper.seconds, paper.accuracy, base.seconds, base.accuracy)
            table.add_row(
                "  the paper",
                f"{100 * paper.accuracy:.1f}",
                "-" if paper.epoch_seconds is None else f"{paper.epoch_seconds:.2f}",
                f"{100 * (1 - paper.seconds / base.seconds):.1f} %",
                f"{score:.4f}",
                "-",
                style="dim",
            )
    return table
