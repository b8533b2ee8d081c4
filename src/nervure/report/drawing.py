"""The graph itself, drawn."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import NDArray

from nervure.report.layout import Layout, lay_out
from nervure.report.style import INK, NEGATIVE, PAPER, POSITIVE, WIDTH, legend, new_figure, title
from nervure.topology import Topology

MOST_EDGES = 400  # more lines than this cannot be told apart on a page
_NUMBERED = 40  # nodes; above, numbers do not fit into them
_LABELLED = 8
_WORDS = 0.75  # inches for title and legend
_BEND = 0.1  # sideways, per length: an edge and its opposite stay apart
_STEPS = np.linspace(0, 1, 9)[:, None]


def graph_drawing(topology: Topology, weights: NDArray[np.floating] | None = None) -> Figure:
    """Draw the graph: modules as discs in condensation order, all other nodes in between.

    Edges between modules lead to the right. Of more than 400 edges the 400 with the largest
    weights are drawn (without weights, evenly chosen ones); nodes without edges are left out. The
    title says so.

    Parameters
    ----------
    topology : Topology
    weights : ndarray, shape (edges,), optional
        In edge order.

    Returns
    -------
    Figure

    Examples
    --------
    >>> graph_drawing(Topology.complete(3)).axes[0].get_title(loc="left")
    'All 6 edges between 3 nodes'
    """
    layout = lay_out(topology)
    low, high = _extent(layout)
    width, tall = (high - low).tolist()
    height = float(np.clip(WIDTH * tall / width, 1.4, 7.0))
    figure, (ax,) = new_figure(height + _WORDS)
    ax.set_axis_off()
    ax.set_aspect("equal")
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    # Points per unit: lines and nodes shrink with the picture, down to what print can show.
    scale = 72 * min((WIDTH - 0.2) / width, height / tall)
    for x, y, radius, _ in layout.modules:
        ax.add_patch(Circle((x, y), radius, facecolor=(0.5, 0.5, 0.5, 0.1), edgecolor=INK))
    chosen = _strongest(topology, weights)
    _draw_edges(ax, topology, layout, weights, chosen, scale)
    _draw_nodes(ax, topology, layout, scale)
    _label_modules(ax, layout)
    _describe(ax, topology, layout, len(chosen), weights is not None)
    return figure


def _extent(layout: Layout) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper corner of everything drawn, with some air."""
    if not len(layout.nodes):
        return np.zeros(2), np.ones(2)
    points = layout.xy[layout.nodes]
    discs = np.array([(x, y, r) for x, y, r, _ in layout.modules]).reshape(-1, 3)
    low = np.vstack((points - 0.5, discs[:, :2] - discs[:, 2:])).min(axis=0)
    high = np.vstack((points + 0.5, discs[:, :2] + discs[:, 2:])).max(axis=0)
    # Long edges bend out of the picture's top and bottom by a share of its width.
    bulge = 0.03 * float(high[0] - low[0])
    return low - np.array([0.4, max(0.4, bulge)]), high + np.array([0.4, max(1.2, bulge)])


def _strongest(topology: Topology, weights: NDArray[np.floating] | None) -> NDArray[np.int64]:
    count = topology.num_edges
    if count <= MOST_EDGES:
        return np.arange(count)
    if weights is None:
        return np.linspace(0, count - 1, MOST_EDGES).astype(np.int64)
    return np.sort(np.argsort(-np.abs(weights), kind="stable")[:MOST_EDGES])


