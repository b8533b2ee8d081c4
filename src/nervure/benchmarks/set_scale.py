"""An epoch of a million neurons that SET rewires: time, memory, and whether it learns."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Sequence

import torch
from torch.nn.functional import cross_entropy

from nervure.benchmarks import memory
from nervure.benchmarks.harness import Benchmark, DisagreementError, Row, Settings
from nervure.networks import SparseMLP
from nervure.rules import SET

_BATCH, _CLASSES = 64, 10
_EPSILON = 5.0
# Widths of input and hidden layers, a small case and the large one, and rows of synthetic data:
# classes of Gaussians around centres.
_CASES, _ROWS = ((1_000, 3_330), (1_000, 333_000)), 2_000
_QUICK_CASES, _QUICK_ROWS = ((20, 100), (20, 300)), 400
_NOISE = 3.0


def rows(settings: Settings) -> list[Row]:
    """Train an epoch in batches of 64 with SGD and momentum, and rewire in the middle of it."""
    cases, count = (_QUICK_CASES, _QUICK_ROWS) if settings.quick else (_CASES, _ROWS)
    measured = [_case([inputs, width, width, width, _CLASSES], count) for inputs, width in cases]
    small = measured[0][1]
    return [
        dataclasses.replace(row, ratios={"small case": small / nanoseconds})
        for row, nanoseconds in measured
    ]


def _case(sizes: Sequence[int], count: int) -> tuple[Row, float]:
    """Give the row of a network, and nanoseconds per edge and step."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(_CLASSES, sizes[0], generator=generator)
    labels = torch.randint(_CLASSES, (2 * count,), generator=generator)
    inputs = centres[labels] + _NOISE * torch.randn(2 * count, sizes[0], generator=generator)
    memory.give_back()
    before = memory.resident()
    counted = memory.reset_peak()
    begin = time.perf_counter()
    network = SparseMLP(sizes, epsilon=_EPSILON, seed=0)
    building = time.perf_counter() - begin
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    steps = -(-count // _BATCH)
    rule = SET(network, optimizer, interval=steps // 2, zeta=0.3, end=steps, seed=0)
    edges = network.topology.num_edges
    times, exchanged, rewiring_time = [], 0, 0.0
    for step in range(steps):
        batch = slice(step * _BATCH, min((step + 1) * _BATCH, count))
        begin = time.perf_counter()
        optimizer.zero_grad()
        cross_entropy(network(inputs[batch]), labels[batch]).backward()
        optimizer.step()
        middle = time.perf_counter()
        rewiring = rule.step()
        times.append(middle - begin)
        if rewiring.after is not rewiring.before:
            rewiring_time += time.perf_counter() - middle
            exchanged += len(rewiring.grown)
    if network.topology.num_edges != edges or not exchanged:
        raise DisagreementError(
            f"{edges} edges became {network.topology.num_edges} and {exchanged} were exchanged"
        )
    peak = memory.peak_resident()
    network.eval()
    with torch.no_grad():
        found = torch.cat([network(part) for part in inputs[count:].split(_BATCH)]).argmax(1)
    accuracy = float((found == labels[count:]).double().mean())
    nodes = sum(sizes)
    milliseconds = 1000 * statistics.median(times)
    nanoseconds = 1e6 * milliseconds / edges
    notes = (
        f"epoch of {count:,} rows {sum(times):.3g} s, {nanoseconds:.3g} ns per "
        f"edge and step; built in {building:.3g} s, {exchanged:,} edges exchanged in "
        f"{rewiring_time:.3g} s; accuracy on new rows {100 * accuracy:.1f} % "
        f"(chance {100 / _CLASSES:.0f} %)"
    )
    if counted and before is not None and peak is not None:
        notes += f"; {(peak - before) / 2**30:.2f} GiB at the peak"
    case = f"{nodes:,} neurons, {edges:,} edges, batch {_BATCH}"
    return Row(case, milliseconds, notes=notes), nanoseconds


BENCHMARK = Benchmark("set-scale", "an epoch of a million neurons rewired by SET", rows)
