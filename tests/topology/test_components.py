import networkx as nx
import numpy as np
import pytest
from hypothesis import given

from nervure.topology import complete, from_edges

from .strategies import checked, oracle, topologies


@checked
@given(topologies())
def test_labels_group_nodes_as_networkx_does(topology):
    ours = {}
    for node, label in enumerate(topology.components.labels.tolist()):
        ours.setdefault(label, set()).add(node)
    theirs = nx.strongly_connected_components(oracle(topology))
    assert {frozenset(group) for group in ours.values()} == {frozenset(g) for g in theirs}


@checked
@given(topologies())
def test_components_come_predecessors_first(topology):
    labels = topology.components.labels
    assert (labels[topology.sources] <= labels[topology.targets]).all()


@checked
@given(topologies())
def test_order_lists_the_nodes_component_by_component(topology):
    parts = topology.components
    assert sorted(parts.order.tolist()) == list(range(topology.num_nodes))
    expected = np.repeat(np.arange(parts.count), parts.sizes)
    assert parts.labels[parts.order].tolist() == expected.tolist()
    assert parts.offsets.tolist() == [0, *np.cumsum(parts.sizes).tolist()]


@checked
@given(topologies())
def test_order_of_an_acyclic_graph_follows_every_edge(topology):
    dag = topology.keep(topology.sources < topology.targets)
    place = np.argsort(dag.components.order)
    assert (place[dag.sources] < place[dag.targets]).all()


@checked
@given(topologies())
def test_levels_are_longest_paths_of_the_condensation(topology):
    condensation = nx.condensation(oracle(topology))
    level = {}
    for component in nx.topological_sort(condensation):
        before = [level[other] for other in condensation.predecessors(component)]
        level[component] = max(before, default=-1) + 1
    expected = [level[condensation.graph["mapping"][v]] for v in range(topology.num_nodes)]
    assert topology.levels.tolist() == expected
    assert topology.depth == nx.dag_longest_path_length(condensation, default_weight=1)


@checked
@given(topologies())
def test_acyclic_means_what_networkx_means(topology):
    assert topology.is_acyclic == nx.is_directed_acyclic_graph(oracle(topology))


@checked
@given(topologies())
def test_modules_are_the_components_with_a_cycle(topology):
    groups = [g for g in nx.strongly_connected_components(oracle(topology)) if len(g) > 1]
    modules = topology.components.modules
    assert sorted(sorted(g) for g in groups) == sorted(sorted(m.tolist()) for m in modules)
    assert topology.components.cyclic.sum() == len(modules)


def test_components_cannot_be_changed():
    parts = complete(3).components
    for array in (parts.labels, parts.order, parts.offsets, parts.sizes, parts.cyclic):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_repr_counts_the_modules():
    two_cycles = from_edges([(0, 1), (1, 0), (2, 3), (3, 4), (4, 2)], 6)
    assert repr(two_cycles.components) == "Components(count=3, cyclic=2, largest=3)"
    assert repr(from_edges([], 0).components) == "Components(count=0, cyclic=0, largest=0)"
