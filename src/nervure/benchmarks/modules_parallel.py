"""Many independent modules: one sweep against one call per module, and time against size."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nervure import engine
from nervure.benchmarks.harness import (
    OURS,
    Benchmark,
    Row,
    Settings,
    agreement,
    row_of,
    timed,
)
from nervure.benchmarks.wiring import modular, module_weights
from nervure.topology import Topology

# Both are solved to a residual of 1e-4, and an error may be some times as large.
BOUND = 2e-3


def rows(settings: Settings) -> list[Row]:
    """Time the forward solve of complete tanh modules, batch 128.

    Both ways are nervure's, so that the error says that they agree and no more.
    """
    if settings.quick:
        return [_case("modules of 10", 40, 10, settings), _case("mean size", 40, 4, settings)]
    more_modules = [
        _case("more modules", nodes, 10, settings) for nodes in (300, 600, 1000, 2000, 3000)
    ]
    larger = [_case("larger modules", 3000, size, settings) for size in (2, 5, 10, 30, 100)]
    return more_modules + larger + [_one_chunk(acyclic, settings) for acyclic in (True, False)]


def _one_chunk(acyclic: bool, settings: Settings) -> Row:
    """Time a union of graphs at a batch so small that threads can only share its parts."""
    count, nodes, edges, batch = 64, 60, 1000, 32
    parts = [
        Topology.erdos_renyi(nodes, edges=edges, acyclic=acyclic, seed=k) for k in range(count)
    ]
    union = Topology.from_edges(
        np.concatenate([part.edges + k * nodes for k, part in enumerate(parts)]),
        count * nodes,
        np.arange(count * nodes),
        np.arange(count * nodes),
    )
    generator = torch.Generator().manual_seed(0)
    weight = 0.5 * torch.randn(union.num_edges, generator=generator) / (edges / nodes) ** 0.5
    drive = torch.randn(batch, count * nodes, generator=generator)
    plan = engine.plan(union, "tanh")
    threads = torch.get_num_threads()

    def all_threads() -> Tensor:
        return engine.sweep(plan, weight, drive, backend="native").output

    def one_thread() -> Tensor:
        torch.set_num_threads(1)
        try:
            return engine.sweep(plan, weight, drive, backend="native").output
        finally:
            torch.set_num_threads(threads)

    kind = "without cycles" if acyclic else "with cycles"
    case = f"{count} graphs of {nodes} nodes {kind}, batch {batch}"
    # Bit for bit: the split does not depend on the number of threads.
    error = agreement(case, all_threads(), one_thread(), 0.0)
    times = timed({OURS: all_threads, "one thread": one_thread}, settings)
    return row_of(case, times, max_error=error)


def _case(series: str, nodes: int, size: int, settings: Settings) -> Row:
    batch = 16 if settings.quick else 128
    generator = torch.Generator().manual_seed(0)
    topology = modular(nodes, size)
    weight = module_weights(nodes, size, generator)
    drive = torch.randn(batch, nodes, generator=generator)
    plan = engine.plan(topology, "tanh")
    every = np.arange(size)
    module = Topology.complete(size).with_roles(every, every)
    small = engine.plan(module, "tanh")
    # Edges are ordered by target, so those of a module follow one another.
    weights = weight.split(module.num_edges)
    drives = [part.contiguous() for part in drive.split(size, dim=1)]

    def at_once() -> Tensor:
        return engine.sweep(plan, weight, drive).output

    def one_by_one() -> list[Tensor]:
        return [engine.sweep(small, w, u).output for w, u in zip(weights, drives, strict=True)]

    case = f"{series}: {nodes // size} of {size} nodes"
    error = agreement(case, at_once(), torch.cat(one_by_one(), dim=1), BOUND)
    times = timed({OURS: at_once, "one call per module": one_by_one}, settings)
    sweeps = engine.sweep(plan, weight, drive).status.sweeps
    each = 1e6 * times[OURS] / (topology.num_edges * batch)
    notes = f"{sweeps} sweeps, {each:.3g} ns per edge and sample"
    return row_of(case, times, max_error=error, notes=notes)


BENCHMARK = Benchmark(
    "modules-parallel", "independent modules in one sweep against one call per module", rows
)
