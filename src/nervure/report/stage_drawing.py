"""A graph drawn by its distances, coloured by stage of processing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from nervure.errors import TopologyError
from nervure.measures import spring_positions
from nervure.report.module_colours import module_colour
from nervure.report.style import INK, PAPER, WIDTH, legend, new_figure, title
from nervure.report.words import plural
from nervure.topology import Topology

_TALLEST = 6.6  # inches
_FLATTEST = 2.6
_AIR = 0.07  # around the drawing, by its longer side
_NUMBERED = 30  # nodes; above, numbers do not fit into them


def stage_drawing(topology: Topology, stages: npt.ArrayLike | None = None) -> Figure:
    """Draw the live part so that distances on paper are distances in the graph (Kamada-Kawai).

    The longer axis of the drawing lies across the page, inputs to the left. An edge is a wedge,
    wide where it starts and pointed where it ends, in the colour of the stage it starts from: this
    stays readable where hundreds of arrow heads would hide one another.

    Parameters
    ----------
    topology : Topology
        Its live part must be in one piece when directions are forgotten. Nodes of up to a few
        hundred make sense.
    stages : array_like of int, shape (num_nodes,), optional
        Stage of each node, from 0.

    Returns
    -------
    Figure

    Raises
    ------
    UndefinedMeasureError
        When the live part falls into pieces.

    Notes
    -----
    As `nervure.measures.spring_positions`. Paper: connectivity-tradeoff, Figures 3 and 9.

    Examples
    --------
    >>> stage_drawing(Topology.layered([1, 3, 1])).axes[0].get_title(loc="left")
    '5 live nodes, 6 edges (narrow towards their target)'
    """
    stage = np.zeros(topology.num_nodes, dtype=np.int64)
    if stages is not None:
        stage = np.asarray(stages)
        if stage.shape != (topology.num_nodes,):
            raise TopologyError(
                f"stages must have shape ({topology.num_nodes},), one per node, not {stage.shape}"
            )
    xy = _turned(topology, spring_positions(topology))
    low, high = _extent(xy[topology.live])
    width, tall = (high - low).tolist()
    flattest = _FLATTEST if topology.live.any() else 0.2
    height = float(np.clip(WIDTH * tall / width, flattest, _TALLEST))
    figure, (ax,) = new_figure(height + 0.75)
    ax.set_axis_off()
    ax.set_aspect("equal")
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    scale = 72 * min((WIDTH - 0.2) / width, height / tall)  # points per unit
    diameter = _node_diameter(xy[topology.live], scale)
    _draw_wedges(ax, topology, xy, stage, scale, diameter)
    _draw_nodes(ax, topology, xy, stage, diameter)
    _describe(ax, topology, stage if stages is not None else None)
    return figure


def _turned(topology: Topology, xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn the drawing's longer axis across the page, inputs to the left."""
    live = xy[topology.live]
    if len(live) < 2:
        return xy
    middle = live.mean(axis=0)
    _, _, axes = np.linalg.svd(live - middle, full_matrices=False)
    turned: NDArray[np.float64] = (xy - middle) @ axes.T
    heading = turned[topology.outputs, 0], turned[topology.inputs, 0]
    if np.nanmean(heading[0]) < np.nanmean(heading[1]):
        turned[:, 0] *= -1
    return turned


def _extent(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper corner of the drawing, with some air."""
    if not len(points):
        return np.zeros(2), np.array([4.0, 0.1])  # nothing to draw needs little room
    low, high = points.min(axis=0), points.max(axis=0)
    air = _AIR * max(float((high - low).max()), 0.1)
    return low - air, high + air


def _node_diameter(points: NDArray[np.float64], scale: float) -> float:
    """In points; nodes that nearly meet get smaller ones."""
    if len(points) < 2:
        return 16.0
    distance = np.hypot(*(points[:, None] - points[None]).T)
    np.fill_diagonal(distance, np.inf)
    near = float(np.quantile(distance.min(axis=1), 0.25)) * scale
    most = 17.0 if len(points) <= _NUMBERED else 11.0
    return float(np.clip(0.6 * near, 4.0, most))


def _draw_wedges(
    ax: Axes,
    topology: Topology,
    xy: NDArray[np.float64],
    stage: NDArray[np.int64],
    scale: float,
    diameter: float,
) -> None:
    live = topology.live[topology.sources] & topology.live[topology.targets]
    sources, targets = topology.sources[live], topology.targets[live]
    if not len(sources):
        return
    start, end = xy[sources], xy[targets]
    length = np.maximum(np.linalg.norm(end - start, axis=1, keepdims=True), 1e-9)
    along = (end - start) / length
    across = np.column_stack((-along[:, 1], along[:, 0]))
    # The point stops at the rim of the target.
    tip = end - along * np.minimum(diameter / 2 / scale, 0.4 * length)
    crowd = min(1.0, 120 / len(sources))
    half = (0.9 + 1.7 * crowd) / scale
    wedges = np.stack((start + across * half, tip, start - across * half), axis=1)
    opacity = 0.16 + 0.54 * crowd
    colours = [to_rgba(module_colour(int(s)), opacity) for s in stage[sources]]
    ax.add_collection(PolyCollection(list(wedges), facecolors=colours, edgecolors="none", zorder=2))


def _draw_nodes(
    ax: Axes,
    topology: Topology,
    xy: NDArray[np.float64],
    stage: NDArray[np.int64],
    diameter: float,
) -> None:
    roles = np.zeros(topology.num_nodes, dtype=np.int64)
    roles[topology.inputs] += 1
    roles[topology.outputs] += 2
    live = np.flatnonzero(topology.live)
    for role, marker, larger in ((0, "o", 1.0), (1, "s", 1.35), (2, "D", 1.2), (3, "o", 1.0)):
        for k in np.unique(stage[live]):
            nodes = live[(roles[live] == role) & (stage[live] == k)]
            if not len(nodes):
                continue
            ax.plot(
                xy[nodes, 0], xy[nodes, 1], marker, linestyle="none", markersize=diameter * larger,
                markerfacecolor=module_colour(int(k)), zorder=3,
                # A dark rim on inputs and outputs; a light one keeps others apart.
                markeredgecolor=PAPER if role in (0, 3) else INK,
                markeredgewidth=0.8 if role in (0, 3) else 1.6,
            )  # fmt: skip
    if len(live) <= _NUMBERED and diameter >= 9:
        for node in live:
            x, y = xy[node].tolist()
            ax.text(x, y, str(node), ha="center", va="center", color=PAPER,
                    fontsize=0.5 * diameter, zorder=4)  # fmt: skip


def _describe(ax: Axes, topology: Topology, stage: NDArray[np.int64] | None) -> None:
    live = topology.live
    edges = int((live[topology.sources] & live[topology.targets]).sum())
    text = f"{plural(int(live.sum()), 'live node')}, {plural(edges, 'edge')}"
    dead = int((~live).sum())
    text += " (narrow towards their target)" if edges else ""
    title(ax, text + (f"; {plural(dead, 'dead node')} not drawn" if dead else ""))
    if not live.any():
        return
    handles = [
        Line2D([], [], color=INK, marker=m, linestyle="none", markersize=6, label=label)
        for m, label in (("s", "input"), ("D", "output"))
    ]
    if stage is not None:
        handles += [
            Line2D([], [], color=module_colour(int(k)), marker="o", linestyle="none", markersize=7,
                   label=f"stage {k}")
            for k in np.unique(stage)
        ]  # fmt: skip
    legend(ax, handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0),
           ncols=min(len(handles), 8))  # fmt: skip
