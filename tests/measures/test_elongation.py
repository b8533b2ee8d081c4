import math

import networkx as nx
import numpy as np
import pytest
from sklearn.decomposition import PCA

from nervure.errors import UndefinedMeasureError
from nervure.measures import is_quasi_one_dimensional, pca_elongation, spring_positions
from nervure.topology import complete, dense_dag, erdos_renyi, from_edges, layered

from .graphs import chain, cut


@pytest.mark.parametrize("n", [3, 4, 20, 60])
def test_complete_dags_are_round(n):
    assert pca_elongation(dense_dag(n)) == pytest.approx(0, abs=1e-6)
    assert pca_elongation(complete(n)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("n", [2, 3, 20])
def test_chains_are_lines(n):
    assert pca_elongation(chain(n)) == pytest.approx(1, abs=1e-3)


def test_it_is_the_recipe_of_the_paper_with_other_tools():
    topology = erdos_renyi(20, edges=60, acyclic=True, seed=2)
    graph = nx.DiGraph(topology.edges.tolist()).to_undirected()
    graph = nx.Graph(sorted(graph.edges))
    ordered = nx.Graph()
    ordered.add_nodes_from(sorted(graph))
    ordered.add_edges_from(graph.edges)
    xy = np.array(list(nx.kamada_kawai_layout(ordered).values()))
    share = PCA(2).fit(xy).explained_variance_ratio_[0]
    assert pca_elongation(topology) == pytest.approx(2 * (share - 0.5), abs=0.02)


def test_distances_on_paper_are_those_in_the_graph():
    # A ring, both ways round from node 0 to node 6.
    topology = from_edges(
        [*((i, i + 1) for i in range(6)), *((i + 1, i) for i in range(6, 11)), (0, 11)]
    )
    xy = spring_positions(topology)
    graph = nx.Graph(topology.edges.tolist())
    pairs = [(a, b) for a in graph for b in graph if a < b]
    drawn = [np.hypot(*(xy[a] - xy[b])) for a, b in pairs]
    hops = [nx.shortest_path_length(graph, a, b) for a, b in pairs]
    assert np.corrcoef(drawn, hops)[0, 1] > 0.95


def test_dead_nodes_have_no_place():
    topology = from_edges([(0, 1), (1, 2), (1, 3)], inputs=[0], outputs=[2])
    assert np.isnan(spring_positions(topology)).all(axis=1).tolist() == [False, False, False, True]
    assert math.isnan(pca_elongation(cut()))
    assert math.isnan(pca_elongation(from_edges([], 1)))


def test_pieces_have_no_distance():
    with pytest.raises(UndefinedMeasureError, match="2 pieces"):
        pca_elongation(dense_dag(3).union(dense_dag(3)))


def test_q1d_needs_both():
    assert is_quasi_one_dimensional(layered([1, 3, 3, 3, 3, 1]))
    assert not is_quasi_one_dimensional(chain(6))  # one edge cuts it
    assert not is_quasi_one_dimensional(dense_dag(8))  # round
    assert is_quasi_one_dimensional(chain(6), connectivity=0)
    assert not is_quasi_one_dimensional(layered([1, 3, 3, 3, 3, 1]), elongation=0.999)
    assert not is_quasi_one_dimensional(cut())
