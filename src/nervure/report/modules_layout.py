"""Where things go in pictures of modules: columns from inputs at the left to outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nervure.modules import Detection, Hierarchy

_SWEEPS = 8
Key: TypeAlias = tuple[str, ...]


def unit_positions(
    detection: Detection, module_of: NDArray[np.int64], loosest: float = 4.0
) -> NDArray[np.float64]:
    """Place live nodes in their layers, those of a module next to each other.

    Parameters
    ----------
    detection : Detection
    module_of : ndarray of int64
        Module of each node; -1 for those that are not placed.
    loosest : float
        The most room for a node of a short layer.

    Returns
    -------
    ndarray of float64, shape (nodes, 2)
        Layers are 1 apart, and so are the nodes of the longest layer; shorter ones have more room.
        nan where nothing is placed.

    Notes
    -----
    O((nodes log nodes + edges) * sweeps): modules, and units inside them, are sorted by the mean
    height of what they are joined to (Sugiyama, Tagawa and Toda 1981).
    """
    topology, layer_of = detection.topology, detection.layer_of
    # Reversed, so that of units that are joined alike the first stands highest.
    columns = [np.flatnonzero(layer_of == i)[::-1] for i in range(len(detection.layers))]
    tall = max(len(column) for column in columns)
    live = np.flatnonzero(module_of >= 0)
    ends = np.concatenate((topology.sources, topology.targets))
    others = np.concatenate((topology.targets, topology.sources))
    between = (module_of[ends] >= 0) & (module_of[others] >= 0)
    ends, others = ends[between], others[between]
    degree = np.maximum(1, np.bincount(ends, minlength=topology.num_nodes))
    height = -module_of.astype(np.float64)
    xy = np.full((topology.num_nodes, 2), np.nan)
    for _ in range(_SWEEPS):
        pulled = np.bincount(ends, weights=height[others], minlength=topology.num_nodes) / degree
        total = np.bincount(module_of[live], weights=(height + pulled)[live])
        mean = total / np.maximum(1, np.bincount(module_of[live]))
        for layer, column in enumerate(columns):
            ordered = column[
                np.lexsort((pulled[column], module_of[column], mean[module_of[column]]))
            ]
            step = min(loosest, tall / max(1, len(ordered)))
            height[ordered] = step * (np.arange(len(ordered)) - (len(ordered) - 1) / 2)
            xy[column] = np.column_stack((np.full(len(column), layer), height[column]))
    return xy


@dataclass(frozen=True)
class Box:
    """A rectangle of a picture, by its centre and its extents, in inches."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, eq=False)
class HierarchyLayout:
    """Places of modules, of the names of their inputs and outputs, and of the lines between.

    Attributes
    ----------
    boxes : dict
        By ("module", name), ("inputs", name) and ("outputs", name): a module's own inputs and
        outputs stand as one box each, at the left and at the right.
    lines : list of (from, to, edges, points)
        `edges` is 0 for lines from inputs and to outputs; points lead round what is in the way.
    """

    boxes: dict[Key, Box]
    lines: list[tuple[Key, Key, int, NDArray[np.float64]]]


def hierarchy_layout(
    hierarchy: Hierarchy, sizes: Mapping[str | Key, tuple[float, float]], gaps: tuple[float, float]
) -> HierarchyLayout:
    """Place modules in columns by level, inputs left of all, outputs right of all.

    Parameters
    ----------
    hierarchy : Hierarchy
    sizes : mapping of str or (str, str) to (width, height)
        Of "module", "inputs", "outputs", and of "way", the room of a line that passes a column. A
        box of its own size has it by its key, such as ("module", "M1").
    gaps : (float, float)
        Between columns, and between boxes in a column.

    Returns
    -------
    HierarchyLayout

    Notes
    -----
    Columns are sorted, then moved, to the mean height of what they are joined to (Sugiyama, Tagawa
    and Toda 1981); a line that skips columns has a place of its own in each.
    """
    links = _links(hierarchy)
    column: dict[Key, int] = {("module", m.name): m.level + 1 for m in hierarchy.modules}
    last = len(hierarchy.levels) + 1
    for source, target, _ in links:
        column.setdefault(source, 0)
        column.setdefault(target, last)
    routes: list[tuple[Key, ...]] = []
    for source, target, _ in links:
        through = range(column[source] + 1, column[target])
        ways = [("way", *source, *target, str(c)) for c in through]
        column.update(zip(ways, through, strict=True))
        routes.append((source, *ways, target))
    columns: list[list[Key]] = [[k for k, c in column.items() if c == i] for i in range(last + 1)]
    size = {k: sizes[k] if k in sizes else sizes[k[0]] for k in column}
    height = {k: size[k][1] for k in column}
    y = _heights(columns, routes, height, gaps[1])
    boxes: dict[Key, Box] = {}
    left = 0.0
    for members in columns:
        width = max((size[key][0] for key in members), default=0.0)
        for key in members:
            # A line that passes goes level through all of its column.
            own = width if key[0] == "way" else size[key][0]
            boxes[key] = Box(left + width / 2, y[key], own, height[key])
        left += width + gaps[0] if members else 0.0
    lines = [
        (source, target, edges, _points([boxes[k] for k in route]))
        for (source, target, edges), route in zip(links, routes, strict=True)
    ]
    return HierarchyLayout({k: b for k, b in boxes.items() if k[0] != "way"}, lines)


def _links(hierarchy: Hierarchy) -> list[tuple[Key, Key, int]]:
    links: list[tuple[Key, Key, int]] = []
    for module in hierarchy.modules:
        this = ("module", module.name)
        if module.inputs:
            links.append((("inputs", module.name), this, 0))
        links += [(this, ("module", name), edges) for name, edges in module.feeds.items()]
        if module.outputs:
            links.append((this, ("outputs", module.name), 0))
    return links


def _heights(
    columns: Sequence[list[Key]],
    routes: Sequence[Sequence[Key]],
    height: Mapping[Key, float],
    gap: float,
) -> dict[Key, float]:
    """Sort every column and place its members, near what they are joined to, without overlap."""
    beside: dict[Key, list[Key]] = {k: [] for members in columns for k in members}
    for route in routes:
        for a, b in pairwise(route):
            beside[a].append(b)
            beside[b].append(a)
    y: dict[Key, float] = {}
    for members in columns:
        y.update((k, -float(i)) for i, k in enumerate(members))
    for sweep in range(_SWEEPS):
        for members in columns if sweep % 2 == 0 else columns[::-1]:
            wish = {k: float(np.mean([y[b] for b in beside[k]] or [y[k]])) for k in members}
            members.sort(key=lambda k: -wish[k])
            low = np.inf
            for k in members:
                y[k] = min(wish[k], low - height[k] / 2)
                low = y[k] - height[k] / 2 - gap
            shift = float(np.mean([wish[k] - y[k] for k in members] or [0.0]))
            y.update((k, y[k] + shift) for k in members)
    return y


def _points(route: Sequence[Box]) -> NDArray[np.float64]:
    """Lead from the right side of the first box to the left side of the last."""
    first, last = route[0], route[-1]
    start = (first.x + first.width / 2, first.y)
    if first.x == last.x:
        # Modules that feed each other share a column: out at the right, and in again there.
        return np.array([start, (start[0] + 0.3, (first.y + last.y) / 2), (start[0], last.y)])
    points = [start]
    for way in route[1:-1]:
        points += [(way.x - way.width / 2, way.y), (way.x + way.width / 2, way.y)]
    return np.array([*points, (last.x - last.width / 2, last.y)])
