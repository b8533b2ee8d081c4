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
from nervure.topology import (
    complete,
    edge_weights,
    from_edges,
    from_networkx,
    from_scipy,
    node_labels,
)

from .strategies import checked, oracle, topologies


@checked
@given(topologies())
def test_networkx_round_trip(topology):
    weights = np.linspace(-1, 1, topology.num_edges)
    graph = topology.to_networkx(weights)
    assert from_networkx(graph) == topology
    assert edge_weights(graph).tolist() == weights.tolist()
    assert nx.utils.graphs_equal(nx.DiGraph(graph.edges()), nx.DiGraph(oracle(topology).edges))


@checked
@given(topologies())
def test_scipy_round_trip(topology):
    matrix = topology.to_scipy()
    assert from_scipy(matrix, topology.inputs, topology.outputs) == topology
    assert matrix.has_canonical_format


def test_networkx_attributes_describe_the_nodes():
    topology = from_edges([(0, 1), (1, 2), (2, 1), (2, 3)], inputs=[0, 3], outputs=[3])
    nodes = topology.to_networkx().nodes
    assert [nodes[v]["role"] for v in nodes] == ["input", "interior", "interior", "both"]
    assert [nodes[v]["component"] for v in nodes] == [0, 1, 1, 2]
    assert [nodes[v]["level"] for v in nodes] == [0, 1, 1, 2]


def test_weights_are_entries_target_source():
    topology = from_edges([(0, 1), (2, 1), (1, 2)])
    matrix = topology.to_scipy(np.array([1.0, 2.0, 3.0], dtype=np.float32))
    assert matrix.dtype == np.float32
    assert matrix.toarray().tolist() == [[0, 0, 0], [1, 0, 2], [0, 3, 0]]
    matrix.data[:] = 0
    matrix.indices[:] = 0
    assert topology.sources.tolist() == [0, 2, 1]


@pytest.mark.parametrize("method", ["to_scipy", "to_networkx", "to_dot"])
def test_weights_must_be_one_per_edge(method):
    with pytest.raises(TopologyError, match=r"weights must have shape \(6,\), .* not \(2,\)"):
        getattr(complete(3), method)([1.0, 2.0])


def test_labels_of_any_kind_keep_graph_order():
    graph = nx.DiGraph([("b", (1, 2)), ((1, 2), 7)])
    topology = from_networkx(graph, inputs=["b"], outputs=[7, (1, 2)])
    assert topology.outputs.tolist() == [2, 1]
    assert [node_labels(graph)[v] for v in topology.outputs] == [7, (1, 2)]


def test_roles_of_a_plain_graph_are_its_ends():
    topology = from_networkx(nx.DiGraph([("a", "b"), ("b", "c")]))
    assert (topology.inputs.tolist(), topology.outputs.tolist()) == ([0], [2])


def test_roles_without_positions_come_in_graph_order():
    graph = nx.DiGraph([(0, 1), (1, 2)])
    nx.set_node_attributes(graph, {2: "output", 1: "output", 0: "input"}, "role")
    assert from_networkx(graph).outputs.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("graph", "error", "text"),
    [
        (nx.Graph([(0, 1)]), TopologyError, r"to_directed\(\)"),
        (nx.MultiDiGraph([(0, 1), (0, 1)]), DuplicateEdgeError, "edge 0 -> 1"),
        (nx.DiGraph([(0, 1), (1, 1)]), SelfLoopError, "node 1"),
    ],
)
def test_graphs_that_are_no_topologies(graph, error, text):
    with pytest.raises(error, match=text):
        from_networkx(graph)


def test_role_of_an_unknown_label():
    with pytest.raises(NodeOutOfRangeError, match="1 roles name no node of the graph: 'x'"):
        from_networkx(nx.DiGraph([("a", "b")]), inputs=["a", "x"])


def test_unknown_role_lists_the_known():
    graph = nx.DiGraph()
    graph.add_node("a", role="inputs")
    with pytest.raises(TopologyError, match="'a' has role 'inputs'; known are interior, input"):
        from_networkx(graph)


def test_position_must_be_a_number():
    graph = nx.DiGraph()
    graph.add_node("a", role="input", input_position="first")
    with pytest.raises(TopologyError, match="input_position 'first', which is no integer"):
        from_networkx(graph)


def test_missing_and_odd_weights():
    graph = nx.DiGraph([("a", "b")])
    with pytest.raises(TopologyError, match="1 edges have no attribute 'weight'"):
        edge_weights(graph)
    graph.edges["a", "b"]["cost"] = "high"
    with pytest.raises(TopologyError, match="needs a number as its 'cost'"):
        edge_weights(graph, "cost")


def test_from_scipy_wants_a_sparse_matrix():
    with pytest.raises(TopologyError, match="sparse matrix is expected, not list"):
        from_scipy([[0, 1]])
    with pytest.raises(TopologyError, match="must be square"):
        from_scipy(sp.coo_array(np.ones(3)))
