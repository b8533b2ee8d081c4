"""Modules drawn: in the network, each in its colour, and as a hierarchy of boxes."""

from __future__ import annotations

import textwrap
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from nervure.modules import Detection, Hierarchy, Module
from nervure.modules.wording import listed
from nervure.report.modules_layout import Box, hierarchy_layout, unit_positions
from nervure.report.style import FAINT, INK, PAPER, WIDTH, legend, new_figure, title
from nervure.report.words import plural

COLOURS = (
    "#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#e15759",
    "#76b7b2", "#9c755f", "#edc948", "#ff9da7", "#7f8c2f",
)  # fmt: skip
MOST_EDGES = 3000  # more lines than this only fill the page
_NAMED = 40  # inputs or outputs in a column; above, names do not fit beside it
_IN_LEGEND = 12
_TALLEST = 6.5  # inches
_LABELLED = 40  # arrows; above, numbers on them cover each other
_SMALLEST = 0.75  # scale of the boxes of a hierarchy and of what is written in them
_BEND = 0.15  # sideways, by height, of an edge inside a column
_STEPS = np.linspace(0, 1, 9)[:, None]


def network_by_module(detection: Detection, hierarchy: Hierarchy | None = None) -> Figure:
    """Draw the live units in their layers, coloured by module.

    Inputs are at the left, outputs at the right. A unit bears the number of its module; edges
    inside a module have its colour, those between modules are grey. Of more than 3000 edges 3000
    are drawn, evenly chosen. Units that were dropped are left out; the title says how many.

    Parameters
    ----------
    detection : Detection
    hierarchy : Hierarchy, optional
        Of the same detection, for the names of inputs and outputs.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from nervure import Topology
    >>> from nervure.modules import detect_modules
    >>> found = detect_modules(Topology.from_edges([(0, 2), (1, 3)]))
    >>> network_by_module(found).axes[0].get_title(loc="left")
    'All 2 edges between 4 units, coloured by module'
    """
    order = hierarchy or Hierarchy.from_detection(detection)
    module_of = np.full(detection.topology.num_nodes, -1)
    for i, module in enumerate(order.modules):
        module_of[list(module.nodes)] = i
    xy = unit_positions(detection, module_of)
    placed = np.flatnonzero(module_of >= 0)
    tall = int(np.bincount(detection.layer_of[placed]).max())
    height = float(np.clip(0.36 * tall, 1.6, _TALLEST))
    xy[:, 1] *= height / tall
    layers = len(detection.layers)
    xy[:, 0] *= (WIDTH - 2.0) / max(1, layers - 1)
    figure, (ax,) = new_figure(height + 1.2)
    ax.set_axis_off()
    ax.set_xlim(-1.0, WIDTH - 1.0)
    ax.set_ylim(-height / 2 - 0.45, height / 2 + 0.1)
    drawn, between = _draw_edges(ax, detection, module_of, xy)
    _draw_units(ax, module_of, xy, float(np.clip(0.72 * 72 * height / tall, 2.0, 17.0)))
    _name_ends(ax, detection, order, xy)
    _name_layers(ax, detection, -height / 2 - 0.25)
    edges, units = detection.num_edges, len(placed)
    text = f"All {plural(edges, 'edge')}"
    if drawn < edges:
        text = f"{drawn:,} of {edges:,} edges (evenly chosen)"
    text += f" between {plural(units, 'unit')}, coloured by module"
    if len(detection.dropped):
        text += f"; {plural(len(detection.dropped), 'unused unit')} not drawn"
    title(ax, text)
    handles = [
        Line2D([], [], color=_colour(i), marker="o", linestyle="none", markersize=8,
               label=f"{m.name}: {plural(len(m.nodes), 'unit')}")
        for i, m in enumerate(order.modules[:_IN_LEGEND])
    ]  # fmt: skip
    if len(order.modules) > _IN_LEGEND:
        more = f"and {len(order.modules) - _IN_LEGEND} more"
        handles.append(Line2D([], [], linestyle="none", label=more))
    if between:
        handles.append(Line2D([], [], color=FAINT, label="from one module to another"))
    legend(ax, handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0),
           ncols=min(5, len(handles)))  # fmt: skip
    return figure


