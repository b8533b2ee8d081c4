"""Run a training job, show how it goes, and print what came of it."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from nervure.data import Prepared
from nervure.jobs import Listener, TrainRequest, TrainResult
from nervure.jobs.resuming import request_of

Row = tuple[str, str, str]
Request = TypeVar("Request", bound=TrainRequest)

# Too long for a line of JSON; the run folder has them.
_HIDDEN = (
    "module_sizes", "baseline_epochs", "feature_importances", "hierarchy", "networks",
    "threshold_sweep",
)  # fmt: skip


class ShownProgress(Listener, Protocol):
    """A listener that shows what it hears, until it is stopped."""

    def stop(self) -> None:
        """Leave the terminal to others."""


class EpochBars:
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
        self.epochs: int | None = None

    def started(self, prepared: Prepared, epochs: int | None) -> None:
        """Show what the data is, and the bars."""
        self.epochs = epochs
        show_messages(self.console, prepared)
        self.bars.start()

    def stop(self) -> None:
        """Leave the terminal to others."""
        self.bars.stop()

    def epoch(self, network: str, metrics: Mapping[str, Any]) -> None:
        """Move the network's bar."""
        if network not in self.tasks:
            self.tasks[network] = self.bars.add_task(network, total=self.epochs, shown="")
        merit = metrics.get("validation_error", metrics.get("validation_rmse", math.nan))
        name = "error" if "validation_error" in metrics else "rmse"
        shown = f"{name} {merit:.4f}"
        if "modules" in metrics:
            shown += f", {metrics['modules']} modules"
        elif "edges" in metrics:
            shown += f", {metrics['edges']:,} edges"
        self.bars.update(self.tasks[network], completed=metrics["epoch"], shown=shown)


def show_messages(console: Console, prepared: Prepared) -> None:
    """Print what a reader should know of the data."""
    for message in prepared.messages:
        console.print(message, style="dim", highlight=False, markup=False)


def run(
    train: Callable[[Request, Listener | None], TrainResult],
    request: Request,
    context: typer.Context,
    *,
    label: str,
    rows: Callable[[Mapping[str, Any]], Sequence[Row]],
    as_json: bool,
    baseline: str = "plain network",
    progress: Callable[[Console], ShownProgress] = EpochBars,
    kept: str = "the best network so far was kept",
) -> None:
    """Train, and print the summary as JSON or as a table beside the network it is held against.

    Parameters
    ----------
    train : callable
        The job.
    request : TrainRequest
    context : typer.Context
        Of the command; with --resume, the run there is gone on with, by the request that made it.
    label : str
        Heading of the network's column.
    rows : callable
        Given the summary, the rows of the table: name, this network, the other one.
    as_json : bool
    baseline : str
        Heading of the other network's column.
    progress : callable
        Given the console of standard error, shows how training goes on there.
    kept : str
        What became of the network where Ctrl-C ended training.
    """
    method = str(context.info_name)
    resume: Path | None = context.params.get("resume")
    if resume is not None:
        _refuse_others(context)
        request = request_of(resume, method, type(request))
    if as_json:
        summary = train(request, None).summary
        shown = {k: v for k, v in summary.items() if k not in _HIDDEN}
        sys.stdout.write(json.dumps(shown) + "\n")
        return
    shown_live = progress(Console(stderr=True))
    try:
        result = train(request, shown_live)
    finally:
        shown_live.stop()
    summary = result.summary
    table = Table(title=f"{summary['method']} on {summary['dataset']}, seed {summary['seed']}")
    table.add_column("")
    for heading in (label, baseline):
        table.add_column(heading, justify="right")
    for row in rows(summary):
        table.add_row(*row)
    console = Console()
    console.print(table)
    for note in summary.get("notes", ()):
        console.print(note, highlight=False, markup=False)
    if result.interrupted:
        again = f"nervure train {method} --resume {shlex.quote(str(result.folder))}"
        console.print(f"interrupted: {kept}; go on with", highlight=False)
        console.print(again, soft_wrap=True, highlight=False, markup=False)
    # Paths are printed unwrapped, so that they can be copied from a narrow terminal.
    console.print(f"report: {result.report}", soft_wrap=True, highlight=False)
    console.print(f"model:  {result.model}", soft_wrap=True, highlight=False)


def _refuse_others(context: typer.Context) -> None:
    """Refuse options that would be ignored, since a run is gone on with as it began."""
    given = [
        name
        for name in context.params
        if name not in ("resume", "as_json")
        and getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    if given:
        raise typer.BadParameter(
            "a run is gone on with as it began; leave out "
            + ", ".join(f"--{name.replace('_', '-')}" for name in given)
        )


def merit_row(summary: Mapping[str, Any]) -> Row:
    """Give the row of the test error."""
    classification = "test_error" in summary
    merit = "test_error" if classification else "test_rmse"

    def figure(key: str) -> str:
        value = summary.get(key)
        if value is None:
            return "-"
        return f"{100 * value:.2f} %" if classification else f"{value:.4g}"

    name = "error" if classification else "RMSE"
    return f"{name} on the held-out test set", figure(merit), figure(f"baseline_{merit}")


def edges_row(summary: Mapping[str, Any]) -> Row:
    """Give the row of the edges kept."""
    edges, possible = summary["edges"], summary["edges_possible"]
    share = f" ({100 * edges / possible:.1f} %)" if possible else ""
    return "edges kept of possible", f"{edges:,} of {possible:,}{share}", "none between neurons"


def time_row(summary: Mapping[str, Any]) -> Row:
    """Give the row of the training times."""
    plain = f"{summary['baseline_seconds']:.1f} s" if "baseline_seconds" in summary else "-"
    return "training time", f"{summary['seconds']:.1f} s", plain
