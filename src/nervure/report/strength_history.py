"""How strong edges are over time, those that stay apart from those that go."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from nervure.report.style import FAINT, INK, NEGATIVE, POSITIVE, legend, new_figure, title
from nervure.report.words import plural

_MOST_LINES = 40
_MOST_RECORDS = 300  # more points than a panel is wide
_FLOOR = 1e-5


def strength_history(
    at: npt.ArrayLike,
    strengths: npt.ArrayLike,
    retained: npt.ArrayLike,
    threshold: float,
    *,
    period: str = "epoch",
) -> Figure:
    """Draw the strengths of edges over time on a logarithmic axis.

    Of more than 40 edges in a panel 40 are drawn, chosen evenly by their final strength; the median
    is of all.

    Parameters
    ----------
    at : array_like of float, shape (records,)
        Epochs, or optimizer steps, after which strengths were recorded; rising.
    strengths : array_like of float, shape (records, edges)
        At least 0. Drawn as 1e-5 where they are less, or as a tenth of the threshold if that is
        less still.
    retained : array_like of bool, shape (edges,)
        Which edges stay in the end.
    threshold : float
        Marked, unless it is 0.
    period : str
        What `at` counts.

    Returns
    -------
    Figure
        Retained edges left, eliminated ones right.

    Raises
    ------
    ValueError
        If shapes do not go together, or there are no records.

    Notes
    -----
    Paper: connectivity-tradeoff, Figure 6a.

    Examples
    --------
    >>> figure = strength_history([0, 1], [[0.5, 0.5], [0.4, 0.001]], [True, False], 0.006)
    >>> [ax.get_title(loc="left") for ax in figure.axes]
    ['1 edge retained', '1 edge eliminated']
    """
    when = np.asarray(at, dtype=np.float64)
    values = np.asarray(strengths, dtype=np.float64)
    stays = np.asarray(retained)
    _check(when, values, stays, threshold)
    if len(when) > _MOST_RECORDS:
        shown = np.linspace(0, len(when) - 1, _MOST_RECORDS).round().astype(np.int64)
        when, values = when[shown], values[shown]
    floor = min(_FLOOR, threshold / 10) if threshold > 0 else _FLOOR
    values = np.maximum(values, floor)
    figure, axes = new_figure(3.5, ("ab",))
    top = 1.5 * float(values.max(initial=threshold, where=np.isfinite(values)))
    for ax, which, what, colour in (
        (axes[0], stays, "retained", POSITIVE),
        (axes[1], ~stays, "eliminated", NEGATIVE),
    ):
        _draw(ax, when, values[:, which], what, colour)
        ax.set_yscale("log")
        ax.set_ylim(0.8 * floor, max(top, 10 * floor))
        if len(when) > 1:
            margin = 0.02 * float(when[-1] - when[0])
            ax.set_xlim(when[0] - margin, when[-1] + margin)
        ax.set_xlabel(period)
        ax.set_ylabel("strength of the edge")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        if threshold > 0:
            ax.axhline(threshold, color=INK, linewidth=1.1, linestyle=(0, (4, 3)), zorder=3,
                       label=f"threshold {threshold:g}")  # fmt: skip
        if ax.get_legend_handles_labels()[0]:
            legend(ax, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    return figure


def _check(
    when: NDArray[np.float64],
    values: NDArray[np.float64],
    stays: NDArray[np.generic],
    threshold: float,
) -> None:
    if when.ndim != 1 or not len(when):
        raise ValueError(f"at: expected a row of at least one number, got shape {when.shape}")
    if values.ndim != 2 or len(values) != len(when):
        raise ValueError(
            f"strengths: expected {len(when)} rows, one per record, got shape {values.shape}"
        )
    if stays.dtype != np.bool_ or stays.shape != values.shape[1:]:
        raise ValueError(
            f"retained: expected {values.shape[1]} bools, one per edge, got {stays.dtype} of shape "
            f"{stays.shape}"
        )
    if not 0 <= threshold < float("inf"):
        raise ValueError(f"threshold: expected at least 0, got {threshold}")


def _draw(
    ax: Axes, when: NDArray[np.float64], values: NDArray[np.float64], what: str, colour: str
) -> None:
    count = values.shape[1]
    order = np.argsort(values[-1], kind="stable")
    chosen = order[np.linspace(0, count - 1, min(count, _MOST_LINES)).round().astype(np.int64)]
    text = f"{plural(count, 'edge')} {what}"
    title(ax, text + (f", {_MOST_LINES} drawn" if count > _MOST_LINES else ""))
    if not count:
        ax.text(0.5, 0.5, f"no edge was {what}", transform=ax.transAxes, ha="center",
                va="center", color=FAINT, size=10)  # fmt: skip
        return
    # A single record is a dot: a line through it would not be seen.
    marker = "o" if len(when) == 1 else ""
    for edge in chosen:
        ax.plot(when, values[:, edge], color=colour, linewidth=0.9, alpha=0.45, marker=marker,
                markersize=4)  # fmt: skip
    # The middle one of the sorted strengths, and no mean: on this axis a mean would lie off both.
    middle = np.sort(values, axis=1)[:, (count - 1) // 2]
    ax.plot(when, middle, color=INK, linewidth=1.8, marker=marker, markersize=5, zorder=4,
            label="median")  # fmt: skip