def hierarchy_drawing(hierarchy: Hierarchy) -> Figure:
    """Draw modules as boxes, with arrows to those that read them.

    Inputs stand at the left, outputs at the right, and arrows lead to the right. A number on an
    arrow says how many edges of the network it stands for.

    Parameters
    ----------
    hierarchy : Hierarchy

    Returns
    -------
    Figure

    Examples
    --------
    >>> from nervure import Topology
    >>> from nervure.modules import detect_modules
    >>> found = detect_modules(Topology.from_edges([(0, 2), (1, 3)]))
    >>> hierarchy_drawing(Hierarchy.from_detection(found)).axes[0].get_title(loc="left")
    '2 modules'
    """
    sizes = {"module": (1.35, 0.72), "inputs": (1.15, 0.5), "outputs": (1.15, 0.5), "way": (0, 0.1)}
    columns = len(hierarchy.levels)
    # Columns share what is left of the page's width; a deep hierarchy is drawn smaller, down to
    # what can be read, and then wider than the page.
    gap = float(np.clip((WIDTH - 0.3 - 2.3 - 1.35 * columns) / (columns + 1), 0.5, 1.4))
    layout = hierarchy_layout(hierarchy, sizes, (gap, 0.22))
    boxes = list(layout.boxes.values())
    low, high = (min(b.y - b.height / 2 for b in boxes), max(b.y + b.height / 2 for b in boxes))
    right = max(b.x + b.width / 2 for b in boxes)
    scale = float(np.clip((WIDTH - 0.3) / right, _SMALLEST, 1.0))
    width = max(WIDTH, scale * right + 0.3)
    figure, (ax,) = new_figure(scale * (high - low + 0.7) + 0.5)
    figure.set_figwidth(width)
    ax.set_axis_off()
    ax.set_aspect("equal")
    spare = ((width - 0.2) / scale - right) / 2
    ax.set_xlim(-spare, right + spare)
    ax.set_ylim(low - 0.1, high + 0.6)
    number = len(layout.lines) <= _LABELLED
    for _, _, edges, points in layout.lines:
        _draw_arrow(ax, points, scale, edges if number else 0)
    for i, module in enumerate(hierarchy.modules):
        _draw_module(ax, layout.boxes["module", module.name], module, _colour(i), scale)
        inputs, outputs, _ = hierarchy.names_of(module)
        for kind, names in (("inputs", inputs), ("outputs", outputs)):
            if names:
                _draw_names(ax, layout.boxes[kind, module.name], names, scale)
    for kind in ("inputs", "outputs"):
        places = [b.x for key, b in layout.boxes.items() if key[0] == kind]
        if places:
            ax.text(places[0], high + 0.3, kind, ha="center", va="center", color=FAINT,
                    fontsize=9 * scale)  # fmt: skip
    text = plural(len(hierarchy.modules), "module")
    if number and any(edges for _, _, edges, _ in layout.lines):
        text += "; numbers count the edges of the network that an arrow stands for"
    title(ax, text)
    return figure


def _colour(module: int) -> str:
    return COLOURS[module % len(COLOURS)]


def _draw_edges(
    ax: Axes, detection: Detection, module_of: NDArray[np.int64], xy: NDArray[np.float64]
) -> tuple[int, bool]:
    """Draw the edges between live units; give their number, and whether any is grey."""
    starts, ends = detection.topology.sources, detection.topology.targets
    live = np.flatnonzero((module_of[starts] >= 0) & (module_of[ends] >= 0))
    if len(live) > MOST_EDGES:
        live = live[np.linspace(0, len(live) - 1, MOST_EDGES).astype(np.int64)]
    lines = _curves(xy[starts[live]], xy[ends[live]])
    module = np.where(module_of[starts[live]] == module_of[ends[live]], module_of[starts[live]], -1)
    thin = 1.3 * min(1.0, max(0.25, 120 / max(1, len(live))))
    for inside in (-1, *np.unique(module[module >= 0]).tolist()):
        colour = FAINT if inside < 0 else _colour(inside)
        ax.add_collection(
            LineCollection(
                list(lines[module == inside]), colors=colour, linewidths=thin, alpha=0.75, zorder=1
            )
        )
    return len(live), bool((module < 0).any())


