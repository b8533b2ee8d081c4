"""Figures over epochs: training curves, modules, rewiring, sweeps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from nervure.report.style import (
    FAINT,
    INK,
    NEGATIVE,
    PAPER,
    POSITIVE,
    epoch_axis,
    legend,
    new_figure,
    title,
)

Epochs = Sequence[Mapping[str, Any]]

_SHOWN_MODULES = 6  # drawn one by one; the rest are one band
_HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----")


def series(epochs: Epochs, key: str) -> NDArray[np.float64]:
    """Take one metric of all epochs; nan where it is missing or no number."""
    values = [epoch.get(key) for epoch in epochs]
    numbers = [float(v) if isinstance(v, int | float) else math.nan for v in values]
    return np.array(numbers, dtype=np.float64)


def has(epochs: Epochs, *keys: str) -> bool:
    """Whether any of the metrics was recorded with a finite value."""
    return any(bool(np.isfinite(series(epochs, key)).any()) for key in keys)


def training_curves(
    epochs: Epochs, *, baseline: Epochs = (), baseline_label: str = "plain network"
) -> Figure:
    """Draw training loss and validation error (or RMSE) over epochs.

    Parameters
    ----------
    epochs : sequence of dict
        Metrics as `Run.epochs` gives them.
    baseline : sequence of dict
        The same of another network, drawn dashed with open squares.
    baseline_label : str
        That one's name.

    Returns
    -------
    Figure
    """
    figure, (left, right) = new_figure(3.1, ("ab",))
    both = [("this network", epochs, INK, "o", "-"), (baseline_label, baseline, FAINT, "s", "--")]
    regression = not has(epochs, "validation_error") and has(epochs, "validation_rmse")
    merit = "validation_rmse" if regression else "validation_error"
    for label, rows, colour, marker, style in both:
        if not rows:
            continue
        # Loss is solid/round and merit too: one network is one look in both panels.
        options = _line(rows, colour, marker, style) | {"label": label}
        left.plot(_numbers(rows), series(rows, "train_loss"), **options)
        shown = series(rows, merit) * (1 if regression else 100)
        right.plot(_numbers(rows), shown, **options)
    loss = np.concatenate([series(rows, "train_loss") for _, rows, *_ in both])
    loss = loss[np.isfinite(loss)]
    if len(loss) and loss.min() > 0 and loss.max() > 50 * loss.min():
        left.set_yscale("log")
    else:
        left.set_ylim(bottom=min(0.0, float(loss.min())) if len(loss) else 0)
    title(left, "Training loss")
    left.set_ylabel("mean squared error" if regression else "cross-entropy (nats)")
    title(right, "Error on validation data")
    right.set_ylabel("RMSE (units of the target)" if regression else "wrong classes (%)")
    right.set_ylim(bottom=0)
    if not has([*epochs, *baseline], merit):
        _say(right, "no validation data")
    _mark_best(right, epochs, merit, 1 if regression else 100)
    for ax in (left, right):
        epoch_axis(ax, _numbers([*epochs, *baseline]))
        if baseline:
            legend(ax, loc="best")
    return figure


def module_history(epochs: Epochs, *, nodes: int | None = None) -> Figure:
    """Draw how the nodes fall into modules over epochs, with the number and balance of modules.

    Parameters
    ----------
    epochs : sequence of dict
        Metrics as `Run.epochs` gives them.
    nodes : int, optional
        All nodes, drawn as a line above the modules.

    Returns
    -------
    Figure
    """
    figure, (top, count, balance) = new_figure(5.2, ("aa", "bc"))
    at = _numbers(epochs)
    sizes = [[int(s) for s in epoch.get("module_sizes") or ()] for epoch in epochs]
    ranks = [np.array([s[r] if r < len(s) else 0 for s in sizes]) for r in range(_SHOWN_MODULES)]
    bands = [(f"module {r + 1}", values) for r, values in enumerate(ranks) if values.any()]
    if bands:
        bands[0] = ("largest module", bands[0][1])
    rest = np.array([sum(s[_SHOWN_MODULES:]) for s in sizes])
    if rest.any():
        bands.append(("all smaller modules", rest))
    floor = np.zeros(len(at))
    for i, (label, values) in enumerate(bands):
        last = label.startswith("all")
        face = "none" if last else to_rgba(POSITIVE, 0.75 - 0.1 * i)
        hatch = "" if last else _HATCHES[i % len(_HATCHES)]
        there = values > 0
        top.bar(np.array(at)[there], values[there], _bar(at), floor[there], label=label,
                facecolor=face, hatch=hatch, edgecolor=INK,
                linewidth=0.4 if len(at) < 60 else 0)  # fmt: skip
        floor = floor + values
    if nodes is not None:
        top.axhline(nodes, color=FAINT, linestyle="--", linewidth=1.2, label=f"all {nodes} nodes")
    if not bands:
        _say(top, "no modules: the wiring had no cycles")
    title(top, "Nodes in modules, one band per module, largest at the bottom")
    top.set_ylabel("nodes")
    top.yaxis.set_major_locator(MaxNLocator(integer=True))
    top.set_ylim(0, 1.05 * max(float(floor.max(initial=0)), nodes or 1))
    handles, labels = top.get_legend_handles_labels()
    if handles:
        legend(top, handles=handles[::-1], labels=labels[::-1], loc="center left",
               bbox_to_anchor=(1.0, 0.5))  # fmt: skip
    count.plot(at, series(epochs, "modules"), **_line(epochs, INK, "o", "-"))
    title(count, "Number of modules")
    count.set_ylabel("modules")
    count.set_ylim(bottom=0)
    count.yaxis.set_major_locator(MaxNLocator(integer=True))
    balance.plot(at, series(epochs, "balance"), **_line(epochs, INK, "D", "-"))
    title(balance, "Balance of module sizes (1: all equal)")
    balance.set_ylabel("balance (0 to 1)")
    balance.set_ylim(0, 1.08)
    if not has(epochs, "balance"):
        _say(balance, "not defined without modules")
    for ax in (top, count, balance):
        epoch_axis(ax, at)
    return figure


def rewiring_history(epochs: Epochs) -> Figure:
    """Draw the edges grown (up) and pruned (down) in each epoch.

    Parameters
    ----------
    epochs : sequence of dict
        With "pruned" and "grown", and "edges" for the share of edges replaced.

    Returns
    -------
    Figure
    """
    figure, (ax,) = new_figure(2.9)
    at = _numbers(epochs)
    grown = np.nan_to_num(series(epochs, "grown"))
    pruned = np.nan_to_num(series(epochs, "pruned"))
    width = _bar(at)
    ax.bar(at, grown, width, color=POSITIVE, label="grown", edgecolor=INK, linewidth=0.4)
    ax.bar(at, -pruned, width, facecolor="none", hatch="////", edgecolor=NEGATIVE, label="pruned",
           linewidth=0.8)  # fmt: skip
    ax.axhline(0, color=INK, linewidth=0.8)
    if not (grown.any() or pruned.any()):
        _say(ax, "no edge was rewired")
        ax.set_ylim(-1, 1)
    else:
        # Room for the legend above bars that are all alike.
        ax.set_ylim(-1.1 * pruned.max(), 1.35 * max(grown.max(), 0.25 * pruned.max()))
    ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    ax.set_ylabel("edges per epoch")
    title(ax, "Edges grown (above) and pruned (below), summed over the steps")
    epoch_axis(ax, at)
    legend(ax, loc="upper right", ncols=2)
    return figure


def sweep_history(epochs: Epochs) -> Figure:
    """Draw the sweeps the solver needed per batch, mean and maximum of each epoch.

    Parameters
    ----------
    epochs : sequence of dict
        With "sweeps_mean" and "sweeps_max".

    Returns
    -------
    Figure
    """
    figure, (ax,) = new_figure(2.7)
    at = _numbers(epochs)
    mean, most = series(epochs, "sweeps_mean"), series(epochs, "sweeps_max")
    ax.plot(at, most, **_line(epochs, FAINT, "^", ":"), label="most in one batch")
    ax.plot(at, mean, **_line(epochs, INK, "o", "-"), label="mean over batches")
    ax.fill_between(at, mean, most, color=FAINT, alpha=0.15, linewidth=0)
    ax.set_ylabel("sweeps per batch")
    title(ax, "Sweeps until every sample of a batch was at its equilibrium")
    ax.set_ylim(bottom=0)
    epoch_axis(ax, at)
    legend(ax, loc="best", ncols=2)
    return figure


def _numbers(epochs: Epochs) -> list[int]:
    return [int(epoch.get("epoch", i + 1)) for i, epoch in enumerate(epochs)]


def _bar(at: list[int]) -> float:
    """Width of bars: touching when there are many, so that no moiré appears."""
    return 0.8 if len(at) < 40 else 1.0


def _line(rows: Epochs, colour: str, marker: str, style: str) -> dict[str, Any]:
    """Options of a line whose markers stay apart."""
    return {
        "color": colour,
        "marker": marker,
        "linestyle": style,
        "linewidth": 1.6,
        "markersize": 4.5,
        "markerfacecolor": colour if marker == "o" else PAPER,
        "markevery": max(1, len(rows) // 20),
    }


def _mark_best(ax: Axes, epochs: Epochs, key: str, factor: float) -> None:
    values = series(epochs, key) * factor
    if np.isfinite(values).sum() < 2:
        return
    best = int(np.nanargmin(values))
    number = _numbers(epochs)[best]
    ax.plot(number, values[best], "o", markersize=10, markerfacecolor="none", markeredgecolor=INK)
    text = f"best: {values[best]:.3g}{' %' if factor == 100 else ''} in epoch {number}"
    # Above the panel, where no line can run through it.
    ax.set_title(text, loc="right", fontsize=9, color=INK)


def _say(ax: Axes, text: str) -> None:
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=INK, size=10)
