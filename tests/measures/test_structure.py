import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given

from nervure.errors import UndefinedMeasureError
from nervure.measures import (
    average_clustering,
    average_shortest_path,
    betweenness,
    global_efficiency,
    live_part,
    max_betweenness,
    mean_betweenness,
    modularity,
    small_worldness,
    transitivity,
)
from nervure.topology import complete, dense_dag, from_edges, from_networkx, layered

from .graphs import chain, checked, cut, digraphs, live_graph


def both_ways(graph):
    """An undirected NetworkX graph as a topology in which every node is live."""
    every = list(graph)
    return from_networkx(graph.to_directed(), inputs=every, outputs=every)


@checked
@given(digraphs())
def test_they_are_those_of_networkx(topology):
    directed = live_graph(topology)
    graph = directed.to_undirected()
    if not len(graph):
        assert all(
            math.isnan(f(topology))
            for f in (transitivity, average_clustering, global_efficiency, mean_betweenness)
        )
        return
    assert transitivity(topology) == pytest.approx(nx.transitivity(graph))
    assert average_clustering(topology) == pytest.approx(nx.average_clustering(graph))
    if len(graph) > 1:
        assert global_efficiency(topology) == pytest.approx(nx.global_efficiency(graph))
        if nx.is_connected(graph):
            expected = nx.average_shortest_path_length(graph)
            assert average_shortest_path(topology) == pytest.approx(expected)
        else:
            with pytest.raises(UndefinedMeasureError, match="pieces"):
                average_shortest_path(topology)
    for along, oracle in ((True, directed), (False, graph)):
        expected = nx.betweenness_centrality(oracle)
        found = betweenness(topology, directed=along)
        assert {v: found[v] for v in oracle} == pytest.approx(expected)
        assert np.isnan(np.delete(found, list(oracle))).all()
    shares = list(nx.betweenness_centrality(directed).values())
    assert max_betweenness(topology) == pytest.approx(max(shares))
    assert mean_betweenness(topology) == pytest.approx(sum(shares) / len(shares))


@pytest.mark.parametrize("method", ["louvain", "greedy"])
def test_modularity_of_cliques_in_a_row(method):
    # Four cliques of five, joined by single edges: the textbook's partition is the cliques.
    graph = nx.disjoint_union_all([nx.complete_graph(5)] * 4)
    graph.add_edges_from([(4, 5), (9, 10), (14, 15)])
    cliques = [range(5 * i, 5 * i + 5) for i in range(4)]
    expected = nx.community.modularity(graph, [set(c) for c in cliques])
    assert modularity(both_ways(graph), seed=0, method=method) == pytest.approx(expected)


def test_modularity_of_nothing_and_of_an_unknown_method():
    assert math.isnan(modularity(cut(), seed=0))
    with pytest.raises(ValueError, match="louvain or greedy"):
        modularity(dense_dag(3), seed=0, method="guess")


def test_small_worlds_are_small():
    ring = both_ways(nx.connected_watts_strogatz_graph(100, 8, 0.1, seed=0))
    random = both_ways(nx.gnm_random_graph(100, 400, seed=1))
    assert small_worldness(ring, seed=0) > 3
    assert small_worldness(random, seed=0) == pytest.approx(1, abs=0.3)
    assert small_worldness(ring, seed=0) == small_worldness(ring, seed=0)
    assert small_worldness(dense_dag(8), seed=0, samples=2) == pytest.approx(1)


def test_small_worldness_is_the_quotient_of_quotients():
    lattice = nx.watts_strogatz_graph(100, 6, 0, seed=0)  # clustered, but far across
    random = [nx.gnm_random_graph(100, 300, seed=s) for s in range(40)]
    random = [graph for graph in random if nx.is_connected(graph)]
    assert len(random) > 5
    closed = nx.transitivity(lattice) / np.mean([nx.transitivity(g) for g in random])
    far = nx.average_shortest_path_length(lattice) / np.mean(
        [nx.average_shortest_path_length(g) for g in random]
    )
    assert small_worldness(both_ways(lattice), seed=0) == pytest.approx(closed / far, rel=0.15)


def test_small_worldness_has_no_value_for_some():
    assert math.isnan(small_worldness(cut(), seed=0))
    assert math.isnan(small_worldness(chain(3), seed=0))  # no random triangles
    with pytest.raises(UndefinedMeasureError, match="pieces"):
        small_worldness(dense_dag(3).union(dense_dag(3)), seed=0)
    with pytest.raises(ValueError, match="samples"):
        small_worldness(dense_dag(4), seed=0, samples=0)


def test_live_part_is_itself_or_smaller():
    assert live_part(complete(4)) is not None
    whole = layered([2, 3, 2])
    assert live_part(whole) is whole
    assert live_part(cut()).num_nodes == 0
    part = live_part(from_edges([(0, 2), (2, 3), (1, 3)], inputs=[0], outputs=[3]))
    assert part.edges.tolist() == [[0, 1], [1, 2]]
    assert (part.inputs.tolist(), part.outputs.tolist()) == ([0], [2])
