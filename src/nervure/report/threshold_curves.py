"""What a threshold costs in accuracy and saves in edges."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from nervure.report.module_colours import module_colour
from nervure.report.style import FAINT, INK, PAPER, new_figure, title

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "*")


def threshold_curves(
    thresholds: npt.ArrayLike,
    accuracy: Mapping[str, npt.ArrayLike],
    sparsity: Mapping[str, npt.ArrayLike],
    *,
    chosen: float | None = None,
) -> Figure:
    """Draw accuracy and sparsity of pruned networks against the threshold.

    Parameters
    ----------
    thresholds : array_like of float, shape (thresholds,)
        Above 0.
    accuracy, sparsity : mapping of str to array_like
        By group, such as a dataset: shares in 0..1, of shape (thresholds,), or (runs, thresholds).
        Of runs the mean is drawn, and a band of one standard deviation to both sides. nan (a graph
        cut in two) leaves a run out.
    chosen : float, optional
        A threshold to mark.

    Returns
    -------
    Figure

    Notes
    -----
    Paper: connectivity-tradeoff, Figure 2.

    Examples
    --------
    >>> figure = threshold_curves([0.001, 0.01], {"digits": [0.9, 0.8]}, {"digits": [0.5, 0.7]})
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['accuracy', 'sparsity']
    """
    at = np.asarray(thresholds, dtype=np.float64)
    if at.ndim != 1 or not len(at) or not (at > 0).all():
        raise ValueError("thresholds must be a row of numbers above 0")
    if set(accuracy) != set(sparsity):
        raise ValueError("accuracy and sparsity must have the same groups")
    figure, (left, right) = new_figure(3.4, ("ab",))
    for ax, curves, what in ((left, accuracy, "accuracy"), (right, sparsity, "sparsity")):
        for place, name in enumerate(accuracy):
            runs = np.atleast_2d(np.asarray(curves[name], dtype=np.float64))
            if runs.ndim != 2 or runs.shape[1] != len(at):
                raise ValueError(
                    f"{what} of {name!r} must end in {len(at)} values, one per threshold, not "
                    f"have shape {runs.shape}"
                )
            _draw(ax, at, runs, place, name)
        ax.set_xscale("log")
        ax.set_xlabel("threshold on edge strength")
        ax.set_ylabel(what)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        title(ax, f"{what.capitalize()} after pruning")
        if chosen is not None:
            ax.axvline(chosen, color=FAINT, linewidth=1.0, linestyle=(0, (2, 2)), zorder=1)
            ax.annotate(f"{chosen:g}", (chosen, 0.0), (4, 4), xycoords=("data", "axes fraction"),
                        textcoords="offset points", va="bottom", fontsize=9, color=INK,
                        bbox={"facecolor": PAPER, "linewidth": 0, "pad": 1})  # fmt: skip
    handles, labels = left.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(len(labels), 6), frameon=False,
        fontsize=9, labelcolor=INK,
    )  # fmt: skip
    return figure


def _draw(
    ax: Axes, at: NDArray[np.float64], runs: NDArray[np.float64], place: int, name: str
) -> None:
    known = np.isfinite(runs)
    count = np.maximum(known.sum(axis=0), 1)
    # By hand: the mean of nothing is a gap here, not a warning.
    mean = np.where(known, runs, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, runs - mean, 0) ** 2).sum(axis=0) / count)
    mean[~known.any(axis=0)] = np.nan
    colour = module_colour(place)
    ax.plot(at, mean, color=colour, marker=MARKERS[place % len(MARKERS)], markersize=4,
            linewidth=1.5, label=name)  # fmt: skip
    if len(runs) > 1:
        ax.fill_between(at, mean - spread, mean + spread, color=colour, alpha=0.18, linewidth=0)
