"""`FunctionGraph`: a Boolean function as a graph of AND, OR and ID gates.

Paper: neural-sculpting, section 1.1 (gates AND, OR and identity; edges that transfer or negate;
inputs without incoming edges, outputs in order).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from nervure.errors import FunctionGraphError
from nervure.modules.expressions import NAME

Bits = NDArray[np.uint8]
Kind = Literal["AND", "OR", "ID"]

# A truth table has 2^inputs rows; at 20 inputs it is 20 MB of bytes.
MOST_INPUTS = 20


@dataclass(frozen=True)
class Gate:
    """One gate and the edges into it.

    Attributes
    ----------
    name : str
    kind : {"AND", "OR", "ID"}
        ID has one edge, which may negate.
    sources : tuple of str
        Names of what it reads, each once; a leading ``~`` is an edge that negates.
    """

    name: str
    kind: Kind
    sources: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", tuple(self.sources))
        problems = []
        if not NAME.fullmatch(self.name):
            problems.append(f"the name {self.name!r} is no identifier")
        if self.kind not in ("AND", "OR", "ID"):
            problems.append(f"expected the kind AND, OR or ID, got {self.kind!r}")
        if not self.sources or (self.kind == "ID" and len(self.sources) > 1):
            least = "one source" if self.kind == "ID" else "at least one source"
            problems.append(f"expected {least}, got {len(self.sources)}")
        names = [name for name, _ in self.edges]
        if len(set(names)) < len(names):
            problems.append(f"expected every source once, got {', '.join(self.sources)}")
        if problems:
            raise FunctionGraphError(f"gate {self.name}: {'; '.join(problems)}")

    @property
    def edges(self) -> tuple[tuple[str, bool], ...]:
        """Each source's name, and whether the edge negates it."""
        return tuple((source.removeprefix("~"), source.startswith("~")) for source in self.sources)

    def __str__(self) -> str:
        """Write the gate as an expression."""
        return (" & " if self.kind == "AND" else " | ").join(self.sources)


