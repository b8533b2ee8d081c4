"""The adjacency matrix, ordered by module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from nervure.report.style import (
    FAINT,
    INK,
    NEGATIVE,
    PAPER,
    POSITIVE,
    WIDTH,
    legend,
    new_figure,
    title,
)
from nervure.report.words import plural
from nervure.topology import Topology

_LARGEST_DRAWN = 80  # nodes; above, cells are too small for shapes and become pixels
_SMALLEST_CELLS = 350  # cells a side from which they are below two pixels of a page
_CROWDED = 2  # edges in a pixel of that size above which single edges cannot be seen
_LABELLED = 8
_PANELS = 6


def adjacency_matrix(topology: Topology, weights: NDArray[np.floating] | None = None) -> Figure:
    """Draw which node feeds which, with a square around every module.

    Nodes are in condensation order on both axes, so that modules are squares on the diagonal and
    every edge between modules lies below it; nodes whose numbers are such an order keep them. Up
    to 80 nodes an edge is a square whose area is its weight, filled if positive and open if
    negative; above, a pixel whose strength is its weight. Where pixels would hold many edges each
    (`is_crowded`), they show how many, and no weights.

    Parameters
    ----------
    topology : Topology
    weights : ndarray, shape (edges,), optional
        In edge order; without them all edges look the same.

    Returns
    -------
    Figure

    Notes
    -----
    Paper: neural-modules, figure 11.

    Examples
    --------
    >>> adjacency_matrix(Topology.complete(4)).axes[0].get_xlabel()
    'from node (source), in condensation order'
    """
    figure, (ax,) = new_figure(6.6)
    crowded = is_crowded(topology)
    if crowded:
        weights = None
    shown = np.ones(topology.num_edges) if weights is None else np.asarray(weights, np.float64)
    if crowded:
        _draw_counts(ax, topology)
    elif topology.num_nodes <= _LARGEST_DRAWN:
        _draw_squares(ax, topology, shown)
    else:
        _draw_pixels(ax, topology, shown)
    _frame(ax, topology, linewidth=1.6)
    _label_modules(ax, topology)
    order = "in the order of their numbers" if _is_sorted(topology) else "in condensation order"
    ax.set_xlabel(f"from node (source), {order}")
    ax.set_ylabel("to node (target)")
    _explain(ax, topology, shown, weights is not None)
    return figure


def is_crowded(topology: Topology) -> bool:
    """Whether a matrix of page size can only show how many edges there are, not which."""
    if topology.num_nodes <= _SMALLEST_CELLS:
        return False
    counts, _ = _binned(topology)
    return float(np.median(counts[counts > 0])) > _CROWDED if counts.any() else False


def adjacency_history(
    snapshots: Sequence[tuple[int, Topology]], *, period: str = "epoch"
) -> Figure:
    """Draw the wiring at up to six epochs, each ordered as by `adjacency_matrix`.

    Parameters
    ----------
    snapshots : sequence of (epoch, topology)
        At least one; if there are more than six, six are picked evenly, first and last included.
    period : str
        What an epoch is called.

    Returns
    -------
    Figure
    """
    count = min(len(snapshots), _PANELS)
    picked = np.unique(np.linspace(0, len(snapshots) - 1, count).round().astype(int))
    columns = min(3, len(picked))
    rows = -(-len(picked) // columns)
    letters = "abcdef"[: len(picked)].ljust(rows * columns, ".")
    cells = [letters[i : i + columns] for i in range(0, len(letters), columns)]
    figure, axes = new_figure(0.4 + WIDTH / 3.2 * rows, cells)
    figure.set_layout_engine("constrained", h_pad=0.1)  # titles keep off the numbers above them
    cyclic = any(not topology.is_acyclic for _, topology in snapshots)
    for ax, i in zip(axes, picked, strict=True):
        epoch, topology = snapshots[i]
        if is_crowded(topology):
            _draw_counts(ax, topology)
        else:
            _draw_pixels(ax, topology, np.ones(topology.num_edges))
        _frame(ax, topology, linewidth=1.1)
        modules, edges = len(topology.components.modules), topology.num_edges
        counted = plural(modules, "module") if cyclic else plural(edges, "edge")
        title(ax, f"{period} {epoch}: {counted}")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
        ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    return figure


def _is_sorted(topology: Topology) -> bool:
    """Whether every edge leads from a lower to a higher number."""
    return bool((topology.sources < topology.targets).all())


def _positions(topology: Topology) -> NDArray[np.int64]:
    """Place of every node in condensation order."""
    if _is_sorted(topology):
        return np.arange(topology.num_nodes)
    place = np.empty(topology.num_nodes, dtype=np.int64)
    place[topology.components.order] = np.arange(topology.num_nodes)
    return place


def _axes_of(ax: Axes, nodes: int) -> None:
    ax.set_xlim(-0.5, nodes - 0.5)
    ax.set_ylim(nodes - 0.5, -0.5)
    ax.set_aspect("equal")
    ax.spines[["top", "right"]].set_visible(True)
    ax.spines[["top", "right"]].set_color(FAINT)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))


def _strength(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale magnitudes to 0..1; the strongest twentieth all count as 1, so outliers hide none."""
    size = np.abs(weights)
    top = np.quantile(size, 0.95) if len(size) else 0.0
    return np.minimum(size / top, 1.0) if top > 0 else np.ones_like(size)


