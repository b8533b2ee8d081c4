"""Sub-functions: the parts of a function graph that a method should find as modules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx

from nervure.errors import FunctionGraphError
from nervure.modules.function_graph import FunctionGraph


@dataclass(frozen=True)
class SubFunction:
    """Nodes of a function graph that belong together.

    Attributes
    ----------
    name : str
    level : int
        Place in the hierarchy, 0 the lowest.
    nodes : tuple of str
        Inputs, gates and outputs that belong to it.
    inputs : tuple of str
        Graph inputs from which a path leads to it, its own included.
    outputs : tuple of str
        Graph outputs that belong to it.
    reads : tuple of str
        Names of the sub-functions that it reads.
    read_by : tuple of str
        Names of those that read it.
    """

    name: str
    level: int
    nodes: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    reads: tuple[str, ...]
    read_by: tuple[str, ...]


def sub_functions(
    graph: FunctionGraph, hierarchy: Sequence[Mapping[str, Iterable[str]]]
) -> tuple[SubFunction, ...]:
    """Describe a division of a graph's nodes into sub-functions.

    Parameters
    ----------
    graph : FunctionGraph
    hierarchy : sequence of mapping of str to iterable of str
        For each level, from the lowest, name to nodes. Every node of the graph once.

    Returns
    -------
    tuple of SubFunction
        In the order given.

    Raises
    ------
    FunctionGraphError
        If nodes are unknown, missing or in two places, two names are equal, or a sub-function reads
        one that is not below it.

    Notes
    -----
    Paper: neural-sculpting, section 1.1. What the paper calls strong and weak connectivity is a
    matter of degree, so the division is given, not computed.

    Examples
    --------
    >>> from nervure.modules import function_graph
    >>> graph = function_graph({"a": "x0 & x1", "y0": "a", "y1": "~a"})
    >>> parts = sub_functions(graph, [{"a": ["x0", "x1", "a"]}, {"f": ["y0"], "g": ["y1"]}])
    >>> parts[0].read_by
    ('f', 'g')
    """
    place: dict[str, str] = {}
    level_of: dict[str, int] = {}
    problems = []
    for level, parts in enumerate(hierarchy):
        for name, nodes in parts.items():
            if name in level_of:
                problems.append(f"expected every name once, got {name} more than once")
            level_of[name] = level
            for node in nodes:
                if node in place:
                    problems.append(f"node {node} is in {place[node]} and in {name}")
                elif node not in graph.levels:
                    problems.append(f"{name}: no node named {node}")
                place[node] = name
    missing = [node for node in graph.levels if node not in place]
    if missing:
        problems.append(f"in no sub-function: {', '.join(missing)}")
    if problems:
        raise FunctionGraphError("; ".join(problems))
    edges = {
        (place[source], place[gate.name]): None
        for gate in graph.gates
        for source, _ in gate.edges
        if place[source] != place[gate.name]
    }
    for lower, upper in edges:
        if level_of[lower] >= level_of[upper]:
            raise FunctionGraphError(f"{upper} reads {lower}, which is not on a level below it")
    reaching = _reaching_inputs(graph)
    found = []
    for name, level in level_of.items():
        nodes = tuple(node for node in graph.levels if place[node] == name)
        inputs = set().union(*(reaching[node] for node in nodes))
        found.append(
            SubFunction(
                name=name,
                level=level,
                nodes=nodes,
                inputs=tuple(i for i in graph.inputs if i in inputs),
                outputs=tuple(o for o in graph.outputs if place[o] == name),
                reads=tuple(lower for lower, upper in edges if upper == name),
                read_by=tuple(upper for lower, upper in edges if lower == name),
            )
        )
    return tuple(found)


def hierarchy_graph(graph: FunctionGraph, parts: Iterable[SubFunction]) -> nx.DiGraph:
    """Give the graph of sub-functions: which reads which, and by how many edges.

    Parameters
    ----------
    graph : FunctionGraph
    parts : iterable of SubFunction
        From `sub_functions` of this graph.

    Returns
    -------
    networkx.DiGraph
        Nodes by name with ``level``, ``nodes``, ``inputs``, ``outputs`` and ``reused`` (two or more
        edges leave it, section 1.1); edges with ``edges``, the number of the graph's own.
    """
    parts = tuple(parts)
    place = {node: part.name for part in parts for node in part.nodes}
    found = nx.DiGraph()
    for part in parts:
        found.add_node(
            part.name, level=part.level, nodes=part.nodes, inputs=part.inputs, outputs=part.outputs
        )
    for gate in graph.gates:
        for source, _ in gate.edges:
            lower, upper = place[source], place[gate.name]
            if lower != upper:
                count = found.get_edge_data(lower, upper, {"edges": 0})["edges"]
                found.add_edge(lower, upper, edges=count + 1)
    for name in found:
        found.nodes[name]["reused"] = found.out_degree(name, weight="edges") >= 2
    return found


def _reaching_inputs(graph: FunctionGraph) -> dict[str, set[str]]:
    reaching = {name: {name} for name in graph.inputs}
    for gate in graph.gates:
        reaching[gate.name] = set().union(*(reaching[source] for source, _ in gate.edges))
    return reaching
