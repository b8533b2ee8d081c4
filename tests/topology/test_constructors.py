import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given

from nervure.errors import (
    DuplicateEdgeError,
    NodeOutOfRangeError,
    SelfLoopError,
    TopologyError,
)
from nervure.topology import complete, dense_dag, from_edges, from_mask

from .strategies import checked, edge_set, oracle, topologies


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_complete_has_every_edge(n):
    topology = complete(n)
    assert edge_set(topology) == set(nx.complete_graph(n, nx.DiGraph).edges)
    assert topology.inputs.tolist() == topology.outputs.tolist() == list(range(n))
    assert topology.indptr.dtype == topology.sources.dtype == np.int32


@pytest.mark.parametrize("n", [0, 1, 2, 6])
def test_dense_dag_is_strictly_lower_triangular(n):
    topology = dense_dag(n)
    assert topology.to_scipy().toarray().tolist() == np.tri(n, k=-1, dtype=bool).tolist()
    assert topology.is_acyclic
    assert topology.depth == max(n - 1, 0)


@pytest.mark.parametrize(("n", "reach"), [(0, 1), (1, 3), (6, 1), (6, 4), (6, 5), (6, 99)])
def test_dense_dag_of_a_reach_is_a_band(n, reach):
    dense = dense_dag(n)
    near = dense.keep(np.diff(dense.edges, axis=1)[:, 0] <= reach)
    assert dense_dag(n, reach=reach) == near


def test_dense_dag_of_a_reach_is_not_as_large_as_all():
    assert dense_dag(100_000, reach=2).num_edges == 199_997
    with pytest.raises(TopologyError, match="reach: expected at least 1, got 0"):
        dense_dag(5, reach=0)
    with pytest.raises(TopologyError, match=r"reach must be an integer, not 1\.5"):
        dense_dag(5, reach=1.5)


def test_dense_dag_takes_roles():
    topology = dense_dag(5, inputs=range(2), outputs=[4, 3])
    assert topology.inputs.tolist() == [0, 1]
    assert topology.outputs.tolist() == [4, 3]
    assert dense_dag(5).inputs.tolist() == [0]
    assert dense_dag(5).outputs.tolist() == [4]


@pytest.mark.parametrize(("make", "n"), [(complete, 46342), (dense_dag, 65537)])
def test_more_edges_than_int32_are_refused_before_they_are_made(make, n):
    with pytest.raises(TopologyError, match="at most 2147483647; use fewer nodes"):
        make(n)


@checked
@given(topologies())
def test_from_edges_sorts_and_finds_sources_and_sinks(topology):
    pairs = topology.edges[::-1]
    again = from_edges(pairs, topology.num_nodes)
    assert edge_set(again) == edge_set(topology)
    graph = oracle(topology)
    assert again.inputs.tolist() == [v for v in graph if graph.in_degree(v) == 0]
    assert again.outputs.tolist() == [v for v in graph if graph.out_degree(v) == 0]


def test_from_edges_counts_the_nodes():
    assert from_edges([(0, 4)]).num_nodes == 5
    assert from_edges([]).num_nodes == 0
    assert from_edges({(1, 0), (2, 0)}, 9).num_nodes == 9


@pytest.mark.parametrize(
    ("pairs", "error", "text"),
    [
        ([(0, 1), (0, 1)], DuplicateEdgeError, "edge 0 -> 1"),
        ([(1, 1)], SelfLoopError, "node 1"),
        ([(0, 2)], NodeOutOfRangeError, "node 2 outside"),
        ([(0, 1, 1)], TopologyError, "rows of"),
    ],
)
def test_from_edges_refuses(pairs, error, text):
    with pytest.raises(error, match=text):
        from_edges(pairs, 2)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.coo_matrix, sp.csc_array])
@checked
@given(topology=topologies())
def test_from_mask_reads_target_by_source(kind, topology):
    matrix = np.zeros((topology.num_nodes, topology.num_nodes))
    matrix[topology.targets, topology.sources] = -0.5
    again = from_mask(kind(matrix), topology.inputs, topology.outputs)
    assert again == topology


def test_from_mask_drops_stored_zeros_and_leaves_its_argument_alone():
    matrix = sp.csr_array(([0.0, 1.0], ([1, 0], [0, 1])), shape=(2, 2))
    assert from_mask(matrix).edges.tolist() == [[1, 0]]
    assert matrix.nnz == 2


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_from_mask_refuses_a_diagonal(kind):
    with pytest.raises(SelfLoopError, match="self-loop on node 1"):
        from_mask(kind([[0, 1], [0, 1]]))


@pytest.mark.parametrize("mask", [np.ones((2, 3)), np.ones(4), sp.csr_array((2, 3))])
def test_from_mask_wants_a_square(mask):
    with pytest.raises(TopologyError, match="must be square"):
        from_mask(mask)
