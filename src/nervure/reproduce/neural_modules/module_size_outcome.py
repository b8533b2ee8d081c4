"""What the second half of Figure 10 comes to: time against module size."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nervure.report.style import FAINT, INK, NEGATIVE, legend, title
from nervure.reproduce.neural_modules.part import (
    Configuration,
    Found,
    Outcome,
    TextTable,
    spread,
)
from nervure.reproduce.panels import panel_grid
from nervure.reproduce.plain import plain

# A power of the size within which growth counts as linear.
_LINEAR = (0.8, 1.2)


def sizes_outcome(_: Configuration, found: Found) -> Outcome:
    """Fit how time grows with the size of modules."""
    by_size: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for cell, result in found:
        by_size[cell["module"]].append(dict(result))
    sizes = sorted(by_size)
    if not sizes:
        return Outcome()
    seconds = {size: fmean([r["seconds"] for r in by_size[size]]) for size in sizes}
    rows = [
        [
            "1 (no cycles)" if size == 1 else f"{size}",
            spread([1e3 * r["seconds"] for r in by_size[size]]),
            spread([r["sweeps"] for r in by_size[size]], 1),
            f"{fmean([r['edges'] for r in by_size[size]]):,.0f}",
        ]
        for size in sizes
    ]
    cell = found[0][0]
    table = TextTable(
        f"Figure 10b: a step on {cell['nodes']} nodes, {cell['degree']} edges into each, batch "
        f"{cell['batch']}, {cell['threads']} threads",
        ("nodes per module", "milliseconds", "sweeps", "edges"),
        rows,
    )
    fit = _fitted({size: value for size, value in seconds.items() if size > 1})
    values = plain({"seconds": {str(size): value for size, value in seconds.items()}, "fit": fit})
    figure = _sizes_figure(by_size, fit)
    return Outcome([table], _about_growth(seconds, fit), {"figure-10b": figure}, values)


def _fitted(seconds: dict[int, float]) -> dict[str, float]:
    """Fit a line and a power of the size; nothing of fewer than three sizes."""
    if len(seconds) < 3:
        return {}
    x, y = np.array(list(seconds)), np.array(list(seconds.values()))
    slope, intercept = np.polyfit(x, y, 1)
    power, _ = np.polyfit(np.log(x), np.log(y), 1)
    rest = float(((y - slope * x - intercept) ** 2).sum())
    total = float(((y - y.mean()) ** 2).sum())
    return {
        "slope": float(slope),
        "intercept": float(intercept),
        "r_squared": 1 - rest / total if total else float("nan"),
        "power": float(power),
    }


def _about_growth(seconds: dict[int, float], fit: dict[str, float]) -> list[str]:
    if not fit:
        return []
    cyclic = [size for size in seconds if size > 1]
    first, last = cyclic[0], cyclic[-1]
    linear = _LINEAR[0] <= fit["power"] <= _LINEAR[1]
    verdict = "linear, as the paper has it" if linear else "not linear, unlike the paper's"
    return [
        f"From modules of {first} nodes to modules of {last} a step takes "
        f"{seconds[last] / seconds[first]:.2f} times as long. Time grows as size to the power of "
        f"{fit['power']:.2f} (a straight line explains {100 * fit['r_squared']:.0f} % of the "
        f"variance): {verdict}. With as many edges into every node, work per sweep is the same at "
        f"all sizes, and only the number of sweeps can differ."
    ]


def _sizes_figure(by_size: dict[int, list[dict[str, Any]]], fit: dict[str, float]) -> Figure:
    figure, (left, right) = panel_grid(2, 2)
    sizes = sorted(by_size)
    for ax, key, scale in ((left, "seconds", 1e3), (right, "sweeps", 1.0)):
        values = [[scale * r[key] for r in by_size[size]] for size in sizes]
        for size, points in zip(sizes, values, strict=True):
            ax.plot([size] * len(points), points, ".", color=FAINT)
        ax.plot(sizes, [fmean(points) for points in values], "o-", color=INK)
        ax.set_xlabel("nodes per module")
        ax.set_ylim(bottom=0)
    if fit:
        x = np.array([sizes[0], sizes[-1]])
        line = 1e3 * (fit["slope"] * x + fit["intercept"])
        left.plot(x, line, "--", color=NEGATIVE, label="straight line fitted")
        legend(left)
    title(left, "a step, forward and backward")
    left.set_ylabel("milliseconds")
    title(right, "sweeps of the slowest sample")
    right.set_ylabel("sweeps")
    return figure
