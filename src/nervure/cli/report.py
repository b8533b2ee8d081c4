"""`nervure report RUN`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from nervure.cli.completion import runs
from nervure.cli.options import Json
from nervure.report import write_report
from nervure.training.run import Run


def report(
    run: Annotated[Path, typer.Argument(help="Run folder.", autocompletion=runs)],
    as_json: Json = False,
) -> None:
    """Write the report of a run, finished or not, from what it has recorded."""
    with Run.open(run) as opened:
        path = write_report(opened)
    if as_json:
        sys.stdout.write(json.dumps({"report": str(path)}) + "\n")
        return
    typer.echo(f"report: {path}")
