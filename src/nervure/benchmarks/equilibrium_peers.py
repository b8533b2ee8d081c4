"""Peers of an equilibrium solve: torchdeq's solvers on a dense matrix, and Newton per module."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from nervure.optional import find

TORCHDEQ = {
    "torchdeq fixed point": "fixed_point_iter",
    "torchdeq Anderson": "anderson",
    "torchdeq Broyden": "broyden",
}
NEWTON = "Newton per module"
# Stopping criteria of torchdeq, on the 2-norm per sample. The first that leaves a residual small
# enough is taken, so that no peer does more than is asked for.
_TOLERANCES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
_MAX_ITERATIONS = 100
_NEWTON_STEPS = 20


@dataclass(frozen=True)
class Problem:
    """a = tanh(u + W a), and a gradient of the loss with respect to a.

    Attributes
    ----------
    matrix : Tensor, shape (nodes, nodes)
        [target, source], zero where there is no edge.
    drive, gradient : Tensor, shape (batch, nodes)
    module_size : int
        Of the blocks on the diagonal that make up the matrix.
    """

    matrix: Tensor
    drive: Tensor
    gradient: Tensor
    module_size: int

    def residual(self, values: Tensor) -> float:
        """Give max |f(z(a)) - a| / max(1, max |a|), in float64."""
        a = values.double()
        again = torch.tanh(self.drive.double() + a @ self.matrix.double().t())
        return float((again - a).abs().max()) / max(1.0, float(a.abs().max()))

    def adjoint_residual(self, values: Tensor, delta: Tensor) -> float:
        """Give max |f'(z) l - d| / max |l| with l = g + W^T d, in float64."""
        a, d = values.double(), delta.double()
        length = self.gradient.double() + d @ self.matrix.double()
        return float(((1 - a * a) * length - d).abs().max()) / float(length.abs().max())


@dataclass(frozen=True)
class Solution:
    """Values and the gradient of the drive, both of shape (batch, nodes)."""

    values: Tensor
    delta: Tensor


Solver = Callable[[], Solution]


def torchdeq_solver(
    problem: Problem, method: str, accuracy: float, budget: float
) -> Solver | str | None:
    """Prepare torchdeq with tolerances that just reach an accuracy.

    Parameters
    ----------
    problem : Problem
    method : str
        torchdeq's name of the solver, used forward and backward.
    accuracy : float
        Residual that values and adjoint must reach.
    budget : float
        Seconds in which one call must end.

    Returns
    -------
    callable, str or None
        The solver; why there is none; or None where torchdeq is not installed.
    """
    torchdeq = find("torchdeq")
    if torchdeq is None:
        return None
    forward, why = _first(
        lambda tolerance: _Torchdeq(torchdeq, problem, method, tolerance, 1.0).forward_residual(),
        accuracy,
        budget,
    )
    if forward is None:
        return why

    def adjoint_residual(tolerance: float) -> float:
        found = _Torchdeq(torchdeq, problem, method, forward, tolerance)()
        return problem.adjoint_residual(found.values, found.delta)

    backward, why = _first(adjoint_residual, accuracy, budget)
    if backward is None:
        return f"adjoint {why}"
    return _Torchdeq(torchdeq, problem, method, forward, backward)


def _first(
    residual_at: Callable[[float], float], accuracy: float, budget: float
) -> tuple[float | None, str]:
    """Give the loosest tolerance whose residual is small enough, or why there is none."""
    best = float("inf")
    for tolerance in _TOLERANCES:
        begin = time.perf_counter()
        best = min(best, residual_at(tolerance))
        if best <= accuracy:
            return tolerance, ""
        if time.perf_counter() - begin > budget:
            return None, f"took more than {budget:g} s"
    return None, f"stopped at a residual of {best:.1e}"


class _Torchdeq:
    def __init__(
        self, torchdeq: ModuleType, problem: Problem, method: str, forward: float, backward: float
    ) -> None:
        self.problem = problem
        self.matrix = problem.matrix.clone().requires_grad_()
        self.drive = problem.drive.clone().requires_grad_()
        self.deq = torchdeq.get_deq(
            ift=True,
            f_solver=method,
            b_solver=method,
            f_max_iter=_MAX_ITERATIONS,
            b_max_iter=_MAX_ITERATIONS,
            f_tol=forward,
            b_tol=backward,
        )

    def _values(self) -> Tensor:
        found, _ = self.deq(
            lambda a: torch.tanh(a @ self.matrix.t() + self.drive), torch.zeros_like(self.drive)
        )
        values: Tensor = found[-1]
        return values

    def forward_residual(self) -> float:
        with torch.no_grad():
            return self.problem.residual(self._values())

    def __call__(self) -> Solution:
        self.matrix.grad = self.drive.grad = None
        values = self._values()
        values.backward(self.problem.gradient)
        assert self.drive.grad is not None
        return Solution(values.detach(), self.drive.grad)


class Newton:
    """Newton's method with dense solves, all modules and samples in one batch.

    Parameters
    ----------
    problem : Problem
    accuracy : float
        max |f(z(a)) - a| at which it stops.
    """

    def __init__(self, problem: Problem, accuracy: float) -> None:
        size = problem.module_size
        starts = range(0, len(problem.matrix), size)
        self.accuracy = accuracy
        # (modules, size, size), and (batch, modules, size) for everything per sample.
        self.blocks = torch.stack([problem.matrix[i : i + size, i : i + size] for i in starts])
        self.drive = _cut(problem.drive, size)
        self.gradient = _cut(problem.gradient, size)
        self.identity = torch.eye(size)

    def __call__(self) -> Solution:
        """Solve for values and adjoint, and form the gradient of the weights."""
        values = torch.zeros_like(self.drive)
        for _ in range(_NEWTON_STEPS):
            again = torch.tanh(self.drive + torch.einsum("mij,bmj->bmi", self.blocks, values))
            change = again - values
            if change.abs().max() <= self.accuracy:
                break
            slope = 1 - again * again
            jacobian = self.identity - slope.unsqueeze(-1) * self.blocks
            values = values + torch.linalg.solve(jacobian, change)
        slope = 1 - values * values
        # l = g + W^T d with d = f' l; then d a^T, whose time counts here as it does for the others.
        system = self.identity - (slope.unsqueeze(-1) * self.blocks).transpose(-1, -2)
        delta = slope * torch.linalg.solve(system, self.gradient)
        torch.einsum("bmi,bmj->mij", delta, values)
        return Solution(values.flatten(1), delta.flatten(1))


def _cut(rows: Tensor, size: int) -> Tensor:
    return rows.reshape(len(rows), -1, size)


def solvers(
    problem: Problem, accuracy: float, budget: float, most_newton: int = 300
) -> tuple[dict[str, Solver], Sequence[str]]:
    """Prepare all peers of a problem.

    Returns
    -------
    dict of str to callable, sequence of str
        Those that reach the accuracy, and a line for each of the others.
    """
    found: dict[str, Solver] = {}
    failures = []
    for name, method in TORCHDEQ.items():
        solver = torchdeq_solver(problem, method, accuracy, budget)
        if isinstance(solver, str):
            failures.append(f"{name} {solver}")
        elif solver is not None:
            found[name] = solver
    if problem.module_size <= most_newton:
        found[NEWTON] = Newton(problem, accuracy)
    return found, failures
