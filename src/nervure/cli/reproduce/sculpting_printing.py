"""The tables of `nervure reproduce sculpting` on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from nervure.reproduce.sculpting import PAPER_TWO_DIGITS, RATES, VALIDATION
from nervure.reproduce.sculpting_image_tables import ImageSuccess, ImageTrial
from nervure.reproduce.sculpting_report import Report
from nervure.reproduce.sculpting_structure import KINDS, Cover, Separation
from nervure.reproduce.sculpting_tables import (
    LevelSuccess,
    OverlapSuccess,
    RateLine,
    Success,
)
from nervure.reproduce.sculpting_variants import VariantSuccess

_NONE = "-"


def print_tables(console: Console, report: Report) -> None:
    """Print every table that has lines."""
    exact = (
        "share of trials with the task's sub-functions and nothing else, with all of them, and "
        "with those that read the inputs"
    )
    tables = [
        _separations(report.table_1),
        _covers(report.figures_2_to_4),
        _successes(report.figure_7, f"Figure 7: {exact}"),
        *(_rates(report.tables_2_3, task) for task in VALIDATION),
        _variants(report.table_4),
        _successes(report.figure_8, f"Figure 8, a reused one: {exact}"),
        _overlaps(report.figure_10),
        _levels(report.figure_12a),
        _successes(report.figure_12b, f"Figure 12b, levels: {exact}"),
        _image_trials(report.image_trials),
        _images(report.images),
    ]
    for table in tables:
        if table.row_count:
            console.print(table)


def _table(title: str, *names: str, words: int = 1) -> Table:
    """Begin a table; so many of its first columns are words."""
    table = Table(title=title)
    for place, name in enumerate(names):
        # Heads of numbers may take two lines, where the terminal is narrow.
        table.add_column(name, justify="left" if place < words else "right", no_wrap=place < words)
    return table


def _separations(lines: Sequence[Separation]) -> Table:
    table = _table(
        "Table 1, figures 34 to 36: networks of [4, 2, 4] that keep the halves apart, both tests "
        "at p < 0.05 (medians of t and p)",
        "network", "layers", "apart", "paper", "t, both halves", "p, both halves", words=2,
    )  # fmt: skip
    for line in lines:
        table.add_row(
            KINDS[line.kind], f"{line.depth} x {line.width}",
            f"{line.rejected} of {line.networks}",
            {None: _NONE, True: "yes", False: "no"}[line.paper],
            f"{line.t_first:.1f}, {line.t_second:.1f}", f"{line.p_first:.2g}, {line.p_second:.2g}",
        )  # fmt: skip
    return table


def _covers(lines: Sequence[Cover]) -> Table:
    table = _table(
        "Figures 2 to 4: units that carry 90 % of the paths of [4, 1, 2, 16]; the function graph "
        "has 3 in the first hidden layer, 2 in the second",
        "network", "width", "layer", "N_90, a network each",
    )  # fmt: skip
    for line in lines:
        units = ", ".join(map(str, line.networks))
        table.add_row(KINDS[line.kind], str(line.width), str(line.layer), units)
    return table


def _successes(lines: Sequence[Success], title: str) -> Table:
    table = _table(title, "task", "layers", "trials", "exact", "all found", "lowest found",
                   "not learned", "live edges")  # fmt: skip
    for line in lines:
        edges = _NONE if line.live_edges is None else f"{line.live_edges:g}"
        table.add_row(
            line.task, str(line.depth), str(line.trials), f"{line.exact:.2f}", f"{line.found:.2f}",
            f"{line.lowest:.2f}", str(line.not_learned), edges,
        )  # fmt: skip
    return table


def _rates(lines: Sequence[RateLine], task: str) -> Table:
    table = _table(
        f"Tables 2 and 3, {task}: share of exact trials at width 24, by learning rate (paper; X: "
        "not all dense networks learned the task)",
        "layers", "batch", *(f"{rate:g}" for rate in RATES), words=0,
    )  # fmt: skip
    for line in lines:
        if line.task == task:
            cells = [
                f"{(_rate(ours) if run else _NONE)} ({_rate(paper)})"
                for ours, paper, run in zip(line.ours, line.paper, line.run, strict=True)
            ]
            table.add_row(str(line.depth), str(line.batch_size), *cells)
    return table


def _rate(value: float | None) -> str:
    return "X" if value is None else f"{value:.2f}"


def _variants(lines: Sequence[VariantSuccess]) -> Table:
    criteria = list(dict.fromkeys(line.criterion for line in lines))
    table = _table(
        f"Table 4: share of {max((line.networks for line in lines), default=0)} pruned networks "
        "whose sub-functions are found exactly (paper)",
        "linkage", "distance", *criteria, words=2,
    )  # fmt: skip
    for linkage, distance in dict.fromkeys((line.linkage, line.distance) for line in lines):
        row = [line for line in lines if (line.linkage, line.distance) == (linkage, distance)]
        table.add_row(linkage, distance, *(f"{r.exact:.2f} ({r.paper:.2f})" for r in row))
    return table


def _overlaps(lines: Sequence[OverlapSuccess]) -> Table:
    table = _table(
        "Figure 10: two sub-functions that share inputs, share of trials in which are divided",
        "shared inputs", "uses", "trials", "inputs", "outputs", "hidden units", words=0,
    )  # fmt: skip
    for line in lines:
        table.add_row(
            str(line.overlap), str(line.uses), str(line.trials), f"{line.inputs:.2f}",
            f"{line.outputs:.2f}", f"{line.hidden:.2f}",
        )  # fmt: skip
    return table


def _levels(lines: Sequence[LevelSuccess]) -> Table:
    table = _table(
        "Figure 12a: share of trials that show the sub-functions (-: not to be expected)",
        "layers", "trials", "of the inputs", "middle", "of the outputs", "last three as one",
        words=0,
    )  # fmt: skip
    for line in lines:
        shares = (line.separable, line.middle, line.outputs, line.merged)
        table.add_row(
            str(line.depth), str(line.trials),
            *(_NONE if share is None else f"{share:.2f}" for share in shares),
        )  # fmt: skip
    return table


def _image_trials(lines: Sequence[ImageTrial]) -> Table:
    table = _table(
        "Two images, network by network: right bits of the dense network, of the pruned one (asked "
        "for), and that on test rows, %; what the modules divide; pairs that should not be joined",
        "task", "layers, seed", "right bits", "edges", "units", "modules", "divided", "crossing",
    )  # fmt: skip
    for line in lines:
        names = ("separate", "inputs", "outputs", "middle")
        divided = ", ".join(name for name in names if getattr(line, name)) or "nothing"
        table.add_row(
            line.part, f"{line.depth} x {line.width}, {line.seed}",
            f"{_percent(line.dense)}, {_percent(line.sculpted)} ({_percent(line.threshold)}), "
            f"{_percent(line.test)}",
            _count(line.live_edges), _count(line.live_units), _count(line.modules), divided,
            _percent(line.crossing),
        )  # fmt: skip
    return table


def _images(lines: Sequence[ImageSuccess]) -> Table:
    right, tried = PAPER_TWO_DIGITS
    table = _table(
        f"Figure 13b and section 5.5: share of trials (two digits in the paper: {right} of {tried} "
        "separate)",
        "task", "layers", "trials", "separate", "inputs", "outputs", "middle",
    )  # fmt: skip
    for line in lines:
        shares = (line.separate, line.inputs, line.outputs, line.middle)
        table.add_row(
            line.part, str(line.depth), str(line.trials), *(f"{share:.2f}" for share in shares)
        )
    return table


def _percent(share: float | None) -> str:
    return _NONE if share is None else f"{100 * share:.1f}"


def _count(number: int | None) -> str:
    return _NONE if number is None else f"{number:,}"
