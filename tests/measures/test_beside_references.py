import math

import networkx as nx
import pytest

from nervure.measures import CONNECTOMES, KnownGraph, beside_references, mean_degree
from nervure.topology import dense_dag, erdos_renyi

from .graphs import cut


def test_all_are_measured_alike():
    topology = erdos_renyi(40, edges=300, seed=0, inputs=range(40), outputs=range(40))
    graph = nx.DiGraph(topology.edges.tolist())
    known = KnownGraph("known", 40, 300, "a book")
    for found in beside_references(topology, [known]):
        assert found.density == pytest.approx(nx.density(graph))
        assert found.mean_degree == pytest.approx(mean_degree(topology))


def test_densest_first_and_the_dead_last():
    loose, tight = KnownGraph("loose", 10, 1, "x"), KnownGraph("tight", 3, 6, "y")
    names = [g.name for g in beside_references(dense_dag(5), [loose, tight], "mine")]
    assert names == ["tight", "mine", "loose"]
    dead = beside_references(cut(), [loose])[-1]
    assert (dead.name, dead.nodes) == ("this graph", 0)
    assert math.isnan(dead.density)
    assert math.isnan(dead.mean_degree)


@pytest.mark.parametrize("edges", [-1, 7])
def test_impossible_counts_are_refused(edges):
    with pytest.raises(ValueError, match=r"three: .* not possible"):
        KnownGraph("three", 3, edges, "nowhere")


def test_published_connectomes_have_the_density_that_their_sources_print():
    by_name = {graph.name: graph for graph in CONNECTOMES}
    assert by_name["macaque, cortical areas"].density == pytest.approx(0.66, abs=0.005)
    # The mean in- and out-degree of 7.9 that goes with these counts.
    assert by_name["C. elegans, neurons"].mean_degree / 2 == pytest.approx(7.90, abs=0.005)
    assert all(graph.source for graph in CONNECTOMES)
    assert len(beside_references(dense_dag(5))) == len(CONNECTOMES) + 1


def test_published_small_worlds_say_how_they_were_computed():
    worlds = {graph.name: graph.small_world for graph in CONNECTOMES if graph.small_world}
    assert all(world.source for world in worlds.values())
    # (0.28 / 0.05) / (2.65 / 2.25)
    assert worlds["C. elegans, neurons"].small_worldness == pytest.approx(4.755, abs=5e-4)
    assert {name for name, world in worlds.items() if world.directed} == {
        "macaque, collated cortex",
        "cat, collated cortex",
    }
