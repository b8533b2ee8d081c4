"""Several rules as one must do what each does alone."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional

from nervure.baselines import DartsCell
from nervure.errors import EngineError
from nervure.networks import BlockDAG, GraphLayer, GraphLinear
from nervure.rules import DartsSearch, Repulsion, ResourceTradeoff, Rewiring, Rule, RuleGroup
from nervure.topology import Topology
from nervure.training import TrainingOptions, fit


def model_of_two():
    return torch.nn.Sequential(
        GraphLinear(5, 6, nodes=20, seed=0), GraphLinear(6, 3, nodes=12, seed=1)
    )


def maker(alpha=0.02):
    def make(model, optimizer):
        return RuleGroup(
            Repulsion(layer, optimizer, keep=2 * layer.topology.num_nodes, alpha=alpha)
            for layer in model
        )

    return make


def backward(model, seed):
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(16, 5, generator=generator), torch.randint(3, (16,), generator=generator)
    functional.cross_entropy(model(x), y).backward()


class SgdOfAnotherName(torch.optim.SGD):
    """The rule does not know this class, and leaves the step to it."""


def optimizer_of(kind, parameters):
    if kind == "adam":
        return torch.optim.Adam(parameters, lr=0.01)
    return kind(parameters, lr=0.2, momentum=0.9, weight_decay=1e-3)


@pytest.mark.parametrize("kind", [torch.optim.SGD, SgdOfAnotherName, "adam"])
def test_equals_a_rule_and_an_optimizer_for_each_layer(kind):
    """Every layer has its own in the one model, all have theirs together in the other."""
    together, apart = model_of_two(), model_of_two()
    optimizer = optimizer_of(kind, together.parameters())
    group = maker()(together, optimizer)
    optimizers = [optimizer_of(kind, layer.parameters()) for layer in apart]
    rules = [
        Repulsion(layer, own, keep=2 * layer.topology.num_nodes, alpha=0.02)
        for layer, own in zip(apart, optimizers, strict=True)
    ]
    changed = 0
    for seed in range(8):
        for model in (together, apart):
            backward(model, seed)
        gradients = [layer.core.weight.grad for layer in together]
        optimizer.step()
        for layer, gradient in zip(together, gradients, strict=True):
            assert layer.core.weight.grad is gradient
        for own in optimizers:
            own.step()
        rewiring, alone = group.step(), [rule.step() for rule in rules]
        assert rewiring.after == alone[0].after.union(alone[1].after)
        assert len(rewiring.pruned) == sum(len(one.pruned) for one in alone)
        assert len(rewiring.grown) == sum(len(one.grown) for one in alone)
        pruned = [*alone[0].pruned.tolist(), *(alone[1].pruned + 20).tolist()]
        assert sorted(rewiring.pruned.tolist()) == sorted(pruned)
        changed += rewiring.changed
        optimizer.zero_grad()
        for own in optimizers:
            own.zero_grad()
    assert changed
    for ours, theirs in zip(together.state_dict().values(), apart.state_dict().values(),
                            strict=True):  # fmt: skip
        assert torch.equal(ours, theirs)


def test_is_a_rule_that_fit_counts_honestly():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(120, 5)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    heard = []
    model = model_of_two()
    fitted = fit(
        model, x, y, task="classification",
        options=TrainingOptions(epochs=2, batch_size=20, learning_rate=0.3), rule=maker(),
        on_rewiring=lambda _, *rest: heard.append(rest),
    )  # fmt: skip
    assert isinstance(RuleGroup([Counting(True)]), Rule)
    for metrics in fitted.history:
        own = [rewiring for epoch, rewiring, _ in heard if epoch == metrics["epoch"]]
        assert metrics["pruned"] == sum(len(one.pruned) for one in own) > 0
        assert metrics["grown"] == sum(len(one.grown) for one in own) > 0
        assert metrics["edges"] == 64
        assert "gamma" not in metrics
    assert all(np.isnan(gamma) for _, _, gamma in heard)
    assert heard[-1][1].after.num_nodes == 32


class Counting:
    """Counts its steps; its wiring loses its first edge with every one, or stays."""

    def __init__(self, still):
        self.topology, self.still = Topology.complete(4), still
        self.steps = 0

    def step(self):
        self.steps += 1
        before = self.topology
        if not self.still:
            self.topology = before.drop(before.edges[:1])
        return Rewiring(before, self.topology)

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


def test_nothing_changed_is_one_object():
    group = RuleGroup([Counting(True), Counting(True)])
    rewiring = group.step()
    assert rewiring.before is rewiring.after
    assert not rewiring.changed


def test_one_that_changes_among_those_that_do_not():
    group = RuleGroup([Counting(True), Counting(False), Counting(True)])
    for step in range(3):
        rewiring = group.step()
        assert rewiring.after.num_edges == 36 - 1 - step
        assert len(rewiring.pruned) == 1
        assert set(rewiring.pruned.flatten().tolist()) <= set(range(4, 8))
        assert len(rewiring.grown) == 0


def test_detach_takes_every_decay_off():
    model = model_of_two()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    group = RuleGroup([*maker(alpha=5.0)(model, optimizer).rules, Counting(True)])
    group.detach()
    before = [layer.core.weight.detach().clone() for layer in model]
    for layer in model:
        layer.core.weight.grad = torch.zeros_like(layer.core.weight)
    optimizer.step()
    for layer, weight in zip(model, before, strict=True):
        assert torch.equal(layer.core.weight, weight)


def test_state_goes_to_each_rule():
    model = model_of_two()
    group = maker()(model, torch.optim.SGD(model.parameters(), lr=0.1))
    state = copy.deepcopy(group.state_dict())
    for rule in group.rules:
        rule.keep, rule.gamma, rule.alpha = 7, -1.0, 9.0
    group.load_state_dict(state)
    assert [rule.keep for rule in group.rules] == [40, 24]
    assert all(rule.gamma > 0 and rule.alpha == 0.02 for rule in group.rules)
    with pytest.raises(EngineError, match="states of 1 rules, got 2"):
        RuleGroup(group.rules[:1]).load_state_dict(state)


def test_what_makes_no_group():
    with pytest.raises(EngineError, match="at least one rule"):
        RuleGroup([])
    layer = GraphLayer(Topology.complete(5), storage="dense", activation="tanh")
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    twice = [Repulsion(layer, optimizer, keep=4) for _ in range(2)]
    with pytest.raises(EngineError, match="two for one layer"):
        RuleGroup(twice)


def test_every_rule_says_which_layer_it_is_for():
    x, y = np.zeros((4, 4), dtype=np.float32), np.zeros(4, dtype=np.int64)
    block_dag = BlockDAG(Topology.dense_dag(4), channels=3, inputs=4, outputs=2, node="mlp", seed=0)
    cell = DartsCell(4, 2, nodes=8, seed=0)
    for network, make in (
        (block_dag, ResourceTradeoff),
        (GraphLayer(Topology.layered([4, 3])), ResourceTradeoff),
        (cell, lambda n, o: DartsSearch(n, o, validation=(x, y))),
    ):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        with pytest.raises(EngineError, match="two for one layer"):
            RuleGroup(make(network, optimizer) for _ in range(2))
