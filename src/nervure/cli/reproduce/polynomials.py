"""`nervure reproduce polynomials`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from nervure.cli.console import result_console
from nervure.cli.options import Json
from nervure.data.polynomials import SAMPLES
from nervure.engine.activations import ActivationName
from nervure.jobs import polynomials
from nervure.reproduce.plain import plain


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
    as_json: Json = False,
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
        sys.stdout.write(json.dumps({"rows": [plain(asdict(row)) for row in rows]}) + "\n")
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
    result_console().print(table)
