"""Figures of the sculpting paper from a ledger: success rates, and all files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nervure.report.style import INK, NEGATIVE, POSITIVE, legend, new_figure, title
from nervure.reproduce.panels import legend_below
from nervure.reproduce.sculpting_image_tables import ImageSuccess
from nervure.reproduce.sculpting_network_figures import image_networks, structures
from nervure.reproduce.sculpting_report import Report
from nervure.reproduce.sculpting_structure_figures import path_products, separation_tests
from nervure.reproduce.sculpting_tables import LevelSuccess, OverlapSuccess, Success
from nervure.reproduce.sculpting_trials import Found

# A series is a number of hidden layers or of shared inputs; equal rates must not hide each other,
# so each has its colour, its mark and its place beside the others.
_COLOURS = (INK, POSITIVE, NEGATIVE, "#59a14f", "#b07aa1")
_MARKS = "osD^v"
Series = Mapping[str, Mapping[int, float]]


def write_figures(found: Found, report: Report, folder: Path) -> list[Path]:
    """Draw every figure there are results for.

    Parameters
    ----------
    found, report
        As from the ledger, and `sculpting_report.report_of` of it.
    folder : Path
        Made if missing.

    Returns
    -------
    list of Path
        ``figures-1-4.png`` and so on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, Figure | None] = {
        "figures-1-4": path_products(found, report.figures_2_to_4),
        "figures-34-36": separation_tests(report.table_1),
        "figure-7": _by_task(report.figure_7),
        "figure-8": _by_uses(report.figure_8, "Figure 8: one sub-function, used more often"),
        "figure-10": _overlaps(report.figure_10),
        "figure-12": _levels(report.figure_12a, report.figure_12b),
        "structures": structures(found),
        **{
            f"{part}-success": _images([line for line in report.images if line.part == part])
            for part in dict.fromkeys(line.part for line in report.images)
        },
        **image_networks(found),
    }
    paths = []
    for name, figure in drawn.items():
        if figure is not None:
            paths.append(folder / f"{name}.png")
            figure.savefig(paths[-1], dpi=150)
    return paths


def _by_task(lines: Sequence[Success]) -> Figure | None:
    if not lines:
        return None
    tasks = list(dict.fromkeys(line.task for line in lines))
    figure, axes = new_figure(6.2, ("a", "b"))
    texts = {
        "exact": "the task's sub-functions and nothing else",
        "lowest": "those that read the inputs, as section 5.1 asks",
    }
    for ax, (name, text) in zip(axes, texts.items(), strict=True):
        series: dict[str, dict[int, float]] = {}
        for line in lines:
            series.setdefault(_layers(line.depth), {})[tasks.index(line.task)] = getattr(line, name)
        _bars(ax, series, tasks)
        title(ax, f"Figure 7: share of trials that show {text}")
    legend_below(figure, axes[0])
    return figure


def _by_uses(lines: Sequence[Success], text: str) -> Figure | None:
    if not lines:
        return None
    figure, (ax,) = new_figure(3.4)
    _use_lines(ax, lines)
    legend_below(figure, ax)
    title(ax, f"{text}, share of exact trials")
    return figure


def _use_lines(ax: Axes, lines: Sequence[Success]) -> None:
    series: dict[str, dict[int, float]] = {}
    for line in lines:
        series.setdefault(_layers(line.depth), {})[line.uses] = line.exact
    _lines(ax, series)


def _overlaps(lines: Sequence[OverlapSuccess]) -> Figure | None:
    if not lines:
        return None
    figure, axes = new_figure(3.6, ("abc",))
    texts = ("inputs divided", "outputs divided", "and hidden units with them")
    for ax, name, text in zip(axes, ("inputs", "outputs", "hidden"), texts, strict=True):
        series: dict[str, dict[int, float]] = {}
        for line in lines:
            series.setdefault(f"{line.overlap} shared", {})[line.uses] = getattr(line, name)
        _lines(ax, series)
        title(ax, text)
    legend_below(figure, axes[0], 5)
    figure.suptitle("Figure 10: two sub-functions that share inputs, share of trials", x=0.01,
                    ha="left", fontsize=10.5, color=INK)  # fmt: skip
    return figure


