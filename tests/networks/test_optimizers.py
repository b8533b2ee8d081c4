"""Torch's optimizers, schedules and clipping on a graph: a layered one trains as nn.Sequential."""

from itertools import pairwise

import pytest
import torch
from torch import nn, optim
from torch.nn.functional import mse_loss

from nervure import GraphLayer, Topology

SIZES = (4, 7, 5, 2)
GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(24, SIZES[0], generator=GENERATOR, dtype=torch.float64)
Y = torch.randn(24, SIZES[-1], generator=GENERATOR, dtype=torch.float64)


def pair():
    """A dense network, and the graph that equals it."""
    layers = [nn.Linear(a, b, dtype=torch.float64) for a, b in pairwise(SIZES)]
    with torch.no_grad():
        for layer in layers:
            for parameter in layer.parameters():
                parameter.normal_(generator=GENERATOR).mul_(0.5)
    dense = nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])
    names = ["tanh"] * sum(SIZES[:-1]) + ["identity"] * SIZES[-1]
    names[: SIZES[0]] = ["identity"] * SIZES[0]
    graph = GraphLayer(
        Topology.layered(SIZES), activation=names, dtype=torch.float64, generator=GENERATOR
    )
    with torch.no_grad():
        graph.weight.copy_(torch.cat([layer.weight.flatten() for layer in layers]))
        graph.bias.copy_(torch.cat([torch.zeros(SIZES[0]), *(layer.bias for layer in layers)]))
    return dense, graph


def assert_equal(dense, graph, tolerance=1e-9):
    layers = [layer for layer in dense if isinstance(layer, nn.Linear)]
    weights = torch.cat([layer.weight.detach().flatten() for layer in layers])
    torch.testing.assert_close(graph.weight.detach(), weights, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(graph(X), dense(X), rtol=tolerance, atol=tolerance)


def steps(network, optimizer, *, count=6, before=None, after=None, parts=1):
    for _ in range(count):
        optimizer.zero_grad()
        for x, y in zip(X.chunk(parts), Y.chunk(parts), strict=True):
            (mse_loss(network(x), y) / parts).backward()
        if before is not None:
            before(network)
        optimizer.step()
        if after is not None:
            after()


OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=0.05, weight_decay=0.01),
    "Adam, amsgrad, not foreach": lambda p: optim.Adam(p, lr=0.05, amsgrad=True, foreach=False),
    "AdamW, fused": lambda p: optim.AdamW(p, lr=0.05, fused=True),
    "NAdam": lambda p: optim.NAdam(p, lr=0.05),
    "RAdam": lambda p: optim.RAdam(p, lr=0.05),
    "Adamax": lambda p: optim.Adamax(p, lr=0.05),
    "Adadelta": lambda p: optim.Adadelta(p, lr=1.0),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.05, momentum=0.5, centered=True),
    "Rprop": lambda p: optim.Rprop(p, lr=0.05),
    "ASGD": lambda p: optim.ASGD(p, lr=0.1),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_optimizers_that_work_number_by_number(make):
    dense, graph = pair()
    for network in (dense, graph):
        steps(network, make(network.parameters()))
    # Adam divides by what may be no more than rounding.
    assert_equal(dense, graph, 1e-6)


def test_a_second_order_optimizer():
    dense, graph = pair()
    for network in (dense, graph):
        optimizer = optim.LBFGS(network.parameters(), max_iter=8, line_search_fn="strong_wolfe")

        def closure(network=network, optimizer=optimizer):
            optimizer.zero_grad()
            loss = mse_loss(network(X), Y)
            loss.backward()
            return loss

        for _ in range(2):
            optimizer.step(closure)
    assert_equal(dense, graph, 1e-5)


SCHEDULES = {
    "cosine": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 6),
    "one cycle": lambda o: optim.lr_scheduler.OneCycleLR(o, 0.3, total_steps=10),
    "warm-up, then steps": lambda o: optim.lr_scheduler.SequentialLR(
        o,
        [optim.lr_scheduler.LinearLR(o, 0.1, total_iters=2), optim.lr_scheduler.StepLR(o, 2, 0.5)],
        [2],
    ),
}


@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_schedules(make):
    dense, graph = pair()
    for network in (dense, graph):
        optimizer = optim.SGD(network.parameters(), lr=0.2, momentum=0.9)
        steps(network, optimizer, after=make(optimizer).step)
    assert_equal(dense, graph)


CLIPPINGS = {
    "norm": lambda p: nn.utils.clip_grad_norm_(p, 0.1),
    "norm, infinite": lambda p: nn.utils.clip_grad_norm_(p, 0.05, norm_type=float("inf")),
    "value": lambda p: nn.utils.clip_grad_value_(p, 0.01),
}


@pytest.mark.parametrize("clip", CLIPPINGS.values(), ids=CLIPPINGS)
def test_clipping(clip):
    dense, graph = pair()
    for network in (dense, graph):
        optimizer = optim.SGD(network.parameters(), lr=0.5)
        steps(network, optimizer, before=lambda net: clip(net.parameters()))
    assert_equal(dense, graph)


def test_gradients_accumulate_over_parts_of_a_batch():
    dense, graph = pair()
    steps(dense, optim.SGD(dense.parameters(), lr=0.5, momentum=0.9))
    steps(graph, optim.SGD(graph.parameters(), lr=0.5, momentum=0.9), parts=4)
    assert_equal(dense, graph)


def test_groups_of_parameters_and_several_optimizers():
    dense, graph = pair()
    biases = [p for p in dense.parameters() if p.ndim == 1]
    weights = [p for p in dense.parameters() if p.ndim == 2]
    groups = [{"params": weights, "lr": 0.3, "weight_decay": 0.1}, {"params": biases}]
    steps(dense, optim.SGD(groups, lr=0.05, momentum=0.9))

    first = optim.SGD([graph.weight], lr=0.3, weight_decay=0.1, momentum=0.9)
    second = optim.SGD([graph.bias], lr=0.05, momentum=0.9)
    for _ in range(6):
        for optimizer in (first, second):
            optimizer.zero_grad()
        mse_loss(graph(X), Y).backward()
        for optimizer in (first, second):
            optimizer.step()
    assert_equal(dense, graph)


def test_averaged_weights():
    dense, graph = pair()
    averages = []
    for network in (dense, graph):
        average = optim.swa_utils.AveragedModel(network)
        optimizer = optim.SGD(network.parameters(), lr=0.2)
        steps(network, optimizer, after=lambda a=average, n=network: a.update_parameters(n))
        averages.append(average)
    torch.testing.assert_close(averages[1](X), averages[0](X))
    assert not torch.allclose(averages[1](X), graph(X))