@dataclass(frozen=True)
class FunctionGraph:
    """A Boolean function as inputs, gates and outputs; immutable and compared by content.

    `function_graph` builds one from expressions.

    Attributes
    ----------
    inputs : tuple of str
        In order; inputs that no gate reads are allowed.
    gates : tuple of Gate
        Given in any order, kept level by level, so that each follows those that it reads.
    outputs : tuple of str
        Names of gates, in order. A gate may be an output and be read by others too, which the
        paper's graphs never are.

    Raises
    ------
    FunctionGraphError
        If names clash or are unknown, there is a cycle, or a gate leads to no output.

    Examples
    --------
    >>> graph = FunctionGraph(("x0", "x1"), (Gate("y", "AND", ("x0", "~x1")),), ("y",))
    >>> graph.truth_table()[1].ravel().tolist()
    [0, 0, 1, 0]
    """

    inputs: tuple[str, ...]
    gates: tuple[Gate, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        for field in ("inputs", "gates", "outputs"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        self._check_names()
        before = {gate.name: [name for name, _ in gate.edges] for gate in self.gates}
        try:
            order = list(TopologicalSorter(before).static_order())
        except CycleError as error:
            raise FunctionGraphError(
                f"expected no cycles, got {' -> '.join(error.args[1])}"
            ) from error
        levels: dict[str, int] = {}
        for name in order:
            levels[name] = 1 + max((levels[source] for source in before.get(name, ())), default=-1)
        # A stable sort: what is given level by level stays as it is given.
        gates = sorted(self.gates, key=lambda gate: levels[gate.name])
        object.__setattr__(self, "gates", tuple(gates))
        used = set(self.outputs)
        for gate in reversed(self.gates):
            if gate.name in used:
                used.update(before[gate.name])
        dead = [gate.name for gate in self.gates if gate.name not in used]
        if dead:
            raise FunctionGraphError(
                f"nothing leads from {', '.join(dead)} to an output: remove or name as an output"
            )

    def _check_names(self) -> None:
        names = [*self.inputs, *(gate.name for gate in self.gates)]
        known = set(names)
        problems = [
            f"{name!r} is no identifier" for name in self.inputs if not NAME.fullmatch(name)
        ]
        if len(known) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            problems.append(f"expected every name once, got {', '.join(twice)} more than once")
        problems += [
            f"gate {gate.name} reads {name}, which is neither an input nor a gate"
            for gate in self.gates
            for name, _ in gate.edges
            if name not in known
        ]
        if not self.outputs or len(set(self.outputs)) < len(self.outputs):
            problems.append(f"expected one or more outputs, each once, got {self.outputs}")
        problems += [
            f"the output {name} is no gate (an ID gate passes an input on)"
            for name in self.outputs
            if name not in known.difference(self.inputs)
        ]
        if problems:
            raise FunctionGraphError("; ".join(problems))

    @property
    def num_inputs(self) -> int:
        """Number of inputs."""
        return len(self.inputs)

    @property
    def num_outputs(self) -> int:
        """Number of outputs."""
        return len(self.outputs)

    @cached_property
    def levels(self) -> Mapping[str, int]:
        """Level of every node: 0 for inputs, for a gate one more than the highest that it reads."""
        levels = dict.fromkeys(self.inputs, 0)
        for gate in self.gates:
            levels[gate.name] = 1 + max(levels[name] for name, _ in gate.edges)
        return levels

    @property
    def depth(self) -> int:
        """Hierarchical levels as the paper counts them, the inputs' included (section 5.4)."""
        return 1 + max(self.levels.values())

    @cached_property
    def readers(self) -> Mapping[str, tuple[str, ...]]:
        """For every node the gates that read it; reused is what two or more read (section 1.1)."""
        readers: dict[str, list[str]] = {name: [] for name in self.levels}
        for gate in self.gates:
            for name, _ in gate.edges:
                readers[name].append(gate.name)
        return {name: tuple(gates) for name, gates in readers.items()}

    def evaluate(self, X: ArrayLike, nodes: Iterable[str] | None = None) -> Bits:
        """Give the value of the outputs, or of other nodes.

        Parameters
        ----------
        X : array_like, shape (rows, inputs)
            0 and 1, or False and True.
        nodes : iterable of str, optional
            The outputs by default.

        Returns
        -------
        ndarray of uint8, shape (rows, nodes)

        Raises
        ------
        FunctionGraphError
            If `X` has another shape or other values, or a node is unknown.
        """
        x = np.asarray(X)
        if x.ndim != 2 or x.shape[1] != self.num_inputs:
            raise FunctionGraphError(
                f"expected X of shape (rows, {self.num_inputs}), got {x.shape}"
            )
        bits = x.astype(bool)
        if not np.array_equal(bits, x):
            raise FunctionGraphError("expected X of 0 and 1 only")
        values: dict[str, NDArray[np.bool_]] = dict(zip(self.inputs, bits.T, strict=True))
        for gate in self.gates:
            join = np.logical_and if gate.kind == "AND" else np.logical_or
            values[gate.name] = join.reduce(
                [values[name] ^ negated for name, negated in gate.edges]
            )
        wanted = self.outputs if nodes is None else tuple(nodes)
        unknown = [name for name in wanted if name not in values]
        if unknown:
            raise FunctionGraphError(
                f"no node named {', '.join(unknown)}; see levels for all names"
            )
        columns = np.empty((len(x), len(wanted)), dtype=np.uint8)
        for i, name in enumerate(wanted):
            columns[:, i] = values[name]
        return columns

    def truth_table(self, dtype: DTypeLike = np.uint8) -> tuple[NDArray[Any], NDArray[Any]]:
        """Give every row of inputs and its outputs.

        Parameters
        ----------
        dtype : dtype
            Such as ``numpy.float32``, to train on.

        Returns
        -------
        X : ndarray, shape (2^inputs, inputs)
            Rows count upwards in binary, the first input the highest bit.
        Y : ndarray, shape (2^inputs, outputs)

        Raises
        ------
        FunctionGraphError
            For more than 20 inputs.
        """
        X = truth_table_inputs(self.num_inputs)
        return X.astype(dtype), self.evaluate(X).astype(dtype)

    def dependencies(self) -> dict[str, tuple[str, ...]]:
        """Give for each output the inputs that can change it.

        Read off the truth table: an input from which paths lead to an output may cancel out.
        """
        table = self.evaluate(truth_table_inputs(self.num_inputs))
        cube = table.reshape(*[2] * self.num_inputs, self.num_outputs)
        changes = [
            (cube.take(0, axis) != cube.take(1, axis)).reshape(-1, self.num_outputs).any(axis=0)
            for axis in range(self.num_inputs)
        ]
        return {
            output: tuple(
                name for name, change in zip(self.inputs, changes, strict=True) if change[i]
            )
            for i, output in enumerate(self.outputs)
        }

    def to_networkx(self) -> nx.DiGraph:
        """Give the graph: nodes have ``kind`` (INPUT or a gate's) and ``level``, edges ``negated``.

        Order and names of inputs and outputs are the graph's ``inputs`` and ``outputs``.
        """
        graph = nx.DiGraph(inputs=self.inputs, outputs=self.outputs)
        for name in self.inputs:
            graph.add_node(name, kind="INPUT", level=0)
        for gate in self.gates:
            graph.add_node(gate.name, kind=gate.kind, level=self.levels[gate.name])
            for name, negated in gate.edges:
                graph.add_edge(name, gate.name, negated=negated)
        return graph

    def __str__(self) -> str:
        """Write a gate a line, as `function_graph` reads them."""
        return "\n".join(f"{gate.name} = {gate}" for gate in self.gates)

    def __repr__(self) -> str:
        edges = sum(len(gate.sources) for gate in self.gates)
        return (
            f"FunctionGraph({self.num_inputs} inputs, {len(self.gates)} gates, {edges} edges, "
            f"{self.num_outputs} outputs, depth {self.depth})"
        )


def truth_table_inputs(count: int) -> Bits:
    """Give all rows of `count` bits, counting upwards, the first column the highest bit.

    Raises
    ------
    FunctionGraphError
        For more than 20 bits.
    """
    if count > MOST_INPUTS:
        raise FunctionGraphError(
            f"expected at most {MOST_INPUTS} inputs for a truth table, got {count}"
        )
    rows = np.arange(2**count, dtype=np.uint32)[:, None]
    return (rows >> np.arange(count - 1, -1, -1, dtype=np.uint32) & 1).astype(np.uint8)
