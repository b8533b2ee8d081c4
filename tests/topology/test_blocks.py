"""Blocks of nodes: expanding, coarsening, finding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervure import Topology
from nervure.errors import TopologyError
from nervure.topology import largest_block


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 9))
    mask = np.array(
        draw(st.lists(st.booleans(), min_size=n * n, max_size=n * n)), dtype=bool
    ).reshape(n, n)
    np.fill_diagonal(mask, False)
    return Topology.from_mask(mask, inputs=[0], outputs=[n - 1])


@given(graphs(), st.integers(1, 5))
def test_expanding_is_the_kronecker_product(topology, block):
    def dense(t):
        matrix = np.zeros((t.num_nodes, t.num_nodes), dtype=int)
        matrix[t.targets, t.sources] = 1
        return matrix

    large = topology.expanded(block)
    expected = np.kron(dense(topology), np.ones((block, block), dtype=int))
    np.testing.assert_array_equal(dense(large), expected)
    assert large.inputs.tolist() == list(range(block))
    # What passed as trusted must satisfy the checks of the constructor.
    assert Topology(
        large.num_nodes, large.indptr, large.sources, large.inputs, large.outputs
    ) == large  # fmt: skip


@given(graphs(), st.integers(1, 5))
def test_coarsening_undoes_expanding(topology, block):
    assert topology.expanded(block).coarsened(block) == topology


@given(graphs(), st.integers(2, 4))
def test_the_block_is_found(topology, block):
    found = largest_block(topology.expanded(block), sizes=(2, 3, 4))
    assert found >= block
    assert topology.expanded(block).coarsened(found).num_nodes * found == topology.num_nodes * block


def test_one_edge_more_or_less_is_refused():
    regular = Topology.from_edges([(0, 1), (1, 2)]).expanded(2)
    mask = np.ones(regular.num_edges, dtype=bool)
    mask[3] = False
    with pytest.raises(TopologyError, match="not regular in blocks of 2"):
        regular.keep(mask).coarsened(2)
    with pytest.raises(TopologyError, match="not regular"):
        regular.grow([(0, 1)]).coarsened(2)
    with pytest.raises(TopologyError, match="do not divide"):
        regular.coarsened(4)
    assert largest_block(regular.keep(mask)) == 1


def test_complete_graphs_have_no_blocks_for_lack_of_self_loops():
    assert largest_block(Topology.complete(8)) == 1
    assert largest_block(Topology.layered([8, 16, 8])) == 8


def test_too_many_edges_are_refused():
    with pytest.raises(TopologyError):
        Topology.complete(3000).expanded(64)
    with pytest.raises(TopologyError, match="at least 1"):
        Topology.complete(3).expanded(0)


def test_expanding_beyond_what_int32_numbers_is_refused():
    alone = Topology.from_edges([], 3)
    with pytest.raises(TopologyError, match="number of nodes must lie in"):
        alone.expanded(2**30)
    with pytest.raises(TopologyError, match=r"block must be an integer, not 2\.0"):
        alone.expanded(2.0)
