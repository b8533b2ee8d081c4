"""Tables, findings and JSON of Figures 11 and 12."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from nervure.measures import CONNECTOMES, KnownGraph, SmallWorld
from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules.part import Found, TextTable, spread

MEASURES: tuple[tuple[str, Callable[[KnownGraph], float]], ...] = (
    ("density", lambda graph: graph.density),
    ("mean degree", lambda graph: graph.mean_degree),
    ("clustering", lambda graph: _of(graph).clustering),
    ("path length", lambda graph: _of(graph).path_length),
    ("small-worldness", lambda graph: _of(graph).small_worldness),
)


@dataclass(frozen=True)
class Learned:
    """The networks of one dataset and penalty strength, a seed each.

    Attributes
    ----------
    data : str
    alpha : float
    results : sequence of mapping
        As from `figure_11.run`.
    nodes : int
    """

    data: str
    alpha: float
    results: Sequence[Mapping[str, Any]]
    nodes: int

    @property
    def name(self) -> str:
        """What tables and figures call it."""
        return f"{self.data}, alpha {self.alpha:g}" if self.alpha else f"{self.data}, no penalty"

    @cached_property
    def graphs(self) -> list[KnownGraph]:
        """The learned graphs; all nodes are inputs and outputs, so that all are live."""
        return [
            KnownGraph(self.name, self.nodes, len(result["edges"]), "", _world(result))
            for result in self.results
        ]

    def each(self, measure: Callable[[KnownGraph], float]) -> list[float]:
        """Give a measure of every graph that has it."""
        found = [measure(graph) for graph in self.graphs]
        return [value for value in found if not math.isnan(value)]

    def spread_of(self, key: str, digits: int = 1, scale: float = 1.0) -> str:
        """Write mean and deviation of an entry of the results."""
        return spread([r[key] for r in self.results if r[key] is not None], digits, scale)


def learned_graphs(solved: Found) -> list[Learned]:
    """Sort results by dataset and strength, in the order of their cells."""
    groups: dict[tuple[str, float, int], list[Mapping[str, Any]]] = {}
    for cell, result in solved:
        groups.setdefault((cell["data"], cell["alpha"], cell["nodes"]), []).append(result)
    return [Learned(data, alpha, rows, nodes) for (data, alpha, nodes), rows in groups.items()]


def modules_table(learned: Sequence[Learned]) -> TextTable:
    """Give modules and errors of each group."""
    return TextTable(
        "Figure 11: modules of the trained networks",
        ("network", "modules", "largest", "balance", "nodes in modules %", "nodes with edges",
         "sweeps", "validation error %", "test error %"),
        [
            [
                own.name,
                own.spread_of("modules"),
                own.spread_of("largest_module"),
                own.spread_of("balance", 2),
                own.spread_of("covered", 0, 100),
                own.spread_of("wired_nodes", 0),
                own.spread_of("sweeps"),
                own.spread_of("validation_error", 2, 100),
                own.spread_of("test_error", 2, 100),
            ]
            for own in learned
        ],
    )  # fmt: skip


def biology_table(learned: Sequence[Learned]) -> TextTable:
    """Put the learned graphs above the published ones."""
    rows = [
        [
            own.name,
            f"{own.nodes}",
            f"{own.graphs[0].edges}",
            *(spread(own.each(measure), _digits(name)) for name, measure in MEASURES),
            f"undirected; largest piece ({spread([_of(g).nodes for g in own.graphs], 0)} nodes)",
        ]
        for own in learned
    ]
    for graph in CONNECTOMES:
        found = [(measure(graph), _digits(name)) for name, measure in MEASURES]
        rows.append(
            [
                graph.name,
                f"{graph.nodes}",
                f"{graph.edges}",
                *("-" if math.isnan(value) else f"{value:.{digits}f}" for value, digits in found),
                _definition(graph),
            ]
        )
    return TextTable(
        "Figure 12: learned graphs beside biological networks",
        ("graph", "nodes", "edges", *(name for name, _ in MEASURES), "C and L"),
        rows,
    )


def sentences(learned: Sequence[Learned], failed: Sequence[Cell]) -> list[str]:
    """Say which measures of the learned graphs lie where those of biological networks do."""
    found = failures(failed)
    found.extend(_with_and_without(learned))
    found.extend(_beside(name, measure, learned) for name, measure in MEASURES)
    sparsest = min(CONNECTOMES, key=lambda graph: graph.density)
    nodes = learned[0].nodes
    needed = sparsest.density * (nodes - 1)
    kept = learned[0].graphs[0].edges / nodes
    found.append(
        f"Density and mean degree follow from k and the number of nodes ({kept:g} edges kept per "
        f"node), as every node is live: they are set, not learned. The density of the sparsest "
        f"biological network ({sparsest.name}) would take {needed:.1f} edges per node, where "
        f"figure-9 says how large modules are."
    )
    return found


def failures(failed: Sequence[Cell]) -> list[str]:
    """Name the networks that could not be trained."""
    return [
        f"{cell['data']}, alpha {cell['alpha']:g}, seed {cell['seed']}: the network failed."
        for cell in failed
    ]


def values(learned: Sequence[Learned]) -> dict[str, Any]:
    """Give every measure of every graph as JSON."""
    return {
        "learned": [
            {
                "data": own.data,
                "alpha": own.alpha,
                "nodes": own.nodes,
                **{name: own.each(measure) for name, measure in MEASURES},
                **{
                    key: [result[key] for result in own.results]
                    for key in ("modules", "module_sizes", "balance", "covered", "wired_nodes",
                                "validation_error", "test_error", "small_world")
                },
            }
            for own in learned
        ],
        "published": [
            {
                "name": graph.name,
                "nodes": graph.nodes,
                "edges": graph.edges,
                "source": graph.source,
                "small_world_source": _of(graph).source,
                "directed": _of(graph).directed,
                **{
                    name: None if math.isnan(value := measure(graph)) else value
                    for name, measure in MEASURES
                },
            }
            for graph in CONNECTOMES
        ],
    }  # fmt: skip


def _with_and_without(learned: Sequence[Learned]) -> list[str]:
    without = {own.data: own for own in learned if not own.alpha}
    return [
        f"{own.data}: modules {own.spread_of('modules')}, the largest of "
        f"{own.spread_of('largest_module')} of {own.nodes} nodes; without penalty "
        f"{other.spread_of('modules')} and {other.spread_of('largest_module')}."
        for own in learned
        if own.alpha and (other := without.get(own.data)) is not None
    ]


def _beside(name: str, measure: Callable[[KnownGraph], float], learned: Sequence[Learned]) -> str:
    """Compare the learned graphs with the range of what is published in the same definition."""
    with_penalty = [own for own in learned if own.alpha] or learned
    means = {own.data: fmean(each) for own in with_penalty if (each := own.each(measure))}
    known = [
        value
        for graph in CONNECTOMES
        if not _of(graph).directed or name in ("density", "mean degree")
        if not math.isnan(value := measure(graph))
    ]
    low, high, digits = min(known), max(known), _digits(name)
    published = f"{low:.{digits}f}" + (f" to {high:.{digits}f}" if high > low else "")
    if not means:
        return f"{name}: the learned graphs have none (published: {published})."
    listed = ", ".join(f"{data} {value:.{digits}f}" for data, value in means.items())
    if high > low:
        inside = sum(low <= value <= high for value in means.values())
        return f"{name}: {listed}; {inside} of {len(means)} in the published range, {published}."
    return f"{name}: {listed}; published by the same definition: {published}."


def _world(result: Mapping[str, Any]) -> SmallWorld:
    c, length, random_c, random_length = (
        math.nan if (value := result["small_world"][key]) is None else float(value)
        for key in ("clustering", "path_length", "random_clustering", "random_path_length")
    )
    return SmallWorld(result["small_world"]["nodes"], c, length, random_c, random_length)


def _of(graph: KnownGraph) -> SmallWorld:
    return graph.small_world or SmallWorld(graph.nodes)


def _definition(graph: KnownGraph) -> str:
    if graph.small_world is None:
        return "-"
    kind = "directed" if graph.small_world.directed else "undirected"
    return f"{kind}; {graph.small_world.nodes} nodes"


def _digits(name: str) -> int:
    return {"density": 4, "mean degree": 1, "clustering": 3}.get(name, 2)
