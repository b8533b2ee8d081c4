import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervure.errors import TopologyError
from nervure.measures import top_k_first
from nervure.topology import dense_dag, from_edges

from .graphs import checked, dags


def brute_force(strengths, topology, least, whole):
    order = sorted(range(topology.num_edges), key=lambda e: (-abs(strengths[e]), e))
    for size in range(least, topology.num_edges + 1):
        graph = nx.Graph(topology.edges[order[:size]].tolist())
        graph.add_nodes_from(topology.inputs.tolist())
        graph.add_nodes_from(topology.outputs.tolist())
        if whole:
            graph.add_nodes_from(range(topology.num_nodes))
        if not len(graph) or nx.is_connected(graph):
            return {tuple(topology.edges[e].tolist()) for e in order[:size]}
    return None


@checked
@given(dags(), st.data())
def test_it_is_the_first_set_in_one_piece(topology, data):
    n = topology.num_edges
    strengths = data.draw(st.lists(st.integers(-4, 4), min_size=n, max_size=n))
    share = data.draw(st.sampled_from([0, 0.1, 0.3, 0.5, 1]))
    for span in ("touched", "all"):
        least = math.ceil(round(share * n, 6))
        expected = brute_force(strengths, topology, least, span == "all")
        if expected is None:
            with pytest.raises(TopologyError, match="pieces"):
                top_k_first(strengths, topology, share, span=span)
        else:
            found = top_k_first(strengths, topology, share, span=span)
            assert {tuple(edge) for edge in found.edges.tolist()} == expected


def test_a_share_is_not_rounded_up_by_its_last_digit():
    # 0.7 * 10 is 7.000000000000001 only in some products; 0.1 * 3 * 10 is.
    dag = dense_dag(5)
    assert top_k_first(np.arange(10.0, 0, -1), dag, share=0.1 * 3).num_edges >= 3
    star = from_edges([(0, k) for k in range(1, 11)], inputs=[0], outputs=[1])
    assert top_k_first(np.arange(10.0, 0, -1), star, share=0.1 * 3).num_edges == 3


@pytest.mark.parametrize(
    ("strengths", "share", "message"),
    [([1.0], 0.5, "one per edge"), ([1, 1, np.nan], 0.5, "1 nan"), ([1, 1, 1], 1.5, "0..1")],
)
def test_mistakes_are_named(strengths, share, message):
    with pytest.raises(ValueError, match=message):
        top_k_first(strengths, dense_dag(3), share)
    with pytest.raises(ValueError, match="touched or all"):
        top_k_first([1, 1, 1], dense_dag(3), 0.5, span="some")
