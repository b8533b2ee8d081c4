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

from nervure import _core
from nervure.engine import native, reference
from nervure.engine.failures import raise_adjoint_failure, raise_forward_failure
from nervure.engine.plan import sections
from nervure.errors import EngineError

# torch types its decorators loosely; these give them the one shape used here.
_custom_op: Callable[..., Any] = torch.library.custom_op


def _edge_weights(plan: Tensor, weight: Tensor) -> tuple[Tensor, Tensor | None]:
    """Edge weights and biases of a dense matrix [target, source] with biases on its diagonal."""
    if native.supports(weight):
        edges = weight.new_empty(int(plan[2]))
        _core.gather_edges(plan, weight.detach().contiguous(), edges)
        return edges, weight.detach().diagonal().contiguous()
    s = sections(plan)
    return weight[
        s.targets.to(weight.device), s.sources.long().to(weight.device)
    ], weight.diagonal()


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
    state : (chunks, nodes, lanes) for the native backend, (batch, nodes) for the reference
    slope : as state, or empty
    converged : (batch,) bool
    stats : (5,) float64: sweeps, worst residual, samples lost, first component lost, recovered
    """
    dense = weight.dim() == 2
    if dense:
        edge_weight, bias = _edge_weights(plan, weight)
    else:
        edge_weight = weight
    if backend == "native":
        output, state, slope, converged, stats = native.forward(
            plan,
            drive,
            edge_weight,
            bias,
            nodes=nodes,
            outputs=outputs,
            keep_slope=keep_slope,
            tolerance=tolerance,
            max_sweeps=max_sweeps,
            leak=leak,
        )
    else:
        solved = reference.forward(
            plan, drive, edge_weight, bias, tolerance=tolerance, max_sweeps=max_sweeps, leak=leak
        )
        kept = solved.converged[:, None]
        s = sections(plan)
        output = solved.value[:, s.outputs.long().to(drive.device)]
        state = torch.where(kept, solved.value, 0.0)
        slope = torch.where(kept, solved.slope, 0.0)
        converged = solved.converged
        stats = _summary(solved)
    if strict and not bool(converged.all()):
        raise_forward_failure(plan, drive, converged, stats)
    return output, state, slope, converged, torch.tensor(stats, dtype=torch.float64)


def _summary(solved: reference.Solved) -> list[float]:
    if not len(solved.residual):
        return [0.0, 0.0, 0.0, -1.0, 0.0]
    lost = solved.failed[solved.failed >= 0]
    return [
        float(solved.sweeps),
        float(solved.residual.max()),
        float(len(lost)),
        float(lost.min()) if len(lost) else -1.0,
        0.0,
    ]


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
    if backend == "native":
        state = drive.new_empty(
            native.chunk_count(batch, drive.dtype), nodes, native.LANES[drive.dtype]
        )
        slope = torch.empty_like(state) if keep_slope else drive.new_empty(0, 0, 0)
    else:
        state = drive.new_empty(batch, nodes)
        slope = torch.empty_like(state)
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
    dense = weight.dim() == 2
    edge_weight = _edge_weights(plan, weight)[0] if dense else weight
    if backend == "native":
        grad_drive, delta, stats = native.adjoint(
            plan,
            grad_output,
            edge_weight,
            state,
            slope,
            converged,
            inputs=inputs,
            tolerance=tolerance,
            max_sweeps=max_sweeps,
            leak=leak,
        )
        if dense:
            grad_weight, grad_bias = native.dense_gradient(state, delta), weight.new_empty(0)
        else:
            grad_weight, grad_bias = native.edge_gradient(plan, state, delta, len(weight))
    else:
        solved = reference.adjoint(
            plan,
            grad_output,
            edge_weight,
            slope,
            converged,
            tolerance=tolerance,
            max_sweeps=max_sweeps,
        )
        d = torch.where(solved.converged[:, None], solved.value, 0.0)
        s = sections(plan)
        grad_drive = d[:, s.inputs.long().to(d.device)]
        stats = _summary(solved)
        if dense:
            grad_weight = d.T @ state
            grad_weight.diagonal().copy_(d.sum(0))
            grad_bias = weight.new_empty(0)
        else:
            targets, sources = s.targets.to(d.device), s.sources.long().to(d.device)
            grad_weight = (state[:, sources] * d[:, targets]).sum(0)
            grad_bias = d.sum(0)
    if strict and stats[2] > 0:
        raise_adjoint_failure(plan, stats)
    return grad_drive, grad_weight, grad_bias, torch.tensor(stats, dtype=torch.float64)


@adjoint.register_fake
def _(
    grad_output: Tensor,
    weight: Tensor,
    state: Tensor,
    slope: Tensor,
    converged: Tensor,
    plan: Tensor,
    inputs: int,
    backend: str,
    tolerance: float,
    max_sweeps: int,
    leak: float,
    strict: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    nodes = 0 if weight.dim() == 2 else state.shape[1]
    return (
        grad_output.new_empty(grad_output.shape[0], inputs),
        torch.empty_like(weight, memory_format=torch.contiguous_format),
        weight.new_empty(nodes),
        torch.empty(5, dtype=torch.float64),
    )


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    drive, weight, bias, plan, _, _, _, backend, tolerance, max_sweeps, leak, strict = inputs
    _, state, slope, converged, stats = output
    ctx.mark_non_differentiable(state, slope, converged, stats)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(weight, plan, state, slope, converged)
    ctx.inputs = drive.shape[1]
    ctx.has_bias = bias is not None
    ctx.options = (backend, tolerance, max_sweeps, leak, strict)


def _backward(ctx: Any, grad_output: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    if grad_output is None:
        return (None,) * 12
    weight, plan, state, slope, converged = ctx.saved_tensors
    grad_drive, grad_weight, grad_bias, _stats = cast(
        tuple[Tensor, Tensor, Tensor, Tensor],
        adjoint(grad_output, weight, state, slope, converged, plan, ctx.inputs, *ctx.options),
    )
    return (grad_drive, grad_weight, grad_bias if ctx.has_bias else None, *(None,) * 9)


def _no_double_backward(ctx: Any, *_: Any) -> tuple[Tensor | None, ...]:
    raise EngineError(
        "the adjoint sweep is not differentiable: second derivatives through a nervure graph are "
        "not available; detach the first gradient, or use finite differences"
    )


sweep.register_autograd(_backward, setup_context=_setup)
adjoint.register_autograd(_no_double_backward)
