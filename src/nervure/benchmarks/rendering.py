"""A report as a table for the terminal."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from nervure.benchmarks.harness import OURS, Report, Row


def rendered(report: Report) -> Group:
    """Lay a report out: one line per case, one column per peer, notes below."""
    machine = report.machine
    names = list(dict.fromkeys(name for row in report.rows for name in row.ratios))
    table = Table(
        title=report.benchmark,
        caption=f"{machine.cpu}, {machine.instruction_set}, {machine.threads} of {machine.cores} "
        f"threads, torch {machine.torch}, Python {machine.python}; medians, in brackets the time "
        f"of the peer over that of {OURS}",
        caption_justify="left",
    )
    table.add_column("case")
    table.add_column(f"{OURS}, ms", justify="right")
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("error", justify="right")
    for row in report.rows:
        error = "" if row.max_error is None else f"{row.max_error:.0e}"
        table.add_row(row.case, _ms(row.ours_ms), *(_cell(row, name) for name in names), error)
    notes = [Text(f"{row.case}: {row.notes}") for row in report.rows if row.notes]
    missing = [Text(f"skipped {name}: {how}") for name, how in report.skipped.items()]
    return Group(table, *notes, *missing)


def _cell(row: Row, name: str) -> str:
    if name not in row.ratios:
        return "-"
    ratio = f"({row.ratios[name]:.3g})"
    return f"{_ms(row.peers[name])} {ratio}" if name in row.peers else ratio


def _ms(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
