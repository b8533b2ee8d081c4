"""`FreeNet`: encoder, neurons on an acyclic graph, decoder."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nervure import FreeNet, Topology, load_model, save_model
from nervure.errors import EngineError
from nervure.rules import CoActivation

FUNCTIONS = {
    "relu": lambda z: max(z, 0.0),
    "squared_relu": lambda z: max(z, 0.0) ** 2,
    "tanh": np.tanh,
    "identity": lambda z: z,
}


def wired(neurons, edges):
    return Topology.from_edges(edges, neurons, range(neurons), range(neurons))


@st.composite
def wirings(draw, most=8):
    n = draw(st.integers(1, most))
    pairs = [(s, t) for t in range(n) for s in range(t)]
    return wired(n, draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else [])


def by_hand(network, x):
    """Section 5 with scalars: encoder, neurons in the order of their numbers, decoder."""
    state = {key: tensor.tolist() for key, tensor in network.state_dict().items()}
    edges = list(zip(network.topology.edges.tolist(), state["core.weight"], strict=True))
    values = []
    for i, activation in enumerate(network.core.activation):
        z = state["encoder.bias"][i]
        z += sum(w * v for w, v in zip(state["encoder.weight"][i], x, strict=True))
        z += sum(w * values[s] for (s, t), w in edges if t == i)
        values.append(FUNCTIONS[activation](z))
    outputs = [
        b + sum(w * a for w, a in zip(row, values, strict=True))
        for row, b in zip(state["decoder.weight"], state["decoder.bias"], strict=True)
    ]
    return values, outputs


@given(wirings(), st.data())
@settings(deadline=None, max_examples=50)
def test_equals_a_plain_loop_over_neurons(topology, data):
    n = topology.num_nodes
    names = data.draw(st.lists(st.sampled_from(sorted(FUNCTIONS)), min_size=n, max_size=n))
    network = FreeNet(3, 2, neurons=n, topology=topology, activation=names, seed=n).double()
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    for row, values, outputs in zip(x, network.activations(x), network(x), strict=True):
        expected_values, expected_outputs = by_hand(network, row.tolist())
        np.testing.assert_allclose(values.detach(), expected_values, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(outputs.detach(), expected_outputs, rtol=1e-12, atol=1e-14)


def test_starts_from_every_edge_to_a_higher_number():
    network = FreeNet(3, 2, neurons=7)
    expected = [[s, t] for t in range(7) for s in range(t)]
    assert network.topology.edges.tolist() == expected
    assert network.core.activation == ["relu"] * 7


@pytest.mark.parametrize(("inputs", "neurons", "outputs"), [(784, 30, 10), (1, 1, 1), (5, 12, 3)])
def test_parameters_in_use(inputs, neurons, outputs):
    network = FreeNet(inputs, outputs, neurons=neurons)
    ends = (inputs + 1) * neurons + (neurons + 1) * outputs
    assert network.num_parameters == ends + neurons * (neurons - 1) // 2
    fewer = FreeNet(inputs, outputs, neurons=neurons, topology=wired(neurons, []))
    assert fewer.num_parameters == ends
    assert network.config() == {"inputs": inputs, "outputs": outputs, "neurons": neurons}


def test_initial_weights_are_within_their_bounds_and_fill_them():
    network = FreeNet(200, 50, neurons=100, seed=0)
    for weight, fans in (
        (network.encoder.weight, 300),
        (network.core.weight, 200),
        (network.decoder.weight, 150),
    ):
        bound = (6 / fans) ** 0.5
        assert 0.98 * bound < weight.max() <= bound
        assert -0.98 * bound > weight.min() >= -bound
    for bias in (network.encoder.bias, network.decoder.bias):
        assert 0.08 < bias.abs().max() <= 0.1


def test_same_seed_same_network_and_global_generator_untouched():
    before = torch.get_rng_state()
    first, second = FreeNet(5, 2, neurons=7, seed=4), FreeNet(5, 2, neurons=7, seed=4)
    other = FreeNet(5, 2, neurons=7, seed=5)
    assert torch.equal(before, torch.get_rng_state())
    for a, b, c in zip(first.parameters(), second.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_without_a_seed_the_global_one_counts():
    torch.manual_seed(3)
    first = FreeNet(5, 2, neurons=7)
    second = FreeNet(5, 2, neurons=7)
    torch.manual_seed(3)
    third = FreeNet(5, 2, neurons=7)
    for a, b, c in zip(first.parameters(), second.parameters(), third.parameters(), strict=True):
        assert torch.equal(a, c)
        assert not torch.equal(a, b)


@pytest.mark.parametrize("activation", ["squared_relu", ["relu", "tanh", "relu", "identity"]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_checkpoint_round_trip(activation, dtype, tmp_path):
    topology = wired(4, [(0, 2), (1, 3), (2, 3)])
    network = FreeNet(3, 2, neurons=4, topology=topology, activation=activation, seed=1).to(dtype)
    save_model(tmp_path / "net.safetensors", network, metadata={"note": "x"})
    before = torch.get_rng_state()
    loaded = load_model(tmp_path / "net.safetensors").network
    assert torch.equal(before, torch.get_rng_state())
    assert isinstance(loaded, FreeNet)
    assert loaded.topology == topology
    assert loaded.core.activation == network.core.activation
    x = torch.randn(9, 3, dtype=dtype)
    assert torch.equal(loaded(x), network(x))


def test_copies_compute_the_same():
    network = FreeNet(3, 2, neurons=6, topology=wired(6, [(0, 5), (2, 4)]), seed=1).eval()
    fresh = FreeNet(3, 2, neurons=6, seed=2)
    fresh.load_state_dict(network.state_dict())
    x = torch.randn(9, 3)
    for twin in (network.compact(), copy.deepcopy(network), fresh):
        assert twin.topology == network.topology
        assert torch.equal(twin(x), network(x))
    assert not network.compact().training


def test_compact_leaves_the_rule_behind():
    network = FreeNet(3, 2, neurons=6, seed=1)
    rule = CoActivation(network, None)
    small = network.compact()
    network(torch.randn(5, 3))
    small(torch.randn(7, 3))
    assert rule.statistics.samples == 5
    assert not small.core._forward_hooks
    with torch.no_grad():
        small.core.weight.zero_()
    assert bool(network.core.weight.any())


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"inputs": 0, "outputs": 2}, "inputs: expected at least 1, got 0"),
        ({"inputs": 3, "outputs": -1}, "outputs"),
        ({"inputs": 3, "outputs": 2, "neurons": 0}, "neurons"),
        ({"inputs": 3, "outputs": 2, "neurons": 4, "topology": wired(5, [])}, "expected 4 nodes"),
        ({"inputs": 3, "outputs": 2, "neurons": 3, "topology": Topology.dense_dag(3)}, "input and"),
        ({"inputs": 3, "outputs": 2, "neurons": 3, "topology": wired(3, [(2, 1)])}, "topological"),
        ({"inputs": 3, "outputs": 2, "neurons": 3, "topology": Topology.complete(3)}, "lower"),
        ({"inputs": 3, "outputs": 2, "activation": "sine"}, "unknown activation"),
        ({"inputs": 3, "outputs": 2, "neurons": 3, "activation": ["relu"]}, "one activation per"),
    ],
)
def test_bad_arguments_are_refused(arguments, word):
    with pytest.raises(EngineError, match=word):
        FreeNet(**arguments)


def test_roles_are_all_nodes_in_order():
    """Values would otherwise be counted for the wrong neurons."""
    every = [0, 1, 2]
    for topology in (
        Topology.dense_dag(3, every, [2, 1, 0]),
        Topology.dense_dag(3, [1, 0, 2], every),
        Topology.dense_dag(4, every, every),
    ):
        with pytest.raises(EngineError, match="in the order of their numbers"):
            FreeNet(2, 1, neurons=3, topology=topology)