def _curves(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw lines straight from layer to layer, and as arcs between units of one component."""
    along = end - start
    # Upward to the left, downward to the right: an edge and its opposite stay apart.
    side = np.where(along[:, :1] == 0, -_BEND * along[:, 1:], 0.0) * np.array([1.0, 0.0])
    t = _STEPS[None]
    curves = start[:, None] + t * along[:, None] + 4 * t * (1 - t) * side[:, None]
    return np.asarray(np.round(curves, 3))


def _draw_units(
    ax: Axes, module_of: NDArray[np.int64], xy: NDArray[np.float64], diameter: float
) -> None:
    for module in range(int(module_of.max()) + 1):
        spots = xy[module_of == module]
        ax.plot(
            spots[:, 0], spots[:, 1], "o", markersize=diameter, color=_colour(module), zorder=2,
            markeredgecolor=PAPER, markeredgewidth=0.5 if diameter > 5 else 0.0,
        )  # fmt: skip
        if diameter > 10:
            for x, y in spots.tolist():
                ax.text(x, y - 0.008, str(module + 1), ha="center", va="center", zorder=3,
                        fontsize=0.5 * diameter, color=_on(_colour(module)))  # fmt: skip


def _on(colour: str) -> str:
    """Black or white, whichever can be read on a colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 140 else "white"


def _name_ends(
    ax: Axes, detection: Detection, hierarchy: Hierarchy, xy: NDArray[np.float64]
) -> None:
    """Write the names of inputs left of them, those of outputs right of them."""
    topology = detection.topology
    for nodes, names, side, align in (
        (topology.inputs, hierarchy.input_names, -0.17, "right"),
        (topology.outputs, hierarchy.output_names, 0.17, "left"),
    ):
        if len(nodes) > _NAMED:
            continue
        for node, name in zip(nodes.tolist(), names, strict=True):
            if detection.layer_of[node] >= 0:
                x, y = xy[node].tolist()
                ax.text(x + side, y, name, ha=align, va="center", fontsize=8.5, color=INK)


def _name_layers(ax: Axes, detection: Detection, y: float) -> None:
    last = len(detection.layers) - 1
    for layer in range(last + 1):
        name = f"layer {layer}"
        for role, nodes, place in (
            ("inputs", detection.topology.inputs, 0),
            ("outputs", detection.topology.outputs, last),
        ):
            here = detection.layer_of[nodes]
            if layer == place and (here[here >= 0] == layer).all():
                name = f"{role} ({name})"
        ax.text(layer * (WIDTH - 2.0) / max(1, last), y, name, ha="center", va="center",
                fontsize=9, color=FAINT)  # fmt: skip


def _draw_arrow(ax: Axes, points: NDArray[np.float64], scale: float, edges: int) -> None:
    corners, codes = [points[0]], [Path.MOVETO]
    for a, b in pairwise(points):
        # Level at both ends, so that it leaves and enters boxes straight.
        bend = np.array([(b[0] - a[0]) / 2, 0.0])
        corners += [a + bend, b - bend, b]
        codes += [Path.CURVE4] * 3
    ax.add_patch(
        FancyArrowPatch(
            path=Path(corners, codes), arrowstyle="-|>", mutation_scale=10 * scale, color=INK,
            linewidth=0.9 * scale, fill=False, zorder=1,
        )
    )  # fmt: skip
    if edges:
        # On the curve near its end, where lines that cross are apart again.
        x, y = (np.array([0.027, 0.189, 0.441, 0.343]) @ np.array(corners[-4:])).tolist()
        ax.text(x, y, f"{edges:,}", ha="center", va="center", fontsize=7.5 * scale, color=INK,
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8}, zorder=2)  # fmt: skip


def _draw_module(ax: Axes, box: Box, module: Module, colour: str, scale: float) -> None:
    ax.add_patch(
        FancyBboxPatch(
            (box.x - box.width / 2, box.y - box.height / 2), box.width, box.height,
            boxstyle="round,pad=0,rounding_size=0.08", facecolor=colour, edgecolor="none", zorder=3,
        )
    )  # fmt: skip
    first, last = module.layers[0], module.layers[-1]
    lines = [
        plural(len(module.nodes), "unit"),
        f"layer {first}" if first == last else f"layers {first} to {last}",
    ]
    if module.feeds:
        lines.append(f"read by {plural(len(module.feeds), 'module')}")
    ax.text(box.x, box.y + 0.22, module.name, ha="center", va="center", zorder=4, weight="bold",
            fontsize=10 * scale, color=_on(colour))  # fmt: skip
    ax.text(box.x, box.y - 0.1, "\n".join(lines), ha="center", va="center", zorder=4,
            fontsize=7.5 * scale, color=_on(colour), linespacing=1.15)  # fmt: skip


def _draw_names(ax: Axes, box: Box, names: tuple[str, ...], scale: float) -> None:
    ax.add_patch(
        FancyBboxPatch(
            (box.x - box.width / 2, box.y - box.height / 2), box.width, box.height,
            boxstyle="round,pad=0,rounding_size=0.08", facecolor=PAPER, edgecolor=FAINT, zorder=3,
        )
    )  # fmt: skip
    text = "\n".join(textwrap.wrap(listed(names, 6), 18)[:3])
    ax.text(box.x, box.y, text, ha="center", va="center", zorder=4, fontsize=8 * scale, color=INK)
