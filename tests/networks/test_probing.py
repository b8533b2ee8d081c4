"""Values and deltas of every node."""

import pytest
import torch

from nervure import GraphLayer, Topology
from nervure.errors import ConvergenceError
from nervure.networks.probing import values_and_deltas


@pytest.mark.parametrize("storage", ["sparse", "dense"])
def test_on_a_linear_loop_they_are_what_algebra_says(storage):
    # A slow loop: at the tolerance of a usual layer the values are off by 1e-8.
    topology = Topology.from_edges([(0, 1), (1, 0), (0, 2)], inputs=[1, 0], outputs=[2, 1])
    layer = GraphLayer(
        topology, activation="identity", storage=storage, tolerance=1e-14, max_sweeps=10_000,
        dtype=torch.float64,
    )  # fmt: skip
    matrix = torch.tensor([[0, 0.97, 0], [0.97, 0, 0], [-2, 0, 0]], dtype=torch.float64)
    with torch.no_grad():
        if storage == "dense":
            layer.weight.copy_(matrix)
        else:
            layer.weight.copy_(matrix[topology.targets.tolist(), topology.sources.tolist()])
    drive = torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    gradient = drive.flip(0) + 1
    values, deltas = values_and_deltas(layer, drive, gradient)
    none = torch.zeros(4, 1, dtype=torch.float64)
    inverse = torch.linalg.inv(torch.eye(3, dtype=torch.float64) - matrix)
    u = torch.cat([drive[:, 1:], drive[:, :1], none], 1)
    g = torch.cat([none, gradient[:, 1:], gradient[:, :1]], 1)
    torch.testing.assert_close(values, u @ inverse.T, rtol=0, atol=1e-10)
    torch.testing.assert_close(deltas, g @ inverse, rtol=0, atol=1e-10)


def test_a_sample_without_an_equilibrium_is_met_as_the_layer_says():
    layer = GraphLayer(Topology.complete(2), activation="squared_relu", dtype=torch.float64)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    drive = torch.tensor([[0.1, 0.1], [9.0, 9.0]], dtype=torch.float64)
    with pytest.raises(ConvergenceError):
        values_and_deltas(layer, drive, drive)
    layer.on_failure = "flag"
    values, deltas = values_and_deltas(layer, drive, drive)
    torch.testing.assert_close(
        values[0], (drive[0] + values[0].flip(0)).square(), rtol=1e-8, atol=0
    )
    assert not deltas[1].any()
