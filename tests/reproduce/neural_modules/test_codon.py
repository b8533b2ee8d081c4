"""Trainings on codon, which digits stand in for."""

import numpy as np
import pytest
import torch

from nervure.reproduce.neural_modules import codon

CELL = {
    **codon.COMMON, "epochs": 2, "seed": 0, "rows": 200, "nodes": 12, "keep": 24, "alpha": 0.01,
    "penalty": "repulsion",
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("digits")


def test_rows_are_a_random_part_of_the_training_rows():
    every, part = codon.training_rows(0, None), codon.training_rows(0, 100)
    assert len(part.x) == len(part.y) == 100
    assert every.classes == part.classes == 10
    rows = {row.tobytes() for row in every.x}
    assert all(row.tobytes() in rows for row in part.x)
    assert not np.array_equal(part.x, every.x[:100])
    assert np.array_equal(part.x, codon.training_rows.__wrapped__(0, 100).x)


def test_a_cell_says_how_its_training_goes():
    training = codon.modules_training({**CELL, "schedule": "constant"})
    assert training.options.learning_rate == 0.3
    assert training.options.schedule == "constant"
    assert codon.options_of(CELL).schedule == "cosine"
    assert training.network.topology.num_edges == 24
    assert len(training.network.topology.inputs) == 12
    assert training.network.core.on_failure == "flag"


def test_the_watch_sees_weights_before_they_decay_with_their_gradients():
    seen = []

    def watch(network):
        weight = network.core.weight
        seen.append((weight.detach().clone(), weight.grad.clone(), network.topology))

    training = codon.modules_training(CELL, watch)
    start = training.network.core.weight.detach().clone()
    wired = training.network.topology
    training.epoch()
    assert len(seen) == training.options.steps_per_epoch(200)
    weight, gradient, topology = seen[0]
    assert torch.equal(weight, start)
    assert topology == wired
    assert gradient.abs().max() > 0
    quiet = codon.modules_training(CELL)
    quiet.epoch()
    assert torch.equal(quiet.network.core.weight, training.network.core.weight)