def _levels(parts: Sequence[LevelSuccess], exact: Sequence[Success]) -> Figure | None:
    if not parts:
        return None
    figure, (upper, lower) = new_figure(6.6, ("a", "b"))
    names = {
        "separable": "the two of the inputs",
        "middle": "the middle one",
        "outputs": "the two of the outputs",
        "merged": "the last three as one",
    }
    series = {
        text: {
            i: share for i, line in enumerate(parts) if (share := getattr(line, name)) is not None
        }
        for name, text in names.items()
    }
    _bars(upper, series, [str(line.depth) for line in parts])
    upper.set_xlabel("hidden layers")
    title(upper, "Figure 12a: sub-functions found")
    _use_lines(lower, exact)
    for ax in (upper, lower):
        legend(ax, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=4)
    title(lower, "Figure 12b: found exactly")
    return figure


def _images(lines: Sequence[ImageSuccess]) -> Figure:
    # What the paper asks of the one task makes no sense of the other.
    names = {
        "two-digits": {"separate": "two separate modules"},
        "hierarchical": {"inputs": "inputs", "outputs": "outputs", "middle": "middle layers"},
    }[lines[0].part]
    figure, (ax,) = new_figure(3.4)
    series = {
        text: {i: getattr(line, name) for i, line in enumerate(lines)}
        for name, text in names.items()
    }
    _bars(ax, series, [str(line.depth) for line in lines])
    ax.set_xlabel("hidden layers")
    of = {
        "two-digits": "Section 5.5, two digits",
        "hierarchical": "Figure 13b, functions of digits",
    }
    title(ax, f"{of[lines[0].part]}: divided by modules, share of trials")
    if lines[0].paper is not None:
        ax.axhline(lines[0].paper, color=NEGATIVE, linestyle=":", label="the paper, all depths")
    legend_below(figure, ax)
    return figure


def _layers(depth: int) -> str:
    return "1 hidden layer" if depth == 1 else f"{depth} hidden layers"


def _bars(ax: Axes, series: Series, names: Sequence[str]) -> None:
    wide = min(0.27, 0.8 / max(1, len(series)))
    for number, (label, values) in enumerate(series.items()):
        x = np.array(list(values)) + (number - (len(series) - 1) / 2) * wide
        colour = _COLOURS[number % len(_COLOURS)]
        ax.bar(x, list(values.values()), 0.9 * wide, color=colour, label=label)
        for place, share in zip(x.tolist(), values.values(), strict=True):
            # A bar of no height would look like one that was not run.
            ax.text(place, share + 0.01, f"{share:.2f}", ha="center", va="bottom", fontsize=7.5,
                    color=INK)  # fmt: skip
    ax.set_xticks(range(len(names)), names)
    ax.set_xlim(-0.6, len(names) - 0.4)
    _shares(ax)


def _lines(ax: Axes, series: Series) -> None:
    uses = sorted({use for values in series.values() for use in values})
    for number, (label, values) in enumerate(series.items()):
        x = np.array(list(values)) + 0.07 * (number - (len(series) - 1) / 2)
        ax.plot(
            x, list(values.values()), f"{_MARKS[number % len(_MARKS)]}-", markersize=5,
            color=_COLOURS[number % len(_COLOURS)], linewidth=1.4, label=label,
        )  # fmt: skip
    ax.set_xticks(uses)
    ax.set_xlim(min(uses) - 0.6, max(uses) + 0.6)
    ax.set_xlabel("uses: outputs of each")
    _shares(ax)


def _shares(ax: Axes) -> None:
    ax.set_ylim(-0.03, 1.08)
    ax.set_yticks(np.linspace(0, 1, 6))
