"""What modules with few Boolean inputs compute, read off the trained network as formulas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nervure.errors import FunctionGraphError, TopologyError
from nervure.modules.detection import Detection
from nervure.modules.formula import MOST_INPUTS, formula_of
from nervure.modules.hierarchy import Hierarchy
from nervure.modules.unit_formula import UnitFormula
from nervure.networks import node_topology, node_values

FEW_INPUTS = 6
_MOST_TRIED = 10  # inputs; a table of 1024 rows, each a pass through the network
_CLEAR = 0.5  # of two clusters of values each is at most so wide, measured by the gap between them
_EQUAL = 1e-6  # values that differ by so little, measured by the largest, are one
_ROUNDING = 1e-3  # of the range; values nearer to each other are counted as one

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def recovered_formulas(
    network: nn.Module,
    detection: Detection,
    hierarchy: Hierarchy | None = None,
    *,
    most_inputs: int = FEW_INPUTS,
) -> dict[str, tuple[UnitFormula, ...]]:
    """Write what every unit that leaves its module computes as a formula, where inputs are few.

    Such a unit is an output or is read by other modules. The network is run for every assignment of
    0 and 1 to the inputs from which a path leads to the unit, the other inputs at 0. An output is 1
    where it is above 0 before its activation. Any other unit whose values form two clear clusters
    is 1 in the upper one; one with more values is 1 above 0, and a note says so.

    Parameters
    ----------
    network : GraphLayer, SparseMLP, or torch.nn.Sequential of linear layers
        What was trained, on inputs of 0 and 1.
    detection : Detection
        Of this network, node by node (`nervure.networks.node_topology`).
    hierarchy : Hierarchy, optional
        Of the same detection, for the names of inputs and outputs.
    most_inputs : int
        Units that depend on more inputs have no formula of inputs, and those that read more signals
        none of signals; at most 8.

    Returns
    -------
    dict of str to tuple of UnitFormula
        By the name of the module, outputs last; see `Hierarchy.with_formulas`. Units that depend on
        more than 10 inputs are left out.

    Raises
    ------
    TopologyError
        When the detection is of another wiring.
    FunctionGraphError
        When `most_inputs` is out of range, or two inputs of a formula have one name.
    EngineError, ConvergenceError
        When the network is none of these, or has cycles that it cannot solve.

    Notes
    -----
    At most 1024 rows through the network for every set of inputs that a unit depends on, and
    2^inputs times the prime implicants for a formula.

    The paper draws such functions by hand (neural-sculpting, figure 1); here they are computed. A
    formula is exact for inputs of 0 and 1. It says nothing of what the network does in between.

    Examples
    --------
    >>> import torch
    >>> from nervure import GraphLayer, Topology
    >>> from nervure.modules import detect_modules
    >>> wiring = Topology.from_edges([(0, 2), (1, 2), (0, 3), (1, 3), (2, 4), (3, 4)])
    >>> net = GraphLayer(wiring, activation=["identity"] * 2 + ["relu"] * 2 + ["identity"])
    >>> with torch.no_grad():
    ...     _ = net.weight.copy_(torch.tensor([1.0, -1.0, -1.0, 1.0, 2.0, 2.0]))
    ...     _ = net.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 0.0, -1.0]))
    >>> [formula] = recovered_formulas(net, detect_modules(net))["M1"]
    >>> formula.name, formula.of_inputs
    ('y0', 'x0 ^ x1')
    """
    if not 0 <= most_inputs <= MOST_INPUTS:
        raise FunctionGraphError(f"most_inputs: expected 0 to {MOST_INPUTS}, got {most_inputs}")
    if node_topology(network) != detection.topology:
        raise TopologyError(
            f"the detection is of {detection.topology!r}, not of the nodes of this network; pass "
            "detect_modules(nervure.networks.node_topology(network))"
        )
    order = hierarchy or Hierarchy.from_detection(detection)
    reader = _Reader(network, detection, order, most_inputs)
    found = {unit.node: unit for unit in reader.formulas()}
    return {
        name: tuple(found[node] for node in nodes if node in found)
        for name, nodes in reader.leaving.items()
    }


@dataclass(frozen=True)
class _Sides:
    """Where a unit is 1: above the cut, if there is one; and what is to be said of it."""

    cut: float | None
    note: str = ""

    @classmethod
    def of_output(cls) -> _Sides:
        return cls(0.0)

    @classmethod
    def of_unit(cls, values: Floats) -> _Sides:
        """Choose the cut by all values that a unit takes."""
        ordered = np.sort(values)
        low, high = float(ordered[0]), float(ordered[-1])
        if high - low <= _EQUAL * max(1.0, abs(low), abs(high)):
            return cls(0.0, f"always {low:.3g}")
        gaps = np.diff(ordered)
        at = int(gaps.argmax())
        if max(ordered[at] - low, high - ordered[at + 1]) <= _CLEAR * gaps[at]:
            return cls(float(ordered[at] + ordered[at + 1]) / 2)
        count = 1 + int((gaps > _ROUNDING * (high - low)).sum())
        note = f"not two-valued: {count} values from {low:.3g} to {high:.3g}"
        if low <= 0 < high:
            return cls(0.0, f"{note}; 1 stands for above 0")
        return cls(None, note)


class _Reader:
    """Reads formulas off one network, for units with the same inputs together."""

    def __init__(
        self, network: nn.Module, detection: Detection, hierarchy: Hierarchy, most_inputs: int
    ) -> None:
        self.network = network
        self.topology = detection.topology
        self.units = detection.units
        self.most_inputs = most_inputs
        self.input_names = hierarchy.input_names
        self.module_of = np.full(self.topology.num_nodes, -1)
        for place, module in enumerate(hierarchy.modules):
            self.module_of[list(module.nodes)] = place
        starts, ends = self.topology.sources, self.topology.targets
        source, target = self.module_of[starts], self.module_of[ends]
        self.between = np.flatnonzero((source >= 0) & (target >= 0) & (source != target))
        self.inputs = {n: p for p, n in enumerate(self.topology.inputs.tolist())}
        self.outputs = {n: p for p, n in enumerate(self.topology.outputs.tolist())}
        # Also what is only passed on: an input that another module reads goes by its own name.
        self.names = {node: self.input_names[place] for node, place in self.inputs.items()}
        read = set(starts[self.between].tolist()) - self.inputs.keys() - self.outputs.keys()
        self.leaving: dict[str, list[int]] = {}
        for module in hierarchy.modules:
            hidden = [node for node in module.nodes if node in read]
            for i, node in enumerate(hidden, start=1):
                self.names[node] = module.name if len(hidden) == 1 else f"{module.name}.{i}"
            given = [int(self.topology.outputs[place]) for place in module.outputs]
            self.leaving[module.name] = [*hidden, *given]
        self.names |= {n: hierarchy.output_names[p] for n, p in self.outputs.items()}
        self.sides: dict[int, _Sides] = {n: _Sides(0.5) for n in self.inputs}

    def formulas(self) -> Iterator[UnitFormula]:
        """Give the formula of every unit that leaves its module and depends on few inputs."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for nodes in self.leaving.values():
            for node in nodes:
                groups.setdefault(self._inputs_of(node), []).append(node)
        # What a unit reads depends on no more inputs than itself, and so is known before it.
        for places in sorted(groups, key=len):
            if len(places) <= _MOST_TRIED:
                yield from self._of_group(places, groups[places])

    def _inputs_of(self, node: int) -> tuple[int, ...]:
        """Find the inputs, by their places, from which a path leads to the node."""
        unit = self.units.unit_of[node]
        starts = self.units.unit_of[self.topology.inputs]
        there = (starts == unit) | self.units.reachable[starts, unit]
        return tuple(np.flatnonzero((starts >= 0) & there).tolist())

    def _of_group(self, places: tuple[int, ...], nodes: list[int]) -> Iterator[UnitFormula]:
        rows = np.zeros((2 ** len(places), len(self.topology.inputs)))
        rows[:, places] = _counting(len(places))
        values = node_values(self.network, torch.from_numpy(rows)).numpy()
        for node in nodes:
            is_output = node in self.outputs
            self.sides[node] = _Sides.of_output() if is_output else _Sides.of_unit(values[:, node])
        names = [self.input_names[place] for place in places]
        for node in nodes:
            table = self._bits(values, node)
            of_inputs = of_signals = None
            if table is not None:
                if len(names) <= self.most_inputs:
                    of_inputs = formula_of(table, names)
                of_signals = self._of_signals(values, node, table)
                if of_inputs and of_signals and _operators(of_signals) > _operators(of_inputs):
                    of_signals = None
            note = self.sides[node].note
            if of_inputs or of_signals or note:
                yield UnitFormula(self.names[node], node, of_inputs, of_signals, note)

    def _bits(self, values: Floats, node: int) -> Bools | None:
        cut = self.sides[node].cut
        return None if cut is None else np.asarray(values[:, node] > cut)

    def _of_signals(self, values: Floats, node: int, table: Bools) -> str | None:
        """Write a unit's table as a formula of what its module reads, if that settles it."""
        signals = self._signals_of(node)
        if not set(signals) - self.inputs.keys() or len(signals) > self.most_inputs:
            return None
        columns = [self._bits(values, signal) for signal in signals]
        known = [column for column in columns if column is not None]
        if len(known) < len(columns):
            return None
        row = np.stack(known, axis=1) @ (1 << np.arange(len(known))[::-1])
        on, off = (np.bincount(row[side], minlength=2 ** len(signals)) for side in (table, ~table))
        if ((on > 0) & (off > 0)).any():
            return None
        return formula_of(on > 0, [self.names[s] for s in signals], dont_care=(on + off) == 0)

    def _signals_of(self, node: int) -> list[int]:
        """Units of other modules, and inputs of its own, by which the node is reached inside."""
        unit_of, reachable = self.units.unit_of, self.units.reachable
        own = self.topology.inputs[self.module_of[self.topology.inputs] == self.module_of[node]]
        into = self.between[
            self.module_of[self.topology.targets[self.between]] == self.module_of[node]
        ]
        # Where a path inside the module may begin, and what is read there.
        first = np.concatenate((own, self.topology.targets[into]))
        read = np.concatenate((own, self.topology.sources[into]))
        unit = unit_of[node]
        leads = (unit_of[first] == unit) | reachable[unit_of[first], unit]
        return [int(n) for n in np.unique(read[leads])]


def _counting(inputs: int) -> NDArray[np.int64]:
    """Give all rows of a truth table: they count upwards, the first input the highest bit."""
    return np.arange(2**inputs)[:, None] >> np.arange(inputs)[::-1] & 1


def _operators(formula: str) -> int:
    return sum(formula.count(f" {sign} ") for sign in "&|^")
