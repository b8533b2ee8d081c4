"""The tables of `nervure reproduce tradeoff` on a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from nervure.data import COLOUR_IMAGES
from nervure.reproduce.paired import Difference, mean_and_spread
from nervure.reproduce.tradeoff_paper import EDGE_BIAS, Figure
from nervure.reproduce.tradeoff_report import Report
from nervure.reproduce.tradeoff_tables import (
    Accuracies,
    Likeness,
    Row,
)

_NETWORKS = {
    "full": "all edges",
    "thresholded": "thresholded",
    "same": "trained again",
    "fitted": "again, channels fitted",
}
_COMPARED = (("thresholded", "full"), ("same", "full"), ("fitted", "full"))
_DYNAMICS = {
    "retained_once_below": "A, % of retained once below",
    "records_retained_below": "B, epochs below",
    "eliminated_risen": "C, % of eliminated risen tenfold",
    "records_eliminated_above": "D, epochs above",
    "retained": "edges left",
}
_TIMES = {"full": "complete DAG", "same": "trained again", "fitted": "again, channels fitted"}


def print_report(console: Console, report: Report) -> None:
    """Print what there is."""
    parts = dict(report.papers_parameters)
    total = parts.pop("all")
    console.print(
        f"parameters of the paper's complete DAG: {total:,} (the paper: 863.3k) = "
        + " + ".join(f"{count:,} ({part})" for part, count in parts.items()),
        highlight=False,
    )
    if report.parameters not in (0, total):
        console.print(f"of the one trained here: {report.parameters:,}", highlight=False)
    if report.cut:
        console.print(
            f"of {report.cut} networks the threshold left no path; they are not in the tables",
            highlight=False,
        )
    if report.characteristics:
        console.print(
            _rows(report.characteristics, "Tables 1 and 2: learned graphs (the paper's below)", {})
        )
    if report.likeness is not None:
        console.print(_likeness(report.likeness))
    if report.accuracies:
        console.print(_accuracy_table([a for a in report.accuracies if a.reach is None]))
        for one, other in _COMPARED:
            difference = report.compared(one, other)
            if difference.pairs:
                console.print(_sentence(one, other, difference), highlight=False)
    if report.times:
        console.print(_rows(report.times, "Table 3: seconds per epoch (the paper's below)", _TIMES))
    if report.dynamics:
        console.print(_rows(report.dynamics, "Table 4: edges in training", _DYNAMICS))
    if report.first_epochs:
        console.print(_first_epoch_table(report))
    if any(line.reach is not None for line in report.accuracies):
        console.print(_bias_table(report.accuracies))


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title)
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place else "left")
    return table


def _rows(rows: Sequence[Row], title: str, words: dict[str, str]) -> Table:
    datasets = [name for name in COLOUR_IMAGES if any(name in row.ours for row in rows)]
    table = _table(title, ["", *datasets, "rank corr."])
    for row in rows:
        cells = []
        for name in datasets:
            mine = _shown(row.ours.get(name, (math.nan, math.nan)))
            cells.append(f"{mine}\n({_shown(row.paper[name])})" if row.paper else mine)
        rank = row.rank_correlation
        table.add_row(
            words.get(row.name, row.name), *cells, "-" if math.isnan(rank) else f"{rank:+.2f}"
        )
    return table


def _likeness(alike: Likeness) -> Table:
    table = _table(
        f"Figure 4: mean similarity (RBF); nearest other graph of the same dataset in "
        f"{100 * alike.nearest:.0f} %, p = {alike.p_value:.2g} (permutations)",
        ["", "graphs", "to the same dataset's", "to all others"],
    )
    for name in alike.within:
        table.add_row(
            name,
            str(alike.groups.count(name)),
            _number(alike.within[name]),
            _number(alike.between[name]),
        )
    return table


def _accuracy_table(lines: Sequence[Accuracies]) -> Table:
    table = _table(
        "Figure 5: test accuracy, %", ["", "seeds", *(words for words in _NETWORKS.values())]
    )
    for name in COLOUR_IMAGES:
        mine = [line for line in lines if line.data == name]
        if mine:
            table.add_row(name, str(len(mine)), *_accuracy_cells(mine))
    return table


def _accuracy_cells(lines: Sequence[Accuracies]) -> list[str]:
    return [
        _shown(mean_and_spread([float(getattr(line, network)) for line in lines]))
        for network in _NETWORKS
    ]


def _bias_table(lines: Sequence[Accuracies]) -> Table:
    table = _table(
        "Table 5: CIFAR-10, test accuracy, % (the paper's below)",
        ["start", *(words for key, words in _NETWORKS.items() if key != "same")],
    )
    for name, short in (("full DAG", False), ("subgraph", True)):
        mine = [a for a in lines if a.data == "cifar10" and (a.reach is not None) == short]
        if not mine:
            continue
        cells = _accuracy_cells(mine)
        cells = [
            f"{one}\n({_shown(paper)})"
            for one, paper in zip((*cells[:2], cells[3]), EDGE_BIAS[name], strict=True)
        ]
        reach = mine[0].reach
        table.add_row(name if reach is None else f"{name}, |i - j| <= {reach}", *cells)
    return table


def _first_epoch_table(report: Report) -> Table:
    table = _table(
        "Figure 6b: learned edges and as many of the first epoch (Sørensen-Dice)",
        ["", "strongest", "weakest"],
    )
    for name in COLOUR_IMAGES:
        mine = [one for one in report.first_epochs if one.data == name]
        if mine:
            table.add_row(
                name,
                _shown(mean_and_spread([one.strongest for one in mine])),
                _shown(mean_and_spread([one.weakest for one in mine])),
            )
    return table


def _sentence(one: str, other: str, difference: Difference) -> str:
    p = "" if math.isnan(difference.p_value) else f", p = {difference.p_value:.2g} (paired t-test)"
    return (
        f"{_NETWORKS[one]} - {_NETWORKS[other]} = {difference.mean:+.2f} ± "
        f"{difference.spread:.2f} points over {difference.pairs} pairs{p}"
    )


def _shown(pair: Figure) -> str:
    mean, spread = pair
    if math.isnan(mean):
        return "-"
    if abs(mean) >= 1000:
        return f"{mean / 1000:.0f}k ± {spread / 1000:.0f}k"
    digits = 3 if abs(mean) < 1 else 2 if abs(mean) < 10 else 1
    return f"{mean:.{digits}f} ± {spread:.{digits}f}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