def _draw_squares(ax: Axes, topology: Topology, weights: NDArray[np.float64]) -> None:
    place, strength = _positions(topology), _strength(weights)
    side = 0.25 + 0.6 * np.sqrt(strength)
    x, y = place[topology.sources], place[topology.targets]
    for mask, face, edge in ((weights >= 0, POSITIVE, POSITIVE), (weights < 0, PAPER, NEGATIVE)):
        squares = [
            Rectangle((a - s / 2, b - s / 2), s, s)
            for a, b, s in zip(x[mask], y[mask], side[mask], strict=True)
        ]
        collection = PatchCollection(squares, facecolor=face, edgecolor=edge, linewidth=1.0)
        ax.add_collection(collection)
    _axes_of(ax, topology.num_nodes)


def _draw_pixels(ax: Axes, topology: Topology, weights: NDArray[np.float64]) -> None:
    n, place = topology.num_nodes, _positions(topology)
    x, y = place[topology.sources], place[topology.targets]
    # Large graphs are binned: a pixel then holds the sum of its edges' strengths.
    bins = -(-n // 1200) if n else 1
    size = -(-n // bins) if n else 1
    total = np.zeros((size, size))
    signed = np.zeros((size, size))
    strength = 0.5 + 0.5 * _strength(weights)
    np.add.at(total, (y // bins, x // bins), strength)
    np.add.at(signed, (y // bins, x // bins), np.sign(weights) * strength)
    # Cells below two pixels would vanish: marks spread over their neighbours.
    reach = size // _SMALLEST_CELLS
    if reach:
        signed = _stronger(
            signed, maximum_filter(signed, 2 * reach + 1), minimum_filter(signed, 2 * reach + 1)
        )
        total = maximum_filter(total, 2 * reach + 1)
    image = np.zeros((size, size, 4), dtype=np.uint8)
    image[..., :3] = np.where(
        signed[..., None] >= 0,
        np.round(np.array(to_rgb(POSITIVE)) * 255),
        np.round(np.array(to_rgb(NEGATIVE)) * 255),
    ).astype(np.uint8)
    image[..., 3] = np.round(255 * np.minimum(total, 1.0)).astype(np.uint8)
    edge = size * bins - 0.5
    ax.imshow(image, extent=(-0.5, edge, edge, -0.5), interpolation="nearest", resample=True)
    _axes_of(ax, n)


def _binned(topology: Topology) -> tuple[NDArray[np.int64], int]:
    """Edges in each of the smallest pixels that a page shows, and how many nodes a side has."""
    place = _positions(topology)
    side = max(1, -(-topology.num_nodes // _SMALLEST_CELLS))
    size = -(-topology.num_nodes // side)
    cell = place[topology.targets] // side * size + place[topology.sources] // side
    return np.bincount(cell, minlength=size * size).reshape(size, size), side


def _draw_counts(ax: Axes, topology: Topology) -> None:
    counts, side = _binned(topology)
    # The fullest hundredth of pixels counts as one, so that a dense corner does not pale the rest.
    full = np.quantile(counts[counts > 0], 0.99)
    image = np.zeros((*counts.shape, 4), dtype=np.uint8)
    image[..., :3] = np.round(np.array(to_rgb(POSITIVE)) * 255).astype(np.uint8)
    image[..., 3] = np.round(255 * np.minimum(counts / full, 1.0)).astype(np.uint8)
    edge = len(counts) * side - 0.5
    ax.imshow(image, extent=(-0.5, edge, edge, -0.5), interpolation="nearest", resample=True)
    _axes_of(ax, topology.num_nodes)


def _stronger(
    own: NDArray[np.float64], high: NDArray[np.float64], low: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Keep a mark where there is one, else take the stronger of its neighbours."""
    spread: NDArray[np.float64] = np.where(high >= -low, high, low)
    return np.where(own != 0, own, spread)


def _module_spans(topology: Topology) -> list[tuple[int, int]]:
    """First place and size of every module, in condensation order."""
    c = topology.components
    return [(int(c.offsets[i]), int(c.sizes[i])) for i in np.flatnonzero(c.cyclic)]


def _frame(ax: Axes, topology: Topology, linewidth: float) -> None:
    for start, size in _module_spans(topology):
        ax.add_patch(
            Rectangle(
                (start - 0.5, start - 0.5), size, size,
                fill=False, edgecolor=INK, linewidth=linewidth, zorder=3,
            )
        )  # fmt: skip


def _label_modules(ax: Axes, topology: Topology) -> None:
    n = topology.num_nodes
    spans = sorted(_module_spans(topology), key=lambda span: -span[1])[:_LABELLED]
    # Above the diagonal nothing but modules is ever drawn: room for words.
    for start, size in spans:
        if start + size > 0.86 * n:
            spot, align, side = (start - 0.5, start + (size - 1) / 2), "right", -4
        else:
            spot, align, side = (start + size - 0.5, start + (size - 1) / 2), "left", 4
        if side < 0 and start < 0.14 * n:
            continue  # one module fills the picture; the caption has its size
        ax.annotate(f"{size} nodes", spot, (side, 0), textcoords="offset points", fontsize=9,
                    ha=align, va="center", color=INK)  # fmt: skip


def _explain(ax: Axes, topology: Topology, weights: NDArray[np.float64], has_weights: bool) -> None:
    drawn = topology.num_nodes <= _LARGEST_DRAWN
    square: dict[str, Any] = {"marker": "s", "linestyle": "none", "markersize": 8}
    kept = Line2D([], [], color=POSITIVE, **square)
    handles, labels = [kept], ["edge"]
    if is_crowded(topology):
        labels = [f"{topology.num_edges:,} edges (darker where there are more)"]
    if has_weights:
        face = PAPER if drawn else NEGATIVE
        handles.append(Line2D([], [], color=NEGATIVE, markerfacecolor=face, **square))
        labels = [
            f"{int((weights >= 0).sum()):,} positive",
            f"{int((weights < 0).sum()):,} negative",
        ]
        labels[0] += " (blue, filled)" if drawn else " (blue, darker)"
        labels[1] += " (orange, open)" if drawn else " (orange, lighter)"
    if _module_spans(topology):
        handles.append(
            Line2D([], [], color=INK, marker="s", markerfacecolor="none", linestyle="none",
                   markersize=11, markeredgewidth=1.6)
        )  # fmt: skip
        labels.append("module")
    legend(ax, handles=handles, labels=labels, loc="lower center", bbox_to_anchor=(0.5, 1.0),
           ncols=len(handles))  # fmt: skip
