"""Training step of sparse layered networks, and the density at which dense ones catch up."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import pairwise

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
from nervure.topology import Topology, erdos_renyi_densities

# Of loss, gradients and outputs; sums of float32 in different orders.
BOUND = 1e-3
# Of norms of gradients, where single relus may fall on the other side of zero.
KINKS = 5e-3
_DENSE = "dense"


def rows(settings: Settings) -> list[Row]:
    """Time a step: forward, cross-entropy, backward, SGD with momentum 0.9."""
    sizes = [20, 30, 30, 5] if settings.quick else [784, 3000, 3000, 3000, 10]
    batch = 16 if settings.quick else 128
    found = []
    for epsilon in (3.0,) if settings.quick else (20.0, 5.0, 50.0, 200.0):
        densities = erdos_renyi_densities(sizes, epsilon)
        found.append(_case(f"epsilon {epsilon:g}", sizes, densities, batch, settings, sparse=True))
    width = 30 if settings.quick else 1000
    densities = [0.1, 0.5] if settings.quick else [0.1, 0.2, 0.3, 0.4, 0.5]
    against_dense = [
        _case(f"{width}-{width}-{width}, density {d:g}", [width] * 3, [d] * 2, batch, settings)
        for d in densities
    ]
    ratios = [row.ratios[_DENSE] for row in against_dense]
    last = against_dense[-1]
    note = f"{last.notes}; {crossing(densities, ratios)}"
    against_dense[-1] = dataclasses.replace(last, notes=note)
    return found + against_dense


def crossing(densities: Sequence[float], ratios: Sequence[float]) -> str:
    """Say at which density dense over sparse time passes 1, log-linear between cases."""
    logs = [math.log(ratio) for ratio in ratios]
    if logs[0] <= 0:
        return f"dense is at least as fast from density {densities[0]:g} on"
    for (d0, d1), (l0, l1) in zip(pairwise(densities), pairwise(logs), strict=True):
        if l1 <= 0:
            return f"as fast as dense at density {d0 + (d1 - d0) * l0 / (l0 - l1):.2f}"
    return f"faster than dense up to density {densities[-1]:g} at least"


class _Training:
    """A network with everything a step needs."""

    def __init__(self, network: nn.Module, inputs: Tensor, labels: Tensor) -> None:
        self.network = network
        self.inputs = inputs
        self.labels = labels
        self.optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)

    def loss(self) -> Tensor:
        """Compute the loss and its gradients."""
        self.optimizer.zero_grad()
        loss = cross_entropy(self.network(self.inputs), self.labels)
        loss.backward()
        return loss.detach()

    def step(self) -> None:
        self.loss()
        self.optimizer.step()

    def outputs(self) -> Tensor:
        with torch.no_grad():
            output: Tensor = self.network(self.inputs)
            return output


def _case(
    case: str,
    sizes: list[int],
    densities: list[float],
    batch: int,
    settings: Settings,
    *,
    sparse: bool = False,
) -> Row:
    generator = torch.Generator().manual_seed(0)
    topology = Topology.layered(sizes, density=densities, seed=0)
    hidden = sum(sizes[1:-1])
    activation = ["identity"] * sizes[0] + ["relu"] * hidden + ["identity"] * sizes[-1]
    layer = GraphLayer(topology, activation=activation, backend="native", generator=generator)
    inputs = torch.randn(batch, sizes[0], generator=generator)
    labels = torch.randint(sizes[-1], (batch,), generator=generator)
    layers = layer_peers.layers_of(topology, sizes, layer.weight)
    peers = {_DENSE: _Training(layer_peers.dense(layers), inputs, labels)}
    for name, build in layer_peers.PEERS.items() if sparse else ():
        network = build(layers)
        if network is not None:
            peers[name] = _Training(network, inputs, labels)
    ours = _Training(layer, inputs, labels)
    error = _checked(case, ours, peers, layer, layers)
    works = {OURS: ours.step} | {name: peer.step for name, peer in peers.items()}
    possible = sum(n * m for n, m in pairwise(sizes))
    notes = (
        f"{topology.num_edges:,} edges, {100 * topology.num_edges / possible:.3g} % of the dense"
    )
    return row_of(case, timed(works, settings), max_error=error, notes=notes)


def _checked(
    case: str,
    ours: _Training,
    peers: dict[str, _Training],
    layer: GraphLayer,
    layers: Sequence[layer_peers.Wiring],
) -> float:
    """Compare loss and gradients, then outputs after two steps if the same edges are trained."""
    inputs = layers[0].shape[1]
    assert layer.bias is not None
    loss = ours.loss()
    assert layer.weight.grad is not None
    assert layer.bias.grad is not None
    errors = []
    for name, peer in peers.items():
        what = f"{case}, {name}"
        theirs = peer.loss()
        weights = layer_peers.edge_gradients(peer.network, layers)
        biases = layer_peers.bias_gradients(peer.network)
        errors += [
            agreement(f"{what}, loss", loss, theirs, BOUND),
            agreement(
                f"{what}, gradients of the weights", layer.weight.grad, weights, KINKS, kinks=True
            ),
            agreement(
                f"{what}, gradients of the biases",
                layer.bias.grad[inputs:],
                biases,
                KINKS,
                kinks=True,
            ),
        ]
    for training in (ours, *peers.values()):
        training.step()
        training.step()
    errors += [
        agreement(
            f"{case}, {name} after two steps", ours.outputs(), peer.outputs(), KINKS, kinks=True
        )
        for name, peer in peers.items()
        if name != _DENSE
    ]
    return max(errors)


BENCHMARK = Benchmark(
    "sparse-step",
    "training step of sparse layers against masked, CSR, sparselab and dense ones",
    rows,
    ("sparselab",),
)
