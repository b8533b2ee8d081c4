"""One forward and one adjoint for all backends and both kinds of weight."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

import torch
from torch import Tensor

from nervure.engine import levelwise, native, reference
from nervure.engine.failures import raise_adjoint_failure, raise_forward_failure
from nervure.engine.native import EXACT, Gradients, Solution, Solver, Stats, stats_of
from nervure.engine.plan import Plan, sections
from nervure.errors import EngineError

LEVELWISE = ("dense", "csr")

_F = TypeVar("_F", bound=Callable[..., Any])


def edge_weights(plan: Plan, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Take edge weights and biases out of a dense weight, detached."""
    if native.supports(weight):
        return native.gather_edges(plan, weight)
    s = sections(plan)
    weight = weight.detach()
    return weight[s.targets.to(weight.device), s.sources.to(weight.device)], weight.diagonal()


def _in_own_precision(function: _F) -> _F:
    """Keep autocast from the matrix products of some backends, as it is from the native sweep."""

    @functools.wraps(function)
    def run(plan: Plan, backend: str, rows: Tensor, *more: object, **options: object) -> Any:  # noqa: ANN401
        device = rows.device.type
        if not torch.is_autocast_enabled(device):
            return function(plan, backend, rows, *more, **options)
        with torch.autocast(device, enabled=False):
            return function(plan, backend, rows, *more, **options)

    return cast(_F, run)


@_in_own_precision
def forward(
    plan: Plan,
    backend: str,
    drive: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    solver: Solver,
    strict: bool,
) -> Solution:
    """Solve the graph equation for a batch.

    Parameters
    ----------
    plan : Plan
    backend : {"native", "reference", "dense", "csr"}
    drive : Tensor, shape (batch, inputs)
    weight : Tensor, shape (weights,) or (nodes, nodes)
    bias : Tensor, shape (nodes,), or None
    solver : Solver
    strict : bool
        Whether unsolved samples raise `ConvergenceError`.

    Returns
    -------
    Solution
        Its state has shape (chunks, nodes, lanes) for the native backend, (batch, nodes) for the
        reference, (nodes, batch) level by level; its slope likewise, or is empty.
    """
    if weight.dim() == 2:
        weight, bias = edge_weights(plan, weight)
    if backend == "native":
        solution = native.forward(plan, drive, weight, bias, solver)
    elif backend in LEVELWISE:
        output, value, slope = levelwise.forward(
            plan.levels, drive, weight, bias, kind=cast(levelwise.Kind, backend), leak=solver.leak
        )
        return Solution(output, value, slope, None, EXACT)
    else:
        solved = reference.forward(
            plan, drive, weight, bias,
            tolerance=solver.tolerance, max_sweeps=solver.max_sweeps, leak=solver.leak,
        )  # fmt: skip
        kept = solved.converged[:, None]
        stats = stats_of(solved.sweeps, solved.residual, solved.failed)
        solution = Solution(
            solved.value[:, sections(plan).outputs.to(drive.device)],
            torch.where(kept, solved.value, 0.0),
            torch.where(kept, solved.slope, 0.0),
            None if stats.lost == 0 else solved.converged,
            stats,
        )
    if strict and solution.stats.lost:
        raise_forward_failure(plan, drive, solution.stats)
    return solution


@_in_own_precision
def adjoint(
    plan: Plan,
    backend: str,
    grad_output: Tensor,
    weight: Tensor,
    state: Tensor,
    slope: Tensor,
    converged: Tensor | None,
    solver: Solver,
    strict: bool,
    *,
    need_drive: bool = True,
    need_weight: bool = True,
) -> Gradients:
    """Solve the adjoint equation for a batch and form the gradients.

    Parameters
    ----------
    plan, backend, weight, solver, strict
        As in `forward`.
    grad_output : Tensor, shape (batch, outputs)
    state, slope, converged
        From the `Solution`.
    need_drive, need_weight : bool
        What to compute; the bias goes with the weight.

    Returns
    -------
    Gradients
        For a dense weight that of every possible edge, biases on its diagonal, and no bias.
    """
    dense = weight.dim() == 2
    edge_weight = edge_weights(plan, weight)[0] if dense else weight
    grad_weight: Tensor | None = None
    grad_bias: Tensor | None = None
    grad_drive: Tensor | None
    if backend == "native":
        # Without the drive's gradient pure inputs are left out, and so would be their edges that
        # are absent.
        grad_drive, delta, stats = native.adjoint(
            plan, grad_output, edge_weight, state, slope, converged, solver,
            need_drive=need_drive or (dense and need_weight),
        )  # fmt: skip
        if need_weight and dense:
            grad_weight = native.dense_gradient(state, delta)
        elif need_weight:
            grad_weight, grad_bias = native.edge_gradient(plan, state, delta)
    elif backend in LEVELWISE:
        kind = cast(levelwise.Kind, backend)
        grad_drive, grad_weight, grad_bias = levelwise.adjoint(
            plan.levels, grad_output, edge_weight, state, slope, kind=kind, leak=solver.leak
        )
        stats = EXACT
    else:
        if converged is None:
            converged = torch.ones(len(grad_output), dtype=torch.bool, device=grad_output.device)
        d, stats = reference_delta(plan, grad_output, edge_weight, slope, converged, solver)
        grad_drive = d[:, sections(plan).inputs.to(d.device)]
        if dense:
            grad_weight = d.T @ state
            grad_weight.diagonal().copy_(d.sum(0))
        else:
            grad_weight = reference_edge_gradient(plan, state, d)
            grad_bias = d.sum(0)
    if backend != "native" and grad_bias is not None and not plan.input_bias:
        grad_bias[plan.pure_inputs.to(grad_bias.device)] = 0.0
    if strict and stats.lost:
        raise_adjoint_failure(plan, stats)
    return Gradients(grad_drive, grad_weight, grad_bias, stats)


def reference_delta(
    plan: Plan,
    grad_output: Tensor,
    weight: Tensor,
    slope: Tensor,
    converged: Tensor,
    solver: Solver,
) -> tuple[Tensor, Stats]:
    """Give dL/dz of every node by the reference, zero for unsolved samples, and how it went."""
    solved = reference.adjoint(
        plan, grad_output, weight, slope, converged,
        tolerance=solver.tolerance, max_sweeps=solver.max_sweeps,
    )  # fmt: skip
    delta = torch.where(solved.converged[:, None], solved.value, 0.0)
    return delta, stats_of(solved.sweeps, solved.residual, solved.failed)


def reference_edge_gradient(plan: Plan, values: Tensor, delta: Tensor) -> Tensor:
    """Give dL/dw of every edge from values and deltas in rows."""
    s = sections(plan)
    sources, targets = s.sources.to(delta.device), s.targets.to(delta.device)
    return (values[:, sources] * delta[:, targets]).sum(0)


def refuse_second_derivative() -> NoReturn:
    """Say what cannot be had, and what instead."""
    raise EngineError(
        "the adjoint sweep is not differentiable: second derivatives through a nervure graph are "
        "not available; detach the first gradient, or use finite differences"
    )
