"""Dense layers, and sparse ones as masked dense layers."""

import pytest
import torch
from torch import nn

from nervure import SparseMLP
from nervure.baselines import DenseMLP, MaskedMLP
from nervure.errors import EngineError


def test_dense_layers_are_those_of_torch():
    network = DenseMLP([5, 7, 6, 3], seed=0)
    linears = list(network.layers)
    twin = nn.Sequential(linears[0], nn.ReLU(), linears[1], nn.ReLU(), linears[2])
    x = torch.randn(11, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(x), twin(x))
    again = DenseMLP([5, 7, 6, 3], seed=0)
    torch.testing.assert_close(network.state_dict(), again.state_dict(), rtol=0, atol=0)


def test_dense_layers_keep_the_variance_of_signals():
    network = DenseMLP([400, 400, 400, 400], seed=1)
    x = torch.randn(500, 400, generator=torch.Generator().manual_seed(2))
    assert network(x).var().item() == pytest.approx(2, rel=0.3)


@pytest.mark.parametrize(("options", "text"), [
    ({"sizes": [5]}, "at least two"),
    ({"sizes": [5, 3], "activation": "swish"}, "unknown activation swish"),
])  # fmt: skip
def test_mistakes_are_named(options, text):
    with pytest.raises(EngineError, match=text):
        DenseMLP(**options)


@pytest.mark.parametrize(("m", "tied", "sizes"), [
    (1, False, [6, 8, 3]), (2, False, [6, 8, 4, 3]), (2, True, [6, 8, 4, 3]), (3, True, [7, 6, 2]),
])  # fmt: skip
def test_masks_compute_what_the_sparse_network_does(m, tied, sizes):
    network = SparseMLP(
        sizes, epsilon=1.5, motif_size=m, tied=tied, pad=True, activation="tanh", seed=3
    ).double()
    with torch.no_grad():
        network.core.bias.normal_(generator=torch.Generator().manual_seed(0))
        network.core.bias[: network.widths[0] * m] = 0
    masked = MaskedMLP(network)
    x = torch.randn(9, sizes[0], dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(masked(x), network(x))
    optimizer = torch.optim.SGD(masked.parameters(), lr=0.5)
    masked(x).square().sum().backward()
    optimizer.step()
    for layer, weight in enumerate(masked.weights):
        mask = masked.get_buffer(f"mask{layer}")
        assert (weight.grad[mask == 0] == 0).all()
        assert 0 < mask.sum() <= mask.numel()
