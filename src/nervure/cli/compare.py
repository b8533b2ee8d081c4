"""`nervure compare RUN...`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from nervure.cli.completion import runs as complete_runs
from nervure.cli.console import result_console
from nervure.cli.options import Force, Json
from nervure.jobs.compare import compare_runs, write_comparison
from nervure.jobs.run_facts import RunFacts, heading_of, shown_facts, shown_settings

# So many runs fit beside each other as columns; more are rows.
_COLUMNS = 4


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Run folders, finished or not; those of sweeps stand for their trials.",
            autocompletion=complete_runs,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Page with curves and tables (.html), or curves (.svg, .png)."
        ),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Hold runs against each other: settings that differ, errors, wiring, time."""
    comparison = compare_runs(runs)
    if output is not None:
        write_comparison(comparison, output, force=force)
    if as_json:
        groups = [
            {"data": group[0].dataset, "task": group[0].task, "runs": [_json(r) for r in group]}
            for group in comparison.groups
        ]
        sys.stdout.write(json.dumps({"groups": groups, "notes": list(comparison.notes)}) + "\n")
        return
    console = result_console()
    for note in comparison.notes:
        console.print(note, highlight=False, markup=False)
    for group in comparison.groups:
        console.print(_table(group))
        if len(group) > _COLUMNS:
            for run in group:
                own = ", ".join(f"{name} {value}" for name, value in shown_settings(run).items())
                console.print(f"{run.name}: {own}", highlight=False, markup=False)
    if output is not None:
        console.print(f"written: {output}", soft_wrap=True, highlight=False, markup=False)


def _table(group: Sequence[RunFacts]) -> Table:
    table = Table(title=escape(heading_of(group)))
    facts = [shown_facts(run) for run in group]
    headings = [heading for heading in facts[0] if any(one[heading] != "-" for one in facts)]
    settings = [shown_settings(run) for run in group]
    if len(group) <= _COLUMNS:
        table.add_column("")
        for run in group:
            table.add_column(escape(run.name), justify="right", overflow="fold")
        for heading in settings[0]:
            table.add_row(heading, *(escape(one[heading]) for one in settings))
        for heading in headings:
            table.add_row(heading, *(one[heading] for one in facts))
        return table
    table.add_column("run", overflow="fold")
    for heading in headings:
        table.add_column(heading.replace("validation", "valid."), justify="right", overflow="fold")
    for run, one in zip(group, facts, strict=True):
        table.add_row(escape(run.name), *(one[heading] for heading in headings))
    return table


def _json(run: RunFacts) -> dict[str, Any]:
    left_out = ("epochs", "scale", "dataset", "task")
    facts = {key: value for key, value in vars(run).items() if key not in left_out}
    return {**facts, "folder": str(run.folder), "epochs": len(run.epochs)}
