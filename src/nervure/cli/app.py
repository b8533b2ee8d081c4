"""The command's root: its subcommands, and how errors leave it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from typer.core import TyperGroup

from nervure.cli import (
    bench,
    compare,
    data,
    export,
    inspect,
    modules,
    predict,
    report,
    reproduce,
    sweep,
    train,
)
from nervure.errors import NervureError

# As they are needed: first what makes a network, then what is done with one.
_ORDER = (
    "train", "sweep", "compare", "inspect", "report", "modules", "predict", "export", "data",
    "reproduce", "bench",
)  # fmt: skip


class _InOrder(TyperGroup):
    def list_commands(self, ctx: object) -> list[str]:
        del ctx
        return sorted(self.commands, key=_ORDER.index)


app = typer.Typer(
    name="nervure",
    cls=_InOrder,
    help="Train neural networks that learn their own wiring.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(train.app, name="train")
app.add_typer(sweep.app, name="sweep")
app.add_typer(data.app, name="data")
app.add_typer(reproduce.app, name="reproduce")
app.command("predict")(predict.predict)
app.command("export", help=export.HELP)(export.export)
app.command("inspect")(inspect.inspect)
app.command("compare")(compare.compare)
app.command("report")(report.report)
app.command("modules", help=modules.HELP)(modules.modules)
app.command("bench", help=bench.HELP)(bench.bench)


def _version(wanted: bool) -> None:
    if wanted:
        from nervure import __version__

        typer.echo(f"nervure {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train neural networks that learn their own wiring."""


def main() -> None:
    """Run the command; errors that nervure foresees end it with one message and exit code 2."""
    try:
        app(prog_name="nervure")
    except NervureError as error:
        Console(stderr=True, highlight=False).print("error:", str(error), style="red", markup=False)
        sys.exit(2)
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted before anything was trained")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
