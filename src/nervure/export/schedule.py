"""In which steps a graph is computed: levels of nodes, and cycles that are swept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nervure.engine.activations import NAMES
from nervure.export.node_graph import Floats, Ints, NodeGraph
from nervure.topology import Topology

Bools = NDArray[np.bool_]

# |f| is at most 1, so that the scale of a tolerance, max(1, |a|), is 1 for any of them together.
_BOUNDED = [NAMES.index(name) for name in ("tanh", "sigmoid")]
# Nodes of several components that are swept as one; their weights are kept as one square matrix.
_SWEPT_TOGETHER = 512


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges from some nodes into others, as entries of a matrix [source, target].

    Attributes
    ----------
    sources : ndarray of int64
        Nodes that are read, each once, rising.
    width : int
        Number of targets.
    rows, columns : ndarray of int64, shape (edges,)
        Positions among the sources and among the targets.
    weights : ndarray of float64, shape (edges,)
    """

    sources: Ints
    width: int
    rows: Ints
    columns: Ints
    weights: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix."""
        return len(self.sources), self.width

    def matrix(self) -> Floats:
        """Give the matrix [source, target], zero where there is no edge."""
        dense = np.zeros(self.shape)
        dense[self.rows, self.columns] = self.weights
        return dense


@dataclass(frozen=True, eq=False)
class Level:
    """Nodes of one activation, none of which reads another: a = f(z + edges).

    Attributes
    ----------
    nodes : ndarray of int64
    code : int
        Of the activation.
    driven : bool
        Whether all of them have a drive; otherwise none has.
    edges : Edges
        All that come in.
    """

    nodes: Ints
    code: int
    driven: bool
    edges: Edges


@dataclass(frozen=True, eq=False)
class Cycle:
    """Components with cycles that are swept together.

    A sweep takes the old values through `back`, adds what comes from outside, and goes through
    `levels`: a pass of Gauss-Seidel in the order of the graph, of which the levels are those of the
    edges that point forward in it.

    Attributes
    ----------
    nodes : ndarray of int64
        In the order of the levels.
    entering : tuple of Level
        What comes from outside, into those with a drive and those without; their codes mean
        nothing.
    back : Edges
        Between positions in `nodes`, from nodes that come later in the order of the graph.
    levels : tuple of Level
        Of positions in `nodes`; each is a range.
    bounded : bool
        Whether no value can be larger than 1.
    components : int
    """

    nodes: Ints
    entering: tuple[Level, ...]
    back: Edges
    levels: tuple[Level, ...]
    bounded: bool
    components: int


Step = Level | Cycle


def schedule(graph: NodeGraph) -> tuple[Step, ...]:
    """Give the steps in which the nodes of a graph are computed, each after those it reads.

    Notes
    -----
    O(depth * nodes + edges log edges). Nodes of one depth, with one activation, and with a drive or
    without, are one level.
    """
    topology = graph.topology
    driven = np.zeros(topology.num_nodes, dtype=bool)
    driven[topology.inputs] = True
    cyclic = topology.components.cyclic[topology.components.labels]
    steps: list[Step] = []
    for depth in range(topology.depth + 1 if topology.num_nodes else 0):
        here = topology.levels == depth
        plain, swept = np.flatnonzero(here & ~cyclic), np.flatnonzero(here & cyclic)
        steps += _levels(topology, graph.weight, graph.codes, driven, plain)
        steps += [_cycle(graph, driven, part) for part in _parts(graph, swept)]
    return tuple(steps)


def _levels(
    topology: Topology, weight: Floats, codes: Ints, driven: Bools, nodes: Ints
) -> Iterator[Level]:
    """Split nodes of one depth."""
    for has_drive in (True, False):
        for code in np.unique(codes[nodes]).tolist():
            chosen = nodes[(codes[nodes] == code) & (driven[nodes] == has_drive)]
            if len(chosen):
                slots = _slots(topology, chosen)
                yield Level(chosen, code, has_drive, _edges(topology, weight, slots, chosen))


def _slots(topology: Topology, nodes: Ints) -> Ints:
    """Positions of the edges into some nodes."""
    rows = zip(topology.indptr[nodes].tolist(), topology.indptr[nodes + 1].tolist(), strict=True)
    return np.concatenate([np.arange(0), *(np.arange(*row) for row in rows)])


def _edges(topology: Topology, weight: Floats, slots: Ints, nodes: Ints) -> Edges:
    """Take some edges out, all of them into some nodes."""
    sources, rows = np.unique(topology.sources[slots].astype(np.int64), return_inverse=True)
    rising = np.argsort(nodes)
    columns = rising[np.searchsorted(nodes, topology.targets[slots], sorter=rising)]
    return Edges(sources, len(nodes), rows, columns, weight[slots])


def _parts(graph: NodeGraph, nodes: Ints) -> Iterator[Ints]:
    """Divide the cyclic nodes of a depth into those that are swept together, each in order.

    Components apart if their values are not bounded: the tolerance of one must not be measured by
    the values of another.
    """
    labels = graph.topology.components.labels[nodes]
    together: list[Ints] = []
    for component in np.unique(labels):
        part = nodes[labels == component]
        if not np.isin(graph.codes[part], _BOUNDED).all():
            yield _in_order(graph, part)
            continue
        if together and sum(map(len, together)) + len(part) > _SWEPT_TOGETHER:
            yield _in_order(graph, np.concatenate(together))
            together = []
        together.append(part)
    if together:
        yield _in_order(graph, np.concatenate(together))


def _in_order(graph: NodeGraph, nodes: Ints) -> Ints:
    chosen = np.zeros(graph.topology.num_nodes, dtype=bool)
    chosen[nodes] = True
    return graph.order[chosen[graph.order]]


def _cycle(graph: NodeGraph, driven: Bools, part: Ints) -> Cycle:
    topology = graph.topology
    # Numbered as they are swept, so that an edge points forward where its numbers rise.
    inside = topology.subgraph(part)
    weight = graph.weight[inside.edge_positions_in(topology, part)]
    forward = inside.sources < inside.targets
    depth = inside.keep(forward).levels
    nodes = np.lexsort((np.arange(len(part)), graph.codes[part], depth))
    local = np.argsort(nodes)
    ends = local[inside.edges]
    every = np.arange(len(part))
    ahead, ahead_weight = _graph_of(len(part), ends[forward], weight[forward])
    behind, behind_weight = _graph_of(len(part), ends[~forward], weight[~forward])
    chosen = part[nodes]
    member = np.zeros(topology.num_nodes, dtype=bool)
    member[chosen] = True
    entering = []
    for has_drive in (True, False):
        own = chosen[driven[chosen] == has_drive]
        slots = _slots(topology, own)
        slots = slots[~member[topology.sources[slots]]]
        if len(own):
            edges = _edges(topology, graph.weight, slots, own)
            entering.append(Level(own, 0, has_drive, edges))
    return Cycle(
        nodes=chosen,
        entering=tuple(entering),
        back=_edges(behind, behind_weight, np.arange(behind.num_edges), every),
        levels=tuple(
            level
            for now in range(int(depth.max()) + 1)
            for level in _levels(
                ahead,
                ahead_weight,
                graph.codes[chosen],
                np.ones(len(part), dtype=bool),
                every[depth[nodes] == now],
            )
        ),
        bounded=bool(np.isin(graph.codes[part], _BOUNDED).all()),
        components=len(np.unique(topology.components.labels[part])),
    )


def _graph_of(count: int, ends: Ints, weight: Floats) -> tuple[Topology, Floats]:
    """Give edges as a graph, and their weights in its edge order."""
    topology = Topology.from_edges(ends.reshape(-1, 2), num_nodes=count, inputs=[], outputs=[])
    return topology, weight[np.lexsort((ends[:, 0], ends[:, 1]))]
