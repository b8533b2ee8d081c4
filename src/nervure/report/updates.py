"""Figures over the updates of a wiring whose number of edges changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from nervure.report.style import FAINT, INK, NEGATIVE, POSITIVE, legend, new_figure, title
from nervure.report.words import plural


class Update(NamedTuple):
    """How many edges went and came at an optimizer step."""

    step: int
    pruned: int
    grown: int


def update_history(updates: Sequence[Update], edges: int, *, steps: int = 0) -> Figure:
    """Draw the edges of the wiring over steps, and what each update pruned and grew.

    Parameters
    ----------
    updates : sequence of Update
        In the order of their steps; those that changed nothing may be left out.
    edges : int
        Of the wiring after the last.
    steps : int
        Where the picture ends, if that is later than the last update given.

    Returns
    -------
    Figure

    Notes
    -----
    Paper: freenets, figures 6 and 9.
    """
    figure, (top, bottom) = new_figure(4.6, ("a", "b"))
    at, pruned, grown = (np.array(column, dtype=np.int64) for column in zip(*updates, strict=True))
    end = max(steps, int(at[-1]))
    change = grown - pruned
    live = edges - change.sum() + np.concatenate(([0], np.cumsum(change)))
    top.step(np.concatenate(([0], at, [end])), np.concatenate((live, live[-1:])), where="post",
             color=INK, linewidth=1.6, label="edges")  # fmt: skip
    top.axhline(live[0], color=FAINT, linestyle="--", linewidth=1.2, label="at the start")
    top.set_ylim(0, 1.08 * max(1, live.max()))
    top.set_ylabel("edges")
    title(top, "Edges of the wiring")
    legend(top, loc="lower left", ncols=2)
    # Lines with a mark at the end: bars as wide as a step would not be seen.
    for counts, sign, colour, marker, name in (
        (grown, 1, POSITIVE, "^", "grown"),
        (pruned, -1, NEGATIVE, "v", "pruned"),
    ):
        there = counts > 0
        bottom.vlines(at[there], 0, sign * counts[there], color=colour, linewidth=1.4)
        bottom.plot(at[there], sign * counts[there], marker, color=colour, markersize=4.5,
                    label=name)  # fmt: skip
    bottom.axhline(0, color=INK, linewidth=0.8)
    bottom.set_ylabel("edges per update")
    title(bottom, "Edges grown (above) and pruned (below)")
    legend(bottom, loc="best", ncols=2)
    for ax in (top, bottom):
        ax.set_xlim(-0.02 * end, 1.02 * end)
        ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    bottom.set_xlabel("optimizer step")
    return figure


def pair_densities(
    first: Mapping[str, Any], last: Mapping[str, Any], bar: float | None = None
) -> Figure:
    """Draw how pairs of neurons are distributed by the share of samples they go together on.

    Parameters
    ----------
    first, last : mapping
        Of two updates, as from `nervure.rules.pair_histograms`.
    bar : float, optional
        Share above which an edge is pruned or grown, 1 - epsilon.

    Returns
    -------
    Figure

    Notes
    -----
    Gaussian kernels with Scott's bandwidth, reflected at 0 and 1, where shares end. Paper:
    freenets, figure 7.
    """
    figure, axes = new_figure(3.3, ("ab",))
    for ax, key, what in zip(
        axes,
        ("inactive_joined", "active_apart"),
        ("Inactive together: pairs with an edge", "Active together: pairs without one"),
        strict=True,
    ):
        empty = True
        for row, label, colour, style in (
            (first, "first update", FAINT, "--"),
            (last, "last update", INK, "-"),
        ):
            counts = np.asarray(row[key], dtype=np.float64)
            if counts.sum():
                at, density = _density(counts)
                ax.plot(at, density, style, color=colour, linewidth=1.6,
                        label=f"{label}, {plural(int(counts.sum()), 'pair')}")  # fmt: skip
                empty = False
        title(ax, what)
        ax.set_xlabel("share of samples")
        ax.set_ylabel("density")
        ax.set_xlim(0, 1)
        ax.set_ylim(bottom=0)
        if bar is not None:
            ax.axvline(bar, color=NEGATIVE, linestyle=":", linewidth=1.4)
            ax.annotate("1 − epsilon", (bar, 1), (4, -4), xycoords=("data", "axes fraction"),
                        textcoords="offset points", va="top", fontsize=9, color=INK)  # fmt: skip
        if empty:
            ax.text(0.5, 0.5, "no such pairs", transform=ax.transAxes, ha="center", color=INK)
        else:
            legend(ax, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    return figure


def _density(counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate the density of shares that were counted in bins from 0 to 1."""
    bins = len(counts)
    centres = (np.arange(bins) + 0.5) / bins
    share = counts / counts.sum()
    mean = share @ centres
    spread = float(np.sqrt(share @ (centres - mean) ** 2))
    # Scott's rule for so many pairs; at least half a bin, below which nothing is known.
    width = max(spread * counts.sum() ** -0.2, 0.5 / bins)
    # scipy counts in standard deviations of the weighted bins. Two bins beside an only one, with
    # next to no weight, keep that deviation from being zero.
    weights = share + 1e-6
    deviation = float(np.sqrt(np.cov(centres, aweights=weights, bias=False)))
    kernel = gaussian_kde(centres, bw_method=width / deviation, weights=weights)
    at = np.linspace(0, 1, 401)
    return at, kernel(at) + kernel(-at) + kernel(2 - at)
