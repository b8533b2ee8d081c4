"""The sweep in ordinary eager PyTorch: one autograd function, as little around it as can be.

Compiled, exported and functorch-transformed programs go through the operators in
`nervure.engine.ops` instead, which cost tens of microseconds more per call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nervure.engine import dispatch, ops
from nervure.engine.native import Solution, Solver
from nervure.engine.plan import Plan


@dataclass(slots=True)
class Run:
    """One sweep to do, and what it left."""

    plan: Plan
    backend: str
    solver: Solver
    strict: bool
    solution: Solution | None = None


class EagerSweep(torch.autograd.Function):
    """output = sweep(drive, weight, bias); the rest of the solution is left in the run."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        drive: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        run: Run,
    ) -> Tensor:
        """Solve the graph equation."""
        solution = dispatch.forward(
            run.plan, run.backend, drive, weight, bias, run.solver, run.strict
        )
        run.solution = solution
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(weight, solution.state, solution.slope, solution.converged)
        ctx.options = (run.plan, run.backend, run.solver, run.strict)
        ctx.has_bias = bias is not None
        return solution.output

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Solve the adjoint equation and form the gradients."""
        if grad_output is None:
            return None, None, None, None
        weight, state, slope, converged = ctx.saved_tensors
        plan, backend, solver, strict = ctx.options
        need_drive, need_weight, need_bias, _ = ctx.needs_input_grad
        if torch.is_grad_enabled():
            # Someone means to differentiate this again: the operator knows how to refuse.
            if not weight.requires_grad:
                # It refuses where it is asked, and it would not be asked on behalf of the drive.
                weight = weight.detach().requires_grad_()
            if converged is None:
                converged = torch.ones(
                    len(grad_output), dtype=torch.bool, device=grad_output.device
                )
            drive, whole, bias, _stats = ops.adjoint(
                grad_output, weight, state, slope, converged, plan.packed, plan.nodes,
                plan.num_inputs, backend, *solver, strict,
            )  # fmt: skip
            return drive, whole, bias if ctx.has_bias else None, None
        found = dispatch.adjoint(
            plan, backend, grad_output, weight, state, slope, converged, solver, strict,
            need_drive=need_drive, need_weight=need_weight or need_bias,
        )  # fmt: skip
        return found.drive, found.weight, found.bias if ctx.has_bias else None, None
