import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from nervure import Topology
from nervure.errors import TopologyError
from nervure.modules import (
    input_separation,
    mean_below,
    output_strengths,
    path_products,
    units_covering,
)

from .sculpted import random_dag, separable

small = st.integers(0, 10**6)


def weights_for(topology, seed):
    return np.random.default_rng(seed).normal(size=topology.num_edges)


def sum_over_paths(topology, weights, start, end):
    """Path by path, as the paper writes it."""
    graph = topology.to_networkx(np.abs(weights))
    if start == end:
        return 1.0
    return sum(
        math.prod(graph.edges[edge]["weight"] for edge in path)
        for path in nx.all_simple_edge_paths(graph, start, end)
    )


@given(small, st.floats(0.1, 0.6))
@settings(max_examples=40, deadline=None)
def test_sums_are_those_over_all_paths(seed, density):
    topology = random_dag(9, density, seed)
    weights = weights_for(topology, seed)
    products = path_products(topology, weights)
    for i, start in enumerate(topology.inputs.tolist()):
        for j, end in enumerate(topology.outputs.tolist()):
            expected = sum_over_paths(topology, weights, start, end)
            assert products[i, j] == pytest.approx(expected)
    strengths = output_strengths(topology, weights)
    for node in range(topology.num_nodes):
        expected = sum(sum_over_paths(topology, weights, node, end) for end in topology.outputs)
        assert strengths[node] == pytest.approx(expected)


def test_in_layers_they_are_products_of_matrices():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(5, 3)), generator.normal(size=(2, 5))
    topology = Topology.layered([3, 5, 2])
    weights = np.concatenate((first.ravel(), second.ravel()))
    assert np.allclose(path_products(topology, weights), (abs(second) @ abs(first)).T)
    assert np.allclose(output_strengths(topology, weights)[3:8], abs(second).sum(axis=0))


def test_a_cycle_and_wrong_weights_are_refused():
    ring = Topology.from_edges([(0, 1), (1, 0)], inputs=[0], outputs=[1])
    with pytest.raises(TopologyError, match="around a cycle"):
        path_products(ring, [1.0, 1.0])
    for wrong in ([1.0], [1.0, math.nan]):
        with pytest.raises(TopologyError, match="2 finite numbers"):
            output_strengths(ring, wrong)


def test_units_that_cover_a_share():
    assert units_covering([1.0] * 10) == 9
    assert units_covering([0.1] * 10) == 9
    assert units_covering([1.0] * 10, 1.0) == 10
    assert units_covering([0.0, 7.0, 0.0]) == 1
    assert units_covering([0.0, 0.0]) == units_covering([]) == 0
    for values, share in (([1.0], 0.0), ([1.0], 1.1), ([-1.0], 0.9), ([math.inf], 0.9)):
        with pytest.raises(TopologyError, match="finite strengths of at least 0"):
            units_covering(values, share)


# Of a subnormal number there may be no share.
normal = st.floats(0, 10, allow_subnormal=False)


@given(st.lists(normal, min_size=1, max_size=9), st.floats(0.05, 1))
@settings(max_examples=100, deadline=None)
def test_no_fewer_units_would_do(values, share):
    count = units_covering(values, share)
    ordered = sorted(values, reverse=True)
    assert sum(ordered[:count]) >= share * sum(values) * (1 - 1e-9)
    if count:
        assert sum(ordered[: count - 1]) < share * sum(values) * (1 + 1e-9)


@given(small, st.integers(2, 8), st.integers(2, 8))
@settings(max_examples=40, deadline=None)
def test_t_test_is_that_of_scipy(seed, first, second):
    generator = np.random.default_rng(seed)
    a, b = generator.normal(0, 1, first), generator.normal(0.5, 2, second)
    ours, theirs = mean_below(a, b), ttest_ind(a, b, equal_var=False, alternative="less")
    assert ours.statistic == pytest.approx(theirs.statistic)
    assert ours.freedom == pytest.approx(theirs.df)
    assert ours.p_value == pytest.approx(theirs.pvalue)


def test_samples_that_do_not_vary():
    assert mean_below([0, 0], [1, 1]).p_value == 0.0
    assert mean_below([0, 0], [1, 1]).statistic == -math.inf
    assert mean_below([1, 1], [1, 1]).p_value == mean_below([2, 2], [1, 1]).p_value == 1.0
    assert mean_below([0, 0], [1.0, 1.1]).p_value < 0.05
    with pytest.raises(TopologyError, match="at least two values"):
        mean_below([0], [1, 1])


def test_separation_shows_in_a_sculpted_network_and_not_in_a_dense_one():
    generator = np.random.default_rng(1)
    topology = separable()
    weights = generator.uniform(0.5, 1.5, topology.num_edges)
    halves = [([0, 1], [0, 1], [2, 3]), ([2, 3], [2, 3], [0, 1])]
    for inputs, own, other in halves:
        found = input_separation(path_products(topology, weights), inputs, own, other)
        assert found.p_value < 0.05
    dense = Topology.layered([4, 24, 24, 4])
    products = path_products(dense, generator.normal(size=dense.num_edges))
    assert input_separation(products, *halves[0]).p_value > 0.05
    with pytest.raises(TopologyError, match="inputs: expected places from 0 to 3"):
        input_separation(products, [4], [0, 1], [2, 3])
    with pytest.raises(TopologyError, match="own and other"):
        input_separation(products, [0], [0, 1], [2, -1])
