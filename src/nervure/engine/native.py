"""The native backend: C++ sweeps on the CPU, with the reference backend behind them.

States live in chunks: shape (chunks, nodes, lanes), 32 float or 16 double samples to a chunk, the
last one padded. The core takes addresses; every tensor it is given is checked here or made here.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from nervure import _core
from nervure.engine import reference
from nervure.engine.activations import apply_slope_of_value
from nervure.engine.plan import Plan, sections
from nervure.errors import EngineError

# Share torch's threads: two pools would take turns on the same cores.
for _library in sorted((Path(torch.__file__).parent / "lib").glob("libgomp*")):
    if _core.use_openmp(str(_library)):
        break

LANES = {torch.float32: 32, torch.float64: 16}
# Smaller buffers come from torch's allocator, which hands out small ones faster.
_POOLED_BYTES = 1 << 18


class Solver(NamedTuple):
    """Options of a sweep."""

    tolerance: float
    max_sweeps: int
    leak: float


class Stats(NamedTuple):
    """How a sweep went over a batch.

    Attributes
    ----------
    sweeps : float
        Most sweeps of any sample in any component.
    residual : float
        Worst residual.
    lost : float
        Samples left unsolved.
    component : float
        First component that some sample was lost in, or -1.
    recovered : float
        Samples that plain sweeps did not solve, and acceleration or the fallback chain did.
    """

    sweeps: float
    residual: float
    lost: float
    component: float
    recovered: float


def stats_of(sweeps: int, residual: Tensor, failed: Tensor, recovered: int = 0) -> Stats:
    """Summarise the per-sample results of a solve that left or mended some samples."""
    if not len(residual):
        return EXACT
    lost = failed[failed >= 0]
    first = float(lost.min()) if len(lost) else -1.0
    return Stats(float(sweeps), float(residual.max()), float(len(lost)), first, float(recovered))


EXACT = Stats(0.0, 0.0, 0.0, -1.0, 0.0)


class Solution(NamedTuple):
    """What a forward sweep leaves: `converged` is None if every sample is solved."""

    output: Tensor
    state: Tensor
    slope: Tensor
    converged: Tensor | None
    stats: Stats


class Gradients(NamedTuple):
    """What an adjoint sweep leaves; None for what was not asked for."""

    drive: Tensor | None
    weight: Tensor | None
    bias: Tensor | None
    stats: Stats


def supports(tensor: Tensor) -> bool:
    """Whether the native kernels run on this tensor's device and dtype."""
    return tensor.dtype in LANES and tensor.is_cpu


def chunk_count(batch: int, dtype: torch.dtype) -> int:
    """Count the chunks of a batch."""
    lanes = LANES[dtype]
    return (batch + lanes - 1) // lanes


