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
# Weights, one of them negative, of pairs of nodes around whose equilibrium sweeps circle.
_TURN = 1.6
_TURNING_PAIRS = 3


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
            weight = _contracting(topology, torch.Generator().manual_seed(0))
            found.append(_case(case, topology, weight, nodes, batch, settings))
    for nodes, density in ((40, 0.1),) if settings.quick else ((300, 0.02), (3000, 0.005)):
        topology = one_component(nodes, density, seed=0)
        weight = _turning(topology, torch.Generator().manual_seed(0))
        case = f"{nodes} nodes, {100 * density:g} %, turning"
        found.append(_case(case, topology, weight, nodes, batch, settings))
    nodes = 40 if settings.quick else 3000
    case = f"{nodes} nodes, modules of 10"
    weight = module_weights(nodes, 10, torch.Generator().manual_seed(0))
    return [*found, _case(case, modular(nodes, 10), weight, 10, batch, settings)]


def _contracting(topology: Topology, generator: torch.Generator) -> Tensor:
    scale = _RADIUS / math.sqrt(topology.num_edges / topology.num_nodes)
    return scale * torch.randn(topology.num_edges, generator=generator)


def _turning(topology: Topology, generator: torch.Generator) -> Tensor:
    """Weights of which some pairs of nodes have eigenvalues beyond the unit circle, +-1.6i."""
    weight = _contracting(topology, generator)
    place = {edge: k for k, edge in enumerate(map(tuple, topology.edges.tolist()))}
    pairs = [edge for edge in place if edge[0] < edge[1] and edge[::-1] in place]
    for edge in pairs[:_TURNING_PAIRS]:
        weight[place[edge]] = _TURN
        weight[place[edge[::-1]]] = -_TURN
    return weight


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
