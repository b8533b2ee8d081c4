"""Modules as nodes of a graph: which feeds which, what each takes in and gives out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Self

import networkx as nx
import numpy as np

from nervure.errors import TopologyError
from nervure.modules.detection import Detection
from nervure.modules.unit_formula import UnitFormula, formula_lines
from nervure.modules.wording import counted, listed
from nervure.topology import Topology


@dataclass(frozen=True)
class Module:
    """One module and its place among the others.

    Attributes
    ----------
    name : str
        "M1", "M2", ...; lower levels first.
    nodes : tuple of int
        Its nodes, as the topology numbers them.
    layers : tuple of int
        Layers in which it has nodes; 0 is where the inputs are.
    inputs, outputs : tuple of int
        Inputs and outputs that are nodes of its own, by their places in the topology's roles.
    depends_on : tuple of int
        Inputs, by their places, from which a path leads into it, its own included.
    reads, feeds : dict of str to int
        Modules that it reads and that it feeds, with the number of edges.
    level : int
        Longest chain of modules that leads to it; modules that feed each other share a level.
    formulas : tuple of UnitFormula
        What its units compute that leave it; empty unless given (`Hierarchy.with_formulas`).
    """

    name: str
    nodes: tuple[int, ...]
    layers: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    depends_on: tuple[int, ...]
    reads: dict[str, int]
    feeds: dict[str, int]
    level: int
    formulas: tuple[UnitFormula, ...] = ()

    @property
    def reuse(self) -> int:
        """How often it is used: modules that read it and outputs that it gives."""
        return len(self.feeds) + len(self.outputs)


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Which module feeds which.

    Attributes
    ----------
    modules : tuple of Module
        Lower levels first.
    input_names, output_names : tuple of str
        Of all inputs and outputs of the topology.
    unused : tuple of int
        Inputs that were dropped, by their places: nothing depends on them.

    Examples
    --------
    >>> from nervure import Topology
    >>> from nervure.modules import detect_modules
    >>> pairs = [(0, 3), (1, 4), (2, 5), (3, 6), (4, 6), (3, 7), (5, 7), (4, 8), (5, 8)]
    >>> hierarchy = Hierarchy.from_detection(detect_modules(Topology.from_edges(pairs)))
    >>> hierarchy, hierarchy["M1"].feeds
    (Hierarchy(modules=6, levels=2), {'M4': 1, 'M5': 1})
    >>> for line in hierarchy.describe().splitlines()[2:7:4]:
    ...     print(line.strip())
    M1: 2 nodes, layers 0 to 1. Takes in x0. Feeds M4 (1 edge), M5 (1 edge). Used by 2 modules.
    M4: 1 node, layer 2. Reads M1 (1 edge), M2 (1 edge); so depends on x0, x1. Gives y0.
    """

    modules: tuple[Module, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    unused: tuple[int, ...]

    @classmethod
    def from_detection(
        cls,
        detection: Detection,
        *,
        input_names: Sequence[str] | None = None,
        output_names: Sequence[str] | None = None,
    ) -> Self:
        """Put the modules of a wiring into their order.

        Parameters
        ----------
        detection : Detection
            What `detect_modules` found.
        input_names, output_names : sequence of str, optional
            One name per input and per output, in the order of their roles; by default x0, x1, ...
            and y0, y1, ...

        Returns
        -------
        Hierarchy

        Raises
        ------
        TopologyError
            When there are not as many names as inputs or outputs.

        Notes
        -----
        O(units^2 + nodes + edges). Paper: neural-sculpting, section 4 (modules) and section 1.1
        (what it means to be reused).
        """
        topology, module_of = detection.topology, detection.module_of
        count = len(detection.modules)
        starts, ends = module_of[topology.sources], module_of[topology.targets]
        between = (starts >= 0) & (ends >= 0) & (starts != ends)
        keys, edges = np.unique(starts[between] * count + ends[between], return_counts=True)
        pairs = np.column_stack((keys // count, keys % count))
        level = Topology.from_edges(pairs, num_nodes=count).levels
        order = np.argsort(level, kind="stable")
        name = {int(m): f"M{i + 1}" for i, m in enumerate(order)}
        links = [(int(a), int(b), int(e)) for (a, b), e in zip(pairs, edges, strict=True)]
        needs = _dependencies(detection)
        modules = tuple(
            Module(
                name[m],
                tuple(detection.modules[m].tolist()),
                tuple(np.unique(detection.layer_of[detection.modules[m]]).tolist()),
                tuple(np.flatnonzero(module_of[topology.inputs] == m).tolist()),
                tuple(np.flatnonzero(module_of[topology.outputs] == m).tolist()),
                needs[m],
                {name[a]: e for a, b, e in links if b == m},
                {name[b]: e for a, b, e in links if a == m},
                int(level[m]),
            )
            for m in order.tolist()
        )
        return cls(
            modules,
            _names(input_names, len(topology.inputs), "input_names", "x"),
            _names(output_names, len(topology.outputs), "output_names", "y"),
            tuple(np.flatnonzero(module_of[topology.inputs] < 0).tolist()),
        )

    def with_formulas(self, formulas: Mapping[str, Sequence[UnitFormula]]) -> Self:
        """Give the same hierarchy with what its modules compute.

        Parameters
        ----------
        formulas : mapping of str to sequence of UnitFormula
            By the name of the module, as `recovered_formulas` gives them.

        Returns
        -------
        Hierarchy

        Raises
        ------
        TopologyError
            When there is no module of a name.
        """
        for name in formulas:
            self[name]
        modules = (replace(m, formulas=tuple(formulas.get(m.name, ()))) for m in self.modules)
        return replace(self, modules=tuple(modules))

    def __getitem__(self, name: str) -> Module:
        """Give the module of this name."""
        for module in self.modules:
            if module.name == name:
                return module
        raise TopologyError(
            f"there is no module {name!r}; the names are {listed([m.name for m in self.modules])}"
        )

    @property
    def levels(self) -> tuple[tuple[Module, ...], ...]:
        """The modules of each level."""
        depth = max(module.level for module in self.modules) + 1
        return tuple(tuple(m for m in self.modules if m.level == i) for i in range(depth))

    def names_of(self, module: Module) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Give the names of a module's own inputs, of its outputs and of what it depends on."""
        return (
            tuple(self.input_names[i] for i in module.inputs),
            tuple(self.output_names[i] for i in module.outputs),
            tuple(self.input_names[i] for i in module.depends_on),
        )

    def to_networkx(self) -> nx.DiGraph:
        """Write the hierarchy as a NetworkX graph.

        Returns
        -------
        networkx.DiGraph
            A node per module with attributes ``nodes`` (how many), ``layers``, ``inputs``,
            ``outputs``, ``depends_on`` (names with commas), ``level``, ``reuse`` and ``formulas``
            (with semicolons); edges have ``edges``, the number of edges of the network between the
            two modules.
        """
        graph = nx.DiGraph()
        for module in self.modules:
            inputs, outputs, needs = self.names_of(module)
            graph.add_node(
                module.name, nodes=len(module.nodes), layers=",".join(map(str, module.layers)),
                inputs=",".join(inputs), outputs=",".join(outputs), depends_on=",".join(needs),
                level=module.level, reuse=module.reuse,
                formulas="; ".join(formula_lines(module.formulas)),
            )  # fmt: skip
        for module in self.modules:
            for target, edges in module.feeds.items():
                graph.add_edge(module.name, target, edges=edges)
        return graph

    def write_graphml(self, path: str | PathLike[str]) -> None:
        """Write the hierarchy to a GraphML file, with the attributes of `to_networkx`."""
        text = BytesIO()
        nx.write_graphml(self.to_networkx(), text)
        Path(path).write_bytes(text.getvalue())

    def describe(self) -> str:
        """Say in plain words what each module takes in, whom it feeds and what it gives.

        Returns
        -------
        str
            A line per module, level by level.
        """
        lines = [
            f"{counted(len(self.modules), 'module')} on {counted(len(self.levels), 'level')}. A "
            "module is a group of units that belong together: they feed the same later units, and "
            "nearly all their connections stay among them. Modules on a higher level read those "
            "below; one that several modules use does work that is needed in several places."
        ]
        for number, members in enumerate(self.levels):
            lines.append(f"Level {number}")
            lines += [f"  {module.name}: {self.sentence(module)}" for module in members]
        if self.unused:
            names = [self.input_names[i] for i in self.unused]
            lines.append(f"Not used by any module: {listed(names)}.")
        return "\n".join(lines)

    def sentence(self, module: Module) -> str:
        """Say in plain words what one of the modules takes in, feeds, gives and computes."""
        inputs, outputs, needs = self.names_of(module)
        first, last = module.layers[0], module.layers[-1]
        where = f"layer {first}" if first == last else f"layers {first} to {last}"
        parts = [f"{counted(len(module.nodes), 'node')}, {where}."]
        if inputs:
            parts.append(f"Takes in {listed(inputs)}.")
        if module.reads:
            parts.append(f"Reads {_with_edges(module.reads)}; so depends on {listed(needs)}.")
        if not inputs and not module.reads:
            parts.append("Reads nothing: its outputs are constant.")
        if module.feeds:
            parts.append(f"Feeds {_with_edges(module.feeds)}.")
        if outputs:
            parts.append(f"Gives {listed(outputs)}.")
        if len(module.feeds) > 1:
            parts.append(f"Used by {len(module.feeds)} modules.")
        if module.formulas:
            parts.append(f"Computes {'; '.join(formula_lines(module.formulas))}.")
        return " ".join(parts)

    def __repr__(self) -> str:
        return f"Hierarchy(modules={len(self.modules)}, levels={len(self.levels)})"


def _dependencies(detection: Detection) -> list[tuple[int, ...]]:
    """Find the inputs, by place, that lead into each module."""
    units = detection.units
    needs: list[set[int]] = [set() for _ in detection.modules]
    module_of_unit = detection.module_of[units.nodes]
    for place, unit in enumerate(units.unit_of[detection.topology.inputs].tolist()):
        if unit >= 0:
            for module in {module_of_unit[unit], *module_of_unit[units.reachable[unit]]}:
                needs[int(module)].add(place)
    return [tuple(sorted(found)) for found in needs]


def _names(names: Sequence[str] | None, count: int, what: str, letter: str) -> tuple[str, ...]:
    if names is None:
        return tuple(f"{letter}{i}" for i in range(count))
    if len(names) != count:
        raise TopologyError(
            f"{what}: expected {count} names, one for each in the order of the topology's role, "
            f"got {len(names)}"
        )
    return tuple(map(str, names))


def _with_edges(modules: dict[str, int]) -> str:
    return listed([f"{name} ({counted(edges, 'edge')})" for name, edges in modules.items()])
