"""Run a training job, show how it goes, and print what came of it."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nervure.cli.console import result_console
from nervure.cli.train import options
from nervure.cli.train.method import Method
from nervure.cli.train.settings_file import settings_text
from nervure.jobs import Listener, RunInterrupted, TrainRequest, TrainResult
from nervure.jobs.resuming import request_of

# Too long for a line of JSON; the run folder has them.
_HIDDEN = (
    "module_sizes", "baseline_epochs", "feature_importances", "hierarchy", "networks",
    "threshold_sweep",
)  # fmt: skip
# What may be said anew where a run is gone on with.
_WITH_RESUME = ("resume", "as_json", "tensorboard")


def train(
    method: Method,
    context: typer.Context,
    asked: dict[str, Any],
    /,
    *,
    out: options.Out = None,
    force: options.Force = False,
    resume: options.Resume = None,
    config: options.Config = None,  # noqa: ARG001
    print_config: options.PrintConfig = False,
    tensorboard: options.TensorBoard = False,
    as_json: options.AsJson = False,
) -> None:
    """Train, and print the summary as JSON or as a table beside the network it is held against."""
    request = replace(method.ask(**asked), out=out, force=force, tensorboard=tensorboard)
    if resume is not None:
        _refuse_others(context)
        request = request_of(resume, method.name, type(request))
        request = replace(request, tensorboard=tensorboard)
    if print_config:
        sys.stdout.write(settings_text(context))
        return
    if as_json:
        summary = _trained(method, request, None).summary
        shown = {k: v for k, v in summary.items() if k not in _HIDDEN}
        sys.stdout.write(json.dumps(shown) + "\n")
        return
    live = method.progress(Console(stderr=True))
    try:
        result = _trained(method, request, live)
    finally:
        live.stop()
    _show(method, result)


def again(method: str, folder: object) -> str:
    """Give the command that goes on with a run."""
    return f"nervure train {method} --resume {shlex.quote(str(folder))}"


def _trained(method: Method, request: TrainRequest, listener: Listener | None) -> TrainResult:
    """Train; Ctrl-C with nothing to show for it ends the command in one line."""
    try:
        return method.train(request, listener)
    except KeyboardInterrupt as stop:
        getattr(listener, "stop", _nothing)()
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        if isinstance(stop, RunInterrupted):
            how = again(method.name, stop.folder)
            console.print(f"interrupted, nothing is lost; go on with: {how}", markup=False)
        else:
            console.print("interrupted before training began; run the same command again")
        raise typer.Exit(130) from None


def _show(method: Method, result: TrainResult) -> None:
    summary = result.summary
    title = f"{summary['method']} on {summary['dataset']}, seed {summary['seed']}"
    table = Table(title=escape(title))
    table.add_column("")
    rows = method.rows(summary)
    # Without a baseline, which then has no error either, there is no column for it.
    shown = 3 if rows[0][2] != "-" else 2
    for heading in (method.label, method.baseline)[: shown - 1]:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row[:shown])
    console = result_console()
    console.print(table)
    for note in summary.get("notes", ()):
        console.print(note, highlight=False, markup=False)
    if result.interrupted:
        console.print(f"interrupted: {method.kept}; go on with", highlight=False)
        console.print(
            again(method.name, result.folder), soft_wrap=True, highlight=False, markup=False
        )
    # Paths are printed unwrapped, so that they can be copied from a narrow terminal.
    console.print(f"report: {result.report}", soft_wrap=True, highlight=False, markup=False)
    console.print(f"model:  {result.model}", soft_wrap=True, highlight=False, markup=False)


def _refuse_others(context: typer.Context) -> None:
    """Refuse options that would be ignored, since a run is gone on with as it began."""
    given = [
        name
        for name in context.params
        if name not in _WITH_RESUME
        and getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    if given:
        raise typer.BadParameter(
            "a run is gone on with as it began; leave out "
            + ", ".join(f"--{name.replace('_', '-')}" for name in given)
        )


def _nothing() -> None:
    pass
