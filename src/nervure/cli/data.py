"""`nervure data`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from nervure.cli.console import result_console
from nervure.data import list_datasets

app = typer.Typer(help="Datasets known by name.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Datasets known by name."""


@app.command("list")
def list_command(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON list and nothing else.")
    ] = False,
) -> None:
    """List the datasets, their sizes, and where they are or would be downloaded from."""
    infos = list_datasets()
    if as_json:
        sys.stdout.write(json.dumps([asdict(info) for info in infos], default=str) + "\n")
        return
    table = Table()
    for column in ("name", "rows", "features", "classes", "complete", "found"):
        table.add_column(column, justify="right" if column in ("rows", "features") else "left")
    for info in infos:
        table.add_row(
            info.name,
            f"{info.rows:,}",
            f"{info.features:,}",
            str(info.classes),
            "yes" if info.subset is None else "subset",
            info.found,
        )
    result_console().print(table)
