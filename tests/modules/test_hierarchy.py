import networkx as nx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nervure import Topology
from nervure.errors import TopologyError
from nervure.modules import Hierarchy, detect_modules

from .sculpted import random_dag, reused, separable_and_reused


def hierarchy_of(topology, **options):
    return Hierarchy.from_detection(detect_modules(topology), **options)


def test_separable_functions_feed_outputs():
    hierarchy = hierarchy_of(separable_and_reused(2))
    assert [len(level) for level in hierarchy.levels] == [3, 3]
    first = hierarchy["M1"]
    assert (first.inputs, first.outputs, first.depends_on) == ((0, 1), (), (0, 1))
    assert (first.layers, first.level, first.reuse) == ((0, 1, 2), 0, 2)
    assert (first.reads, first.feeds) == ({}, {"M4": 1, "M5": 1})
    last = hierarchy["M6"]
    assert (last.inputs, last.outputs, last.depends_on) == ((), (2,), (2, 3, 4, 5))
    assert (last.reads, last.feeds, last.level) == ({"M2": 1, "M3": 1}, {}, 1)


def test_a_reused_function():
    hierarchy = hierarchy_of(reused())
    assert [m.reuse for m in hierarchy.modules] == [2, 8, 8]
    assert hierarchy["M1"].feeds == {"M2": 3, "M3": 3}
    assert hierarchy["M2"].outputs == tuple(range(0, 16, 2))


@given(st.integers(0, 10**6), st.floats(0.05, 0.3))
@settings(max_examples=50, deadline=None)
def test_graph_of_modules_against_networkx(seed, density):
    topology = random_dag(16, density, seed)
    assume(topology.num_edges and topology.live.any())
    detection = detect_modules(topology)
    hierarchy = Hierarchy.from_detection(detection)
    whole = topology.to_networkx()
    graph = hierarchy.to_networkx()
    owner = {n: m.name for m in hierarchy.modules for n in m.nodes}
    counts = {}
    for a, b in whole.edges:
        if a in owner and b in owner and owner[a] != owner[b]:
            counts[owner[a], owner[b]] = counts.get((owner[a], owner[b]), 0) + 1
    assert {(a, b): e for a, b, e in graph.edges(data="edges")} == counts
    assert (
        sum(counts.values()) + sum(owner.get(a) == owner.get(b) is not None for a, b in whole.edges)
        == detection.num_edges
    )
    for module in hierarchy.modules:
        above = set(module.nodes).union(*(nx.ancestors(whole, n) for n in module.nodes))
        inputs = topology.inputs.tolist()
        assert module.depends_on == tuple(
            i for i, n in enumerate(inputs) if n in above and n in owner
        )
    if nx.is_directed_acyclic_graph(graph):
        for level, names in enumerate(nx.topological_generations(graph)):
            assert {m.name for m in hierarchy.levels[level]} == set(names)


def test_names_are_those_given():
    names = ["pulse", "age", "height", "weight", "salt", "sleep"]
    hierarchy = hierarchy_of(separable_and_reused(1), input_names=names, output_names="abc")
    assert hierarchy.names_of(hierarchy["M2"]) == (("height", "weight"), (), ("height", "weight"))
    assert "Takes in pulse, age." in hierarchy.describe()
    assert "Gives c." in hierarchy.describe()
    with pytest.raises(TopologyError, match="input_names: expected 6 names"):
        hierarchy_of(separable_and_reused(1), input_names=names[:2])
    with pytest.raises(TopologyError, match="no module 'M9'"):
        hierarchy["M9"]


def test_description_tells_what_is_unused_and_what_is_constant():
    topology = Topology.from_edges([(0, 2)], num_nodes=4, inputs=[0, 1], outputs=[2, 3])
    text = hierarchy_of(topology).describe()
    assert "Reads nothing: its outputs are constant. Gives y1." in text
    assert "Not used by any module: x1." in text


def test_modules_that_feed_each_other_share_a_level():
    # Two columns of twenty edges each with one edge across, both ways, on different layers.
    wide = [(i, 20 + j) for i in range(10) for j in range(10)]
    wide += [(10 + i, 30 + j) for i in range(10) for j in range(10)]
    down = [(20 + i, 40 + j) for i in range(10) for j in range(10)]
    down += [(30 + i, 50 + j) for i in range(10) for j in range(10)]
    last = [(40 + i, 60) for i in range(10)] + [(50 + i, 61) for i in range(10)]
    topology = Topology.from_edges(wide + down + last + [(0, 30), (30, 40)])
    hierarchy = hierarchy_of(topology)
    assert [m.level for m in hierarchy.modules] == [0, 0]
    assert hierarchy["M1"].feeds == hierarchy["M1"].reads == {"M2": 1}


def test_graphml_holds_the_same(tmp_path):
    hierarchy = hierarchy_of(separable_and_reused(2))
    path = tmp_path / "modules.graphml"
    hierarchy.write_graphml(path)
    graph = nx.read_graphml(path)
    expected = hierarchy.to_networkx()
    assert dict(graph.nodes(data=True)) == dict(expected.nodes(data=True))
    assert list(graph.edges(data=True)) == list(expected.edges(data=True))
    assert graph.nodes["M1"]["inputs"] == "x0,x1"
