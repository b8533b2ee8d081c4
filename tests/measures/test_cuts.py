from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given

from nervure.errors import UndefinedMeasureError
from nervure.measures import edge_connectivity
from nervure.topology import complete, dense_dag, erdos_renyi, layered

from .graphs import chain, checked, cut, digraphs


@checked
@given(digraphs(max_nodes=5))
def test_it_is_the_smallest_cut_that_brute_force_finds(topology):
    assume(not set(topology.inputs.tolist()) & set(topology.outputs.tolist()))
    found = edge_connectivity(topology)
    if topology.num_edges > 10:
        return

    def is_cut(removed):
        mask = np.ones(topology.num_edges, dtype=bool)
        mask[list(removed)] = False
        return not topology.keep(mask).live.any()

    sizes = range(topology.num_edges + 1)
    every = (c for size in sizes for c in combinations(range(topology.num_edges), size))
    assert found == len(next(c for c in every if is_cut(c)))


@pytest.mark.parametrize("seed", range(5))
def test_it_is_that_of_networkx(seed):
    topology = erdos_renyi(30, edges=150, seed=seed).with_roles([3], [17])
    expected = nx.edge_connectivity(nx.DiGraph(topology.edges.tolist()), 3, 17)
    assert edge_connectivity(topology) == expected


def test_closed_forms():
    assert edge_connectivity(dense_dag(60)) == 59
    assert edge_connectivity(chain(9)) == 1
    # Several inputs and outputs: all edges of the narrowest pair of layers.
    assert edge_connectivity(layered([4, 3, 2, 3])) == 6
    assert edge_connectivity(cut()) == 0


def test_a_node_of_both_roles_cannot_be_cut_off():
    with pytest.raises(UndefinedMeasureError, match="3 nodes are input and output at once"):
        edge_connectivity(complete(3))
