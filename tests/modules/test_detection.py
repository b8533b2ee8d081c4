from collections import Counter

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nervure import SparseMLP, Topology
from nervure.errors import TopologyError
from nervure.modules import detect_modules
from nervure.modules.live_units import live_units
from nervure.modules.ordering import unit_ranks

from .sculpted import (
    random_dag,
    random_layers,
    reused,
    separable,
    separable_and_reused,
    single,
    stacked,
)


def sets(found):
    return {frozenset(nodes.tolist()) for nodes in found.modules}


def test_two_separable_functions_are_two_modules():
    found = detect_modules(separable())
    assert found.num_edges == 16
    assert found.clusters_per_layer == (2, 2, 2, 4)
    assert sets(found) == {
        frozenset({0, 1, 4, 5, 8, 10, 11}),
        frozenset({2, 3, 6, 7, 9, 12, 13}),
    }


@pytest.mark.parametrize(("hidden", "edges"), [(1, 12), (2, 15), (3, 18)])
def test_separable_and_reused_functions_are_six_modules(hidden, edges):
    found = detect_modules(separable_and_reused(hidden))
    assert found.num_edges == edges
    assert found.clusters_per_layer == (3,) * (hidden + 2)
    assert sorted(len(nodes) for nodes in found.modules) == [1, 1, 1, *[2 + hidden] * 3]


@pytest.mark.parametrize("hidden", [(5,), (5, 3), (1,), (6, 1), (6, 3, 2)])
def test_a_function_of_everything_is_one_module(hidden):
    found = detect_modules(single(hidden))
    assert found.clusters_per_layer == (*[1] * (len(hidden) + 1), 4)
    assert len(found.modules) == 1


def test_a_reused_function_feeds_two_modules():
    found = detect_modules(reused())
    assert found.clusters_per_layer == (1, 1, 2, 16)
    assert sorted(len(nodes) for nodes in found.modules) == [7, 9, 9]


def test_what_leads_nowhere_is_dropped_both_ways():
    topology = separable().union(Topology.from_edges([(0, 1), (2, 3)], inputs=[0], outputs=[]))
    # 14 -> 15 ends in nothing, 16 -> 17 begins in nothing, and node 18 has no edge at all.
    topology = topology.union(Topology(1, [0, 0], [], [], [])).grow([(17, 10)])
    found = detect_modules(topology)
    assert found.dropped.tolist() == [14, 15, 16, 17, 18]
    assert found.module_of[14:].tolist() == [-1] * 5
    assert found.num_edges == 16
    assert sets(found) == sets(detect_modules(separable()))


def test_an_output_that_reads_nothing_stays_and_stands_last():
    topology = stacked([2, 2, 3], [[(0, 0), (1, 1)], [(0, 0), (1, 1)]])
    found = detect_modules(topology)
    assert found.layer_of[6] == 2
    assert sets(found) == {frozenset({0, 2, 4}), frozenset({1, 3, 5}), frozenset({6})}


@given(st.integers(0, 10**6), st.floats(0.1, 0.8))
@settings(max_examples=50, deadline=None)
def test_reachability_is_that_of_networkx(seed, density):
    topology = random_layers([4, 5, 5, 3], density, seed)
    assume(topology.num_edges and topology.live.any())
    found = detect_modules(topology)
    graph = topology.to_networkx()
    for layer in found.layers:
        if layer.clustering is None:
            continue
        for unit, row in zip(layer.units.tolist(), layer.clustering.features, strict=True):
            reached = nx.descendants(graph, unit) & set(
                np.flatnonzero(found.module_of >= 0).tolist()
            )
            assert set(layer.later[row].tolist()) == reached


@given(st.integers(0, 10**6), st.floats(0.1, 0.9), st.booleans())
@settings(max_examples=80, deadline=None)
def test_numbering_does_not_matter(seed, density, in_layers):
    topology = (
        random_layers([4, 6, 5, 4], density, seed)
        if in_layers
        else random_dag(16, 0.3 * density, seed)
    )
    assume(topology.num_edges and topology.live.any())
    new_id = np.random.default_rng(seed).permutation(topology.num_nodes)
    first, second = detect_modules(topology), detect_modules(topology.relabelled(new_id))

    def described(found):
        # Units of equal rank may stand for each other: the wiring does not tell them apart.
        rank = dict(zip(found.units.nodes.tolist(), unit_ranks(found.units).tolist(), strict=True))
        return Counter(tuple(sorted(rank[n] for n in nodes.tolist())) for nodes in found.modules)

    assert first.clusters_per_layer == second.clusters_per_layer
    assert described(first) == described(second)


@pytest.mark.parametrize(
    "topology", [separable(), separable_and_reused(2), single(), reused()], ids=lambda t: repr(t)
)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_sculpted_modules_are_the_same_nodes_under_every_numbering(topology, seed):
    new_id = np.random.default_rng(seed).permutation(topology.num_nodes)
    renumbered = detect_modules(topology.relabelled(new_id))
    expected = {frozenset(new_id[nodes].tolist()) for nodes in detect_modules(topology).modules}
    assert sets(renumbered) == expected


