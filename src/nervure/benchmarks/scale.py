"""Training step of large acyclic graphs: time and memory per edge as they grow."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch

from nervure.benchmarks import memory
from nervure.benchmarks.harness import OURS, Benchmark, DisagreementError, Row, Settings, timed
from nervure.benchmarks.wiring import window_dag
from nervure.networks import GraphLayer

_BATCH = 64
_WINDOW = 2000
# (nodes, edges into each).
_SIZES = ((1_000, 10), (10_000, 50), (100_000, 50), (1_000_000, 50), (1_000_000, 100))
_QUICK = ((100, 5), (300, 10))
# By default; the last of the sizes runs only when a caller allows for it.
_MOST_EDGES = 50_000_000
# Below, the process's own changes are too large a part of what is measured.
_FEWEST_EDGES_WEIGHED = 1_000_000
# Topology, plan, weights, their gradient and momentum, and what building needs for a while.
_BYTES_PER_EDGE = 100


def rows(settings: Settings, most_edges: int = _MOST_EDGES) -> list[Row]:
    """Time forward, mean square of ten outputs, backward and SGD with momentum, batch 64.

    The memory reported is what such a process holds more than before, at its peak.
    """
    sizes = _QUICK if settings.quick else _SIZES
    found: list[Row] = []
    # What torch loads at its first step belongs to no case.
    _case("first", None, *_QUICK[0], dataclasses.replace(settings, repeats=1))
    for kind, window in (("local", _WINDOW), ("uniform", None)):
        cases = [
            (nodes, fan_in)
            for nodes, fan_in in sizes
            if nodes * fan_in <= most_edges and _fits(nodes * fan_in)
        ]
        found += _series([_case(kind, window, *case, settings) for case in cases])
    return found


@dataclasses.dataclass(frozen=True)
class _Figures:
    case: str
    edges: int
    milliseconds: float
    # Per edge, beside the activations: while training, and at most until the first step is done.
    training_bytes: float | None = None
    building_bytes: float | None = None

    @property
    def nanoseconds(self) -> float:
        """Per edge and step."""
        return 1e6 * self.milliseconds / self.edges


def slope(edges: Sequence[int], milliseconds: Sequence[float]) -> float:
    """Fit the exponent of time as a power of the edges."""
    x, y = np.log(np.asarray(edges)), np.log(np.asarray(milliseconds))
    return float(np.polyfit(x, y, 1)[0])


def _series(figures: Sequence[_Figures]) -> list[Row]:
    made = []
    for one in figures:
        notes = f"{one.nanoseconds:.3g} ns per edge"
        if one.training_bytes is not None:
            notes += (
                f"; {one.training_bytes:.3g} bytes per edge in training (weights, gradients, "
                f"momentum, index; no activations), {one.building_bytes:.3g} at most before"
            )
        if one is figures[-1] and len(figures) > 1:
            exponent = slope([f.edges for f in figures], [f.milliseconds for f in figures])
            notes += f"; time grows as edges^{exponent:.3f}"
        ratios = {"small case": figures[0].nanoseconds / one.nanoseconds}
        made.append(Row(one.case, one.milliseconds, ratios=ratios, notes=notes))
    return made


def _case(kind: str, window: int | None, nodes: int, fan_in: int, settings: Settings) -> _Figures:
    memory.give_back()
    before = memory.resident()
    topology = window_dag(nodes, fan_in, window, seed=0)
    # Drawing the graph needs more than holding it, and is not what is measured.
    counted = memory.reset_peak()
    generator = torch.Generator().manual_seed(0)
    layer = GraphLayer(topology, activation="relu", generator=generator)
    # So slow that the network stays as drawn while it is measured.
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-8, momentum=0.9)
    drive = torch.randn(_BATCH, fan_in, generator=generator)

    def step() -> float:
        optimizer.zero_grad()
        loss = layer(drive).square().mean()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    case = f"{kind}: {nodes:,} nodes, {topology.num_edges:,} edges"
    loss = step()
    if not math.isfinite(loss):
        raise DisagreementError(f"{case}: the loss is {loss}, not a finite number")
    building = memory.peak_resident()
    memory.give_back()
    counted = memory.reset_peak() and counted
    times = timed({OURS: step}, settings)
    training = memory.peak_resident()
    figures = _Figures(case, topology.num_edges, times[OURS])
    counted = counted and topology.num_edges >= _FEWEST_EDGES_WEIGHED
    if not counted or before is None or building is None or training is None:
        return figures
    # Values and deltas of all nodes, float32.
    without = before + 2 * 4 * nodes * _BATCH
    return dataclasses.replace(
        figures,
        training_bytes=max(0, training - without) / topology.num_edges,
        building_bytes=max(0, building - without) / topology.num_edges,
    )


def _fits(edges: int) -> bool:
    free = memory.available()
    return free is None or edges * _BYTES_PER_EDGE < free


BENCHMARK = Benchmark("scale", "training step of acyclic graphs up to 5e7 edges", rows)
