"""What of a wiring can matter: its live units, in layers, each cycle kept as one unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nervure.errors import TopologyError
from nervure.topology import Topology

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LiveUnits:
    """The part of a wiring in which modules are looked for.

    A unit is a node, or all nodes of a strongly connected component, which stay together. Arrays
    are by unit, in the order of `nodes`, or by edge between two units.

    Attributes
    ----------
    topology : Topology
        The whole wiring.
    nodes : ndarray of int64
        A node of each unit, the lowest of a component: what the unit is called.
    unit_of : ndarray of int64
        Unit of each node of the wiring, as a place in `nodes`; -1 if it was dropped.
    layers : ndarray of int64
        Layer of each unit.
    sources, targets, counts : ndarray of int64
        Which unit feeds which, as places in `nodes`, and by how many edges.
    """

    topology: Topology
    nodes: Ints
    unit_of: Ints
    layers: Ints
    sources: Ints
    targets: Ints
    counts: Ints

    @property
    def dropped(self) -> Ints:
        """Nodes that no path from an input to an output needs."""
        return np.flatnonzero(self.unit_of < 0)

    @property
    def num_edges(self) -> int:
        """Edges between nodes that were kept, those inside components included."""
        kept = self.unit_of >= 0
        return int((kept[self.topology.sources] & kept[self.topology.targets]).sum())

    @cached_property
    def sinks(self) -> NDArray[np.bool_]:
        """Which units feed no other: outputs that nothing reads further."""
        feeds: NDArray[np.bool_] = np.bincount(self.sources, minlength=len(self.nodes)) > 0
        return ~feeds

    @cached_property
    def reachable(self) -> NDArray[np.bool_]:
        """Whether a path leads from one unit (row) to another (column).

        Notes
        -----
        O(units * edges) bits of work and O(units^2) bytes.
        """
        size = len(self.nodes)
        reach = np.zeros((size, size), dtype=np.bool_)
        by_source = np.argsort(self.sources, kind="stable")
        ends = self.targets[by_source]
        starts = np.searchsorted(self.sources[by_source], np.arange(size + 1))
        # Last layer first: what a unit feeds then knows already what it reaches.
        for unit in np.argsort(-self.layers, kind="stable"):
            fed = ends[starts[unit] : starts[unit + 1]]
            reach[unit] = reach[fed].any(axis=0)
            reach[unit, fed] = True
        return reach


def live_units(topology: Topology, sizes: Sequence[int] | None = None) -> LiveUnits:
    """Drop what is dead, put every component together and find the layers.

    Inputs without outgoing edges and hidden nodes without incoming or outgoing edges are dropped
    until none is left, so that exactly the nodes on paths from inputs to outputs remain; outputs
    stay whatever they read, a node without edges that is input and output at once does not.

    Parameters
    ----------
    topology : Topology
    sizes : sequence of int, optional
        Nodes of each layer, inputs first, where nodes are numbered layer by layer. Without it, a
        unit's layer is the longest path that leads to it: for networks of layers that is the same.

    Returns
    -------
    LiveUnits

    Raises
    ------
    TopologyError
        When these are not the layers of the topology.

    Notes
    -----
    O(nodes + e log e). Paper: neural-sculpting, section 4; what is dropped follows the authors'
    code.
    """
    kept = topology.live.copy()
    kept[topology.outputs] = True
    both = np.intersect1d(topology.inputs, topology.outputs)
    inside = kept[topology.sources] & kept[topology.targets]
    touched = np.zeros(topology.num_nodes, dtype=np.bool_)
    touched[topology.sources[inside]] = touched[topology.targets[inside]] = True
    kept[both[~touched[both]]] = False
    core = topology.keep(inside)

    labels = core.components.labels
    nodes, first = np.unique(labels[kept], return_index=True)
    lowest = np.flatnonzero(kept)[first]
    by_node = np.argsort(lowest)
    place = np.full(core.components.count, -1, dtype=np.int64)
    place[nodes[by_node]] = np.arange(len(nodes))
    unit_of = np.where(kept, place[labels], -1)
    lowest = lowest[by_node].astype(np.int64)

    layers = core.levels[lowest].astype(np.int64) if sizes is None else _given(core, kept, sizes)
    if sizes is None:
        # An output that reads nothing stands with the last ones, not before everything.
        layers[~touched[lowest]] = layers.max(initial=0)
    else:
        layers = layers[lowest]
    starts, ends = unit_of[core.sources], unit_of[core.targets]
    between = starts != ends
    size = max(1, len(lowest))
    keys, counts = np.unique(starts[between] * size + ends[between], return_counts=True)
    return LiveUnits(topology, lowest, unit_of, layers, keys // size, keys % size, counts)


def _given(core: Topology, kept: NDArray[np.bool_], sizes: Sequence[int]) -> Ints:
    """Layer of each node by the sizes of layers."""
    if len(sizes) < 2 or min(sizes) < 1 or sum(sizes) != core.num_nodes:
        raise TopologyError(
            f"layers: expected the sizes of at least two layers, {core.num_nodes} nodes in all, "
            f"got {list(sizes)}"
        )
    layers = np.repeat(np.arange(len(sizes)), sizes)
    back = layers[core.sources] >= layers[core.targets]
    if back.any():
        source, target = core.edges[np.argmax(back)].tolist()
        raise TopologyError(
            f"layers: with {list(sizes)} the edge {source} -> {target} does not lead to a later "
            "layer; leave layers out, and they are found by the longest paths"
        )
    # Layers that lost all their nodes do not count.
    remaining = np.unique(layers[kept])
    return np.searchsorted(remaining, layers)
