"""Several runs beside each other: their curves in one picture, and a page with tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nervure.report.curves import has, series
from nervure.report.page import page, picture, section
from nervure.report.style import (
    FAINT,
    INK,
    NEGATIVE,
    PAPER,
    POSITIVE,
    epoch_axis,
    new_figure,
    title,
)
from nervure.report.words import escape, plural

# A run is told by three things, so that no two are alike where colours are not seen: there are 60
# before the first comes again.
_COLOURS = (INK, POSITIVE, NEGATIVE, FAINT)
_STYLES = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^")
# Ends of lines nearer than this share of the axis have one label; beyond this factor it is
# logarithmic.
_CLOSE, _FAR = 0.06, 20.0


@dataclass(frozen=True)
class ComparedRun:
    """A run among others.

    Attributes
    ----------
    name : str
        Short, and unlike those of the others.
    epochs : sequence of mapping
        Its metrics, as `Run.epochs` gives them.
    facts : mapping of str to str
        What the table says of it, by headings; all runs have the same.
    settings : mapping of str to str
        Those in which the runs differ; all runs have the same.
    scale : float
        By which errors of epochs are multiplied: 100 for percent, the standard deviation of the
        target for RMSE.
    """

    name: str
    epochs: Sequence[Mapping[str, Any]]
    facts: Mapping[str, str]
    settings: Mapping[str, str]
    scale: float = 100.0


@dataclass(frozen=True)
class ComparedGroup:
    """Runs on the same data and task, whose errors can be compared."""

    heading: str
    regression: bool
    runs: tuple[ComparedRun, ...]


def comparison_curves(group: ComparedGroup) -> Figure:
    """Draw validation errors and edges of several runs over epochs.

    Parameters
    ----------
    group : ComparedGroup

    Returns
    -------
    Figure
    """
    rows = -(-len(group.runs) // 3)
    figure, (left, right) = new_figure(3.3 + 0.2 * rows, ("ab",))
    merit = "validation_rmse" if group.regression else "validation_error"
    for i, run in enumerate(group.runs):
        for ax, key, scale in ((left, merit, run.scale), (right, "edges", 1.0)):
            if has(run.epochs, key):
                at = [int(epoch["epoch"]) for epoch in run.epochs]
                values = series(run.epochs, key) * scale
                ax.plot(at, values, label=f"{i + 1}  {run.name}", **_look(i, len(at)))
    title(left, "Error on validation data")
    left.set_ylabel("RMSE (units of the target)" if group.regression else "wrong (%)")
    title(right, "Edges")
    right.set_ylabel("edges")
    numbers = [int(epoch["epoch"]) for run in group.runs for epoch in run.epochs]
    for ax in (left, right):
        _upright(ax)
        epoch_axis(ax, numbers)
        _number_ends(ax)
        if not ax.lines:
            ax.text(0.5, 0.5, "nothing recorded", transform=ax.transAxes, ha="center", color=INK)
    handles, labels = (left if left.lines else right).get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower left", ncols=3, frameon=False,
                      fontsize=9, labelcolor=INK)  # fmt: skip
    return figure


def comparison_page(groups: Sequence[ComparedGroup], notes: Sequence[str] = ()) -> str:
    """Give one self-contained page with the curves and the table of each group.

    Parameters
    ----------
    groups : sequence of ComparedGroup
    notes : sequence of str
        What a reader should know first.

    Returns
    -------
    str
        HTML without scripts and without addresses.
    """
    count = plural(sum(len(group.runs) for group in groups), "run")
    body = [f"<h1>Comparison of {escape(count)}</h1>"]
    body += [f'<p class="note">{escape(note)}</p>' for note in notes]
    for i, group in enumerate(groups):
        curves = picture(
            comparison_curves(group),
            f"curves{i}",
            f"validation error and edges over epochs of {len(group.runs)} runs",
            "Numbers at the ends of the lines are those of the table.",
        )
        body.append(section(f"group{i}", group.heading, curves, *_tables(group)))
    return page(f"Comparison of {escape(count)}", "\n".join(body))


def _tables(group: ComparedGroup) -> list[str]:
    tables = [_table("Results", group.runs, [run.facts for run in group.runs])]
    if group.runs[0].settings:
        settings = [run.settings for run in group.runs]
        tables.append(_table("Settings that differ", group.runs, settings))
    return tables


def _table(caption: str, runs: Sequence[ComparedRun], values: Sequence[Mapping[str, str]]) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in ("", "run", *values[0]))
    lines = "".join(
        f"<tr><td>{i + 1}</td><td>{escape(run.name)}</td>"
        + "".join(f"<td>{escape(text)}</td>" for text in row.values())
        + "</tr>"
        for i, (run, row) in enumerate(zip(runs, values, strict=True))
    )
    return (
        f'<div class="wide"><table class="numbers whole"><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _look(i: int, points: int) -> dict[str, Any]:
    colour = _COLOURS[i % len(_COLOURS)]
    marker = _MARKERS[i % len(_MARKERS)]
    return {
        "color": colour,
        "linestyle": _STYLES[i % len(_STYLES)],
        "marker": marker,
        "markerfacecolor": colour if marker == "o" else PAPER,
        "markersize": 4.0,
        "markevery": max(1, points // 12),
        "linewidth": 1.5,
    }


def _upright(ax: Axes) -> None:
    """Begin at zero, or show factors where one run is much worse than the others."""
    lines = [np.asarray(line.get_ydata(), float) for line in ax.lines]
    values = np.concatenate([*lines, np.empty(0)])
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > _FAR * values.min():
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    else:
        ax.set_ylim(0, 1.06 * float(values.max(initial=0)) or 1)


def _number_ends(ax: Axes) -> None:
    """Write the numbers of lines at their ends, side by side where these are close."""
    ends: list[tuple[float, float, list[int]]] = []
    for line in ax.lines:
        number = int(str(line.get_label()).split()[0])
        at, values = (np.asarray(data, float) for data in line.get_data())
        there = np.flatnonzero(np.isfinite(values))[-1]
        _, high = ax.transAxes.inverted().transform(
            ax.transData.transform((at[there], values[there]))
        )
        for x, y, numbers in ends:
            if x == at[there] and abs(y - high) < _CLOSE:
                numbers.append(number)
                break
        else:
            ends.append((float(at[there]), float(high), [number]))
    for x, y, numbers in ends:
        ax.annotate(", ".join(map(str, numbers)), (x, y), (6, 0), fontsize=9, va="center",
                    xycoords=("data", "axes fraction"), textcoords="offset points",
                    color=INK)  # fmt: skip
