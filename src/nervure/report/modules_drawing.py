"""A network drawn unit by unit, each in the colour of its module."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from nervure.modules import Detection, Hierarchy
from nervure.report.module_colours import ink_on, module_colour
from nervure.report.modules_layout import unit_positions
from nervure.report.style import FAINT, INK, PAPER, WIDTH, legend, new_figure, title
from nervure.report.words import plural

MOST_EDGES = 3000  # more lines than this only fill the page
_ROOM = 0.36  # inches from a unit to the next, where there is room
_NAMED = 0.13  # inches; with less, names do not fit beside units
_LOOSEST = 4.0  # from unit to unit in a short layer, by that in the longest
_IN_LEGEND = 12
_TALLEST = 6.5  # inches
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
    placed = np.flatnonzero(module_of >= 0)
    counts = np.bincount(detection.layer_of[placed])
    tall = int(counts.max())
    height = float(np.clip(_ROOM * tall, 1.6, _TALLEST))
    # Beside a layer too long to show its units, those of the others still have room.
    loosest = max(_LOOSEST, _ROOM * tall / height)
    xy = unit_positions(detection, module_of, loosest)
    xy[:, 1] *= height / tall
    room = height / tall * np.minimum(loosest, tall / counts)
    layers = len(detection.layers)
    xy[:, 0] *= (WIDTH - 2.0) / max(1, layers - 1)
    figure, (ax,) = new_figure(height + 1.2)
    ax.set_axis_off()
    ax.set_xlim(-1.0, WIDTH - 1.0)
    ax.set_ylim(-height / 2 - 0.45, height / 2 + 0.1)
    drawn, between = _draw_edges(ax, detection, module_of, xy)
    diameters = np.clip(0.72 * 72 * room, 2.0, 17.0)
    for layer, diameter in enumerate(diameters.tolist()):
        here = np.where(detection.layer_of == layer, module_of, -1)
        _draw_units(ax, here, xy, diameter)
    _name_ends(ax, detection, order, xy, room)
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
        Line2D([], [], color=module_colour(i), marker="o", linestyle="none", markersize=8,
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
        colour = FAINT if inside < 0 else module_colour(inside)
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
    for module in np.unique(module_of[module_of >= 0]).tolist():
        spots = xy[module_of == module]
        ax.plot(
            spots[:, 0], spots[:, 1], "o", markersize=diameter, color=module_colour(module),
            markeredgecolor=PAPER, markeredgewidth=0.5 if diameter > 5 else 0.0, zorder=2,
        )  # fmt: skip
        if diameter > 10:
            for x, y in spots.tolist():
                ax.text(x, y - 0.008, str(module + 1), ha="center", va="center", zorder=3,
                        fontsize=0.5 * diameter, color=ink_on(module_colour(module)))  # fmt: skip


def _name_ends(
    ax: Axes,
    detection: Detection,
    hierarchy: Hierarchy,
    xy: NDArray[np.float64],
    room: NDArray[np.float64],
) -> None:
    """Write the names of inputs left of them, those of outputs right of them, where they fit."""
    topology = detection.topology
    for nodes, names, side, align in (
        (topology.inputs, hierarchy.input_names, -0.17, "right"),
        (topology.outputs, hierarchy.output_names, 0.17, "left"),
    ):
        for node, name in zip(nodes.tolist(), names, strict=True):
            layer = detection.layer_of[node]
            if layer >= 0 and room[layer] >= _NAMED:
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
