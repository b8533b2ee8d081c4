"""`nervure reproduce freenets`."""

from __future__ import annotations

import functools
import json
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from nervure.cli.console import result_console
from nervure.cli.options import Json
from nervure.cli.reproduce.shared import cell_progress
from nervure.errors import NervureError
from nervure.reproduce import Ledger, cells, freenets, freenets_figures, freenets_tables
from nervure.reproduce.plain import plain


def reproduce_freenets(
    data: Annotated[
        list[str] | None,
        typer.Option(help="mnist, fashion_mnist or emnist; repeat for several. All if not given."),
    ] = None,
    neurons: Annotated[
        list[int] | None, typer.Option(help="Sizes; repeat for several. The paper's ten.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds per cell; 3, quick 2.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="20, quick 4.")] = None,
    epsilon: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Together means in more than 1 - epsilon of samples."),
    ] = freenets.Settings().epsilon,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two sizes, two datasets, few epochs: ten minutes.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes of one thread each; all cores.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the ledger, figures and models; go on where it stopped.")
    ] = Path("reproduced/freenets"),
    as_json: Json = False,
) -> None:
    """Reproduce FreeNets: Table 2 and Figures 4 to 9, against the matched one-layer network.

    Results are kept cell by cell: stopped and started again, it goes on where it was.
    """
    settings = freenets.Settings(epochs=epochs or (4 if quick else 20), epsilon=epsilon)
    datasets = data or (["mnist", "fashion_mnist"] if quick else list(freenets.PAPER))
    sizes = neurons or ([30, 100] if quick else list(freenets.NEURONS))
    unknown = [k for k in sizes if k not in freenets.NEURONS]
    if unknown:
        known = ", ".join(map(str, freenets.NEURONS))
        raise NervureError(f"neurons: the paper has {known}; got {', '.join(map(str, unknown))}")
    wanted = freenets.cells(datasets, sizes, range(seeds or (2 if quick else 3)), settings)
    ledger = Ledger(out / "ledger.sqlite")
    models = out / "models"
    models.mkdir(exist_ok=True)
    with cell_progress() as bars:
        task = bars.add_task("trained", total=len(wanted), last="")

        def done(cell: Mapping[str, Any], result: Mapping[str, Any]) -> None:
            last = f"{cell['data']} {cell['neurons']} {cell['network']}"
            accuracy = 100 * result["test_accuracy"]
            bars.update(task, advance=1, last=f"{last} seed {cell['seed']}: {accuracy:.2f} %")

        cells.run_cells(
            ledger,
            freenets.EXPERIMENT,
            wanted,
            functools.partial(freenets.run, models=str(models)),
            jobs=jobs or os.cpu_count() or 1,
            on_done=done,
        )
    found = [(c, r) for c, r in ledger.results(freenets.EXPERIMENT) if c in wanted]
    lines, tests = freenets_tables.lines(found), freenets_tables.paired_tests(found)
    compaction = [freenets.compaction(c, models) for c, _ in found if c["network"] == "freenet"]
    drawn = freenets_figures.write_figures(found, lines, out)
    if as_json:
        values = {
            "table": [asdict(line) for line in lines],
            "paired_tests": [plain(asdict(test)) for test in tests],
            "compaction": compaction,
            "settings": asdict(settings),
            "figures": [str(path) for path in drawn],
        }
        sys.stdout.write(json.dumps(values) + "\n")
        return
    console = result_console()
    console.print(_accuracy_table(lines))
    for test in tests:
        p = "" if math.isnan(test.p_value) else f", p = {test.p_value:.2g} (paired t-test)"
        console.print(
            f"{test.data}: FreeNet - matched = {test.difference:+.2f} ± {test.spread:.2f} points "
            f"over {test.pairs} pairs (same size and seed), better in {test.wins}{p}",
            highlight=False,
        )
    console.print(_compaction_table(compaction))
    console.print(f"figures and ledger: {out}", soft_wrap=True, highlight=False)


def _accuracy_table(lines: list[freenets_tables.Line]) -> Table:
    table = Table(title="Test accuracy, %: mean ± standard deviation over seeds (paper)")
    for name in ("data", "neurons", "seeds", "FreeNet", "matched network", "edges left"):
        table.add_column(name, justify="left" if name == "data" else "right")
    for line in lines:
        table.add_row(
            line.data,
            str(line.neurons),
            str(line.seeds),
            f"{line.freenet[0]:.2f} ± {line.freenet[1]:.2f} ({line.paper_freenet:.2f})",
            f"{line.matched[0]:.2f} ± {line.matched[1]:.2f} ({line.paper_matched:.2f})",
            f"{100 * line.edges:.0f} %",
        )
    return table


def _compaction_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="What pruning saves: the dense start -> the trained network, mean of seeds")
    for name in ("data", "neurons", "edges", "model file, kB", "prediction of 10,000 rows, ms"):
        table.add_column(name, justify="left" if name == "data" else "right")
    for data, neurons in dict.fromkeys((row["data"], row["neurons"]) for row in rows):
        same = [row for row in rows if (row["data"], row["neurons"]) == (data, neurons)]

        def mean(key: str, same: list[dict[str, Any]] = same) -> float:
            return float(sum(row[key] for row in same) / len(same))

        table.add_row(
            data,
            str(neurons),
            f"{mean('edges_before'):,.0f} -> {mean('edges_after'):,.0f}",
            f"{mean('kb_before'):.0f} -> {mean('kb_after'):.0f}",
            f"{mean('ms_before'):.1f} -> {mean('ms_after'):.1f}",
        )
    return table
