"""`sweep` and `adjoint`: the engine as plain functions on tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch
from torch import Tensor

from nervure.engine import dispatch, functional, native, ops
from nervure.engine.activations import DEFAULT_LEAK
from nervure.engine.autograd import EagerSweep, Run
from nervure.engine.native import Solution, Solver, Stats
from nervure.engine.plan import Plan
from nervure.engine.tracing import is_eager, is_transformed
from nervure.errors import EngineError

Backend = Literal["auto", "native", "reference", "dense", "csr"]
OnFailure = Literal["raise", "flag"]

# torch leaves it untyped.
_apply: Callable[..., Tensor] = EagerSweep.apply

DEFAULT_MAX_SWEEPS = 200
# What "auto" goes by where the size of the batch is not known: a usual one in training.
_TRACED_BATCH = 128
# The kernels count in 32 bits.
_MOST_SWEEPS = 2**31 - 1
# What a float of the dtype resolves comfortably; training needs no more (see docs/engine.md).
_TOLERANCE = {
    torch.float64: 1e-9,
    torch.float32: 1e-4,
    torch.float16: 1e-2,
    torch.bfloat16: 3e-2,
}


@dataclass(frozen=True)
class SolveStatus:
    """How a sweep went.

    Attributes
    ----------
    sweeps : int
        Most sweeps any sample needed in any component (0 for an acyclic graph).
    residual : float
        Worst max |f(z(a)) - a| / max(1, max |a|) over samples and components.
    converged : Tensor of bool, shape (batch,)
        Which samples are solved.
    recovered : int
        Samples that plain sweeps did not solve, and acceleration or the fallback chain did; counted
        by the native backend.
    """

    sweeps: int
    residual: float
    converged: Tensor
    recovered: int

    @property
    def lost(self) -> int:
        """Number of samples not solved."""
        return int((~self.converged).sum())


@dataclass(frozen=True)
class Sweep:
    """Result of `sweep`.

    Attributes
    ----------
    output : Tensor, shape (batch, outputs)
        Values a of the output nodes; differentiable.
    status : SolveStatus
    state : Tensor
        Values of all nodes in the backend's layout (`values` gives them as rows).
    slope : Tensor
        What the adjoint needs besides.
    backend : str
        Backend that ran.
    """

    output: Tensor
    status: SolveStatus
    state: Tensor
    slope: Tensor
    backend: str

    @property
    def values(self) -> Tensor:
        """Values of all nodes, shape (batch, nodes), detached."""
        if self.backend == "native":
            return native.to_rows(self.state, len(self.output))
        return self.state.T if self.backend in dispatch.LEVELWISE else self.state


def default_tolerance(dtype: torch.dtype) -> float:
    """Tolerance used when none is given."""
    if dtype not in _TOLERANCE:
        raise EngineError(f"expected a real floating dtype, got {dtype}")
    return _TOLERANCE[dtype]


def check_backend(backend: str) -> None:
    """Refuse a backend that there is not."""
    if backend not in get_args(Backend):
        raise EngineError(
            f"unknown backend {backend!r}; choose auto, native, reference, dense or csr"
        )


def choose_backend(backend: str, plan: Plan, drive: Tensor, *, training: bool) -> str:
    """Resolve "auto" by the cost model, and refuse a backend that cannot run this."""
    if backend == "auto":
        if native.supports(drive):
            # A traced program serves batches of every size.
            batch = _TRACED_BATCH if torch.compiler.is_compiling() else len(drive)
            return plan.fastest(batch, drive.dtype, training=training)
        return "reference"
    check_backend(backend)
    if backend == "native" and not native.supports(drive):
        raise EngineError(
            f"the native backend runs float32 and float64 on the CPU, got {drive.dtype} on "
            f"{drive.device}; use backend='auto' or 'reference'"
        )
    if backend in dispatch.LEVELWISE and (plan.block > 1 or not plan.is_acyclic):
        raise EngineError(
            f"backend {backend!r} runs single edges of graphs without cycles; use 'auto' or "
            "'native'"
        )
    return backend


def check_arguments(plan: Plan, drive: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """Refuse shapes and dtypes that do not fit, naming what was expected and what came."""
    if (
        drive.dim() == 2
        and drive.shape[1] == plan.num_inputs
        and weight.shape == (plan.weights,)
        and weight.dtype is drive.dtype
        and weight.device == drive.device
        and (
            bias is None
            or (
                bias.shape == (plan.nodes,)
                and bias.dtype is drive.dtype
                and bias.device == drive.device
            )
        )
    ):
        return
    problems = []
    if drive.dim() != 2 or drive.shape[1] != plan.num_inputs:
        problems.append(f"drive: expected (batch, {plan.num_inputs}), got {tuple(drive.shape)}")
    if weight.dim() == 2:
        if tuple(weight.shape) != (plan.nodes, plan.nodes):
            problems.append(
                f"dense weight: expected ({plan.nodes}, {plan.nodes}), got {tuple(weight.shape)}"
            )
        if bias is not None:
            problems.append("bias: a dense weight carries the biases on its diagonal; pass None")
    elif tuple(weight.shape) != (plan.weights,):
        problems.append(f"weight: expected ({plan.weights},), got {tuple(weight.shape)}")
    if bias is not None and tuple(bias.shape) != (plan.nodes,):
        problems.append(f"bias: expected ({plan.nodes},), got {tuple(bias.shape)}")
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and (tensor.dtype, tensor.device) != (drive.dtype, drive.device):
            problems.append(
                f"{name}: expected {drive.dtype} on {drive.device} like the drive, got "
                f"{tensor.dtype} on {tensor.device}"
            )
    if problems:
        raise EngineError("; ".join(problems))


def sweep(
    plan: Plan,
    weight: Tensor,
    drive: Tensor,
    bias: Tensor | None = None,
    *,
    backend: Backend = "auto",
    tolerance: float | None = None,
    max_sweeps: int = DEFAULT_MAX_SWEEPS,
    leak: float = DEFAULT_LEAK,
    on_failure: OnFailure = "raise",
) -> Sweep:
    """Solve z = u + b + W a, a = f(z) on a planned graph.

    Acyclic parts are computed exactly in one pass. Inside a strongly connected component the
    values are an equilibrium (a steady state, not one step per edge), found by Gauss-Seidel sweeps
    and checked by its true residual; samples that do not settle are tried with Anderson
    acceleration, damped sweeps and Newton's method.

    Parameters
    ----------
    plan : Plan
        From `nervure.engine.plan`.
    weight : Tensor, shape (weights,) or (nodes, nodes)
        One weight per edge in edge order (block by block where the plan has blocks); or a dense
        matrix [target, source] from which the plan's edges are read, whose diagonal holds the
        biases and whose gradient is dense: that of every possible edge, present or absent.
    drive : Tensor, shape (batch, inputs)
        u of the input nodes, in the order of `topology.inputs`.
    bias : Tensor, shape (nodes,), optional
    backend : {"auto", "native", "reference", "dense", "csr"}
        "native" is the C++ sweep; "dense" and "csr" compute level by level with torch's matrix
        products; "auto" takes what the cost model expects to be fastest (`nervure bench
        calibrate`).
    tolerance : float, optional
        On max |f(z(a)) - a| / max(1, max |a|) per sample and component; 1e-4 for float32 and 1e-9
        for float64 by default. The adjoint is solved to the same tolerance, relative to its size.
    max_sweeps : int
        Limit on plain sweeps, on acceleration, which begins after 50 (native backend), and on each
        iterative stage of the fallback chain.
    leak : float
        Slope of leaky relu below zero, 0 to 1.
    on_failure : {"raise", "flag"}
        Whether unsolved samples raise, or are only flagged in the status. Flagged samples give
        their best iterate and no gradient.

    Returns
    -------
    Sweep

    Raises
    ------
    ConvergenceError
        If an equilibrium is not found and `on_failure` is "raise".
    EngineError
        If shapes, dtypes or options do not fit.

    Notes
    -----
    Cost O(batch * edges * sweeps); no dense matrix is formed. Paper: neural-modules, eq. 3; the
    gradient is the exact implicit one, eq. 4-8.

    Examples
    --------
    >>> import torch
    >>> from nervure import Topology, engine
    >>> plan = engine.plan(Topology.from_edges([(0, 1), (1, 0)], inputs=[0, 1], outputs=[0, 1]))
    >>> weight, drive = torch.tensor([0.5, 0.5]), torch.tensor([[1.0, 0.0]])
    >>> engine.sweep(plan, weight, drive).output.round(decimals=2)
    tensor([[1.3300, 0.6700]])
    """
    check_arguments(plan, drive, weight, bias)
    check_options(tolerance, max_sweeps, leak, on_failure)
    solver = Solver(
        default_tolerance(drive.dtype) if tolerance is None else tolerance, max_sweeps, leak
    )
    chosen = choose_backend(backend, plan, drive, training=_differentiable(drive, weight, bias))
    found = solve(plan, chosen, drive, weight, bias, solver, strict=on_failure == "raise")
    status = status_of(found.stats, found.converged, len(drive), drive.device)
    state, slope = found.state, found.slope
    if is_transformed():
        chosen = functional.LAYOUT
    elif chosen == "native":
        state, slope = (native.as_chunks(x, len(drive), plan.nodes) for x in (state, slope))
    return Sweep(found.output, status, state, slope, chosen)


def _differentiable(drive: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    return torch.is_grad_enabled() and (
        weight.requires_grad or drive.requires_grad or (bias is not None and bias.requires_grad)
    )


def solve(
    plan: Plan,
    backend: str,
    drive: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    solver: Solver,
    *,
    strict: bool,
) -> Solution:
    """Run one sweep whose arguments are checked, by the shortest way that autograd allows."""
    if is_eager(drive):
        if not _differentiable(drive, weight, bias):
            return dispatch.forward(plan, backend, drive, weight, bias, solver, strict)
        run = Run(plan, backend, solver, strict)
        output: Tensor = _apply(drive, weight, bias, run)
        assert run.solution is not None
        return run.solution._replace(output=output)
    if is_transformed():
        return functional.solve(Run(plan, backend, solver, strict), drive, weight, bias)
    output, state, slope, converged, stats = cast(
        tuple[Tensor, Tensor, Tensor, Tensor, Tensor],
        ops.sweep(
            drive,
            weight,
            bias,
            plan.packed,
            plan.nodes,
            plan.num_outputs,
            plan.keeps_slope,
            backend,
            *solver,
            strict,
        ),
    )
    # Five numbers either way; as a tensor they stay unread while a compiler traces.
    return Solution(output, state, slope, converged, cast(Stats, stats))


def check_options(tolerance: float | None, max_sweeps: int, leak: float, on_failure: str) -> None:
    """Refuse options outside their ranges."""
    if tolerance is not None and not 0 < tolerance < 1:
        raise EngineError(f"tolerance: expected between 0 and 1, got {tolerance}")
    if not isinstance(max_sweeps, int) or not 1 <= max_sweeps <= _MOST_SWEEPS:
        raise EngineError(
            f"max_sweeps: expected a whole number of 1 to {_MOST_SWEEPS}, got {max_sweeps!r}"
        )
    if not 0 <= leak <= 1:
        raise EngineError(f"leak: expected between 0 and 1, got {leak}")
    if on_failure not in ("raise", "flag"):
        raise EngineError(f"on_failure: expected 'raise' or 'flag', got {on_failure!r}")


def status_of(
    stats: Stats, converged: Tensor | None, batch: int, device: torch.device
) -> SolveStatus:
    """Describe a finished sweep."""
    if converged is None:
        converged = torch.ones(batch, dtype=torch.bool, device=device)
    sweeps, residual, _, _, recovered = stats
    return SolveStatus(int(sweeps), float(residual), converged, int(recovered))


@dataclass(frozen=True)
class Adjoint:
    """Result of `adjoint`: gradients of the loss.

    Attributes
    ----------
    drive : Tensor, shape (batch, inputs)
    weight : Tensor
        As the weight given.
    bias : Tensor, shape (nodes,); empty for a dense weight, which carries it on its diagonal
    sweeps : int
    residual : float
    """

    drive: Tensor
    weight: Tensor
    bias: Tensor
    sweeps: int
    residual: float


def adjoint(
    plan: Plan,
    weight: Tensor,
    solution: Sweep,
    grad_output: Tensor,
    *,
    tolerance: float | None = None,
    max_sweeps: int = DEFAULT_MAX_SWEEPS,
    leak: float = DEFAULT_LEAK,
    on_failure: OnFailure = "raise",
) -> Adjoint:
    """Solve l = g + W^T d, d = f'(z) l, the walk on the reversed graph, and form the gradients.

    Autograd calls this by itself in ``loss.backward()``; it is here for those who work without.

    Parameters
    ----------
    plan, weight, tolerance, max_sweeps, leak, on_failure
        As in `sweep`.
    solution : Sweep
        What `sweep` returned.
    grad_output : Tensor, shape (batch, outputs)
        dL/da of the output nodes.

    Returns
    -------
    Adjoint
        Exact implicit gradients, to the tolerance (paper: neural-modules, eq. 4-8).
    """
    check_options(tolerance, max_sweeps, leak, on_failure)
    solver = Solver(
        default_tolerance(weight.dtype) if tolerance is None else tolerance, max_sweeps, leak
    )
    found = dispatch.adjoint(
        plan, solution.backend, grad_output, weight.detach(), solution.state, solution.slope,
        solution.status.converged, solver, on_failure == "raise",
    )  # fmt: skip
    assert found.drive is not None
    assert found.weight is not None
    bias = weight.new_empty(0) if found.bias is None else found.bias
    return Adjoint(found.drive, found.weight, bias, int(found.stats.sweeps), found.stats.residual)
