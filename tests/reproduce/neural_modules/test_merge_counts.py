"""Counting who has an edge into which module."""

import networkx as nx
import numpy as np
import pytest

from nervure.reproduce.neural_modules.merge_counts import MergeCounts
from nervure.topology import Topology


def by_networkx(graphs):
    """Count the same pair by pair."""
    counts = {}
    for topology in graphs:
        graph = topology.to_networkx()
        for nodes in nx.strongly_connected_components(graph):
            if len(nodes) in (1, len(graph)):
                continue
            outside = set(graph) - nodes
            linked = [v for v in outside if any(graph.has_edge(v, m) for m in nodes)]
            line = counts.setdefault(len(nodes), [0, 0, 0])
            line[0] += 1
            line[1] += len(outside)
            line[2] += len(linked)
    return counts


def test_counts_are_those_of_networkx():
    generator = np.random.default_rng(0)
    graphs = [Topology.erdos_renyi(30, edges=40, seed=generator) for _ in range(40)]
    counts = MergeCounts(seed=0)
    for topology in graphs:
        counts.add(topology)
    found = {line["nodes"]: line for line in counts.lines()}
    expected = by_networkx(graphs)
    assert len(expected) > 3
    assert list(found) == sorted(expected)
    for size, (modules, pairs, linked) in expected.items():
        assert [found[size][key] for key in ("modules", "pairs", "linked")] == [
            modules, pairs, linked,
        ]  # fmt: skip
    assert counts.graphs == 40


def test_random_sets_are_linked_as_often_as_independent_edges_say():
    generator = np.random.default_rng(0)
    counts = MergeCounts(seed=1)
    for _ in range(400):
        counts.add(Topology.erdos_renyi(40, edges=80, seed=generator))
    theta = 1 - 80 / (40 * 39)
    lines = counts.lines()
    expected = sum(line["pairs"] * (1 - theta ** line["nodes"]) for line in lines)
    assert sum(line["linked_random"] for line in lines) == pytest.approx(expected, rel=0.03)
    # Modules were chosen by their edges: whoever has a way back is inside.
    assert sum(line["linked"] for line in lines) < 0.8 * expected


def test_a_module_of_all_nodes_has_nobody_outside():
    counts = MergeCounts(seed=0)
    counts.add(Topology.complete(4))
    assert counts.lines() == []
