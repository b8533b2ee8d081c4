"""Figures 1 to 4 and 34 to 36 of the sculpting paper: products of weights along paths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from nervure.report.style import FAINT, INK, NEGATIVE, PAPER, POSITIVE, new_figure, title
from nervure.reproduce.panels import legend_below
from nervure.reproduce.sculpting_structure import (
    KINDS,
    LEVEL,
    Cover,
    Separation,
    example_products,
)
from nervure.reproduce.sculpting_trials import Found

_STRENGTH = LinearSegmentedColormap.from_list("strength", [PAPER, POSITIVE])
_GRAPH = {1: 3, 2: 2}  # units of a layer that the function graph of [4, 1, 2, 16] has
_LOOK = {1: (INK, "o"), 2: (NEGATIVE, "s")}


def path_products(found: Found, covers: Sequence[Cover]) -> Figure | None:
    """Draw products of one network of each kind above, units that carry 90 % of them below."""
    examples = example_products(found)
    if not examples and not covers:
        return None
    rows = ["abc"[: len(KINDS)]] * bool(examples) + ["def"[: len(KINDS)]] * bool(covers)
    figure, axes = new_figure(3.1 * len(rows) + 0.3, tuple(rows))
    upper, lower = axes[: len(KINDS) * bool(examples)], axes[len(KINDS) * bool(examples) :]
    for ax, kind in zip(upper, KINDS, strict=False):
        if kind not in examples:
            ax.set_axis_off()
            continue
        where, products = examples[kind]
        table = np.array(products)
        _heat(ax, table / max(table.max(), 1e-300), _STRENGTH, ".2f")
        ax.set_xticks(range(4), [f"y{i}" for i in range(4)])
        ax.set_yticks(range(4), [f"x{i}" for i in range(4)])
        ax.set_xlabel("share of the largest product")
        title(ax, f"{KINDS[kind]}\n{where}")
    for ax, kind in zip(lower, KINDS, strict=False):
        _cover(ax, [line for line in covers if line.kind == kind])
        title(ax, f"{KINDS[kind]}: N_90")
    # The same height for all three, so that they can be compared.
    tallest = max((max(line.networks) for line in covers), default=1)
    for ax in lower:
        ax.set_ylim(0, 1.1 * tallest)
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    if lower:
        legend_below(figure, lower[0], 2)
    return figure


def _cover(ax: Axes, lines: Sequence[Cover]) -> None:
    for layer, (colour, mark) in _LOOK.items():
        here = [line for line in lines if line.layer == layer]
        if not here:
            continue
        widths = [line.width for line in here]
        means = [float(np.mean(line.networks)) for line in here]
        ax.plot(widths, means, "-", color=colour, label=f"hidden layer {layer}, mean of networks")
        for line in here:
            ax.plot([line.width] * len(line.networks), line.networks, mark, color=colour,
                    markersize=4, alpha=0.5)  # fmt: skip
        ax.axhline(_GRAPH[layer], color=colour, linestyle=":", linewidth=1,
                   label=f"hidden layer {layer} of the function graph")  # fmt: skip
    ax.set_xlabel("width")
    ax.set_ylabel("units")
    ax.set_xticks(sorted({line.width for line in lines}))
    ax.margins(x=0.1)


def separation_tests(lines: Sequence[Separation]) -> Figure | None:
    """Draw t and p of both tests by hidden layers and width, a row for each kind of network."""
    if not lines:
        return None
    depths = sorted({line.depth for line in lines})
    widths = sorted({line.width for line in lines})
    rows = [kind for kind in KINDS if any(line.kind == kind for line in lines)]
    letters = ["ab", "cd", "ef"][: len(rows)]
    figure, axes = new_figure((0.5 * len(depths) + 1.1) * len(rows) + 0.5, tuple(letters))
    panels = [(kind, test) for kind in rows for test in ("first", "second")]
    for ax, (kind, test) in zip(axes, panels, strict=True):
        p = np.full((len(depths), len(widths)), np.nan)
        t = p.copy()
        for line in lines:
            if line.kind == kind:
                place = depths.index(line.depth), widths.index(line.width)
                p[place], t[place] = getattr(line, f"p_{test}"), getattr(line, f"t_{test}")
        # Blue where the hypothesis is rejected; above 0.05 all is paper.
        _heat(ax, np.where(np.isnan(p), np.nan, p < LEVEL), _STRENGTH, "", faint=0.45)
        for (i, j), value in np.ndenumerate(p):
            if not np.isnan(value):
                ax.text(j, i, f"t {t[i, j]:.1f}\np {value:.2g}", ha="center", va="center",
                        fontsize=8, color=INK)  # fmt: skip
        ax.set_xticks(range(len(widths)), list(map(str, widths)))
        ax.set_yticks(range(len(depths)), list(map(str, depths)))
        ax.set_ylabel("hidden layers")
        title(ax, f"{KINDS[kind]}: inputs {'0, 1' if test == 'first' else '2, 3'}")
    for ax in axes[-2:]:
        ax.set_xlabel("width (coloured: p < 0.05)")
    return figure


def _heat(
    ax: Axes,
    values: NDArray[np.float64],
    colours: LinearSegmentedColormap,
    numbers: str,
    faint: float = 1.0,
) -> AxesImage:
    """Draw a table of values from 0 to 1, with the numbers in it if they have a format."""
    drawn = ax.imshow(values, cmap=colours, vmin=0, vmax=1, aspect="auto", alpha=faint)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set(visible=True, color=FAINT)
    if numbers:
        for (i, j), value in np.ndenumerate(values):
            ax.text(j, i, format(value, numbers), ha="center", va="center", fontsize=8.5,
                    color=PAPER if value > 0.8 else INK)  # fmt: skip
    return drawn
