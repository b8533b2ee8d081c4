"""Theorem 3.3 watched in a training, against plain torch."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from nervure import NeuralModules
from nervure.reproduce.neural_modules.premise import Premise, fitted_slope
from nervure.rules import Repulsion

KEEP = 12


def training(steps):
    """Train as the loop does, and write down by hand what `Premise` should."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(16, 5)).astype(np.float32)
    y = generator.integers(3, size=16)
    network = NeuralModules(5, 3, nodes=8, seed=0)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    premise = Premise(steps, x, y)
    optimizer.register_step_pre_hook(lambda *_: premise(network))
    rule = Repulsion(network, optimizer, keep=KEEP, alpha=0.1)
    expected = []
    for step in range(steps):
        rows = slice(8 * (step % 2), 8 * (step % 2) + 8)
        weight = network.core.weight.detach().clone()
        off = weight[~torch.eye(8, dtype=torch.bool)].abs().sort().values
        gradients = []
        for part in (slice(None), rows):
            optimizer.zero_grad()
            loss = functional.cross_entropy(
                network(torch.from_numpy(x[part])), torch.from_numpy(y[part])
            )
            loss.backward()
            edges = network.topology.edges
            matrix = network.core.weight.grad
            gradients.append(sum(float(matrix[t, s]) ** 2 for s, t in edges))
        expected.append(
            {
                "distance": float(off[:-KEEP].square().sum()),
                "norm": float(off.square().sum()),
                "gradient": gradients[0],
                "batch": gradients[1],
            }
        )
        optimizer.step()
        rule.step()
    return premise, expected


def test_every_number_is_that_of_plain_torch():
    premise, expected = training(6)
    assert [p["iteration"] for p in premise.points] == [0, 1, 2, 3, 4, 5]
    for t, (found, wanted) in enumerate(zip(premise.points, expected, strict=True)):
        for key in ("distance", "norm", "gradient"):
            assert found[key] == pytest.approx(wanted[key], rel=1e-4), (t, key)
        batches = np.mean([e["batch"] for e in expected[: t + 1]])
        assert found["batch_gradient_mean"] == pytest.approx(batches, rel=1e-4)
    distances = np.array([e["distance"] for e in expected])
    below = distances[1:] < distances[0]
    assert premise.holding == pytest.approx(below.mean())
    assert premise.largest == pytest.approx(distances[1:].max() / distances[0], rel=1e-4)
    assert premise.last_above == (0 if below.all() else int(np.flatnonzero(~below)[-1]) + 1)


def test_long_trainings_keep_few_points_and_the_last():
    premise = Premise(5000, np.zeros((1, 1), np.float32), np.zeros(1, np.int64))
    kept = sorted(premise._kept)
    assert kept[0] == 0
    assert kept[-1] == 4999
    assert 30 <= len(kept) <= 41


def test_the_slope_is_that_of_the_last_decade():
    points = [{"iteration": t, "g": 7.0 * t**-0.5 if t >= 100 else 1e6} for t in range(1, 1001)]
    assert fitted_slope(points, "g") == pytest.approx(-0.5)
    assert np.isnan(fitted_slope(points[:2], "g"))
