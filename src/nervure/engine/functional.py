"""The sweep under the transforms of torch.func: grad, vjp, jacrev, vmap and functions of these.

Here values lie in rows, (batch, nodes), as in the reference backend: what vmap maps over is folded
into the batch, because samples do not depend on each other. Only the mapping over weights is a
loop. Sums over samples, where they end in a weight's gradient, are left to torch, which maps them.
"""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.autograd import Function

from nervure.engine import dispatch, native
from nervure.engine.activations import apply_slope_of_value
from nervure.engine.autograd import Run
from nervure.engine.failures import raise_adjoint_failure
from nervure.engine.native import Solution
from nervure.engine.plan import sections
from nervure.errors import EngineError

# The backend whose states lie in memory as they do here.
LAYOUT = "reference"

Dims = tuple[int | None, ...]
Mapped = tuple[tuple[Tensor, ...], tuple[int, ...]]


def solve(run: Run, drive: Tensor, weight: Tensor, bias: Tensor | None) -> Solution:
    """Run one sweep, differentiable once and mappable; state and slope are in rows."""
    if run.backend != "reference":
        run.backend = "native" if native.supports(drive) else "reference"
    output, values, slope, converged = _apply(Solve, drive, weight, bias, run)
    found, run.solution = run.solution, None
    assert found is not None
    return Solution(output, values, slope, converged, found.stats)


def _apply(function: type[Function], *arguments: object) -> tuple[Tensor, ...]:
    found: tuple[Tensor, ...] = function.apply(*arguments)
    return found


