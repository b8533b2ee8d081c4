"""Layered and residual networks as graphs of neurons."""

import numpy as np
import pytest
import torch

from nervure.reproduce.neural_modules import special_cases
from nervure.reproduce.neural_modules.special_cases import (
    KINDS,
    coefficients,
    compare,
    special_case,
    wiring,
)


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_gradients_are_those_of_the_layers(kind):
    found = compare(kind, 5, 6, 3, seed=1)
    assert found["sweeps"] == 0
    assert 0 < found["output_difference"] < 1e-13
    assert 0 < found["gradient_difference"] < 1e-13


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["weight", "bias"])
def test_a_wrong_weight_or_bias_is_seen(kind, what, monkeypatch):
    graph_of = special_cases._graph_of

    def off(network):
        layer = graph_of(network)
        with torch.no_grad():
            getattr(layer, what)[-1] += 1e-6
        return layer

    monkeypatch.setattr(special_cases, "_graph_of", off)
    assert compare(kind, 5, 6, 3, seed=1)["output_difference"] > 1e-8


def test_layers_stand_next_to_the_diagonal_and_shortcuts_below():
    layered = special_case("layered", 2, 3, 1, seed=0)
    matrix = coefficients(layered)
    assert np.array_equal(matrix[2:5, :2], layered.first.weight.detach().numpy())
    assert np.count_nonzero(matrix) == 2 * 3 + 3 * 3 + 3
    residual = special_case("residual", 2, 3, 1, seed=0)
    matrix = coefficients(residual)
    assert np.array_equal(matrix[8:11, 2:5], np.eye(3))
    assert np.array_equal(matrix[14:17, 8:11], residual.shortcut.weight.detach().numpy())
    for network in (layered, residual):
        topology = wiring(network)
        assert topology.is_acyclic
        assert (topology.sources < topology.targets).all()
        assert (len(topology.inputs), len(topology.outputs)) == (2, 1)


def test_the_seed_is_all_that_counts():
    before = torch.random.get_rng_state()
    first = compare("residual", 4, 5, 2, seed=3)
    assert compare("residual", 4, 5, 2, seed=3) == first
    assert torch.equal(torch.random.get_rng_state(), before)
