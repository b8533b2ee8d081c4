"""A graph of single nodes as ONNX operators."""

from __future__ import annotations

import numpy as np

from nervure.export.node_graph import Ints, NodeGraph
from nervure.export.onnx_builder import Builder, Columns
from nervure.export.onnx_cycles import Sweeping, solved
from nervure.export.onnx_levels import activated, parted, weighted
from nervure.export.schedule import Cycle, Edges, Level, Step, schedule


def add_node_graph(
    builder: Builder, graph: NodeGraph, x: str, sweeping: Sweeping
) -> tuple[str, str | None, str]:
    """Add a graph.

    Parameters
    ----------
    builder : Builder
    graph : NodeGraph
    x : str
        Tensor (batch, features).
    sweeping : Sweeping

    Returns
    -------
    output : str
        Tensor (batch, outputs).
    change : str or None
        Tensor (batch,): the largest change of the last sweeps of a row; None if there are no
        cycles, or so many sweeps and no more.
    what : str
        How it is computed, in words.
    """
    steps = schedule(graph)
    writing = _Writing(builder, graph, x, sweeping)
    writing.take_drives(steps)
    for step in steps:
        if isinstance(step, Level):
            writing.level(step)
        else:
            writing.cycle(step)
    change = None
    if writing.changes:
        change = writing.changes[0]
        if len(writing.changes) > 1:
            # As inside of a loop, the largest alone need not tell of a nan.
            lost = builder.nan_if_lost(builder.add("Sum", *writing.changes))
            change = builder.add("Add", builder.add("Max", *writing.changes), lost)
        change = builder.add("Squeeze", change, builder.shape(1))
    return writing.output(), change, _in_words(steps, sweeping)


class _Writing:
    """Values so far, and where drives come from."""

    def __init__(self, builder: Builder, graph: NodeGraph, x: str, sweeping: Sweeping) -> None:
        self.builder, self.graph, self.x, self.sweeping = builder, graph, x, sweeping
        self.values = Columns(builder, graph.topology.num_nodes + 1)
        self.changes: list[str] = []

    def take_drives(self, steps: tuple[Step, ...]) -> None:
        """Note the drive of every node that has one; an encoder is one Gemm."""
        graph, builder = self.graph, self.builder
        nodes = graph.topology.num_nodes
        self.drives = Columns(builder, nodes + graph.features)
        inputs = graph.topology.inputs.astype(np.int64)
        if graph.encoder is None:
            # A feature that drives nothing has a number beyond those of the nodes.
            of_feature = nodes + np.arange(graph.features)
            of_feature[graph.columns] = inputs
            self.drives.put(self.x, of_feature)
            return
        parts = [
            part
            for step in steps
            for part in ([step] if isinstance(step, Level) else step.entering)
            if part.driven
        ]
        if not parts:
            return
        order = np.concatenate([part.nodes for part in parts])
        row = np.empty(nodes, dtype=np.int64)
        row[inputs] = np.arange(len(inputs))
        drive = builder.add(
            "Gemm",
            self.x,
            builder.constant(graph.encoder[row[order]].T, "encoder"),
            builder.constant(graph.bias[order], "bias"),
        )
        for part, piece in zip(parts, parted(builder, drive, parts), strict=True):
            self.drives.put(piece, part.nodes)

    def level(self, level: Level) -> None:
        """Compute a level."""
        z = weighted(self.builder, self.values, level.edges, self._addend(level))
        self.values.put(activated(self.builder, z, level.code, self.graph.leak), level.nodes)

    def cycle(self, cycle: Cycle) -> None:
        """Solve a cycle."""
        outside = Columns(self.builder, self.graph.topology.num_nodes)
        for part in cycle.entering:
            addend = self._addend(part)
            if not part.driven and not len(part.edges.weights):
                addend = self._for_each_row(addend, len(part.nodes))
            outside.put(weighted(self.builder, self.values, part.edges, addend), part.nodes)
        base = outside.take_exactly(cycle.nodes)
        values, change = solved(self.builder, cycle, base, self.graph.leak, self.sweeping)
        self.values.put(values, cycle.nodes)
        if change is not None:
            self.changes.append(change)

    def output(self) -> str:
        """Compute the outputs."""
        graph, builder = self.graph, self.builder
        bias = graph.output_bias
        if graph.decoder is not None and len(graph.places):
            edges = _matrix(graph.decoder, graph.places)
            return weighted(builder, self.values, edges, builder.constant(bias, "bias"))
        if graph.decoder is not None or (graph.places < 0).all():
            return self._for_each_row(builder.constant(bias, "bias"), len(bias))
        varies = graph.places >= 0
        if varies.all():
            return self.values.take_exactly(graph.places)
        both = Columns(builder, graph.topology.num_nodes + len(bias))
        both.put(*self.values.take(np.unique(graph.places[varies])))
        constants = graph.topology.num_nodes + np.arange((~varies).sum())
        held = builder.constant(bias[~varies], "constants")
        both.put(self._for_each_row(held, len(constants)), constants)
        places = graph.places.copy()
        places[~varies] = constants
        return both.take_exactly(places)

    def _addend(self, part: Level) -> str:
        """Drive and biases of some nodes."""
        bias = self.graph.bias[part.nodes]
        if not part.driven:
            return self.builder.constant(bias, "bias")
        drive = self.drives.take_exactly(part.nodes)
        if self.graph.encoder is not None or not bias.any():
            return drive
        return self.builder.add("Add", drive, self.builder.constant(bias, "bias"))

    def _for_each_row(self, row: str, width: int) -> str:
        rows = self.builder.add("Shape", self.x, start=0, end=1)
        shape = self.builder.add("Concat", rows, self.builder.shape(width), axis=0)
        return self.builder.add("Expand", row, shape)


def _matrix(dense: np.ndarray, sources: Ints) -> Edges:
    """Take a matrix [target, source] as edges."""
    rising = np.argsort(sources)
    rows, columns = np.nonzero(np.ones_like(dense.T))
    return Edges(sources[rising], len(dense), rows, columns, dense.T[rising].reshape(-1))


def _in_words(steps: tuple[Step, ...], sweeping: Sweeping) -> str:
    cycles = [step for step in steps if isinstance(step, Cycle)]
    if not cycles:
        return "no cycles: exact, level by level"
    count = sum(cycle.components for cycle in cycles)
    nodes = sum(len(cycle.nodes) for cycle in cycles)
    components = "1 component" if count == 1 else f"{count} components"
    return f"{components} with cycles, {nodes} nodes: {sweeping}; the rest exact, level by level"
