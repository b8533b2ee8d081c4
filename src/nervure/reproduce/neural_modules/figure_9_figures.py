"""Heat maps and percolation curves of Figure 9."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nervure.report.module_colours import module_colour
from nervure.report.style import FAINT, INK, POSITIVE, title
from nervure.reproduce.neural_modules.figure_9_grid import (
    BALANCED,
    Bools,
    Floats,
    Grid,
    giant_component,
)
from nervure.reproduce.panels import legend_below, panel_grid

_PANELS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("validation_error", "validation error (%)", lambda v: f"{100 * v:.2f}"),
    ("test_error", "test error (%)", lambda v: f"{100 * v:.2f}"),
    ("modules", "modules", lambda v: f"{v:.3g}"),
    ("largest_share", "largest module (% of nodes)", lambda v: f"{100 * v:.3g}"),
    ("balance", "balance of module sizes", lambda v: f"{v:.2f}"),
    ("sweeps", "sweeps per solve", lambda v: f"{v:.1f}"),
)
# From clear, so that it does for light and dark pages, to a blue that ink can be read on.
_SHADES = LinearSegmentedColormap.from_list(
    "more", [to_rgba(POSITIVE, 0.0), to_rgba(POSITIVE, 0.65)]
)


def heat_maps(grid: Grid) -> Figure:
    """Draw a dataset's errors, modules and sweeps over alpha and k, means over seeds.

    The setting with the lowest validation error has a frame, those that have several balanced
    modules at no loss a dotted one. A cross: a seed could not be solved; "–": in some seed fewer
    than two modules, which have no balance.
    """
    figure, axes = panel_grid(len(_PANELS), 3)
    failed = np.isnan(grid.mean("validation_error"))
    for i, (ax, (key, name, written)) in enumerate(zip(axes, _PANELS, strict=True)):
        _heat_map(ax, grid.mean(key), failed, written)
        _axes(ax, grid, left=i % 3 == 0, below=i >= 3)
        _frames(ax, grid)
        title(ax, f"{grid.data}: {name}" if i == 0 else name)
    legend_below(figure, axes[0])
    return figure


def percolation_curves(drawn: Sequence[Grid]) -> Figure:
    """Draw the largest module's share of the nodes against the degree, a line for each alpha."""
    figure, axes = panel_grid(len(drawn), 2)
    for ax, grid in zip(axes, drawn, strict=True):
        for i, alpha in enumerate(grid.alphas):
            share = grid.mean("largest_share")[i]
            label = f"alpha {alpha:g}" if alpha else "no penalty"
            ax.plot(grid.degrees, 100 * share, "o-", color=module_colour(i), ms=4, label=label)
        fine = np.geomspace(min(grid.degrees), max(grid.degrees), 200)
        random = [100 * giant_component(float(degree)) for degree in fine]
        ax.plot(fine, random, "--", color=FAINT, label="random digraph")
        ax.axhline(100 * BALANCED, color=FAINT, lw=0.8)
        ax.set_xscale("log", base=2)
        ax.set_xticks(grid.degrees, [f"{degree:g}" for degree in grid.degrees])
        ax.set_xlabel("edges per node (k / nodes)")
        ax.set_ylabel("largest module (% of nodes)")
        ax.set_ylim(-3, 103)
        title(ax, grid.data)
    legend_below(figure, axes[0], 6)
    return figure


def _heat_map(ax: Axes, table: Floats, failed: Bools, written: Callable[[float], str]) -> None:
    finite = table[np.isfinite(table)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    ax.imshow(
        table, cmap=_SHADES, vmin=low, vmax=high if high > low else low + 1, aspect="auto",
        origin="lower", interpolation="nearest",
    )  # fmt: skip
    for (row, column), value in np.ndenumerate(table):
        text = written(value) if np.isfinite(value) else "×" if failed[row, column] else "–"
        ax.text(column, row, text, ha="center", va="center", fontsize=8, color=INK)


def _axes(ax: Axes, grid: Grid, *, left: bool, below: bool) -> None:
    ax.set_xticks(range(len(grid.degrees)), [f"{degree:g}" for degree in grid.degrees])
    ax.set_yticks(range(len(grid.alphas)), [f"{alpha:g}" for alpha in grid.alphas])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if left:
        ax.set_ylabel("alpha")
    if below:
        ax.set_xlabel("edges per node (k / nodes)")


def _frames(ax: Axes, grid: Grid) -> None:
    label = "several balanced modules at no loss"
    for row, column in np.argwhere(grid.good):
        ax.add_patch(
            Rectangle((column - 0.44, row - 0.4), 0.88, 0.8, fill=False, ec=INK, ls=":", lw=1.2,
                      label=label)
        )  # fmt: skip
        label = "_"  # named once
    if grid.best is not None:
        row, column = grid.best
        ax.add_patch(
            Rectangle((column - 0.49, row - 0.48), 0.98, 0.96, fill=False, ec=INK, lw=2,
                      label="lowest validation error")
        )  # fmt: skip
