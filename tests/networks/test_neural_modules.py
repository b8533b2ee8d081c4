"""`NeuralModules`: encoder, graph core, decoder."""

import copy

import pytest
import torch
from torch.nn import functional

from nervure import NeuralModules, Topology, module_statistics
from nervure.errors import ConvergenceError, EngineError
from nervure.rules import Repulsion


def trained(nodes, keep, steps, *, alpha=0.0, lr=0.1, contraction=None, scale=1.0, **options):
    network = NeuralModules(8, 4, nodes=nodes, seed=0, contraction=contraction, **options)
    with torch.no_grad():
        network.core.weight.mul_(scale)
    optimizer = torch.optim.SGD(network.parameters(), lr=lr, momentum=0.5)
    rule = Repulsion(network, optimizer, keep=keep, alpha=alpha)
    generator = torch.Generator().manual_seed(0)
    statuses = []
    for _ in range(steps):
        x = torch.randn(64, 8, generator=generator)
        y = (x[:, 0] > 0).long() + 2 * (x[:, 1] * x[:, 2] > 0).long()
        functional.cross_entropy(network(x), y).backward()
        statuses.append(network.core.status)
        optimizer.step()
        rule.step()
        optimizer.zero_grad()
    return network, statuses


def test_equals_the_equation_solved_by_hand():
    """Eq. 3 with dense tensors and many plain iterations, encoder and decoder included."""
    network = NeuralModules(6, 2, nodes=15, seed=1, tolerance=1e-7)
    x = torch.randn(9, 6)
    dense = network.core.weight.detach().clone()
    bias = dense.diagonal().clone()
    dense.diagonal().zero_()
    a = torch.zeros(9, 15)
    for _ in range(200):
        a = torch.tanh(network.encoder(x) + bias + a @ dense.T)
    torch.testing.assert_close(network(x), network.decoder(a), rtol=1e-5, atol=1e-5)


def test_compact_predicts_the_same_and_is_smaller():
    network, _ = trained(40, 80, 20)
    small = network.compact()
    x = torch.randn(50, 8)
    assert torch.equal(network(x), small(x))
    assert small.core.weight.numel() == 80
    assert small.topology == network.topology
    assert small.gamma == network.gamma > 0


def test_deepcopy_and_state_dict_after_rewiring():
    network, _ = trained(30, 70, 10)
    x = torch.randn(5, 8)
    fresh = NeuralModules(8, 4, nodes=30, seed=9)
    fresh.load_state_dict(network.state_dict())
    for twin in (copy.deepcopy(network), fresh):
        assert twin.topology == network.topology
        assert torch.equal(twin(x), network(x))


def test_a_component_beyond_100_nodes_trains_with_every_batch_converged():
    network, statuses = trained(200, 1000, 60)
    assert module_statistics(network.topology).largest > 100
    assert all(bool(s.converged.all()) for s in statuses)
    assert max(s.residual for s in statuses) <= 1e-4


def test_expansive_network_fails_typed_or_succeeds_with_contraction():
    options = {"scale": 1e20, "activation": "relu", "max_sweeps": 20}
    with pytest.raises(ConvergenceError) as caught:
        trained(30, 300, 3, **options)
    assert caught.value.component_size > 1
    assert "contraction" in str(caught.value)
    _, statuses = trained(30, 300, 3, contraction=0.9, **{**options, "max_sweeps": 300})
    assert all(bool(s.converged.all()) for s in statuses)


def test_same_seed_same_network_and_global_generator_untouched():
    before = torch.get_rng_state()
    first, second = NeuralModules(5, 2, nodes=7, seed=4), NeuralModules(5, 2, nodes=7, seed=4)
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_starts_from_the_complete_digraph():
    assert NeuralModules(3, 2, nodes=10).topology == Topology.complete(10)


def test_loss_falls_under_training():
    network, _ = trained(40, 120, 600, alpha=0.01)
    x = torch.randn(500, 8, generator=torch.Generator().manual_seed(9))
    y = (x[:, 0] > 0).long() + 2 * (x[:, 1] * x[:, 2] > 0).long()
    assert (network(x).argmax(1) == y).float().mean() > 0.75


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"inputs": 0, "outputs": 2}, "inputs"),
        ({"inputs": 3, "outputs": 2, "nodes": 1}, "nodes"),
        ({"inputs": 3, "outputs": 2, "nodes": 5, "topology": Topology.complete(4)}, "topology"),
        ({"inputs": 3, "outputs": 2, "storage": "Dense"}, "storage: .* got 'Dense'"),
    ],
)
def test_bad_sizes_are_refused(arguments, word):
    with pytest.raises(EngineError, match=word):
        NeuralModules(**arguments)