def empty(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Allocate without initialising; large buffers are reused from step to step."""
    count = 1
    for size in shape:
        count *= size
    if count * dtype.itemsize < _POOLED_BYTES:
        return torch.empty(shape, dtype=dtype)
    make = _core.empty32 if dtype == torch.float32 else _core.empty64
    return torch.from_numpy(make(count)).view(shape)


def as_chunks(flat: Tensor, batch: int, nodes: int) -> Tensor:
    """Values of all nodes -> (chunks, nodes, lanes), a view; anything else stays as it is."""
    dtype = _real(flat, "state")
    chunks = chunk_count(batch, dtype)
    size = chunks * nodes * LANES[dtype]
    return flat.view(chunks, nodes, LANES[dtype]) if flat.numel() == size else flat


def to_rows(state: Tensor, batch: int) -> Tensor:
    """(chunks, nodes, lanes) -> (batch, nodes), a copy."""
    return state.permute(0, 2, 1).reshape(-1, state.shape[1])[:batch]


def to_chunks(rows: Tensor) -> Tensor:
    """(batch, nodes) -> (chunks, nodes, lanes), a copy; lanes without a sample are zero."""
    lanes, (batch, nodes) = LANES[rows.dtype], rows.shape
    padded = rows.new_zeros(chunk_count(batch, rows.dtype) * lanes, nodes)
    padded[:batch] = rows
    return padded.view(-1, lanes, nodes).permute(0, 2, 1).contiguous()


def _write_rows(state: Tensor, rows: Tensor, values: Tensor) -> None:
    lanes = state.shape[2]
    state[rows // lanes, :, rows % lanes] = values.to(state.dtype)


def address(tensor: Tensor, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> int:
    """Address of a tensor's numbers, if it is what the core will take it for.

    Raises
    ------
    EngineError
        If shape, dtype, device or layout differ.
    """
    if (
        tensor.dtype != dtype
        or tensor.shape != shape
        or not tensor.is_cpu
        or not tensor.is_contiguous()
    ):
        layout = "" if tensor.is_contiguous() else ", not contiguous"
        raise EngineError(
            f"{name}: expected {dtype} {tuple(shape)} on cpu, contiguous; got {tensor.dtype} "
            f"{tuple(tensor.shape)} on {tensor.device}{layout}"
        )
    return tensor.data_ptr()


def _real(tensor: Tensor, name: str) -> torch.dtype:
    if tensor.dtype not in LANES:
        raise EngineError(
            f"{name}: the native backend computes in float32 and float64, got {tensor.dtype}"
        )
    return tensor.dtype


class _Report:
    """Per-sample status arrays that the kernels fill; none for a graph without cycles."""

    def __init__(self, plan: Plan, batch: int, dtype: torch.dtype) -> None:
        self.addresses = (0, 0, 0, 0)
        if not plan.is_acyclic:
            self.residual = torch.empty(batch, dtype=dtype)
            self.sweeps = torch.empty(batch, dtype=torch.int32)
            self.failed = torch.empty(batch, dtype=torch.int32)
            self.recovered = torch.empty(batch, dtype=torch.uint8)
            self.addresses = (
                self.residual.data_ptr(), self.sweeps.data_ptr(), self.failed.data_ptr(),
                self.recovered.data_ptr(),
            )  # fmt: skip

    def lost_rows(self) -> Tensor:
        return (self.failed >= 0).nonzero()[:, 0]

    def take(self, rows: Tensor, solved: reference.Solved) -> Stats:
        """Take over what the reference found for the samples that were lost."""
        self.residual[rows] = solved.residual.to(self.residual.dtype)
        self.failed[rows] = solved.failed.to(torch.int32)
        self.sweeps[rows] += solved.sweeps
        self.recovered[rows] = 1
        recovered = int((self.recovered.bool() & (self.failed < 0)).sum())
        return stats_of(int(self.sweeps.max()), self.residual, self.failed, recovered)


def forward(
    plan: Plan, drive: Tensor, weight: Tensor, bias: Tensor | None, solver: Solver
) -> Solution:
    """Forward sweep over a batch."""
    batch, dtype = drive.shape[0], _real(drive, "drive")
    state = empty((chunk_count(batch, dtype), plan.nodes, LANES[dtype]), dtype)
    slope = empty(tuple(state.shape), dtype) if plan.keeps_slope else drive.new_empty(0)
    output = torch.empty((batch, plan.num_outputs), dtype=dtype)
    report = _Report(plan, batch, dtype)
    drive, weight = drive.contiguous(), weight.contiguous()
    bias = None if bias is None else bias.contiguous()
    run = plan.program.forward32 if dtype == torch.float32 else plan.program.forward64
    found = run(
        batch,
        address(drive, "drive", (batch, plan.num_inputs), dtype),
        address(weight, "weight", (plan.weights,), dtype),
        0 if bias is None else address(bias, "bias", (plan.nodes,), dtype),
        state.data_ptr(),
        slope.data_ptr() if plan.keeps_slope else 0,
        output.data_ptr(),
        *report.addresses,
        *solver,
        torch.get_num_threads(),
    )
    stats = Stats(*found)
    if not stats.lost:
        return Solution(output, state, slope, None, stats)
    rows = report.lost_rows()
    # The few samples that plain sweeps did not solve go through the reference's whole chain.
    solved = reference.forward(
        plan,
        drive[rows].double(),
        weight.double(),
        None if bias is None else bias.double(),
        tolerance=solver.tolerance,
        max_sweeps=solver.max_sweeps,
        leak=solver.leak,
        stuck=report.failed[rows],
    )
    s = sections(plan)
    output[rows] = solved.value[:, s.outputs].to(dtype)
    # What is not solved must not reach any gradient, not even as infinity times zero.
    kept = solved.converged[:, None]
    _write_rows(state, rows, torch.where(kept, solved.value, 0.0))
    if plan.keeps_slope:
        _write_rows(slope, rows, torch.where(kept, solved.slope, 0.0))
    stats = report.take(rows, solved)
    converged = report.failed < 0
    return Solution(output, state, slope, None if stats.lost == 0 else converged, stats)


def adjoint(
    plan: Plan,
    grad_output: Tensor,
    weight: Tensor,
    state: Tensor,
    slope: Tensor,
    converged: Tensor | None,
    solver: Solver,
    *,
    need_drive: bool = True,
) -> tuple[Tensor | None, Tensor, Stats]:
    """Adjoint sweep; gives grad_drive, delta = dL/dz in chunks, and how it went."""
    batch, dtype = grad_output.shape[0], _real(grad_output, "grad_output")
    shape = (chunk_count(batch, dtype), plan.nodes, LANES[dtype])
    delta = empty(shape, dtype)
    grad_drive = torch.empty((batch, plan.num_inputs), dtype=dtype) if need_drive else None
    report = _Report(plan, batch, dtype)
    grad_output, weight = grad_output.contiguous(), weight.contiguous()
    allowed = None if converged is None else converged.to(torch.uint8)
    run = plan.program.adjoint32 if dtype == torch.float32 else plan.program.adjoint64
    found = run(
        batch,
        address(grad_output, "grad_output", (batch, plan.num_outputs), dtype),
        address(weight, "weight", (plan.weights,), dtype),
        address(state, "state", shape, dtype),
        address(slope, "slope", shape, dtype) if plan.keeps_slope else 0,
        0 if allowed is None else address(allowed, "converged", (batch,), torch.uint8),
        delta.data_ptr(),
        0 if grad_drive is None else grad_drive.data_ptr(),
        *report.addresses,
        *solver,
        torch.get_num_threads(),
    )
    stats = Stats(*found)
    if not stats.lost:
        return grad_drive, delta, stats
    rows = report.lost_rows()
    s = sections(plan)
    values = to_rows(state, batch)[rows].double()
    kept = to_rows(slope, batch)[rows].double() if plan.keeps_slope else None
    slopes = apply_slope_of_value(s.activation, values, solver.leak, kept)
    solved = reference.adjoint(
        plan,
        grad_output[rows].double(),
        weight.double(),
        slopes,
        torch.ones(len(rows), dtype=torch.bool),
        tolerance=solver.tolerance,
        max_sweeps=solver.max_sweeps,
        stuck=report.failed[rows],
    )
    d = torch.where(solved.converged[:, None], solved.value, 0.0)
    _write_rows(delta, rows, d)
    if grad_drive is not None:
        grad_drive[rows] = d[:, s.inputs].to(dtype)
    return grad_drive, delta, report.take(rows, solved)


def edge_gradient(plan: Plan, state: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    """dL/dw of every weight and dL/db of every node."""
    dtype = _real(state, "state")
    grad_weight = empty((plan.weights,), dtype)
    grad_bias = torch.empty((plan.nodes,), dtype=dtype)
    program = plan.program
    run = program.edge_gradient32 if dtype == torch.float32 else program.edge_gradient64
    shape = (len(state), plan.nodes, LANES[dtype])
    run(
        shape[0],
        address(state, "state", shape, dtype),
        address(delta, "delta", shape, dtype),
        grad_weight.data_ptr(),
        grad_bias.data_ptr(),
        torch.get_num_threads(),
    )
    return grad_weight, grad_bias


def gather_edges(plan: Plan, matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Edge weights and biases of a dense matrix [target, source] with biases on its diagonal."""
    dtype = matrix.dtype
    matrix = matrix.detach().contiguous()
    weight, diagonal = empty((plan.weights,), dtype), torch.empty((plan.nodes,), dtype=dtype)
    program = plan.program
    run = program.gather_edges32 if dtype == torch.float32 else program.gather_edges64
    run(
        address(matrix, "weight", (plan.nodes, plan.nodes), dtype),
        weight.data_ptr(),
        diagonal.data_ptr(),
    )
    return weight, diagonal


def dense_gradient(state: Tensor, delta: Tensor) -> Tensor:
    """dL/dw of every possible edge, [target, source], the diagonal holding dL/db."""
    nodes = state.shape[1]
    d = delta.permute(1, 0, 2).reshape(nodes, -1)
    a = state.permute(1, 0, 2).reshape(nodes, -1)
    grad = empty((nodes, nodes), state.dtype)
    torch.mm(d, a.T, out=grad)
    grad.diagonal().copy_(d.sum(1))
    return grad
