import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervure.errors import TopologyError
from nervure.topology import complete, from_edges

from .strategies import checked, topologies


@checked
@given(st.data())
def test_positions_are_those_of_a_dictionary(data):
    one = data.draw(topologies(max_nodes=6, min_nodes=6))
    other = data.draw(topologies(max_nodes=6, min_nodes=6))
    place = {tuple(edge): k for k, edge in enumerate(other.edges.tolist())}
    expected = [place.get(tuple(edge), -1) for edge in one.edges.tolist()]
    positions = one.edge_positions_in(other)
    assert positions.tolist() == expected
    assert positions.dtype == np.int64


@checked
@given(topologies(), st.randoms())
def test_positions_under_other_names(topology, random):
    new = random.sample(range(topology.num_nodes), topology.num_nodes)
    other = topology.relabelled(new)
    positions = topology.edge_positions_in(other, new)
    assert other.edges[positions].tolist() == np.array(new)[topology.edges].tolist()


def test_members_of_a_union_find_their_weights():
    member = complete(3)
    population = member.union(member, member)
    assert member.edge_positions_in(population, [3, 4, 5]).tolist() == list(range(6, 12))


def test_numberings_must_match():
    with pytest.raises(TopologyError, match="2 nodes are looked up among 3: pass nodes="):
        complete(2).edge_positions_in(complete(3))
    with pytest.raises(TopologyError, match="nodes must have 2 entries, not 1"):
        complete(2).edge_positions_in(complete(3), [0])


def test_nothing_is_found_in_an_empty_graph():
    assert complete(2).edge_positions_in(from_edges([], 2)).tolist() == [-1, -1]
