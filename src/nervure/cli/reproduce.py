"""`nervure reproduce PAPER`."""

from __future__ import annotations

import functools
import json
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from nervure.data.polynomials import SAMPLES
from nervure.engine.activations import ActivationName
from nervure.errors import NervureError
from nervure.jobs import polynomials
from nervure.reproduce import Ledger, cells, freenets, freenets_figures, freenets_tables

app = typer.Typer(help="Run a paper's experiments, its figures beside ours.", no_args_is_help=True)


@app.command("freenets")
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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object only.")] = False,
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
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]}"),
        console=Console(stderr=True),
    ) as bars:
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
            "paired_tests": [_plain(asdict(test)) for test in tests],
            "compaction": compaction,
            "settings": asdict(settings),
            "figures": [str(path) for path in drawn],
        }
        sys.stdout.write(json.dumps(values) + "\n")
        return
    console = Console()
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


@app.command("polynomials")
def reproduce_polynomials(
    neurons: Annotated[
        list[int] | None, typer.Option(min=1, help="Sizes; repeat for several. 10, 20 and 40.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds per row; 3, quick 1.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="100, quick 15.")] = None,
    activation: Annotated[ActivationName, typer.Option(help="Of the neurons.")] = "relu",
    quick: Annotated[
        bool, typer.Option("--quick", help="One size, one seed, few samples: half a minute.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object only.")] = False,
) -> None:
    """Learn monomials, sparse, trigonometric and interval-wise polynomials by the largest error.

    The tasks of the FreeNets authors' code: a FreeNet that rewires itself, one that does not, and
    a plain network of the same size. The full form takes about two hours on one core.
    """
    base = polynomials.QUICK if quick else polynomials.PolynomialOptions()
    options = replace(
        base,
        neurons=tuple(neurons) if neurons else base.neurons,
        seeds=tuple(range(seeds)) if seeds else base.seeds,
        epochs=epochs or base.epochs,
        activation=activation,
    )
    tasks = polynomials.polynomial_tasks(polynomials.QUICK_SAMPLES if quick else SAMPLES)
    table = Table(title="Error on an even grid over [0, 1]")
    for name in ("task", "network", "neurons", "seed", "parameters", "largest", "mean", "s"):
        table.add_column(name, justify="left" if name in ("task", "network") else "right")
    total = len(tasks) * len(options.neurons) * len(options.seeds) * len(polynomials.NETWORKS)
    with Progress(console=Console(stderr=True)) as bars:
        bar = bars.add_task("trained", total=total)
        rows = polynomials.run_polynomials(tasks, options, lambda _: bars.update(bar, advance=1))
    if as_json:
        sys.stdout.write(json.dumps({"rows": [_plain(asdict(row)) for row in rows]}) + "\n")
        return
    for row in rows:
        table.add_row(
            row.task,
            row.network,
            str(row.neurons),
            str(row.seed),
            str(row.parameters),
            f"{row.max_error:.3g}",
            f"{row.mean_error:.3g}",
            f"{row.seconds:.1f}",
        )
    Console().print(table)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Put null where a number is not finite, which JSON cannot say."""
    return {
        k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()
    }


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
