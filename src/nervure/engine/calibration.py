"""Measuring the constants of `costs` by short runs on graphs of several shapes."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls

from nervure.engine import levelwise
from nervure.engine.activations import DEFAULT_LEAK, activation_codes
from nervure.engine.costs import CONSTANTS, DTYPES, MODES, CostTable, terms
from nervure.engine.plan import Plan, build_plan
from nervure.engine.sweeping import adjoint, sweep
from nervure.topology import Topology

# Every constant carries much of the time of at least one shape: calls, levels, nodes, edges with
# and without shared sources, cells, and cells to fill.
_SHAPES: tuple[tuple[list[int], float, int], ...] = (
    # layer sizes, density, batch
    ([1, 1], 1.0, 1),
    ([8] * 64, 1.0, 32),
    ([16] * 24, 0.5, 128),
    ([2000, 2000], 0.001, 64),
    ([256] * 4, 1.0, 128),
    ([512] * 3, 1.0, 256),
    ([512] * 3, 1.0, 32),
    ([256] * 3, 0.3, 512),
    ([512] * 3, 0.1, 32),
    ([1000] * 3, 0.1, 1),
    ([512] * 3, 0.05, 256),
)
_REPEATS = 3


def calibrate(
    seconds: float = 20.0, progress: Callable[[int, int], None] | None = None
) -> CostTable:
    """Measure a table of costs on this machine with the current number of threads.

    Parameters
    ----------
    seconds : float
        About how long to measure; every run is made at least three times.
    progress : callable, optional
        Called with the number of shapes measured and their total.

    Returns
    -------
    CostTable
        Nothing is written; see `nervure.engine.costs.save_table`.

    Notes
    -----
    Constants are fitted to the median times by non-negative least squares on relative errors.
    """
    threads = torch.get_num_threads()
    total = len(DTYPES) * len(_SHAPES)
    # A shape is run forward and backward on each backend.
    each = seconds / (total * 2 * len(CONSTANTS))
    rates: dict[str, dict[str, dict[str, float]]] = {}
    for i, name in enumerate(DTYPES):
        dtype = getattr(torch, name)
        measured = []
        for j, (sizes, density, batch) in enumerate(_SHAPES):
            topology = Topology.layered(sizes, density=density, seed=0)
            plan = build_plan(topology, activation_codes("relu", topology.num_nodes))
            counts = {
                backend: terms(backend, plan.workload, batch, dtype, threads)
                for backend in CONSTANTS
            }
            measured.append((counts, _times(plan, batch, dtype, each)))
            if progress is not None:
                progress(i * len(_SHAPES) + j + 1, total)
        rates[name] = {mode: _fit(measured, k) for k, mode in enumerate(MODES)}
    from nervure import __version__

    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs"
    capability = torch.backends.cpu.get_cpu_capability()
    return CostTable(rates, threads, f"{machine}, {capability}", __version__)


_Measured = list[tuple[dict[str, list[float]], dict[str, tuple[float, float]]]]


def _fit(measured: _Measured, mode: int) -> dict[str, float]:
    rates: dict[str, float] = {}
    for backend, constants in CONSTANTS.items():
        names: Sequence[str] = constants
        rows = [(counts[backend], times[backend][mode]) for counts, times in measured]
        if backend != "native":
            # Level-by-level runs are measured without the call into the operator, which costs
            # the same for all backends.
            names, rows = names[1:], [(counts[1:], t) for counts, t in rows]
        found, _ = nnls(*_relative(rows))
        rates |= dict(zip(names, found.tolist(), strict=True))
    return rates


def _relative(
    rows: list[tuple[list[float], float]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    matrix = np.array([counts for counts, _ in rows]) / np.array([[t] for _, t in rows])
    return matrix, np.ones(len(rows))


def _times(
    plan: Plan, batch: int, dtype: torch.dtype, seconds: float
) -> dict[str, tuple[float, float]]:
    """Median seconds of inference and of training, by backend."""
    topology, nodes, levels = plan.topology, plan.topology.num_nodes, plan.levels
    generator = torch.Generator().manual_seed(0)
    drive, weight, bias, gradient = (
        torch.randn(shape, generator=generator, dtype=dtype)
        for shape in (
            (batch, len(topology.inputs)),
            (topology.num_edges,),
            (nodes,),
            (batch, len(topology.outputs)),
        )
    )
    # Keeps values in range over many levels; infinities would be slow.
    weight *= (nodes / max(topology.num_edges, 1)) ** 0.5
    solution = sweep(plan, weight, drive, bias, backend="native")
    forward = _median(lambda: sweep(plan, weight, drive, bias, backend="native"), seconds)
    backward = _median(lambda: adjoint(plan, weight, solution, gradient), seconds)
    times = {"native": (forward, forward + backward)}
    kinds: tuple[levelwise.Kind, ...] = ("dense", "csr")
    for kind in kinds:
        if kind == "csr" and not torch.backends.mkl.is_available():
            # Never chosen there; a table needs numbers all the same.
            times[kind] = times["dense"]
            continue

        def run(kind: levelwise.Kind = kind) -> tuple[torch.Tensor, ...]:
            return levelwise.forward(levels, drive, weight, bias, kind=kind, leak=DEFAULT_LEAK)

        _, value, slope = run()

        def back(
            kind: levelwise.Kind = kind, value: torch.Tensor = value, slope: torch.Tensor = slope
        ) -> object:
            return levelwise.adjoint(
                levels, gradient, weight, value, slope, kind=kind, leak=DEFAULT_LEAK
            )

        forward = _median(run, seconds)
        times[kind] = (forward, forward + _median(back, seconds))
    return times


def _median(run: Callable[[], object], seconds: float) -> float:
    """Median time of a few runs, after one that warms up."""
    run()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < _REPEATS or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