def _draw_edges(
    ax: Axes,
    topology: Topology,
    layout: Layout,
    weights: NDArray[np.floating] | None,
    chosen: NDArray[np.int64],
    scale: float,
) -> None:
    if not len(chosen):
        return
    start = layout.xy[topology.sources[chosen]]
    end = layout.xy[topology.targets[chosen]]
    along = end - start
    length = np.linalg.norm(along, axis=1, keepdims=True)
    side = np.column_stack((-along[:, 1], along[:, 0]))
    middle = (start + end) / 2 + _BEND * side
    # The head ends at the rim of the target's dot and points along the curve's last piece.
    heading = (end - middle) / np.linalg.norm(end - middle, axis=1, keepdims=True)
    rim = _node_diameter(len(layout.nodes), scale) / scale / 2
    tip = end - heading * np.minimum(rim, 0.3 * length)
    head = np.minimum(max(0.28, 4.0 / scale), 0.35 * length)
    across = np.column_stack((-heading[:, 1], heading[:, 0]))
    back, wing = tip - heading * head, across * head * 0.4
    heads = np.stack((tip, back + wing, back - wing), axis=1)
    last = tip - heading * head * 0.8
    t = _STEPS[None]
    curves = (1 - t) ** 2 * start[:, None] + 2 * t * (1 - t) * middle[:, None]
    curves = np.round(curves + t**2 * last[:, None], 3)
    value = np.ones(len(chosen)) if weights is None else np.asarray(weights)[chosen]
    strongest = np.abs(value).max()
    share = np.abs(value) / strongest if strongest > 0 else np.ones(len(chosen))
    if weights is None:
        share = np.full(len(chosen), 0.4)
    thin = 0.35 + 0.65 * min(1.0, 60 / len(chosen))
    widths = thin * (0.5 + 1.7 * share)
    opacity = 0.9 if len(chosen) <= 150 else 0.65
    for mask, colour, style in (
        (value >= 0, POSITIVE, "solid"),
        (value < 0, NEGATIVE, (0, (3.5, 1.6))),
    ):
        ax.add_collection(
            LineCollection(
                list(curves[mask]), colors=colour, linewidths=widths[mask], linestyles=[style],
                alpha=opacity, zorder=2,
            )
        )  # fmt: skip
        ax.add_collection(
            PolyCollection(list(heads[mask]), facecolors=colour, edgecolors="none",
                           alpha=opacity, zorder=2)
        )  # fmt: skip


def _node_diameter(count: int, scale: float) -> float:
    """In points: larger where a number stands inside."""
    share, most = (0.62, 17.0) if count <= _NUMBERED else (0.38, 7.0)
    return float(np.clip(share * scale, 2.0, most))


def _draw_nodes(ax: Axes, topology: Topology, layout: Layout, scale: float) -> None:
    diameter = _node_diameter(len(layout.nodes), scale)
    is_input = np.isin(layout.nodes, topology.inputs)
    is_output = np.isin(layout.nodes, topology.outputs)
    numbered = len(layout.nodes) <= _NUMBERED and diameter > 9
    for mask, marker in (
        (is_input & ~is_output, "s"),
        (is_output & ~is_input, "D"),
        (is_input == is_output, "o"),
    ):
        spots = layout.xy[layout.nodes[mask]]
        ax.plot(
            spots[:, 0], spots[:, 1], marker, markersize=diameter, color=INK,
            markeredgewidth=0.8, linestyle="none", zorder=3,
            markerfacecolor=PAPER if numbered else INK,
        )  # fmt: skip
    if numbered:
        for node in layout.nodes:
            x, y = layout.xy[node].tolist()
            ax.text(x, y, str(node), ha="center", va="center", color=INK,
                    fontsize=min(9.0, 0.5 * diameter), zorder=4)  # fmt: skip


def _label_modules(ax: Axes, layout: Layout) -> None:
    behind = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 0.6}
    for x, y, radius, size in sorted(layout.modules, key=lambda m: -m[3])[:_LABELLED]:
        ax.annotate(f"{size} nodes", (x, y + radius), (0, 2), textcoords="offset points",
                    ha="center", va="bottom", fontsize=9, color=INK, zorder=5,
                    bbox=behind)  # fmt: skip


def _describe(ax: Axes, topology: Topology, layout: Layout, drawn: int, has_weights: bool) -> None:
    edges, nodes = topology.num_edges, len(layout.nodes)
    which = "largest by weight" if has_weights else "evenly chosen"
    text = f"All {edges:,} edges" if drawn == edges else f"{drawn} of {edges:,} edges ({which})"
    text += f" between {nodes:,} nodes"
    left_out = topology.num_nodes - nodes
    if left_out:
        text += f"; {left_out:,} node{'s' * (left_out != 1)} without edges not drawn"
    title(ax, text)
    handles = []
    if has_weights:
        handles += [
            Line2D([], [], color=POSITIVE, label="positive weight (solid)"),
            Line2D([], [], color=NEGATIVE, linestyle=(0, (3.5, 1.6)), label="negative (dashed)"),
        ]
    if layout.modules:
        handles.append(
            Line2D([], [], color=INK, marker="o", linestyle="none", markersize=11,
                   markerfacecolor=(0.5, 0.5, 0.5, 0.15), label="module")
        )  # fmt: skip
    if not np.array_equal(np.sort(topology.inputs), np.sort(topology.outputs)):
        handles += [
            Line2D([], [], color=INK, marker=m, linestyle="none", markersize=5, label=label)
            for m, label in (("s", "input"), ("D", "output"))
        ]
    if handles:
        legend(ax, handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0),
               ncols=len(handles))  # fmt: skip
