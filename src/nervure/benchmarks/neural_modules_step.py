"""The whole training step of neural modules against one dense product of the same sizes."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from nervure.benchmarks.harness import (
    OURS,
    Benchmark,
    DisagreementError,
    Row,
    Settings,
    row_of,
    timed,
)
from nervure.networks import GraphLayer
from nervure.rules import Repulsion
from nervure.topology import Topology

# Of max |f(z(a)) - a|, the tolerance of float32.
BOUND = 1e-4
_PRODUCT = "d^T a alone"


def rows(settings: Settings) -> list[Row]:
    """Time solve, backward, optimizer, decay and choice of edges, at three strengths of weights.

    Training makes weights stronger than they are drawn, which takes more sweeps.
    """
    gains = (1,) if settings.quick else (1, 4, 6)
    return [_case(gain, settings) for gain in gains]


def _case(gain: int, settings: Settings) -> Row:
    nodes, keep, batch = (60, 600, 16) if settings.quick else (3000, 45_000, 128)
    generator = torch.Generator().manual_seed(0)
    every = np.arange(nodes)
    unwired = Topology(nodes, np.zeros(nodes + 1, dtype=np.int32), [], every, every)
    layer = GraphLayer(unwired, activation="tanh", storage="dense", generator=generator)
    with torch.no_grad():
        layer.weight.normal_(std=gain * 0.5 / math.sqrt(nodes), generator=generator)
        layer.weight.diagonal().zero_()
    # So slow that the weights, and with them the number of sweeps, stay as drawn.
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-8, momentum=0.5)
    rule = Repulsion(layer, optimizer, keep=keep, alpha=1e-3)
    drive = torch.randn(batch, nodes, generator=generator)
    gradient = torch.randn(batch, nodes, generator=generator)
    other = torch.randn(batch, nodes, generator=generator)

    def step() -> None:
        (layer(drive) * gradient).sum().backward()
        optimizer.step()
        rule.step()
        optimizer.zero_grad()

    residual = _residual(layer, drive)
    if not residual <= BOUND:
        raise DisagreementError(f"weights x {gain}: the residual is {residual:.3g}, not {BOUND:g}")
    status = layer.status
    times = timed({OURS: step, _PRODUCT: lambda: gradient.t() @ other}, settings)
    ratio = times[OURS] / times[_PRODUCT]
    sweeps = 0 if status is None else status.sweeps
    notes = f"step / product = {ratio:.2f}; {sweeps} sweeps; error is the residual"
    case = f"{nodes} nodes, {keep} edges, batch {batch}, weights x {gain}"
    return row_of(case, times, max_error=residual, notes=notes)


def _residual(layer: GraphLayer, drive: Tensor) -> float:
    """Give max |f(z(a)) - a| of the layer's own solution."""
    with torch.no_grad():
        values = layer(drive).double()
        matrix = torch.zeros(layer.weight.shape, dtype=torch.float64)
        targets = torch.from_numpy(layer.topology.targets.astype(np.int64))
        sources = torch.from_numpy(layer.topology.sources.astype(np.int64))
        matrix[targets, sources] = layer.edge_weight.double()
        again = torch.tanh(drive.double() + layer.node_bias.double() + values @ matrix.t())
        return float((again - values).abs().max())


BENCHMARK = Benchmark(
    "neural-modules-step", "the whole training step of neural modules against one product", rows
)