class _Once(Function):
    """A function that has a gradient at most, and not by forward mode."""

    @staticmethod
    def jvp(*_: object) -> NoReturn:
        """Refuse."""
        raise EngineError(
            "forward-mode derivatives (jvp, jacfwd, hessian) through a nervure graph are not "
            "available; use grad, vjp or jacrev"
        )

    @staticmethod
    def backward(*_: Any) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Refuse."""
        dispatch.refuse_second_derivative()


class Solve(_Once):
    """Give output, values, slope, converged for (drive, weight, bias)."""

    @staticmethod
    def forward(
        drive: Tensor, weight: Tensor, bias: Tensor | None, run: Run
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Solve the graph equation; the run takes up how it went."""
        plan, batch = run.plan, len(drive)
        found = dispatch.forward(plan, run.backend, drive, weight, bias, run.solver, run.strict)
        run.solution = found
        values, slope, converged = found.state, found.slope, found.converged
        if run.backend == "native":
            values = native.to_rows(values, batch)
            kept = native.to_rows(slope, batch) if plan.keeps_slope else None
            codes = torch.tensor(plan.codes)
            slope = apply_slope_of_value(codes, values, run.solver.leak, kept)
        if converged is None:
            converged = torch.ones(batch, dtype=torch.bool, device=drive.device)
        return found.output, values, slope, converged

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ANN401
        """Keep what the adjoint needs."""
        drive, weight, bias, ctx.run = inputs
        _, values, slope, converged = output
        ctx.mark_non_differentiable(values, slope, converged)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(drive, weight, bias, values, slope, converged)

    @staticmethod
    def backward(*given: Any) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Solve the adjoint equation and form the gradients."""
        ctx, grad_output, *_ = given
        if grad_output is None:
            return None, None, None, None
        drive, weight, bias, values, slope, converged = ctx.saved_tensors
        plan, wanted = ctx.run.plan, ctx.needs_input_grad
        (delta,) = _apply(
            Delta, grad_output, values, slope, converged, drive, weight, bias, ctx.run
        )
        of_drive = of_weight = of_bias = None
        if wanted[0]:
            of_drive = delta[:, torch.tensor(plan.inputs, dtype=torch.int64, device=delta.device)]
        if wanted[1] and weight.dim() == 2:
            with torch.autocast(delta.device.type, enabled=False):
                of_weight = (delta.mT @ values).diagonal_scatter(delta.sum(0))
        elif wanted[1]:
            (of_weight,) = _apply(EdgeGradient, values, delta, ctx.run)
        if wanted[2]:
            of_bias = delta.sum(0)
            if not plan.input_bias:
                of_bias = of_bias.index_fill(0, plan.pure_inputs.to(delta.device), 0.0)
        return of_drive, of_weight, of_bias, None

    @staticmethod
    def vmap(info: Any, in_dims: Dims, *arguments: Any) -> Mapped:  # noqa: ANN401
        """Fold what is mapped over into the batch."""
        return _mapped(Solve, info.batch_size, in_dims, arguments)


class Delta(_Once):
    """Give dL/dz of every node for (grad_output, values, slope, converged, drive, weight, bias).

    Drive and bias do not matter, but the result depends on them: who differentiates by them again
    must be refused, not be given zero.
    """

    @staticmethod
    def forward(
        grad_output: Tensor,
        values: Tensor,
        slope: Tensor,
        converged: Tensor,
        drive: Tensor,  # noqa: ARG004
        weight: Tensor,
        bias: Tensor | None,  # noqa: ARG004
        run: Run,
    ) -> tuple[Tensor]:
        """Solve the adjoint equation."""
        plan, solver = run.plan, run.solver
        edge_weight = dispatch.edge_weights(plan, weight)[0] if weight.dim() == 2 else weight
        if run.backend == "native":
            slope = native.to_chunks(slope) if plan.keeps_slope else slope
            # With the gradient of the drive, or pure inputs would be left out.
            _, chunks, stats = native.adjoint(
                plan, grad_output, edge_weight, native.to_chunks(values), slope, converged, solver
            )
            delta = native.to_rows(chunks, len(values))
        else:
            delta, stats = dispatch.reference_delta(
                plan, grad_output, edge_weight, slope, converged, solver
            )
        if run.strict and stats.lost:
            raise_adjoint_failure(plan, stats)
        return (delta,)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ANN401
        """Keep nothing: there is no second derivative."""

    @staticmethod
    def vmap(info: Any, in_dims: Dims, *arguments: Any) -> Mapped:  # noqa: ANN401
        """Fold what is mapped over into the batch."""
        return _mapped(Delta, info.batch_size, in_dims, arguments)


class EdgeGradient(_Once):
    """Give dL/dw of every edge, the sum over a batch, for (values, delta)."""

    @staticmethod
    def forward(values: Tensor, delta: Tensor, run: Run) -> tuple[Tensor]:
        """Form it without a product per sample and edge."""
        if run.backend == "native":
            chunks = native.to_chunks(values), native.to_chunks(delta)
            return (native.edge_gradient(run.plan, *chunks)[0],)
        return (dispatch.reference_edge_gradient(run.plan, values, delta),)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ANN401
        """Keep nothing: there is no second derivative."""

    @staticmethod
    def vmap(info: Any, in_dims: Dims, values: Tensor, delta: Tensor, run: Run) -> Mapped:  # noqa: ANN401
        """Give one gradient for each of what is mapped over."""
        values, delta = (
            _in_front(x, dim, info.batch_size)
            for x, dim in zip((values, delta), in_dims, strict=False)
        )
        s = sections(run.plan)
        sources, targets = s.sources.to(values.device), s.targets.to(values.device)
        # Sample by sample: nothing larger than the result is in memory.
        start = values.new_zeros(len(values), run.plan.weights)
        samples = zip(values.unbind(1), delta.unbind(1), strict=True)
        products = (a[:, sources] * d[:, targets] for a, d in samples)
        return (sum(products, start=start),), (0,)


def _in_front(x: Tensor, dim: int | None, size: int) -> Tensor:
    return x.expand(size, *x.shape) if dim is None else x.movedim(dim, 0)


def _mapped(function: type[Function], size: int, dims: Dims, arguments: tuple[Any, ...]) -> Mapped:
    """Map a function of (rows, ..., weight, bias, run)."""
    *rows, weight, bias, run = arguments
    if dims[-3] is None and dims[-2] is None:
        folded = (_in_front(x, dim, size).flatten(0, 1) for x, dim in zip(rows, dims, strict=False))
        found = _apply(function, *folded, weight, bias, run)
        parts = tuple(x.unflatten(0, (size, len(x) // size)) for x in found)
    else:
        each = []
        for i in range(size):
            pairs = zip(arguments, dims, strict=True)
            own = (x if dim is None else x.select(dim, i) for x, dim in pairs)
            each.append(_apply(function, *own))
        parts = tuple(torch.stack(same) for same in zip(*each, strict=True))
    return parts, (0,) * len(parts)
