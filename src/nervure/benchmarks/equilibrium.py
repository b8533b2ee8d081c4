"""Forward and adjoint solve of cyclic graphs against torchdeq and Newton's method."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from nervure import engine
from nervure.benchmarks.equilibrium_peers import Problem, Solution, solvers
from nervure.benchmarks.harness import (
    OURS,
    Benchmark,
    DisagreementError,
    Row,
    Settings,
    agreement,
    row_of,
    timed,
)
from nervure.benchmarks.wiring import modular, module_weights, one_component
from nervure.topology import Topology

# True residual max |f(z(a)) - a| / max(1, max |a|) that everybody has to reach.
ACCURACY = 1e-4
# Of values and gradients: an error may be some times as large as the residual, on both sides.
BOUND = 5e-3
# Spectral radius of the weights in one component, about.
_RADIUS = 0.75


def rows(settings: Settings) -> list[Row]:
    """Time equilibrium and gradients of tanh networks in which every node is driven and read."""
    batch = 16 if settings.quick else 128
    sizes = (20,) if settings.quick else (80, 300, 1000, 3000)
    found = []
    for nodes in sizes:
        for density in (0.2, 0.02, 0.005):
            if density * nodes < 1:
                continue
            case = f"{nodes} nodes, {100 * density:g} %, one component"
            topology = one_component(nodes, density, seed=0)
            generator = torch.Generator().manual_seed(0)
            scale = _RADIUS / math.sqrt(topology.num_edges / nodes)
            weight = scale * torch.randn(topology.num_edges, generator=generator)
            found.append(_case(case, topology, weight, nodes, batch, settings))
    nodes = 40 if settings.quick else 3000
    case = f"{nodes} nodes, modules of 10"
    weight = module_weights(nodes, 10, torch.Generator().manual_seed(0))
    return [*found, _case(case, modular(nodes, 10), weight, 10, batch, settings)]


def _case(
    case: str, topology: Topology, weight: Tensor, size: int, batch: int, settings: Settings
) -> Row:
    nodes = topology.num_nodes
    generator = torch.Generator().manual_seed(1)
    matrix = torch.zeros(nodes, nodes)
    targets = torch.from_numpy(topology.targets.astype(np.int64))
    sources = torch.from_numpy(topology.sources.astype(np.int64))
    matrix[targets, sources] = weight
    problem = Problem(
        matrix,
        torch.randn(batch, nodes, generator=generator),
        torch.randn(batch, nodes, generator=generator),
        size,
    )
    plan = engine.plan(topology, "tanh")

    def ours() -> Solution:
        found = engine.sweep(plan, weight, problem.drive, tolerance=ACCURACY)
        back = engine.adjoint(plan, weight, found, problem.gradient, tolerance=ACCURACY)
        return Solution(found.output, back.drive)

    solution = ours()
    _reaches(case, problem, solution)
    peers, failures = solvers(problem, ACCURACY, settings.budget)
    error = 0.0
    for name, solve in peers.items():
        other = solve()
        what = f"{case}, {name}"
        error = max(
            error,
            agreement(f"{what}, values", solution.values, other.values, BOUND),
            agreement(f"{what}, gradients", solution.delta, other.delta, BOUND),
        )
    sweeps = engine.sweep(plan, weight, problem.drive, tolerance=ACCURACY).status.sweeps
    notes = "; ".join([f"{topology.num_edges:,} edges, {sweeps} sweeps", *failures])
    times = timed({OURS: ours, **peers}, settings)
    return row_of(case, times, max_error=error if peers else None, notes=notes)


def _reaches(case: str, problem: Problem, solution: Solution) -> None:
    for what, residual in (
        ("values", problem.residual(solution.values)),
        ("adjoint", problem.adjoint_residual(solution.values, solution.delta)),
    ):
        if not residual <= ACCURACY:
            raise DisagreementError(
                f"{case}: the residual of nervure's {what} is {residual:.3g}, not {ACCURACY:g}"
            )


BENCHMARK = Benchmark(
    "equilibrium",
    "forward and adjoint solve of cyclic graphs against torchdeq and Newton's method",
    rows,
    ("torchdeq",),
)