@given(st.integers(0, 10**6), st.floats(0.05, 0.4))
@settings(max_examples=50, deadline=None)
def test_any_dag_is_taken_by_levels(seed, density):
    topology = random_dag(14, density, seed)
    assume(topology.num_edges and topology.live.any())
    found = detect_modules(topology)
    graph = topology.to_networkx().subgraph(np.flatnonzero(found.module_of >= 0).tolist())
    for layer, nodes in enumerate(nx.topological_generations(graph)):
        touched = [n for n in nodes if graph.degree(n)]
        assert (found.layer_of[touched] == layer).all()
    assert sorted(n for nodes in found.modules for n in nodes.tolist()) == sorted(graph.nodes)


def test_edges_may_skip_layers():
    # Two functions; the output of each also reads an input directly.
    pairs = [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (5, 7), (0, 6), (2, 7)]
    found = detect_modules(Topology.from_edges(pairs))
    assert found.clusters_per_layer == (2, 2, 2)
    # Two of three edges from the inputs go to the hidden unit, all edges of an output come from
    # what is then one module.
    assert len(found.modules) == 6
    found = detect_modules(Topology.from_edges(pairs), merge_share=0.6)
    assert sets(found) == {frozenset({0, 1, 4, 6}), frozenset({2, 3, 5, 7})}


@given(st.integers(0, 10**6), st.integers(20, 60))
@settings(max_examples=50, deadline=None)
def test_components_of_cyclic_graphs_stay_together(seed, edges):
    topology = Topology.erdos_renyi(24, edges=edges, seed=seed)
    topology = topology.with_roles(inputs=range(6), outputs=range(18, 24))
    assume(topology.num_edges and topology.live.any())
    found = detect_modules(topology)
    live = found.module_of >= 0
    inside = live[topology.sources] & live[topology.targets]
    for component in nx.strongly_connected_components(topology.keep(inside).to_networkx()):
        assert len(set(found.module_of[list(component)].tolist())) == 1
    assert live[topology.live].all()


def test_a_ring_of_two_parts_each_is_condensed():
    ring = [(2, 3), (3, 2), (6, 7), (7, 6)]
    pairs = [(0, 2), (1, 3), (3, 8), (4, 6), (5, 7), (7, 9)]
    found = detect_modules(Topology.from_edges(ring + pairs))
    assert sets(found) == {frozenset({0, 1, 2, 3, 8}), frozenset({4, 5, 6, 7, 9})}
    assert found.num_edges == 10


def test_nodes_that_are_input_and_output_at_once():
    # Node 3 has no edge: nothing comes in but the input, and nothing reads it.
    topology = Topology.from_edges(
        [(0, 1), (1, 2), (2, 0)], num_nodes=4, inputs=range(4), outputs=range(4)
    )
    found = detect_modules(topology)
    assert found.dropped.tolist() == [3]
    assert [nodes.tolist() for nodes in found.modules] == [[0, 1, 2]]


def test_layers_may_be_given():
    # By longest paths the second hidden unit would stand in the first layer.
    topology = Topology.from_edges([(0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (3, 7), (5, 7)])
    given_sizes = detect_modules(topology, layers=[2, 2, 2, 2])
    assert given_sizes.layer_of.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    late = Topology.from_edges([(0, 2), (2, 4), (1, 3), (3, 4)])
    assert detect_modules(late, layers=[2, 1, 1, 1]).layer_of.tolist() == [0, 0, 1, 2, 3]
    for wrong in ([8], [4, 3], [2, 0, 6]):
        with pytest.raises(TopologyError, match="the sizes of at least two layers, 8 nodes"):
            detect_modules(topology, layers=wrong)
    with pytest.raises(TopologyError, match=r"edge 0 -> 2 does not lead to a later layer"):
        detect_modules(topology, layers=[3, 3, 2])


def test_networks_are_taken_by_their_wiring():
    net = SparseMLP([6, 8, 3], density=0.4, seed=0)
    assert sets(detect_modules(net)) == sets(detect_modules(net.topology))


def test_what_is_not_wired_is_refused():
    with pytest.raises(TopologyError, match="topology_of_module"):
        detect_modules(object())
    with pytest.raises(TopologyError, match="no path leads from an input to an output"):
        detect_modules(Topology.from_edges([(0, 1)], num_nodes=3, inputs=[0], outputs=[2]))
    with pytest.raises(TopologyError, match="no path leads from an input to an output"):
        detect_modules(Topology.from_edges([], num_nodes=3))
    with pytest.raises(TopologyError, match="between -1 and 0"):
        detect_modules(separable(), threshold=0.2)


def test_description_names_every_step():
    text = detect_modules(separable_and_reused(1)).describe()
    assert "6 modules among 12 nodes with 12 edges" in text
    assert "Layer 0: 6 units in 3 clusters" in text
    assert "so each is separate" in text
    assert "Layer 2: 3 outputs, each a cluster of its own." in text
    assert "neither test objects" in detect_modules(separable()).describe()
    assert "so all are one" in detect_modules(single()).describe()


def test_units_are_ranked_alike_only_where_they_are_alike():
    units = live_units(single((3,)))
    ranks = unit_ranks(units)
    assert len(set(ranks[4:7].tolist())) == 1
    assert len(set(ranks.tolist())) == 4 + 1 + 4
