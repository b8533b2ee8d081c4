import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervure.errors import (
    DuplicateEdgeError,
    NodeOutOfRangeError,
    SelfLoopError,
    TopologyError,
)
from nervure.topology import Topology, complete, from_edges

from .strategies import checked, edge_set, oracle, topologies


def is_sound(topology):
    """Building it again with all checks gives the same value."""
    again = Topology(
        topology.num_nodes, topology.indptr, topology.sources, topology.inputs, topology.outputs
    )
    arrays = (topology.indptr, topology.sources, topology.inputs, topology.outputs)
    return again == topology and all(
        a.dtype == np.int32 and a.flags.c_contiguous and not a.flags.writeable for a in arrays
    )


@checked
@given(topologies(), st.randoms())
def test_keep_keeps_what_the_mask_says(topology, random):
    mask = np.array([random.random() < 0.5 for _ in range(topology.num_edges)], dtype=bool)
    kept = topology.keep(mask)
    assert kept.edges.tolist() == topology.edges[mask].tolist()
    assert is_sound(kept)


@pytest.mark.parametrize("mask", [[True], [1, 0, 1, 0, 1, 0], np.ones((6, 1), bool)])
def test_keep_wants_one_truth_value_per_edge(mask):
    with pytest.raises(TopologyError, match=r"edge_mask must be bool of shape \(6,\)"):
        complete(3).keep(mask)


@checked
@given(topologies(), st.randoms())
def test_grow_adds_and_drop_takes_back(topology, random):
    absent = sorted(nx.complement(oracle(topology)).edges)
    pairs = random.sample(absent, random.randint(0, len(absent)))
    grown = topology.grow(pairs)
    assert edge_set(grown) == edge_set(topology) | set(pairs)
    assert is_sound(grown)
    assert grown.drop(pairs) == topology


def test_grow_names_the_edges_that_exist():
    with pytest.raises(DuplicateEdgeError, match="already in the topology: edges 0 -> 1, 1 -> 2;"):
        from_edges([(0, 1), (1, 2)]).grow([(1, 2), (0, 2), (0, 1)])


@pytest.mark.parametrize(
    ("pairs", "error", "text"),
    [
        ([(0, 2), (0, 2)], DuplicateEdgeError, "edge 0 -> 2 given more than once"),
        ([(2, 2)], SelfLoopError, "self-loop on node 2.*biases are separate"),
        ([(0, 3)], NodeOutOfRangeError, r"edges: node 3 outside 0\.\.2"),
        ([(-1, 0)], NodeOutOfRangeError, "node -1 outside"),
        ([0, 1], TopologyError, r"shape \(m, 2\)"),
        ([(0.5, 1.0)], TopologyError, "integers, not float64"),
    ],
)
def test_grow_refuses_pairs_that_are_no_edges(pairs, error, text):
    with pytest.raises(error, match=text):
        from_edges([(0, 1), (1, 2)]).grow(pairs)


def test_drop_names_the_edges_that_are_absent():
    with pytest.raises(TopologyError, match="not in the topology: edge 2 -> 0;"):
        from_edges([(0, 1), (1, 2)]).drop([(2, 0), (0, 1)])


def test_grow_and_drop_on_an_empty_graph():
    empty = from_edges([], 2)
    assert empty.grow([(1, 0)]).edges.tolist() == [[1, 0]]
    assert empty.grow([]) == empty
    with pytest.raises(TopologyError, match="edge 1 -> 0"):
        empty.drop([(1, 0)])


@checked
@given(topologies())
def test_reversed_turns_edges_and_roles(topology):
    turned = topology.reversed()
    assert edge_set(turned) == {(v, u) for u, v in edge_set(topology)}
    assert turned.inputs.tolist() == topology.outputs.tolist()
    assert turned.edges.tolist() == topology.edges[topology.out_adjacency.edges, ::-1].tolist()
    assert turned.reversed() == topology
    assert turned.live.tolist() == topology.live.tolist()
    assert is_sound(turned)


@checked
@given(st.lists(topologies(max_nodes=5, min_nodes=0), min_size=1, max_size=4))
def test_union_is_the_disjoint_union_in_order(members):
    joined = members[0].union(*members[1:])
    whole = nx.disjoint_union_all([oracle(m) for m in members])
    assert edge_set(joined) == set(whole.edges)
    assert joined.num_nodes == len(whole)
    starts = np.cumsum([0] + [m.num_nodes for m in members])
    for role in ("inputs", "outputs", "sources", "targets"):
        expected = [getattr(m, role) + s for m, s in zip(members, starts, strict=False)]
        assert getattr(joined, role).tolist() == np.concatenate(expected).tolist()
    assert joined.components.count == sum(m.components.count for m in members)
    assert is_sound(joined)


@checked
@given(topologies(), st.randoms())
def test_subgraph_is_the_induced_one(topology, random):
    nodes = random.sample(range(topology.num_nodes), random.randint(0, topology.num_nodes))
    part = topology.subgraph(nodes)
    induced = oracle(topology).subgraph(nodes)
    assert {(nodes[u], nodes[v]) for u, v in edge_set(part)} == set(induced.edges)
    for role in ("inputs", "outputs"):
        expected = [v for v in getattr(topology, role).tolist() if v in nodes]
        assert [nodes[v] for v in getattr(part, role).tolist()] == expected
    positions = part.edge_positions_in(topology, nodes)
    assert topology.edges[positions].tolist() == [[nodes[u], nodes[v]] for u, v in part.edges]
    assert is_sound(part)


def test_subgraph_refuses_repeated_and_unknown_nodes():
    with pytest.raises(TopologyError, match="nodes must name each node once; repeated: node 1"):
        complete(3).subgraph([1, 0, 1])
    with pytest.raises(NodeOutOfRangeError, match="node 3"):
        complete(3).subgraph([3])


@checked
@given(topologies(), st.randoms())
def test_relabelling_changes_names_only(topology, random):
    new = random.sample(range(topology.num_nodes), topology.num_nodes)
    other = topology.relabelled(new)
    assert edge_set(other) == {(new[u], new[v]) for u, v in edge_set(topology)}
    assert other.inputs.tolist() == [new[v] for v in topology.inputs]
    for property_of_a_node in ("levels", "live", "in_degree", "out_degree"):
        ours, theirs = getattr(topology, property_of_a_node), getattr(other, property_of_a_node)
        assert theirs[new].tolist() == ours.tolist()
    assert sorted(other.components.sizes) == sorted(topology.components.sizes)
    back = np.argsort(new)
    assert other.relabelled(back) == topology
    assert is_sound(other)


def test_relabelling_wants_every_node():
    with pytest.raises(TopologyError, match="permutation must hold all 3 nodes once, not 2"):
        complete(3).relabelled([0, 1])


def test_with_roles_keeps_order_and_shares_the_edges():
    topology = complete(4).with_roles(inputs=[3, 0], outputs=[0])
    assert topology.inputs.tolist() == [3, 0]
    assert topology.interior.tolist() == [1, 2]
    assert is_sound(topology)
    with pytest.raises(TopologyError, match="outputs must name each node once"):
        topology.with_roles([0], [1, 1])
