"""Module statistics against networkx."""

import math

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nervure import Topology, module_statistics


@given(seed=st.integers(0, 10**6), nodes=st.integers(2, 40), degree=st.floats(0, 2))
@settings(max_examples=60, deadline=None)
def test_sizes_are_those_of_networkx(seed, nodes, degree):
    edges = min(int(degree * nodes), nodes * (nodes - 1))
    topology = Topology.erdos_renyi(nodes, edges=edges, seed=seed)
    found = module_statistics(topology)
    components = nx.strongly_connected_components(topology.to_networkx())
    sizes = sorted((len(c) for c in components if len(c) > 1), reverse=True)
    assert list(found.sizes) == sizes
    assert found.count == len(sizes)
    assert found.largest == max(sizes, default=0)
    assert found.covered == pytest.approx(sum(sizes) / nodes)


def test_balance_is_one_for_equal_modules_and_low_for_unequal_ones():
    pairs = [(0, 1), (1, 0), (2, 3), (3, 2)]
    assert module_statistics(Topology.from_edges(pairs)).balance == pytest.approx(1.0)
    ring = [(i, (i + 1) % 50) for i in range(50)] + [(50, 51), (51, 50)]
    unequal = module_statistics(Topology.from_edges(ring, inputs=[0], outputs=[1])).balance
    assert 0 < unequal < 0.3
    assert math.isnan(module_statistics(Topology.from_edges([(0, 1)])).balance)
