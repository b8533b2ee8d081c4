"""Figures of several panels."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nervure.report.style import INK, new_figure

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def panel_grid(panels: int, columns: int) -> tuple[Figure, list[Axes]]:
    """Make a figure of so many panels, row by row; what is left of the last row is empty."""
    rows = [
        _LETTERS[first : min(first + columns, panels)].ljust(columns, ".")
        for first in range(0, panels, columns)
    ]
    return new_figure(3.1 * len(rows), tuple(rows))


def legend_below(figure: Figure, panel: Axes, columns: int = 4) -> None:
    """Name below all panels what one of them shows; a legend wider than a panel has room there."""
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=9,
        labelcolor=INK,
    )  # fmt: skip
