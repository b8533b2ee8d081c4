"""`nervure train METHOD`."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from nervure.data import Prepared
from nervure.data.dataset import Task
from nervure.engine.activations import ActivationName
from nervure.engine.sweeping import OnFailure
from nervure.jobs import TrainRequest, TrainResult, train_neural_modules
from nervure.rules.repulsion import Penalty

app = typer.Typer(help="Train a network by one of the methods.", no_args_is_help=True)

_DATA = "Data"
_NETWORK = "Network and rule"
_TRAINING = "Training"
_OUTPUT = "Output"


class _Progress:
    """A live bar per network, on standard error so that standard output stays clean."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            TextColumn("{task.completed}/{task.total}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[shown]}"),
            console=console,
        )
        self.tasks: dict[str, TaskID] = {}
        self.epochs = 0

    def started(self, prepared: Prepared, request: TrainRequest) -> None:
        self.epochs = request.epochs
        for message in prepared.messages:
            self.console.print(message, style="dim", highlight=False, markup=False)
        self.bars.start()

    def epoch(self, network: str, metrics: Mapping[str, Any]) -> None:
        if network not in self.tasks:
            self.tasks[network] = self.bars.add_task(network, total=self.epochs, shown="")
        merit = metrics.get("validation_error", metrics.get("validation_rmse", math.nan))
        name = "error" if "validation_error" in metrics else "rmse"
        shown = f"{name} {merit:.4f}"
        if "modules" in metrics:
            shown += f", {metrics['modules']} modules"
        self.bars.update(self.tasks[network], completed=metrics["epoch"], shown=shown)


@app.command("neural-modules")
def neural_modules(
    data: Annotated[
        str,
        typer.Option(
            help="Dataset name (see 'nervure data list') or a CSV, Parquet or NPZ file.",
            rich_help_panel=_DATA,
        ),
    ] = "digits",
    target: Annotated[
        str | None, typer.Option(help="Column to predict, for files.", rich_help_panel=_DATA)
    ] = None,
    task: Annotated[
        Task | None, typer.Option(help="Detected if not given.", rich_help_panel=_DATA)
    ] = None,
    split_by: Annotated[
        str | None,
        typer.Option(
            help="Group kept on one side of the split: subject (activity), batch (gas).",
            rich_help_panel=_DATA,
        ),
    ] = None,
    nodes: Annotated[
        int, typer.Option(min=2, max=20000, help="Neurons.", rich_help_panel=_NETWORK)
    ] = 200,
    keep: Annotated[
        int | None,
        typer.Option(min=1, help="Edges kept; twice the nodes.", rich_help_panel=_NETWORK),
    ] = None,
    alpha: Annotated[
        float, typer.Option(min=0.0, help="Strength of the penalty.", rich_help_panel=_NETWORK)
    ] = 1e-2,
    penalty: Annotated[
        Penalty,
        typer.Option(
            help="repulsion keeps modules small, l2 shrinks all weights alike.",
            rich_help_panel=_NETWORK,
        ),
    ] = "repulsion",
    activation: Annotated[
        ActivationName, typer.Option(help="Of the neurons.", rich_help_panel=_NETWORK)
    ] = "tanh",
    contraction: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Scale weights so that every input has exactly one equilibrium, e.g. 0.95.",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    on_failure: Annotated[
        OnFailure,
        typer.Option(
            help="Stop at a sample without equilibrium, or leave it out.",
            rich_help_panel=_NETWORK,
        ),
    ] = "raise",
    epochs: Annotated[
        int, typer.Option(min=1, help="Passes over the data.", rich_help_panel=_TRAINING)
    ] = 30,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="128, fewer for small data.", rich_help_panel=_TRAINING),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-9,
            help="Of SGD at the start; 0.3 for classes, 1 / nodes for regression.",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    momentum: Annotated[
        float, typer.Option(min=0.0, max=0.9999, help="Of SGD.", rich_help_panel=_TRAINING)
    ] = 0.5,
    seed: Annotated[
        int,
        typer.Option(min=0, help="For split, weights and order.", rich_help_panel=_TRAINING),
    ] = 0,
    baseline: Annotated[
        bool,
        typer.Option(help="Train the plain network beside it.", rich_help_panel=_TRAINING),
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option(help="Run folder; runs/<method>-<data>-<time>.", rich_help_panel=_OUTPUT),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a run in --out.", rich_help_panel=_OUTPUT)
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print one JSON object and nothing else.", rich_help_panel=_OUTPUT
        ),
    ] = False,
) -> None:
    """Neural modules: any directed graph, loops included, learned from the complete one.

    With no options it trains on scikit-learn's digits in under a minute.
    """
    request = TrainRequest(
        data=data,
        target=target,
        task=task,
        nodes=nodes,
        keep=keep,
        alpha=alpha,
        penalty=penalty,
        activation=activation,
        contraction=contraction,
        on_failure=on_failure,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        momentum=momentum,
        seed=seed,
        split_by=split_by,
        baseline=baseline,
        out=out,
        force=force,
    )
    if as_json:
        result = train_neural_modules(request)
        hidden = ("module_sizes", "baseline_epochs")
        shown = {k: v for k, v in result.summary.items() if k not in hidden}
        sys.stdout.write(json.dumps(shown) + "\n")
        return
    progress = _Progress(Console(stderr=True))
    try:
        result = train_neural_modules(request, progress)
    finally:
        progress.bars.stop()
    _print_result(result, Console())


def _print_result(result: TrainResult, console: Console) -> None:
    summary = result.summary
    classification = "test_error" in summary
    merit = "test_error" if classification else "test_rmse"
    table = Table(title=f"{summary['method']} on {summary['dataset']}, seed {summary['seed']}")
    table.add_column("")
    table.add_column("neural modules", justify="right")
    table.add_column("plain network", justify="right")

    def figure(key: str) -> str:
        value = summary.get(key)
        if value is None:
            return "-"
        return f"{100 * value:.2f} %" if classification else f"{value:.4g}"

    possible = summary["edges_possible"]
    rows = [
        (
            "error on the held-out test set" if classification else "RMSE on the held-out test set",
            figure(merit),
            figure(f"baseline_{merit}"),
        ),
        (
            "edges kept of possible",
            f"{summary['edges']:,} of {possible:,} ({100 * summary['edges'] / possible:.1f} %)",
            "none between neurons",
        ),
        ("modules", str(summary["modules"]), "-"),
        ("largest module", f"{summary['largest_module']} nodes", "-"),
        (
            "training time",
            f"{summary['seconds']:.1f} s",
            f"{summary['baseline_seconds']:.1f} s" if "baseline_seconds" in summary else "-",
        ),
        ("every sample solved", "yes" if summary["converged"] else "no", "-"),
    ]
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if result.interrupted:
        console.print("interrupted: the best network so far was kept", highlight=False)
    # Paths are printed unwrapped, so that they can be copied from a narrow terminal.
    console.print(f"report: {result.report}", soft_wrap=True, highlight=False)
    console.print(f"model:  {result.model}", soft_wrap=True, highlight=False)
