"""Looks shared by all figures, and their way into a page."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Every colour below is a page variable once a figure is inlined (see `inline_svg`), so that one
# picture serves light and dark pages. A figure saved on its own has them as they stand here.
INK = "#1b1b1d"
PAPER = "#fefefc"
FAINT = "#8a8a8c"
POSITIVE = "#2b76c9"
NEGATIVE = "#d9730d"
VARIABLES = {
    INK: "--ink",
    PAPER: "--paper",
    FAINT: "--faint",
    POSITIVE: "--positive",
    NEGATIVE: "--negative",
}
WIDTH = 8.6  # inches; what the page's column shows without scaling

_RENDERING: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "nervure",
    "font.family": ["DejaVu Sans"],
}


def new_figure(height: float, rows: Sequence[str] = ("a",)) -> tuple[Figure, list[Axes]]:
    """Make a figure of the page's width.

    Parameters
    ----------
    height : float
        In inches.
    rows : sequence of str
        Where the panels are, a letter each, as in `Figure.subplot_mosaic`; "." is left empty.

    Returns
    -------
    Figure
    list of Axes
        In the order of their letters.
    """
    figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor=PAPER)
    mosaic = figure.subplot_mosaic("\n".join(rows), subplot_kw={"facecolor": "none"})
    axes = [mosaic[name] for name in sorted(mosaic)]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        for spine in ax.spines.values():
            spine.set_color(FAINT)
        ax.tick_params(colors=INK, labelsize=9)
        for text in (ax.xaxis.label, ax.yaxis.label):
            text.set(color=INK, size=10)
    return figure, axes


def title(ax: Axes, text: str) -> None:
    """Say above a panel, at its left, what it shows."""
    ax.set_title(text, loc="left", fontsize=10.5, color=INK)


def epoch_axis(ax: Axes, epochs: list[int]) -> None:
    """Label an axis with whole epochs, also if there is only one."""
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=9))
    if epochs:
        low, high = min(epochs), max(epochs)
        margin = max(0.5, 0.03 * (high - low))
        ax.set_xlim(low - margin, high + margin)


def legend(ax: Axes, **options: Any) -> None:  # noqa: ANN401
    """Add a legend without a box, in the page's ink."""
    ax.legend(**{"frameon": False, "fontsize": 9, "labelcolor": INK, **options})


def inline_svg(figure: Figure, *, name: str, description: str) -> str:
    """Render a figure as SVG to be put into an HTML page.

    Parameters
    ----------
    figure : Figure
    name : str
        Unique in the page; prefixes every id of the drawing.
    description : str
        What it shows, for those who cannot see it.

    Returns
    -------
    str
        One ``<svg>`` element without external references.
    """
    buffer = io.StringIO()
    with mpl.rc_context(_RENDERING):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, dpi=200, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{name}-", text)
    for colour, variable in VARIABLES.items():
        text = re.sub(rf"{colour}\b", f"var({variable})", text)
    text = text.replace("'Bitstream Vera Sans', ", "").strip()
    label = html.escape(description, quote=True)
    return text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
