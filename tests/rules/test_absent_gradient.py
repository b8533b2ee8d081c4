"""The gradient of absent edges, against dense torch networks with masks of ones and zeros."""

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional

from nervure import GraphLayer, SparseMLP, Topology
from nervure.rules import absent_gradient
from nervure.rules.absent_gradient import AbsentGradient


def make(m=1, sizes=(6, 8, 12, 4), tied=False, due=lambda: True, activation="tanh"):
    network = SparseMLP(
        sizes, density=0.4, motif_size=m, tied=tied, pad=True, activation=activation, seed=0
    ).double()
    with torch.no_grad():
        start = network.widths[0] * m
        network.core.bias[start:].normal_(generator=torch.Generator().manual_seed(9))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5, momentum=0.9)
    watch = AbsentGradient(network.core, optimizer, due, network.real_nodes)
    return network, optimizer, watch


def batch(network, seed=0, rows=7):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, network.sizes[0], generator=generator, dtype=torch.float64)
    return x, torch.randint(network.sizes[-1], (rows,), generator=generator)


def dense_gradients(network, batches, scale=1.0):
    """Gradient of every cell of every matrix, of dense matrices in which absent edges are 0."""
    m, start = network.motif_size, network.starts
    matrix = np.zeros((start[-1] * m,) * 2)
    weight = network.core.edge_weight.view(-1, m, m).numpy()
    for (source, target), block in zip(network.topology.edges.tolist(), weight, strict=True):
        matrix[target * m : (target + 1) * m, source * m : (source + 1) * m] = block
    bounds = [slice(a * m, b * m) for a, b in pairwise(start)]
    dense = [torch.from_numpy(matrix[t, s].copy()).requires_grad_() for s, t in pairwise(bounds)]
    for x, y in batches:
        values = functional.pad(x, (0, network.widths[0] * m - x.shape[1]))
        for k, part in enumerate(dense):
            values = functional.linear(values, part, network.core.node_bias[bounds[k + 1]])
            values = values.tanh() if k + 1 < len(dense) else values
        loss = functional.cross_entropy(values[:, : network.sizes[-1]], y)
        (scale * loss).backward()
    return [part.grad for part in dense]


def of_cells(network, gradient, k):
    """Scores by loops: mean |g| over the pairs of a motif, or |sum| of them where it is tied."""
    m, real, start = network.motif_size, network.real_nodes, network.starts
    rows, columns = network.widths[k + 1], network.widths[k]
    scores = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            block = gradient[i * m : (i + 1) * m, j * m : (j + 1) * m]
            pairs = real[start[k + 1] + i] * real[start[k] + j]
            tied = network.tied and k + 2 < len(network.widths)
            scores[i, j] = (abs(block.sum()) if tied else block.abs().sum()) / pairs
    return scores


def all_scores(network, watch, k):
    start = network.starts
    parts = list(watch.scores(range(start[k], start[k + 1]), range(start[k + 1], start[k + 2])))
    assert [first for first, _ in parts] == np.cumsum([0] + [len(v) for _, v in parts])[
        :-1
    ].tolist()
    return np.concatenate([values for _, values in parts]).reshape(-1, network.widths[k])


@pytest.mark.parametrize("cells", [1 << 22, 30, 1])
@pytest.mark.parametrize(
    ("m", "sizes", "tied"),
    [
        (1, (6, 8, 12, 4), False),
        (2, (6, 8, 12, 4), False),
        (2, (6, 8, 12, 4), True),
        (4, (6, 8, 12, 5), False),
        (4, (6, 8, 12, 5), True),
    ],
)
def test_scores_are_the_dense_gradient(monkeypatch, m, sizes, tied, cells):
    monkeypatch.setattr(absent_gradient, "_CELLS", cells)
    network, optimizer, watch = make(m, sizes, tied)
    x, y = batch(network)
    functional.cross_entropy(network(x), y).backward()
    expected = dense_gradients(network, [(x, y)])
    optimizer.step()
    # The step came after: the gradient is that of the weights it was taken at.
    for k, gradient in enumerate(expected):
        np.testing.assert_allclose(
            all_scores(network, watch, k), of_cells(network, gradient, k), rtol=1e-6, atol=1e-12
        )
    # And not that of the weights after it.
    moved = dense_gradients(network, [(x, y)])
    assert not np.allclose(all_scores(network, watch, 0), of_cells(network, moved[0], 0), rtol=1e-3)


