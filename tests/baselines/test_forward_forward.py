"""Cyclic forward-forward: every loss is local, and yet something is learned."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn import functional

from nervure.baselines import CyclicForwardForward, PlainNetwork
from nervure.errors import EngineError
from nervure.topology import Topology
from nervure.training import TrainingOptions, evaluate, fit

OPTIONS = TrainingOptions(epochs=4, learning_rate=0.01, optimizer="adam")


def digits():
    x, y = load_digits(return_X_y=True)
    return (x / 8 - 1).astype(np.float32)[:700], y.astype(np.int64)[:700]


def small(**options):
    network = CyclicForwardForward(5, 3, nodes=10, groups=3, seed=0, **options)
    generator = torch.Generator().manual_seed(1)
    return network, torch.randn(7, 5, generator=generator), torch.arange(7) % 3


def by_hand(network, x, field):
    """Follow the recurrence unit by unit, as it is written."""
    weight, bias = network.encoder.weight, network.encoder.bias
    seen = torch.cat((x, field), dim=1)
    starts = np.cumsum([0, *network.widths])
    units = [slice(a, b) for a, b in pairwise(starts)]
    states, history = None, []
    for _ in range(network.steps):
        values = []
        for unit, own in enumerate(units):
            total = seen @ weight[own].T + bias[own]
            if states is not None:
                sources = [s for s, t in network.topology.edges.tolist() if t == unit]
                at = 0
                for source in sources:
                    part = network.between[unit][:, at : at + network.widths[source]]
                    total = total + states[source] @ part.T
                    at += network.widths[source]
            values.append(total.clamp_min(0))
        states = [v / v.square().mean(1, keepdim=True).add(1e-8).sqrt() for v in values]
        history.append(values)
    return history, states


@pytest.mark.parametrize("topology", [
    None, Topology.from_edges([(0, 1), (1, 2), (2, 1)]),
])  # fmt: skip
def test_units_see_the_row_and_what_their_predecessors_gave(topology):
    network, x, labels = small(topology=topology, steps=3)
    field = torch.eye(3)[labels]
    history, _ = by_hand(network, x, field)
    expected = torch.stack([
        torch.stack([v.square().mean(1) for v in values], dim=1) for values in history
    ])  # fmt: skip
    torch.testing.assert_close(network.goodness(x, labels), expected)
    _, states = by_hand(network, x, torch.full((7, 3), 1 / 3))
    torch.testing.assert_close(network(x), network.read_out(torch.cat(states, dim=1)))


def test_no_gradient_crosses_units_or_steps():
    network, x, labels = small(steps=3)
    with torch.no_grad():
        network.encoder.bias.add_(0.5)
    starts = np.cumsum([0, *network.widths])
    for step in range(3):
        for unit in range(3):
            network.zero_grad()
            network.goodness(x, labels)[step, :, unit].sum().backward()
            own = torch.zeros(10, dtype=torch.bool)
            own[starts[unit] : starts[unit + 1]] = True
            gradient = network.encoder.weight.grad
            assert (gradient[~own] == 0).all()
            assert (gradient[own] != 0).any()
            for other, weight in enumerate(network.between):
                reached = weight.grad is not None and bool((weight.grad != 0).any())
                assert reached == (other == unit and step > 0)


def test_a_unit_learns_what_it_would_with_the_states_before_it_as_data():
    network, x, labels = small(steps=1)
    _, states = by_hand(network, x, torch.eye(3)[labels])
    states = [state.detach() for state in states]
    network.steps = 2
    weight = network.between[0].detach().clone().requires_grad_()
    field = torch.cat((x, torch.eye(3)[labels]), dim=1)
    drive = network.encoder(field)[:, : network.widths[0]].detach()
    value = torch.relu(drive + torch.cat(states[1:], dim=1) @ weight.T).square().mean(1).sum()
    (expected,) = torch.autograd.grad(value, weight)
    network.goodness(x, labels)[1, :, 0].sum().backward()
    torch.testing.assert_close(network.between[0].grad, expected)


def test_cross_entropy_trains_the_read_out_alone():
    network, x, labels = small()
    functional.cross_entropy(network(x), labels).backward()
    reached = {name for name, p in network.named_parameters() if p.grad is not None}
    assert reached == {"read_out.weight", "read_out.bias"}


def test_the_loss_is_of_right_and_wrong_labels():
    network, x, labels = small(threshold=0.7, steps=2)
    twin = copy.deepcopy(network)
    right, wrong = network.goodness(x, labels), network.goodness(x, network.wrong_labels(labels))
    local = torch.log1p(torch.exp(0.7 - right)) + torch.log1p(torch.exp(wrong - 0.7))
    expected = local.sum() / (2 * 7) + functional.cross_entropy(network(x), labels)
    torch.testing.assert_close(twin.loss(twin, x, labels), expected)


def test_wrong_labels_are_wrong_and_evenly_drawn():
    network, *_ = small()
    labels = torch.arange(3).repeat_interleave(2000)
    wrong = network.wrong_labels(labels)
    assert (wrong != labels).all()
    counts = torch.bincount(3 * labels + wrong, minlength=9)
    assert counts[counts > 0].tolist() == pytest.approx([1000] * 6, rel=0.15)


def test_goodness_separates_and_digits_are_learned():
    x, y = digits()
    network = CyclicForwardForward(64, 10, nodes=60, seed=0)
    rows, labels = torch.from_numpy(x[600:]), torch.from_numpy(y[600:])

    def margin():
        with torch.no_grad():
            right = network.goodness(rows, labels)
            return (right - network.goodness(rows, (labels + 3) % 10)).mean().item()

    before = margin()
    fit(network, x[:600], y[:600], task="classification", options=OPTIONS, loss=network.loss)
    assert margin() > before + 0.2
    assert evaluate(network, x[600:], y[600:], "classification").error < 0.3


def test_the_seed_decides_everything():
    x, y = digits()

    def trained(seed, copied=False):
        torch.manual_seed(17 * seed + copied)
        network = CyclicForwardForward(64, 10, nodes=20, seed=seed)
        network = copy.deepcopy(network) if copied else network
        options = TrainingOptions(epochs=1)
        loss = CyclicForwardForward.loss
        fit(network, x[:200], y[:200], task="classification", options=options, loss=loss)
        return network.state_dict()

    torch.testing.assert_close(trained(1), trained(1, copied=True), rtol=0, atol=0)
    first, other = trained(1), trained(2)
    assert first.keys() == other.keys()
    assert not any("generator" in name for name in first)
    assert not torch.equal(first["read_out.weight"], other["read_out.weight"])


def test_config_builds_the_same_shape():
    network, x, _ = small(steps=2, threshold=0.5)
    again = CyclicForwardForward(**network.config())
    again.load_state_dict(network.state_dict())
    torch.testing.assert_close(again(x), network(x), rtol=0, atol=0)
    assert again.config() == network.config()


@pytest.mark.parametrize(("options", "text"), [
    ({"outputs": 1}, "outputs: expected at least 2"),
    ({"nodes": 3}, "nodes: expected at least 4"),
    ({"steps": 0}, "steps"),
    ({"threshold": 0.0}, "threshold"),
    ({"topology": Topology.complete(3)}, "topology: expected 4 nodes"),
])  # fmt: skip
def test_mistakes_are_named(options, text):
    with pytest.raises(EngineError, match=text):
        CyclicForwardForward(**{"inputs": 5, "outputs": 3, **options})


def test_the_loss_of_another_network_is_refused():
    with pytest.raises(EngineError, match="PlainNetwork"):
        CyclicForwardForward.loss(PlainNetwork(4, 3), torch.zeros(2, 4), torch.zeros(2).long())
