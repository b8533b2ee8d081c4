"""What a call costs beside its arithmetic: a tiny network against `nn.Sequential`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nervure.benchmarks import layer_peers
from nervure.benchmarks.harness import (
    OURS,
    Benchmark,
    Row,
    Settings,
    agreement,
    row_of,
    timed,
)
from nervure.networks import GraphLayer
from nervure.topology import Topology

BOUND = 1e-5
_SIZES = (16, 24, 24, 4)
_BATCH = 16


def rows(settings: Settings) -> list[Row]:
    """Time the forward pass without gradients and the training step with SGD."""
    generator = torch.Generator().manual_seed(0)
    topology = Topology.layered(_SIZES)
    activation = ["identity"] * _SIZES[0] + ["relu"] * sum(_SIZES[1:-1]) + ["identity"] * _SIZES[-1]
    layer = GraphLayer(topology, activation=activation, generator=generator)
    peer = layer_peers.dense(layer_peers.layers_of(topology, _SIZES, layer.weight))
    inputs = torch.randn(_BATCH, _SIZES[0], generator=generator)
    labels = torch.randint(_SIZES[-1], (_BATCH,), generator=generator)
    networks: dict[str, nn.Module] = {OURS: layer, "nn.Sequential": peer}

    error = agreement("outputs", _forward(layer, inputs)(), _forward(peer, inputs)(), BOUND)
    passes = timed({name: _forward(n, inputs) for name, n in networks.items()}, settings)
    (ours,) = torch.autograd.grad(cross_entropy(layer(inputs), labels), [layer.weight])
    # A full layer's edges, ordered by target and source, are its matrix row by row.
    matrices = [module.weight for module in peer if isinstance(module, nn.Linear)]
    gradients = torch.autograd.grad(cross_entropy(peer(inputs), labels), matrices)
    theirs = torch.cat([gradient.flatten() for gradient in gradients])
    gradient_error = agreement("gradients of the weights", ours, theirs, BOUND)
    steps = timed({name: _step(n, inputs, labels) for name, n in networks.items()}, settings)
    sizes = " x ".join(map(str, _SIZES))
    return [
        row_of(f"forward, {sizes}, batch {_BATCH}", passes, max_error=error),
        row_of(f"training step, {sizes}, batch {_BATCH}", steps, max_error=gradient_error),
    ]


def _forward(network: nn.Module, inputs: Tensor) -> Callable[[], Tensor]:
    def work() -> Tensor:
        with torch.no_grad():
            output: Tensor = network(inputs)
            return output

    return work


def _step(network: nn.Module, inputs: Tensor, labels: Tensor) -> Callable[[], None]:
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)

    def work() -> None:
        optimizer.zero_grad()
        cross_entropy(network(inputs), labels).backward()
        optimizer.step()

    return work


BENCHMARK = Benchmark("overhead", "a tiny network, where the cost of a call is all", rows)
