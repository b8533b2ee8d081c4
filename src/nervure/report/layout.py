"""Where the nodes of a drawn graph go."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nervure.topology import Topology

_GOLDEN = math.pi * (3 - math.sqrt(5))
_FLATTEST = 0.5  # height by width
_POLYGON = 14  # modules up to this size are a ring; larger ones fill a disc
_GAP = 1.1  # between things in a column; a node takes about one unit


@dataclass(frozen=True, eq=False)
class Layout:
    """Positions in a plane whose unit is roughly the room of one node.

    Attributes
    ----------
    nodes : ndarray of int64
        The nodes that are placed: those with an edge.
    xy : ndarray of float64, shape (all nodes, 2)
        nan for nodes that are not placed.
    modules : list of (x, y, radius, size)
        Discs of the modules, in condensation order.
    """

    nodes: NDArray[np.int64]
    xy: NDArray[np.float64]
    modules: list[tuple[float, float, float, int]]


def lay_out(topology: Topology) -> Layout:
    """Place modules as discs from left to right in condensation order, other nodes in between.

    Parameters
    ----------
    topology : Topology

    Returns
    -------
    Layout

    Notes
    -----
    A component's column is its longest-path depth, so that every edge between components leads to
    the right; in a column components are sorted by the mean height of what feeds them (Sugiyama,
    Tagawa and Toda 1981, one pass). O(nodes log nodes + edges).
    """
    components = topology.components
    used = (topology.in_degree + topology.out_degree) > 0
    first = components.order[components.offsets[:-1]]
    placed = np.flatnonzero(used[first])
    level = topology.levels[first]
    radius = np.array([_radius(int(size)) for size in components.sizes])
    area = float(((2 * radius[placed] + _GAP) ** 2).sum())
    height = max(2 * float(radius[placed].max(initial=0.5)), 0.75 * math.sqrt(area))
    columns = [placed[level[placed] == depth] for depth in np.unique(level[placed])]
    centre, width = _arranged(topology, columns, radius, height)
    if height < _FLATTEST * width:
        # A deep graph would be a ribbon: use the height that a page has anyway.
        centre, _ = _arranged(topology, columns, radius, _FLATTEST * width)
    return _filled(topology, placed, centre, radius)


def _arranged(
    topology: Topology,
    columns: list[NDArray[np.int64]],
    radius: NDArray[np.float64],
    height: float,
) -> tuple[NDArray[np.float64], float]:
    """Centres of all components, and the width they take."""
    centre = np.full((topology.components.count, 2), math.nan)
    feeding = _mean_source_height(topology, centre)
    x = 0.0
    for members in columns:
        wish = np.nan_to_num(feeding(members), nan=0.0)
        # Stable: what is fed alike stays in condensation order.
        ordered = members[np.argsort(wish, kind="stable")]
        for group in _stacks(ordered, radius, height):
            reach = float(radius[group].max())
            room = 2 * radius[group] + _GAP
            # Stretched to the full height where there are at least two, centred otherwise.
            room += max(0.0, height - float(room.sum())) / len(group)
            centre[group, 1] = np.cumsum(room) - room / 2 - float(room.sum()) / 2
            centre[group, 0] = x + reach
            x += 2 * reach + _GAP
        x += 1.2 * _GAP
    return centre, x


def _radius(size: int) -> float:
    if size == 1:
        return 0.5
    if size <= _POLYGON:
        return 0.75 + 0.5 / math.sin(math.pi / size)
    return 0.8 + 0.62 * math.sqrt(size)


def _mean_source_height(
    topology: Topology, centre: NDArray[np.float64]
) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    labels = topology.components.labels
    ends = labels[topology.targets]
    starts = labels[topology.sources]
    between = starts != ends
    starts, ends = starts[between], ends[between]
    order = np.argsort(ends, kind="stable")
    starts, ends = starts[order], ends[order]

    def heights(members: NDArray[np.int64]) -> NDArray[np.float64]:
        low, high = np.searchsorted(ends, members), np.searchsorted(ends, members, "right")
        return np.array(
            [
                float(centre[starts[a:b], 1].mean()) if b > a else math.nan
                for a, b in zip(low, high, strict=True)
            ]
        )

    return heights


def _stacks(
    members: NDArray[np.int64], radius: NDArray[np.float64], height: float
) -> list[NDArray[np.int64]]:
    """Cut a column that is too tall into several beside each other; nothing joins its members."""
    room = 2 * radius[members] + _GAP
    stacks = max(1, math.ceil(float(room.sum()) / (height + _GAP)))
    share = np.minimum(
        ((np.cumsum(room) - room / 2) / room.sum() * stacks).astype(np.int64), stacks - 1
    )
    return [members[share == i] for i in range(stacks) if (share == i).any()]


def _filled(
    topology: Topology,
    placed: NDArray[np.int64],
    centre: NDArray[np.float64],
    radius: NDArray[np.float64],
) -> Layout:
    components = topology.components
    xy = np.full((topology.num_nodes, 2), math.nan)
    modules = []
    for c in placed:
        nodes = components.order[components.offsets[c] : components.offsets[c + 1]]
        size = len(nodes)
        k = np.arange(size)
        angle: NDArray[Any] = _GOLDEN * k
        ring: NDArray[Any] = 0.62 * np.sqrt(k + 0.5)
        if size <= _POLYGON:
            angle = 2 * math.pi * k / size + math.pi / 2
            ring = np.full(size, radius[c] - 0.75 if size > 1 else 0.0)
        xy[nodes] = centre[c] + np.column_stack((ring * np.cos(angle), ring * np.sin(angle)))
        if size > 1:
            x, y = centre[c].tolist()
            modules.append((x, y, float(radius[c]), size))
    return Layout(np.flatnonzero(np.isfinite(xy[:, 0])), xy, modules)
