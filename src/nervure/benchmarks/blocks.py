"""Edges in m x m blocks against single edges: the same network, and an unstructured one.

Three layers of 3000 nodes; every node reads from 32 of the layer before. In blocks of m the sources
come m at a time, so the number of weights is the same for every m.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nervure.benchmarks.harness import OURS, Benchmark, Row, Settings, agreement, row_of, timed
from nervure.networks import GraphLayer
from nervure.topology import Topology

BOUND = 1e-4
_LAYERS, _FAN_IN, _BATCH = 3, 32, 128


def rows(settings: Settings) -> list[Row]:
    """Time forward pass and training step for m = 2, 4, 8."""
    width = 240 if settings.quick else 3000
    found = []
    for block in (2, 4, 8):
        generator = torch.Generator().manual_seed(block)
        coarse = _layered(width // block, _FAN_IN // block, seed=block)
        irregular = GraphLayer(_layered(width, _FAN_IN, seed=block), generator=generator)
        ours = GraphLayer(coarse, block=block, generator=generator)
        single = GraphLayer(coarse.expanded(block), generator=generator)
        with torch.no_grad():
            single.weight.copy_(in_node_order(coarse, ours.weight, block))
        layers = {OURS: ours, "same, found by panels": single, "unstructured": irregular}
        drive = torch.randn(_BATCH, width, generator=generator)
        case = f"{_LAYERS} x {width}, {ours.plan.weights} weights, blocks of {block}"
        error = agreement(case, ours(drive), single(drive), BOUND)
        forward = timed({name: _forward(layer, drive) for name, layer in layers.items()}, settings)
        step = timed({name: _step(layer, drive) for name, layer in layers.items()}, settings)
        found += [
            row_of(f"{case}, forward", forward, max_error=error),
            row_of(f"{case}, forward and backward", step, max_error=error),
        ]
    return found


def in_node_order(coarse: Topology, weight: Tensor, block: int) -> Tensor:
    """Reorder weights from (edges, target, source) to the edges of the expanded topology."""
    blocks = weight.detach().view(-1, block, block)
    parts = [
        blocks[first:last].transpose(0, 1).reshape(-1)
        for first, last in zip(coarse.indptr[:-1].tolist(), coarse.indptr[1:].tolist(), strict=True)
    ]
    return torch.cat(parts)


def _layered(width: int, fan_in: int, seed: int) -> Topology:
    generator = np.random.default_rng(seed)
    sources = [
        np.sort(generator.permuted(np.tile(np.arange(width), (width, 1)), axis=1)[:, :fan_in])
        + layer * width
        for layer in range(_LAYERS - 1)
    ]
    degree = np.concatenate([np.zeros(width), np.full((_LAYERS - 1) * width, fan_in)])
    indptr = np.concatenate([[0], np.cumsum(degree)]).astype(np.int32)
    nodes = np.arange(_LAYERS * width)
    return Topology(
        len(nodes), indptr, np.concatenate(sources).ravel(), nodes[:width], nodes[-width:]
    )


def _forward(layer: GraphLayer, drive: Tensor) -> Callable[[], Tensor]:
    def work() -> Tensor:
        with torch.no_grad():
            output: Tensor = layer(drive)
            return output

    return work


def _step(layer: GraphLayer, drive: Tensor) -> Callable[[], None]:
    def work() -> None:
        layer.zero_grad()
        layer(drive).sum().backward()

    return work


BENCHMARK = Benchmark("blocks", "edges in m x m blocks against single edges", rows)