@pytest.mark.parametrize("tied", [False, True])
def test_present_edges_have_their_own_gradient(tied):
    network, optimizer, watch = make(2, tied=tied)
    x, y = batch(network)
    functional.cross_entropy(network(x), y).backward()
    own = network.core.weight.grad.clone()
    optimizer.step()
    layout, topology = network.core.layout, network.topology
    start = network.starts
    for k in range(3):
        scores = all_scores(network, watch, k)
        inside = (topology.targets >= start[k + 1]) & (topology.targets < start[k + 2])
        places = torch.from_numpy(layout.per_edge(inside))
        found = scores[topology.targets[inside] - start[k + 1], topology.sources[inside] - start[k]]
        gradient = own[places]
        if tied and k < 2:
            np.testing.assert_allclose(found, gradient.abs() / 4, rtol=1e-6)
        else:
            np.testing.assert_allclose(found, gradient.view(-1, 4).abs().mean(1), rtol=1e-6)


def test_passes_accumulate_as_gradients_do():
    network, optimizer, watch = make()
    batches = [batch(network, seed) for seed in range(3)]
    for x, y in batches:
        (functional.cross_entropy(network(x), y) / 3).backward()
    expected = dense_gradients(network, batches, scale=1 / 3)
    optimizer.step()
    for k, gradient in enumerate(expected):
        np.testing.assert_allclose(all_scores(network, watch, k), gradient.abs(), rtol=1e-6)


def test_only_passes_that_are_due_and_train_are_watched():
    wanted = [False]
    network, optimizer, watch = make(due=lambda: wanted[0])
    x, y = batch(network)

    def one_pass():
        functional.cross_entropy(network(x), y).backward()
        optimizer.step()

    one_pass()
    assert not watch.ready
    wanted[0] = True
    network.eval()
    one_pass()
    network.train()
    with torch.no_grad():
        network(x)
    network(x)
    optimizer.step()
    assert not watch.ready
    one_pass()
    assert watch.ready
    watch.clear()
    assert not watch.ready
    watch.detach()
    one_pass()
    assert not watch.ready
    assert not network.core._forward_hooks


def test_watching_changes_neither_gradients_nor_weights():
    watched, one, _ = make()
    alone, two, watch = make()
    watch.detach()
    for seed in range(4):
        for network, optimizer in ((watched, one), (alone, two)):
            x, y = batch(network, seed)
            optimizer.zero_grad()
            functional.cross_entropy(network(x), y).backward()
            optimizer.step()
    assert torch.equal(watched.core.weight, alone.core.weight)
    assert torch.equal(watched.core.bias, alone.core.bias)


def test_copies_are_not_watched():
    network, _, watch = make()
    x, y = batch(network)
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        functional.cross_entropy(twin(x), y).backward()
        assert not watch._passes
    functional.cross_entropy(network(x), y).backward()
    assert len(watch._passes) == 1


def test_half_precision_gives_single_scores():
    layer = GraphLayer(Topology.layered([4, 6, 3], density=0.5, seed=0)).bfloat16()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    watch = AbsentGradient(layer, optimizer, lambda: True)
    layer(torch.ones(5, 4)).sum().backward()
    optimizer.step()
    ((first, scores),) = watch.scores(range(4), range(4, 10))
    assert (first, scores.dtype, scores.shape) == (0, np.float32, (24,))


@pytest.mark.parametrize("by_name", [False, True])
def test_passes_of_a_closure_are_watched(by_name):
    network, optimizer, watch = make()
    x, y = batch(network)
    expected = dense_gradients(network, [(x, y)])

    def closure():
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(x), y)
        loss.backward()
        return loss

    optimizer.step(closure=closure) if by_name else optimizer.step(closure)
    assert watch.ready
    for k, gradient in enumerate(expected):
        np.testing.assert_allclose(
            all_scores(network, watch, k), of_cells(network, gradient, k), rtol=1e-6, atol=1e-12
        )
