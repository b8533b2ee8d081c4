"""The sweeps as `torch.library` operators, so that autograd, compile and export know them.

Both operators take the packed plan as a tensor and the sizes that shape their results as integers,
because shapes must be known without looking at data. Backward of `nervure::sweep` is
`nervure::adjoint`; it is not differentiable again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

from nervure.engine import dispatch, native
from nervure.engine.native import Solver, Stats
from nervure.engine.plan import plan_of

# torch types its decorators loosely; these give them the one shape used here.
_custom_op: Callable[..., Any] = torch.library.custom_op


def _shape(backend: str, batch: int, nodes: int, dtype: torch.dtype) -> tuple[int, ...]:
    if backend == "native":
        # Flat: an axis of chunks would bind a traced program to batches of one chunk, or to more.
        return (native.chunk_count(batch, dtype) * nodes * native.LANES[dtype],)
    return (batch, nodes) if backend == "reference" else (nodes, batch)


@_custom_op("nervure::sweep", mutates_args=())
def sweep(
    drive: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    plan: Tensor,
    nodes: int,
    outputs: int,
    keep_slope: bool,
    backend: str,
    tolerance: float,
    max_sweeps: int,
    leak: float,
    strict: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Solve the graph equation; see `nervure.engine.sweep` for the meaning of the arguments.

    Returns
    -------
    output : (batch, outputs)
    state : as `nervure.engine.dispatch.forward` says; flat if native
    slope : as state, or empty
    converged : (batch,) bool
    stats : (5,) float64, fields of `nervure.engine.native.Stats`
    """
    found = dispatch.forward(
        plan_of(plan), backend, drive, weight, bias, Solver(tolerance, max_sweeps, leak), strict
    )
    converged = found.converged
    if converged is None:
        converged = torch.ones(len(drive), dtype=torch.bool, device=drive.device)
    slope = found.slope if keep_slope or backend == "reference" else drive.new_empty(0)
    state = found.state
    if backend == "native":
        state, slope = state.view(-1), slope.view(-1)
    return found.output, state, slope, converged, _tensor(found.stats)


def _tensor(stats: Stats) -> Tensor:
    return torch.tensor(stats, dtype=torch.float64)


@sweep.register_fake
def _(
    drive: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    plan: Tensor,
    nodes: int,
    outputs: int,
    keep_slope: bool,
    backend: str,
    tolerance: float,
    max_sweeps: int,
    leak: float,
    strict: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    batch = drive.shape[0]
    state = drive.new_empty(_shape(backend, batch, nodes, drive.dtype))
    keeps = keep_slope or backend == "reference"
    slope = torch.empty_like(state) if keeps else drive.new_empty(0)
    return (
        drive.new_empty(batch, outputs),
        state,
        slope,
        drive.new_empty(batch, dtype=torch.bool),
        torch.empty(5, dtype=torch.float64),
    )


@_custom_op("nervure::adjoint", mutates_args=())
def adjoint(
    grad_output: Tensor,
    weight: Tensor,
    state: Tensor,
    slope: Tensor,
    converged: Tensor,
    plan: Tensor,
    nodes: int,
    inputs: int,
    backend: str,
    tolerance: float,
    max_sweeps: int,
    leak: float,
    strict: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Solve the adjoint equation and form the gradients.

    Returns
    -------
    grad_drive : (batch, inputs)
    grad_weight : as weight; for a dense weight the gradient of every possible edge, biases on the
        diagonal
    grad_bias : (nodes,), empty for a dense weight
    stats : (5,) float64, as in `sweep`
    """
    known = plan_of(plan)
    if backend == "native":
        state, slope = (native.as_chunks(x, len(grad_output), nodes) for x in (state, slope))
    found = dispatch.adjoint(
        known, backend, grad_output, weight, state, slope, converged,
        Solver(tolerance, max_sweeps, leak), strict,
    )  # fmt: skip
    assert found.drive is not None
    assert found.weight is not None
    grad_bias = weight.new_empty(0) if found.bias is None else found.bias
    return found.drive, found.weight, grad_bias, _tensor(found.stats)


@adjoint.register_fake
def _(
    grad_output: Tensor,
    weight: Tensor,
    state: Tensor,
    slope: Tensor,
    converged: Tensor,
    plan: Tensor,
    nodes: int,
    inputs: int,
    backend: str,
    tolerance: float,
    max_sweeps: int,
    leak: float,
    strict: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (
        grad_output.new_empty(grad_output.shape[0], inputs),
        torch.empty_like(weight, memory_format=torch.contiguous_format),
        weight.new_empty(0 if weight.dim() == 2 else nodes),
        torch.empty(5, dtype=torch.float64),
    )


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    drive, weight, bias, plan, nodes, _, _, backend, tolerance, max_sweeps, leak, strict = inputs
    _, state, slope, converged, stats = output
    ctx.mark_non_differentiable(state, slope, converged, stats)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(weight, plan, state, slope, converged)
    ctx.nodes, ctx.inputs = nodes, drive.shape[1]
    ctx.has_bias = bias is not None
    ctx.options = (backend, tolerance, max_sweeps, leak, strict)


def _backward(ctx: Any, grad_output: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    if grad_output is None:
        return (None,) * 12
    weight, plan, state, slope, converged = ctx.saved_tensors
    grad_drive, grad_weight, grad_bias, _stats = cast(
        tuple[Tensor, Tensor, Tensor, Tensor],
        adjoint(
            grad_output, weight, state, slope, converged, plan, ctx.nodes, ctx.inputs, *ctx.options
        ),
    )
    return (grad_drive, grad_weight, grad_bias if ctx.has_bias else None, *(None,) * 9)


def _no_double_backward(ctx: Any, *_: Any) -> tuple[Tensor | None, ...]:
    dispatch.refuse_second_derivative()


sweep.register_autograd(_backward, setup_context=_setup)
adjoint.register_autograd(_no_double_backward)
