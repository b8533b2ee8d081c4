import math

import networkx as nx
import pytest
from hypothesis import given

from nervure.measures import SmallWorld, beside_references, small_world
from nervure.topology import complete, erdos_renyi, from_edges, from_networkx

from .graphs import checked, cut, digraphs, live_graph


def all_live(graph):
    every = list(graph)
    return from_networkx(graph.to_directed(), inputs=every, outputs=every)


@checked
@given(digraphs())
def test_clustering_and_distances_are_those_of_networkx(topology):
    graph = live_graph(topology).to_undirected()
    found = small_world(topology, seed=0, samples=1)
    pieces = [graph.subgraph(nodes) for nodes in nx.connected_components(graph)]
    size = max(map(len, pieces), default=0)
    assert found.nodes == size
    if size < 3:
        assert math.isnan(found.clustering)
        assert math.isnan(found.small_worldness)
        return
    assert any(
        found.clustering == pytest.approx(nx.average_clustering(piece))
        and found.path_length == pytest.approx(nx.average_shortest_path_length(piece))
        for piece in pieces
        if len(piece) == size
    )


def test_random_graphs_have_as_many_nodes_and_edges():
    graph = nx.connected_watts_strogatz_graph(200, 10, 0.1, seed=1)
    found = small_world(all_live(graph), seed=0)
    others = [nx.gnm_random_graph(200, 1000, seed=s) for s in range(10)]
    clustering = sum(map(nx.average_clustering, others)) / 10
    distance = sum(map(nx.average_shortest_path_length, others)) / 10
    assert found.random_clustering == pytest.approx(clustering, rel=0.1)
    assert found.random_path_length == pytest.approx(distance, rel=0.01)
    expected = nx.average_clustering(graph) / clustering
    expected /= nx.average_shortest_path_length(graph) / distance
    assert found.small_worldness == pytest.approx(expected, rel=0.1)
    assert found == small_world(all_live(graph), seed=0)
    assert found.random_clustering != small_world(all_live(graph), seed=1).random_clustering


def test_a_random_graph_is_no_small_world():
    every = range(300)
    random = erdos_renyi(300, edges=3000, seed=5, inputs=every, outputs=every)
    assert small_world(random, seed=0).small_worldness == pytest.approx(1, abs=0.06)


def test_only_the_largest_piece_counts():
    edges = [(0, 1), (1, 2), (2, 0), (2, 3), (4, 5)]
    found = small_world(from_edges(edges, 8, inputs=range(8), outputs=range(8)), seed=0)
    assert found.nodes == 4
    assert found.clustering == pytest.approx((1 + 1 + 1 / 3) / 4)
    assert found.path_length == pytest.approx((4 + 2 * 2) / 6)


def test_what_is_printed_goes_before_what_is_computed():
    assert SmallWorld(282, 0.28, 2.65, 0.05, 2.25).small_worldness == pytest.approx(4.755, abs=5e-4)
    assert SmallWorld(47, printed=1.4551, directed=True).small_worldness == 1.4551
    assert math.isnan(SmallWorld(9, 0.0, 2.0, 0.0, 2.0).small_worldness)


def test_a_graph_beside_others_is_measured_if_there_is_a_seed():
    (alone,) = beside_references(complete(5), [])
    assert alone.small_world is None
    (own,) = beside_references(complete(5), [], seed=3)
    assert own.small_world == small_world(complete(5), seed=3)
    assert beside_references(cut(), [], seed=3)[0].small_world == SmallWorld(0)


def test_at_least_one_random_graph():
    with pytest.raises(ValueError, match="samples must be at least 1, not 0"):
        small_world(complete(5), seed=0, samples=0)
