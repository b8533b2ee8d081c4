"""`nervure sweep METHOD`: the settings that suit the data."""

from __future__ import annotations

import inspect
import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from nervure.cli.sweep import printing
from nervure.cli.sweep.space import space_of
from nervure.cli.train import METHODS, options
from nervure.cli.train.method import Method, command_of
from nervure.jobs.sweep import SweepListener, SweepRequest, SweepResult, run_sweep
from nervure.jobs.sweep.request import Engine

_SWEEP = "Sweep"
_HELP = "Search the settings of a method by its error on the validation rows."

app = typer.Typer(help=_HELP, no_args_is_help=True)


@app.callback()
def root() -> None:
    """Search the settings of a method by its error on the validation rows."""


def sweep(
    method: Method,
    context: typer.Context,
    asked: dict[str, Any],
    /,
    *,
    search: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=WHERE",
            help="What is searched: learning-rate=0.01:1:log, nodes=50:200, nodes=50,100,200; "
            "repeat for several.",
            rich_help_panel=_SWEEP,
        ),
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option(
            help="TOML file of the same: learning-rate = {low = 0.01, high = 1.0, log = true}, "
            "nodes = [50, 100, 200].",
            rich_help_panel=_SWEEP,
        ),
    ] = None,
    trials: Annotated[
        int,
        typer.Option(min=1, help="In all, with those of an earlier go.", rich_help_panel=_SWEEP),
    ] = 20,
    jobs: Annotated[int, typer.Option(min=1, help="Trials at a time.", rich_help_panel=_SWEEP)] = 1,
    prune: Annotated[
        bool,
        typer.Option(
            help="End trials whose validation error stays above the median of the others.",
            rich_help_panel=_SWEEP,
        ),
    ] = True,
    engine: Annotated[
        Engine,
        typer.Option(
            help="processes of this machine, or a ray cluster whose machines all see the folder.",
            rich_help_panel=_SWEEP,
        ),
    ] = "processes",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder; runs/sweep-<method>-<data>. A sweep that is there goes on.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace a sweep there.", rich_help_panel=options.OUTPUT),
    ] = False,
    config: options.Config = None,  # noqa: ARG001
    as_json: options.AsJson = False,
) -> None:
    """Search, and print the best trials."""
    request = SweepRequest(
        method=method.name,
        train=method.train,
        request=method.ask(**asked),
        space=space_of(method, context, asked, search or [], space),
        trials=trials,
        jobs=jobs,
        prune=prune,
        engine=engine,
        out=out,
        force=force,
    )
    if as_json:
        result = _swept(request, None)
        shown = printing.as_json(method.name, result, _command(method, asked, result))
        sys.stdout.write(json.dumps(shown) + "\n")
    else:
        bar = printing.TrialBar(Console(stderr=True))
        try:
            result = _swept(request, bar)
        finally:
            bar.stop()
        printing.show(method.name, result, _command(method, asked, result), _again(force=force))
    if result.interrupted:
        raise typer.Exit(130)


def _swept(request: SweepRequest, listener: SweepListener | None) -> SweepResult:
    try:
        return run_sweep(request, listener)
    except KeyboardInterrupt:
        Console(stderr=True).print(
            "interrupted before there was a trial; run the same command again", highlight=False
        )
        raise typer.Exit(130) from None


def _command(method: Method, asked: dict[str, Any], result: SweepResult) -> str | None:
    """Give the command that trains the best trial again: what was given, and what was found."""
    if result.best is None:
        return None
    defaults = inspect.signature(method.ask).parameters
    changed = {
        name: value
        for name, value in asked.items()
        if name not in result.best.values and value is not None and value != defaults[name].default
    }
    # A switch that is off by default may have no word for off.
    found = {
        name: text
        for name, text in result.best.texts.items()
        if not (text == "false" and defaults[name].default is False)
    }
    return printing.command_for(method.name, {**changed, **found})


def _again(*, force: bool) -> str:
    words = [word for word in sys.argv[1:] if not (force and word == "--force")]
    return shlex.join(["nervure", *words])


for _method in METHODS:
    _first = (inspect.getdoc(_method.ask) or "").partition("\n")[0]
    _others = f"Options that are not searched are those of `nervure train {_method.name}`."
    app.command(_method.name)(command_of(_method, sweep, f"{_first}\n\n{_others}"))

__all__ = ["app"]
