"""`LearnedDAG` beside a strictly triangular matrix in plain torch."""

import numpy as np
import pytest
import torch

from nervure.baselines import LearnedDAG
from nervure.errors import EngineError
from nervure.training import TrainingOptions, fit


def rows(count, inputs, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, inputs, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("nodes", [1, 2, 9])
def test_equals_a_triangular_matrix_row_by_row(nodes):
    network = LearnedDAG(4, 3, nodes=nodes, seed=2).double()
    topology = network.topology
    pairs = [[s, t] for t in range(nodes) for s in range(t)]
    assert topology.edges.tolist() == pairs

    weight = network.core.weight.detach().clone().requires_grad_()
    matrix = torch.zeros(nodes, nodes, dtype=torch.float64)
    targets, sources = (torch.from_numpy(e.astype(np.int64)) for e in
                        (topology.targets, topology.sources))  # fmt: skip
    matrix = matrix.index_put((targets, sources), weight)
    x = rows(5, 4)
    drive = network.encoder(x).detach().requires_grad_()
    values = []
    for i in range(nodes):
        z = drive[:, i]
        for j in range(i):
            z = z + matrix[i, j] * values[j]
        values.append(torch.tanh(z))
    expected = network.decoder(torch.stack(values, dim=1))
    found = network(x)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)

    scale = rows(5, 3, seed=1)
    (found * scale).sum().backward()
    gradient = network.encoder.bias.grad.clone()
    (expected * scale).sum().backward()
    torch.testing.assert_close(gradient, drive.grad.sum(0), rtol=1e-10, atol=1e-12)
    if nodes > 1:
        torch.testing.assert_close(network.core.weight.grad, weight.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("nodes", [80, 500])
def test_a_long_chain_of_neurons_neither_dies_nor_explodes(nodes):
    network = LearnedDAG(64, 10, nodes=nodes, seed=0)
    values = network.activations(rows(200, 64).float())
    spread = values.std(0)
    first, last = spread[:20].mean().item(), spread[-20:].mean().item()
    assert 0.3 < first < last < 0.7
    assert (values[:, -20:].abs() > 0.97).float().mean() < 0.1
    # Nor do gradients: the last neurons still depend on what drives the first ones.
    (gradient,) = torch.autograd.grad(values[:, -20:].sum(), network.encoder.bias)
    ratio = gradient[:20].abs().mean() / gradient[-20:].abs().mean()
    assert 0.05 < ratio < 20


def test_a_network_of_the_same_shape_takes_its_state():
    network = LearnedDAG(4, 3, nodes=6, activation="relu", seed=0)
    x = rows(5, 4).float()
    other = LearnedDAG(**network.config())
    other.load_state_dict(network.state_dict())
    for twin in (other, network.compact(), LearnedDAG(**network.config(), seed=0)):
        torch.testing.assert_close(twin(x), network(x), rtol=0, atol=0)
    assert LearnedDAG(4, 3).config() == {
        "inputs": 4, "outputs": 3, "nodes": 200, "activation": "tanh",
    }  # fmt: skip


def test_learns_with_every_edge_kept():
    x = np.random.default_rng(0).standard_normal((200, 2)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    network = LearnedDAG(2, 2, nodes=20, seed=0)
    options = TrainingOptions(epochs=15, learning_rate=0.3, batch_size=20)
    fitted = fit(network, x, y, task="classification", options=options, validation=(x, y))
    assert fitted.history[-1]["validation_error"] < 0.2
    assert network.topology.num_edges == 190


def test_mistakes_are_named():
    with pytest.raises(EngineError, match="expected at least 1, got 0"):
        LearnedDAG(4, 2, nodes=0)
    with pytest.raises(EngineError, match="swish"):
        LearnedDAG(4, 2, activation="swish")
