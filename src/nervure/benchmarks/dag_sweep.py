"""Forward sweep of acyclic graphs against loops over neurons and against one dense product."""

from __future__ import annotations

import math
from collections.abc import Callable

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
from nervure.topology import Topology

BOUND = 1e-4
_BLOCK = 64
_GEMM = "one dense GEMM"


def rows(settings: Settings) -> list[Row]:
    """Time forward passes of dense and 5 % DAGs of relu neurons, all driven and all read."""
    sizes = (70,) if settings.quick else (100, 500, 1000, 3000)
    batches = (8,) if settings.quick else (128, 1024)
    return [
        _case(kind, n, batch, settings)
        for kind in ("dense", "5 %")
        for n in sizes
        for batch in batches
    ]


def neuron_loop(weight: Tensor, drive: Tensor) -> Tensor:
    """Compute one neuron after the other, each a product with all before it.

    Parameters
    ----------
    weight : Tensor, shape (n, n)
        [target, source], strictly lower triangular.
    drive : Tensor, shape (n, batch)
    """
    values = torch.empty_like(drive)
    for i in range(len(weight)):
        torch.addmv(drive[i], values[:i].t(), weight[i, :i], out=values[i]).relu_()
    return values


def blocked_loop(weight: Tensor, drive: Tensor) -> Tensor:
    """Compute blocks of 64 neurons: one GEMM with all before the block, a neuron loop inside."""
    values = torch.empty_like(drive)
    for begin in range(0, len(weight), _BLOCK):
        end = min(begin + _BLOCK, len(weight))
        before = torch.addmm(drive[begin:end], weight[begin:end, :begin], values[:begin])
        values[begin:end] = neuron_loop(weight[begin:end, begin:end], before)
    return values


def _case(kind: str, n: int, batch: int, settings: Settings) -> Row:
    every = np.arange(n)
    if kind == "dense":
        topology = Topology.dense_dag(n, inputs=every, outputs=every)
    else:
        topology = Topology.erdos_renyi(
            n, density=0.05, acyclic=True, seed=0, inputs=every, outputs=every
        )
    generator = torch.Generator().manual_seed(0)
    # Below 1 so that values stay bounded through as many layers as there are neurons.
    scale = 0.5 / math.sqrt(max(1.0, topology.num_edges / n))
    weight = scale * torch.randn(topology.num_edges, generator=generator)
    drive = torch.randn(batch, n, generator=generator)
    matrix = torch.zeros(n, n)
    targets = torch.from_numpy(topology.targets.astype(np.int64))
    sources = torch.from_numpy(topology.sources.astype(np.int64))
    matrix[targets, sources] = weight
    columns = drive.t().contiguous()
    plan = engine.plan(topology, "relu")
    works: dict[str, Callable[[], Tensor]] = {
        OURS: lambda: engine.sweep(plan, weight, drive, backend="native").output,
        "neuron loop": lambda: neuron_loop(matrix, columns),
        f"loop of {_BLOCK}": lambda: blocked_loop(matrix, columns),
        _GEMM: lambda: matrix @ columns,
    }
    case = f"{kind} DAG of {n}, batch {batch}"
    result = works[OURS]()
    error = max(
        agreement(f"{case}, {name}", result, work().t(), BOUND)
        for name, work in works.items()
        if name not in (OURS, _GEMM)
    )
    times = timed(works, settings)
    notes = rates(topology.num_edges, n, batch, times[OURS], times[_GEMM])
    return row_of(case, times, max_error=error, notes=notes)


def rates(edges: int, n: int, batch: int, ours: float, gemm: float) -> str:
    """Compare useful flops per second with those of the dense product.

    Parameters
    ----------
    edges, n, batch : int
        A sweep's useful flops are 2 edges batch, those of the product 2 n^2 batch.
    ours, gemm : float
        Milliseconds.
    """
    useful = 2e-6 * edges * batch / ours
    most = 2e-6 * n**2 * batch / gemm
    return f"{useful:.3g} useful Gflop/s, {100 * useful / most:.3g} % of the GEMM's {most:.3g}"


BENCHMARK = Benchmark(
    "dag-sweep", "forward pass of acyclic graphs against neuron loops and a dense product", rows
)
