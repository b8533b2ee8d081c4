"""The native backend: C++ sweeps on the CPU, with the reference backend behind them.

States live in chunks: shape (chunks, nodes, lanes), 32 float or 16 double samples to a chunk, the
last one padded. Everything is computed in place in tensors allocated here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nervure import _core
from nervure.engine import reference
from nervure.engine.activations import NAMES
from nervure.engine.plan import sections

LANES = {torch.float32: 32, torch.float64: 16}


def supports(tensor: Tensor) -> bool:
    """Whether the native kernels run on this tensor's device and dtype."""
    return tensor.device.type == "cpu" and tensor.dtype in LANES


def chunk_count(batch: int, dtype: torch.dtype) -> int:
    """Count the chunks of a batch."""
    lanes = LANES[dtype]
    return (batch + lanes - 1) // lanes


def to_rows(state: Tensor, batch: int) -> Tensor:
    """(chunks, nodes, lanes) -> (batch, nodes), a copy."""
    return state.permute(0, 2, 1).reshape(-1, state.shape[1])[:batch]


def _write_rows(state: Tensor, rows: Tensor, values: Tensor) -> None:
    lanes = state.shape[2]
    state[rows // lanes, :, rows % lanes] = values.to(state.dtype)


class Status:
    """Per-sample status arrays that the kernels fill."""

    def __init__(self, batch: int, dtype: torch.dtype) -> None:
        self.converged = torch.empty(batch, dtype=torch.uint8)
        self.residual = torch.empty(batch, dtype=dtype)
        self.sweeps = torch.empty(batch, dtype=torch.int32)
        self.failed = torch.empty(batch, dtype=torch.int32)

    def summary(self, recovered: int) -> list[float]:
        """Sweeps, worst residual, samples lost, first component lost, samples recovered."""
        if not len(self.residual):
            return [0.0, 0.0, 0.0, -1.0, 0.0]
        lost = self.failed[self.failed >= 0]
        return [
            float(self.sweeps.max()),
            float(self.residual.max()),
            float(len(lost)),
            float(lost.min()) if len(lost) else -1.0,
            float(recovered),
        ]


def forward(
    plan: Tensor,
    drive: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    nodes: int,
    outputs: int,
    keep_slope: bool,
    tolerance: float,
    max_sweeps: int,
    leak: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, list[float]]:
    """Forward sweep; returns output, state, slope, converged and the status summary."""
    batch, dtype = drive.shape[0], drive.dtype
    chunks = chunk_count(batch, dtype)
    state = drive.new_empty(chunks, nodes, LANES[dtype])
    slope = torch.empty_like(state) if keep_slope else drive.new_empty(0, 0, 0)
    output = drive.new_empty(batch, outputs)
    status = Status(batch, dtype)
    _core.forward(
        plan,
        drive.contiguous(),
        weight.contiguous(),
        None if bias is None else bias.contiguous(),
        state,
        slope,
        output,
        status.converged,
        status.residual,
        status.sweeps,
        status.failed,
        tolerance,
        max_sweeps,
        leak,
        torch.get_num_threads(),
    )
    recovered = 0
    rows = (status.converged == 0).nonzero()[:, 0]
    if len(rows):
        # The few samples that plain sweeps did not solve go through the reference's whole chain.
        solved = reference.forward(
            plan,
            drive[rows].double(),
            weight.double(),
            None if bias is None else bias.double(),
            tolerance=tolerance,
            max_sweeps=max_sweeps,
            leak=leak,
        )
        s = sections(plan)
        output[rows] = solved.value[:, s.outputs.long()].to(dtype)
        # What is not solved must not reach any gradient, not even as infinity times zero.
        kept = solved.converged[:, None]
        _write_rows(state, rows, torch.where(kept, solved.value, 0.0))
        if keep_slope:
            _write_rows(slope, rows, torch.where(kept, solved.slope, 0.0))
        status.converged[rows] = solved.converged.to(torch.uint8)
        status.residual[rows] = solved.residual.to(dtype)
        status.failed[rows] = solved.failed.to(torch.int32)
        status.sweeps[rows] += solved.sweeps
        recovered = int(solved.converged.sum())
    return output, state, slope, status.converged.bool(), status.summary(recovered)


def adjoint(
    plan: Tensor,
    grad_output: Tensor,
    weight: Tensor,
    state: Tensor,
    slope: Tensor,
    converged: Tensor,
    *,
    inputs: int,
    tolerance: float,
    max_sweeps: int,
    leak: float,
) -> tuple[Tensor, Tensor, list[float]]:
    """Adjoint sweep; returns grad_drive, delta = dL/dz in chunks, and the status summary."""
    batch, dtype = grad_output.shape[0], grad_output.dtype
    delta = torch.empty_like(state)
    grad_drive = grad_output.new_empty(batch, inputs)
    status = Status(batch, dtype)
    _core.adjoint(
        plan,
        grad_output.contiguous(),
        weight.contiguous(),
        state,
        slope,
        converged.to(torch.uint8),
        delta,
        grad_drive,
        status.residual,
        status.sweeps,
        status.failed,
        tolerance,
        max_sweeps,
        leak,
        torch.get_num_threads(),
    )
    recovered = 0
    rows = (status.failed >= 0).nonzero()[:, 0]
    if len(rows):
        s = sections(plan)
        values = to_rows(state, batch)[rows].double()
        if slope.numel():
            known = to_rows(slope, batch)[rows].double()
            slopes = torch.where(
                needs_slope(s.activation), known, slope_from_value(s.activation, values, leak)
            )
        else:
            slopes = slope_from_value(s.activation, values, leak)
        solved = reference.adjoint(
            plan,
            grad_output[rows].double(),
            weight.double(),
            slopes,
            torch.ones(len(rows), dtype=torch.bool),
            tolerance=tolerance,
            max_sweeps=max_sweeps,
        )
        d = torch.where(solved.converged[:, None], solved.value, 0.0)
        _write_rows(delta, rows, d)
        grad_drive[rows] = d[:, s.inputs.long()].to(dtype)
        status.residual[rows] = solved.residual.to(dtype)
        status.failed[rows] = solved.failed.to(torch.int32)
        recovered = int(solved.converged.sum())
    return grad_drive, delta, status.summary(recovered)


def edge_gradient(plan: Tensor, state: Tensor, delta: Tensor, edges: int) -> tuple[Tensor, Tensor]:
    """dL/dw of every edge and dL/db of every node."""
    grad_weight = state.new_empty(edges)
    grad_bias = state.new_empty(state.shape[1])
    _core.edge_gradient(plan, state, delta, grad_weight, grad_bias, torch.get_num_threads())
    return grad_weight, grad_bias


def dense_gradient(state: Tensor, delta: Tensor) -> Tensor:
    """dL/dw of every possible edge, [target, source], the diagonal holding dL/db."""
    nodes = state.shape[1]
    d = delta.permute(1, 0, 2).reshape(nodes, -1)
    a = state.permute(1, 0, 2).reshape(nodes, -1)
    grad = d @ a.T
    grad.diagonal().copy_(d.sum(1))
    return grad


def needs_slope(codes: Tensor) -> Tensor:
    """Which nodes have an activation (gelu, silu) whose slope does not follow from its value."""
    return codes >= NAMES.index("gelu")


def slope_from_value(codes: Tensor, a: Tensor, leak: float) -> Tensor:
    """f'(z) from f(z), for the activations that allow it."""
    one = torch.ones_like(a)
    formulas = [
        one,
        (a > 0).to(a.dtype),
        2 * a.clamp_min(0).sqrt(),
        torch.where(a > 0, one, one * leak),
        1 - a.square(),
        a * (1 - a),
    ]
    out = one
    for code, formula in enumerate(formulas):
        out = torch.where(codes == code, formula, out)
    return out
