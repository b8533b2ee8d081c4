"""Where weights stand, against loops over edges and blocks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nervure.networks.weight_layout import WeightLayout
from nervure.topology import from_edges

checked = settings(deadline=None, max_examples=60)


@st.composite
def wirings(draw, count=1):
    """Some wirings over the same nodes, a block size and a number of tied targets."""
    n = draw(st.integers(2, 7))
    pairs = [(s, t) for s in range(n) for t in range(n) if s != t]
    chosen = [draw(st.sets(st.sampled_from(pairs), min_size=1, max_size=14)) for _ in range(count)]
    tied = draw(st.sampled_from([0, n]) | st.integers(0, n))
    every = range(n)
    graphs = [from_edges(sorted(edges), n, inputs=every, outputs=every) for edges in chosen]
    return graphs, draw(st.integers(1, 3)), tied


def weights_by_edge(topology, block, tied, values):
    """Weights as a dict: (source, target) -> those of the edge, read off one after the other."""
    values, found = list(values), {}
    for source, target in topology.edges.tolist():
        count = 1 if target < tied else block**2
        found[source, target], values = values[:count], values[count:]
    assert not values
    return found


def draw_weights(layout, seed=0):
    return torch.randn(layout.size, generator=torch.Generator().manual_seed(seed)).double()


@checked
@given(wirings())
def test_size_and_spelling(case):
    (topology,), block, tied = case
    layout = WeightLayout.of(topology, block, tied)
    weight = draw_weights(layout)
    by_edge = weights_by_edge(topology, block, tied, weight.tolist())
    expected = []
    for values in by_edge.values():
        expected += values if len(values) == block**2 else values * block**2
    assert layout.spelled(weight).tolist() == expected


@checked
@given(wirings())
def test_the_gradient_of_a_tied_weight_is_the_sum_of_its_places(case):
    (topology,), block, tied = case
    layout = WeightLayout.of(topology, block, tied)
    weight = draw_weights(layout).requires_grad_()
    places = torch.arange(topology.num_edges * block**2, dtype=torch.float64).sin()
    (layout.spelled(weight) * places).sum().backward()
    expected = []
    for k, (_, target) in enumerate(topology.edges.tolist()):
        own = places[k * block**2 : (k + 1) * block**2]
        expected += [own.sum().item()] if target < tied else own.tolist()
    torch.testing.assert_close(weight.grad, torch.tensor(expected, dtype=torch.float64))


@checked
@given(wirings())
def test_values_per_edge_are_repeated_for_each_weight(case):
    (topology,), block, tied = case
    layout = WeightLayout.of(topology, block, tied)
    expected = []
    for k, (_, target) in enumerate(topology.edges.tolist()):
        expected += [k] * (1 if target < tied else block**2)
    assert layout.per_edge(np.arange(topology.num_edges)).tolist() == expected


@checked
@given(wirings(count=2))
def test_carrying_keeps_what_belongs_to_an_edge(case):
    (old, new), block, tied = case
    before, after = (WeightLayout.of(t, block, tied) for t in (old, new))
    weight = draw_weights(before)
    carried = after.carried(weight, before, new.edge_positions_in(old))
    was = weights_by_edge(old, block, tied, weight.tolist())
    now = weights_by_edge(new, block, tied, carried.tolist())
    for edge, values in now.items():
        assert values == was.get(edge, [0.0] * len(values))


@checked
@given(wirings(), st.booleans())
def test_strengths_are_mean_magnitudes_with_the_sign_of_the_sum(case, filled):
    (topology,), block, tied = case
    layout = WeightLayout.of(topology, block, tied)
    weight = draw_weights(layout)
    pairs = np.arange(1, topology.num_edges + 1) if filled else None
    found = layout.strengths(weight, pairs).tolist()
    by_edge = weights_by_edge(topology, block, tied, weight.tolist())
    for k, ((_, target), values) in enumerate(by_edge.items()):
        if target < tied or block == 1:
            expected = values[0]
        else:
            divisor = k + 1 if filled else block**2
            expected = np.sign(sum(values)) * sum(map(abs, values)) / divisor
        assert found[k] == pytest.approx(expected)


def test_strengths_share_no_memory_with_the_weights():
    topology = from_edges([(0, 1)], 2)
    weight = torch.ones(1, requires_grad=True)
    found = WeightLayout.of(topology, 1, 0).strengths(weight)
    assert not found.requires_grad
    found.zero_()
    assert weight.item() == 1
