"""Sparse training by name."""

from itertools import pairwise

import pytest
import torch

from nervure.errors import EngineError
from nervure.rules import SET, MagnitudePruning, RigL, Static
from nervure.training import SparseOptions, TrainingOptions

OPTIONS = TrainingOptions(epochs=10, batch_size=10, learning_rate=0.1)


def made(**options):
    sparse = SparseOptions(hidden=(40, 40), epsilon=3, **options)
    network = sparse.make_network(30, 5, seed=0)
    optimizer = OPTIONS.make_optimizer(network.parameters())
    return network, sparse.make_rule(OPTIONS, 95)(network, optimizer)


def erdos_renyi_edges(sizes, epsilon):
    return sum(round(min(1, epsilon * (n + m) / (n * m)) * n * m) for n, m in pairwise(sizes))


@pytest.mark.parametrize(("name", "kind"), [("set", SET), ("rigl", RigL), ("static", Static)])
def test_networks_start_at_the_density_of_erdos_and_renyi(name, kind):
    network, rule = made(rule=name)
    assert type(rule) is kind
    assert network.topology.num_edges == erdos_renyi_edges([30, 40, 40, 5], 3)


def test_pruning_starts_dense_and_ends_at_that_density():
    network, rule = made(rule="magnitude")
    assert type(rule) is MagnitudePruning
    assert network.topology.num_edges == 30 * 40 + 40 * 40 + 40 * 5
    for _ in range(100):
        rule.step()
    assert abs(network.topology.num_edges - erdos_renyi_edges([30, 40, 40, 5], 3)) <= 2


def test_set_updates_after_every_epoch_but_the_last():
    _, rule = made(rule="set", zeta=0.2)
    due = [step for step in range(1, 101) if rule.schedule.share(step) is not None]
    assert due == list(range(10, 100, 10))
    _, rule = made(rule="set", interval=7)
    assert rule.schedule.share(7) == 0.3


def test_motifs_fill_the_input_layer_up():
    network = SparseOptions(hidden=(40,), motif_size=4).make_network(30, 5, seed=0)
    assert network.widths == (8, 10, 2)
    assert network(torch.zeros(2, 30)).shape == (2, 5)


@pytest.mark.parametrize(("options", "text"), [
    ({"rule": "snip"}, "rule: expected one of set, rigl, magnitude, static, got 'snip'"),
    ({"zeta": 1.5}, "zeta: expected 0 to 1, got 1.5"),
    ({"hidden": ()}, r"at least one of at least 1 node, got \[\]"),
])  # fmt: skip
def test_mistakes_are_named(options, text):
    with pytest.raises(EngineError, match=text):
        SparseOptions(**options)
