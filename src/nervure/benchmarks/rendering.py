"""Reports and tables of costs, as tables for the terminal."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from nervure.benchmarks.harness import OURS, Report, Row
from nervure.engine.costs import DTYPES, MODES, CostTable

# What a constant is multiplied with, by the last word of its name.
_PER = {
    "call": "call",
    "level": "level",
    "load": "edge",
    "fill": "cell",
    "node": "node and sample",
    "edge": "edge and sample",
    "cell": "cell and sample",
}


def rendered_costs(costs: CostTable) -> Table:
    """Lay the constants of the cost model out, in nanoseconds."""
    table = Table(
        title="calibrate",
        caption=f"nanoseconds; {costs.machine}; threads: {costs.threads}",
        caption_justify="left",
    )
    table.add_column("constant", no_wrap=True)
    table.add_column("per")
    columns = [(dtype, mode) for dtype in DTYPES for mode in MODES]
    for dtype, mode in columns:
        table.add_column(f"{dtype}\n{mode}", justify="right")
    for name in costs.rates[DTYPES[0]][MODES[0]]:
        values = (1e9 * costs.rates[dtype][mode][name] for dtype, mode in columns)
        table.add_row(name, _PER[name.rpartition("_")[2]], *(f"{value:.3g}" for value in values))
    return table


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
