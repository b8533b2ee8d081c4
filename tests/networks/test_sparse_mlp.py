"""`SparseMLP` against masked dense torch networks, and what its documentation promises."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from nervure import SparseMLP, Topology
from nervure.errors import EngineError, TopologyError
from nervure.rules import SET, RigL


def dense_weights(network, weight=None):
    """[target, source] matrices of whole motifs, one per pair of layers, edge by edge."""
    m, topology, core = network.motif_size, network.topology, network.core
    weight = core.weight if weight is None else weight
    start = network.starts
    dense = [
        weight.new_zeros(m * b, m * a)
        for a, b in zip(network.widths, network.widths[1:], strict=False)
    ]
    at = 0
    for source, target in topology.edges.tolist():
        k = int(np.searchsorted(start, target, side="right")) - 2
        row, column = (target - start[k + 1]) * m, (source - start[k]) * m
        count = 1 if target < core.tied and m > 1 else m * m
        block = weight[at : at + count].expand(m * m).view(m, m)
        at += count
        dense[k][row : row + m, column : column + m] = block
    assert at == len(weight)
    return dense


def run_dense(network, x):
    """The network as nn.Sequential would compute it, differentiable in its own parameters."""
    m, start = network.motif_size, network.starts
    values = functional.pad(x, (0, network.widths[0] * m - x.shape[1]))
    matrices = dense_weights(network)
    for k, matrix in enumerate(matrices):
        bias = network.core.bias[start[k + 1] * m : start[k + 2] * m]
        values = functional.linear(values, matrix, bias)
        if k + 1 < len(matrices):
            values = values.relu()
    return values[:, : network.sizes[-1]]


def train(network, steps=20, lr=0.05, seed=0, rule=None, optimizer=None):
    generator = torch.Generator().manual_seed(seed)
    optimizer = optimizer or torch.optim.SGD(network.parameters(), lr=lr, momentum=0.9)
    dtype = network.core.weight.dtype
    for _ in range(steps):
        x = torch.randn(16, network.sizes[0], generator=generator, dtype=dtype)
        y = torch.randint(network.sizes[-1], (16,), generator=generator)
        optimizer.zero_grad()
        functional.cross_entropy(network(x), y).backward()
        optimizer.step()
        if rule is not None:
            rule.step()


@st.composite
def networks(draw):
    m = draw(st.sampled_from([1, 2, 4]))
    hidden = [m * draw(st.integers(1, 5)) for _ in range(draw(st.integers(0, 3)))]
    network = SparseMLP(
        [draw(st.integers(1, 15)), *hidden, draw(st.integers(1, 9))],
        density=draw(st.floats(0.1, 1)),
        motif_size=m,
        tied=draw(st.booleans()),
        pad=True,
        output_layer=draw(st.sampled_from(["sparse", "dense"])),
        seed=draw(st.integers(0, 99)),
    ).double()
    with torch.no_grad():
        network.core.bias[network.widths[0] * m :].normal_(generator=torch.Generator())
    return network


@settings(deadline=None, max_examples=40)
@given(networks())
def test_equals_a_masked_dense_network(network):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, network.sizes[0], generator=generator, dtype=torch.float64)
    x.requires_grad_()
    ours, theirs = network(x), run_dense(network, x)
    torch.testing.assert_close(ours, theirs)
    parameters = [x, network.core.weight, network.core.bias]
    factors = torch.randn(ours.shape, generator=generator, dtype=torch.float64)
    found, expected = (
        torch.autograd.grad(
            (y * factors).sum(), parameters, allow_unused=True, materialize_grads=True
        )
        for y in (ours, theirs)
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@settings(deadline=None, max_examples=20)
@given(networks())
def test_input_strengths_are_column_sums(network):
    if len(network.sizes) > 2:
        train(network, steps=3)
    first = dense_weights(network)[0].detach().abs()
    real = first if len(network.sizes) > 2 else first[: network.sizes[-1]]
    np.testing.assert_allclose(network.input_strengths(), real.sum(0)[: network.sizes[0]])


def test_fill_has_zero_weights_that_stay_zero():
    network = SparseMLP([6, 8, 8, 10], density=0.9, motif_size=4, pad=True, seed=0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.05)
    rule = SET(network, optimizer, interval=2, new_weight="normal")
    for _ in range(2):
        first, _, last = dense_weights(network)
        assert (first[:, 6:] == 0).all()
        assert (last[10:] == 0).all()
        assert (first[:, :6] != 0).any(0).all()
        train(network, rule=rule, optimizer=optimizer)
    assert network.real_nodes.tolist() == [4, 2, 4, 4, 4, 4, 4, 4, 2]


@pytest.mark.parametrize("m", [2, 4])
def test_tied_nodes_stay_equal_but_in_the_last_hidden_layer(m):
    network = SparseMLP([8, 16, 24, 16, 3], density=0.5, motif_size=m, tied=True, seed=0)
    train(network, steps=40)
    biases = network.core.bias.detach().view(-1, m)
    spread = (biases - biases[:, :1]).abs().amax(1)
    last_hidden = np.flatnonzero(network.layer_of(np.arange(len(biases))) == 3)
    rest = np.flatnonzero(network.layer_of(np.arange(len(biases))) < 3)
    assert (biases[rest].abs() > 0).any()
    torch.testing.assert_close(spread[rest], torch.zeros(len(rest)), atol=1e-6, rtol=0)
    assert (spread[last_hidden] > 1e-3).any()


def test_a_tied_network_is_a_small_one_of_summed_motifs():
    """The docstring's reading, with nn.Linear layers of sizes / m."""
    network = SparseMLP([8, 12, 6, 3], density=0.6, motif_size=2, tied=True, seed=1).double()
    first, second, last = dense_weights(network)
    x = torch.randn(5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    small = functional.linear(x.view(5, 4, 2).sum(2), first[::2, ::2]).relu()
    small = functional.linear(small, 2 * second[::2, ::2]).relu()
    expected = small.repeat_interleave(2, 1) @ last[:3].T
    torch.testing.assert_close(network(x), expected)


@pytest.mark.parametrize(
    ("options", "deviation"),
    [
        ({"init": "normal"}, [0.1, 0.1]),
        # A uniform one on [-b, b] has the deviation b / sqrt(3).
        ({"init": "he_uniform"}, [(6 / 200 / 3) ** 0.5, (6 / 300 / 3) ** 0.5]),
        ({"init": "glorot_uniform"}, [(6 / 500 / 3) ** 0.5, (6 / 700 / 3) ** 0.5]),
        ({"init": "fan_in"}, [(2 / 20) ** 0.5, (2 / 30) ** 0.5]),
        ({"init": "fan_in", "motif_size": 2}, [(2 / 20) ** 0.5, (2 / 30) ** 0.5]),
        # Tied: m times the variance per motif read from inputs, m^2 from nodes that are equal.
        ({"init": "fan_in", "motif_size": 2, "tied": True}, [(2 / 20) ** 0.5, (2 / 60) ** 0.5]),
    ],
)
def test_initial_weights(options, deviation):
    network = SparseMLP([200, 300, 400, 10], density=0.1, distribution="uniform", seed=0, **options)
    degree = network.topology.in_degree[network.topology.targets]
    layer = network.layer_of(network.topology.targets)
    weight = network.core.weight.detach().double().numpy()
    if options["init"] == "fan_in":
        # Seen relative to the mean number of incoming edges, 0.1 of the layer before.
        layout = network.core.layout
        mean = 0.1 * np.array(network.widths)[layer - 1]
        weight = weight * layout.per_edge(np.sqrt(degree / mean))
    places = network.core.layout.per_edge(layer)
    for k, expected in enumerate(deviation, start=1):
        own = weight[places == k]
        assert own.std() == pytest.approx(expected, rel=0.04)
        assert abs(own.mean()) < 4 * expected / np.sqrt(len(own))
        if "uniform" in options["init"]:
            assert expected * 3**0.5 * 0.99 < np.abs(own).max() <= expected * 3**0.5
    assert (network.core.bias == 0).all()


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("m", [1, 4])
def test_fan_in_keeps_the_signal(m, tied):
    sizes = [400, 800, 800, 800, 800, 400]
    network = SparseMLP(sizes, density=0.05, motif_size=m, tied=tied, seed=0)
    x = torch.randn(200, 400, generator=torch.Generator().manual_seed(0))
    assert 0.6 < network(x).square().mean().sqrt() < 2.4


def test_densities_are_those_asked_for():
    sizes = [784, 3000, 3000, 10]
    edges = [20 * (784 + 3000), 20 * 6000, 30000]
    network = SparseMLP(sizes, seed=0)
    layers = network.layer_of(network.topology.targets)
    assert np.bincount(layers)[1:].tolist() == edges
    few = SparseMLP([40, 60, 20], density=0.1, motif_size=2, seed=0)
    assert few.topology.num_edges * 4 == pytest.approx(0.1 * 3600, abs=4)
    dense = SparseMLP([40, 60, 20], density=0.1, output_layer="dense", seed=0)
    assert np.bincount(dense.layer_of(dense.topology.targets))[2] == 1200


def test_a_given_topology_is_taken():
    wiring = Topology.layered([3, 5, 2], density=[0.4, 0.7], seed=3)
    network = SparseMLP([6, 10, 3], motif_size=2, topology=wiring, seed=0)
    assert network.topology is wiring
    roles = Topology.from_edges(wiring.edges, 10)
    for wrong in (Topology.layered([3, 4, 2]), Topology.layered([3, 5, 2, 1]), roles,
                  wiring.grow([[0, 9]])):  # fmt: skip
        with pytest.raises(EngineError, match=r"layers of 3, 5, 2 motifs, .* got Topology\(nodes"):
            SparseMLP([6, 10, 3], motif_size=2, topology=wrong)


def make(seed=0):
    return SparseMLP([9, 12, 12, 5], density=0.4, motif_size=2, tied=True, pad=True, seed=seed)


def test_a_seed_fixes_it_and_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    one, two = make(), make()
    assert torch.equal(torch.get_rng_state(), before)
    assert one.topology == two.topology
    assert torch.equal(one.core.weight, two.core.weight)
    assert make(seed=1).topology != one.topology
    torch.manual_seed(5)
    free = make(seed=None)
    torch.manual_seed(5)
    assert make(seed=None).topology == free.topology
    assert make(seed=None).topology != free.topology


def test_copies_saved_ones_and_compact_predict_the_same():
    network = make()
    train(network, rule=SET(network, torch.optim.SGD(network.parameters(), lr=0.1), interval=2))
    x = torch.randn(4, 9, generator=torch.Generator().manual_seed(2))
    loaded = SparseMLP(**network.config())
    loaded.load_state_dict(network.state_dict())
    assert loaded.config() == network.config()
    for twin in (
        loaded, copy.deepcopy(network), pickle.loads(pickle.dumps(network)), network.compact()
    ):  # fmt: skip
        assert torch.equal(twin(x), network(x))
        assert twin.topology == network.topology
        assert twin.num_parameters == network.num_parameters
        np.testing.assert_array_equal(twin.input_strengths(), network.input_strengths())


def test_no_copy_takes_a_rule_along():
    network = make()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    rule = RigL(network, optimizer, interval=1, end=9)
    for twin in (
        network.compact(), copy.deepcopy(network), pickle.loads(pickle.dumps(network))
    ):  # fmt: skip
        twin.train()(torch.ones(3, 9)).sum().backward()
        assert not rule._absent._passes
    network(torch.ones(3, 9)).sum().backward()
    assert len(rule._absent._passes) == 1
    assert not network.compact().core._forward_hooks


def test_compact_keeps_the_mode_and_shares_nothing():
    network = make().eval()
    small = network.compact()
    assert not small.training
    x = torch.ones(2, 9)
    expected = small(x)
    with torch.no_grad():
        network.core.weight.zero_()
        network.core.bias.zero_()
    assert torch.equal(small(x), expected)
    assert not torch.equal(network(x), expected)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"sizes": [4]}, r"at least two layers of at least one node, got \(4,\)"),
        ({"sizes": [4, 0, 2]}, "at least one node"),
        ({"motif_size": 0}, "motif_size: expected an integer of at least 1, got 0"),
        ({"motif_size": 2.0}, "motif_size: expected an integer of at least 1, got 2.0"),
        ({"motif_size": 3}, "the input layer has 8 nodes, not a multiple of motif_size=3: pass "
                            "pad=True; hidden layer 1 has 10 nodes, not a multiple of "
                            "motif_size=3: take 9 or 12"),
        ({"motif_size": 16, "pad": True}, "hidden layer 1 has 10 nodes.*: take 16$"),
        ({"epsilon": 3, "density": 0.1}, "pass either one of epsilon and density"),
        ({"epsilon": 0}, "epsilon: expected above 0, got 0"),
        ({"density": 0.0}, "density: expected above 0 and at most 1, got 0.0"),
        ({"init": "xavier"}, "init: expected fan_in, he_uniform, .*, got 'xavier'"),
        ({"output_layer": "none"}, "output_layer: expected sparse or dense, got 'none'"),
        ({"activation": "relux"}, "unknown activation"),
        ({"draw": "some"}, "draw: expected exact, bernoulli or replacement, got 'some'"),
        ({"density": 0.5, "distribution": "x"}, "expected uniform, er or erk, got 'x'"),
        ({"epsilon": 5, "distribution": "x"}, "expected uniform, er or erk, got 'x'"),
    ],
)  # fmt: skip
def test_bad_options_are_refused(options, text):
    with pytest.raises((EngineError, TopologyError), match=text):
        SparseMLP(**{"sizes": [8, 10, 3], **options})


def test_padded_inputs_of_another_number_are_refused():
    with pytest.raises(EngineError, match=r"expected 9 inputs, got shape \(2, 10\)"):
        make()(torch.ones(2, 10))


def test_is_a_module_like_any_other():
    network = nn.Sequential(make(), nn.Softmax(dim=1))
    torch.testing.assert_close(network(torch.ones(2, 9)).sum(1), torch.ones(2))
    assert {name for name, _ in network.named_parameters()} == {"0.core.weight", "0.core.bias"}
