"""Rules in loops of other kinds: several optimizers, groups of one, accumulation, closures."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from nervure import FreeNet, NeuralModules, SparseMLP, Topology
from nervure.errors import EngineError
from nervure.networks import BlockDAG
from nervure.rules import SET, CoActivation, Repulsion, ResourceTradeoff, RigL

GENERATOR = torch.Generator().manual_seed(0)
X, Y = torch.randn(32, 4, generator=GENERATOR), torch.randn(32, 3, generator=GENERATOR)


def blocks():
    network = BlockDAG(Topology.dense_dag(5), channels=4, inputs=4, outputs=3, node="mlp", seed=0)
    with torch.no_grad():
        network.edge_weight[1] = 0.01
    return network


RULES = {
    "Repulsion": (
        lambda: NeuralModules(4, 3, nodes=12, seed=0),
        lambda net, opt: Repulsion(net, opt, keep=30),
    ),
    "SET": (
        lambda: SparseMLP((4, 20, 20, 3), epsilon=3, seed=0),
        lambda net, opt: SET(net, opt, interval=2),
    ),
    "RigL": (
        lambda: SparseMLP((4, 20, 20, 3), epsilon=3, seed=0),
        lambda net, opt: RigL(net, opt, interval=2, end=100),
    ),
    "CoActivation": (
        lambda: FreeNet(4, 3, neurons=15, seed=0),
        lambda net, opt: CoActivation(net, opt, epsilon=0.5, interval=2),
    ),
    "ResourceTradeoff": (
        blocks,
        lambda net, opt: ResourceTradeoff(net, opt, threshold=0.25, prune_at=2),
    ),
}
every_rule = pytest.mark.parametrize(("make", "make_rule"), RULES.values(), ids=RULES)


def wired(network):
    """The parameter that a rule rewires, and the rest."""
    weight = network.edge_weight if isinstance(network, BlockDAG) else network.core.weight
    return weight, [p for p in network.parameters() if p is not weight]


def train(network, optimizers, rule, *, parts=1, clip=None):
    changed = 0
    for _ in range(6):
        for optimizer in optimizers:
            optimizer.zero_grad()
        for x, y in zip(X.chunk(parts), Y.chunk(parts), strict=True):
            (mse_loss(network(x), y) / parts).backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        for optimizer in optimizers:
            optimizer.step()
        changed += rule.step().changed
    assert changed


def assert_equal(network, other, **tolerances):
    assert network.topology == other.topology
    for (name, p), (_, q) in zip(network.named_parameters(), other.named_parameters(), strict=True):
        torch.testing.assert_close(p, q, msg=name, **tolerances)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.01)


@every_rule
def test_two_optimizers_do_what_one_does(make, make_rule):
    network = make()
    other = copy.deepcopy(network)
    one = adam(network.parameters())
    train(network, [one], make_rule(network, one))
    weight, rest = wired(other)
    first, second = adam([weight]), adam(rest)
    train(other, [first, second], make_rule(other, first))
    assert_equal(network, other, rtol=0, atol=0)


@every_rule
def test_groups_of_one_optimizer_do_what_two_optimizers_do(make, make_rule):
    network = make()
    other = copy.deepcopy(network)
    weight, rest = wired(network)
    groups = [{"params": rest, "lr": 0.02}, {"params": [weight], "weight_decay": 0.1}]
    one = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    train(network, [one], make_rule(network, one))
    weight, rest = wired(other)
    first = torch.optim.SGD([weight], lr=0.1, momentum=0.9, weight_decay=0.1)
    second = torch.optim.SGD(rest, lr=0.02, momentum=0.9)
    train(other, [first, second], make_rule(other, first))
    assert_equal(network, other, rtol=0, atol=0)


@every_rule
def test_the_optimizer_that_does_not_hold_the_wired_weights_is_refused(make, make_rule):
    network = make()
    with pytest.raises(EngineError, match=r"does not hold the (edge )?weights"):
        make_rule(network, adam(wired(network)[1]))


@pytest.mark.parametrize("name", ["Repulsion", "SET", "RigL", "CoActivation"])
def test_accumulated_gradients_lead_to_the_same_wiring(name):
    make, make_rule = RULES[name]
    network = make()
    other = copy.deepcopy(network)
    for net, parts in ((network, 1), (other, 4)):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        train(net, [optimizer], make_rule(net, optimizer), parts=parts)
    assert_equal(network, other, rtol=1e-3, atol=1e-4)


@every_rule
@pytest.mark.parametrize("by_name", [False, True])
def test_a_closure_does_what_the_plain_loop_does(make, make_rule, by_name):
    network = make()
    other = copy.deepcopy(network)
    one, two = adam(network.parameters()), adam(other.parameters())
    train(network, [one], make_rule(network, one))
    rule, changed = make_rule(other, two), 0

    def closure():
        two.zero_grad()
        loss = mse_loss(other(X), Y)
        loss.backward()
        return loss

    for _ in range(6):
        loss = two.step(closure=closure) if by_name else two.step(closure)
        assert loss > 0
        changed += rule.step().changed
    assert changed
    assert_equal(network, other, rtol=0, atol=0)


class NotFused(torch.optim.SGD):
    """Of which Repulsion knows nothing, so that it steps by itself."""


def test_what_repulsion_does_in_one_pass_takes_clipped_gradients_too():
    make, make_rule = RULES["Repulsion"]
    networks = [make() for _ in range(3)]
    for network, kind, clip in zip(
        networks, (torch.optim.SGD, NotFused, NotFused), (0.05, 0.05, None), strict=True
    ):
        optimizer = kind(network.parameters(), lr=0.1, momentum=0.9)
        train(network, [optimizer], make_rule(network, optimizer), clip=clip)
    assert_equal(networks[0], networks[1])
    assert not torch.allclose(networks[0].core.weight, networks[2].core.weight, rtol=1e-2)
