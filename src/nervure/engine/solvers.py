"""Fixed points of one component: sweeps, damping, Anderson acceleration, Newton, continuation.

Every function works on a batch of independent samples, shape (batch, nodes). A sample that has
converged is frozen, one that turns into NaN keeps its best iterate so far, and no sample's result
depends on another's. All return the best iterate with its *measured* residual.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Step = Callable[[Tensor], Tensor]
Jacobian = Callable[[Tensor, Tensor], Tensor]

_ANDERSON_MEMORY = 8
_NEWTON_STEPS = 50
_BACKTRACKS = 12
_TRANSIENT_STEPS = 200
# Newton's dense Jacobians are formed for as many samples at once as fit into this many entries.
_JACOBIAN_ENTRIES = 2**25


@dataclass(frozen=True)
class FixedPoint:
    """What a solver found.

    Attributes
    ----------
    value : Tensor, shape (batch, nodes)
        Best iterate of each sample.
    residual : Tensor, shape (batch,)
        max |step(value) - value| / max(floor, max |value|) of each sample; infinite where no
        finite iterate was seen.
    sweeps : int
        Evaluations of the map.
    """

    value: Tensor
    residual: Tensor
    sweeps: int


def scaled_residual(change: Tensor, value: Tensor, floor: float) -> Tensor:
    """Largest |change| of each sample relative to max(floor, largest |value|), NaN as infinity."""
    largest = change.abs().amax(1)
    scale = value.abs().amax(1).clamp_min(floor)
    residual = torch.where(largest == 0, largest, largest / scale)
    return torch.where(residual.isfinite(), residual, torch.inf)


def single_at_least(dtype: torch.dtype) -> torch.dtype:
    """Give the dtype in which systems of equations are solved: torch does not in half precision."""
    return torch.promote_types(dtype, torch.float32)


class _Best:
    """Keeps each sample's best iterate and stops changing it once it is good enough."""

    def __init__(self, start: Tensor, tolerance: float, floor: float) -> None:
        self.value = start.clone()
        self.residual = torch.full_like(start[:, 0], torch.inf)
        self.tolerance = tolerance
        self.floor = floor
        self.sweeps = 0

    def see(self, value: Tensor, image: Tensor) -> bool:
        """Take note of an iterate and its image; True when every sample is done."""
        self.sweeps += 1
        residual = scaled_residual(image - value, value, self.floor)
        better = (residual < self.residual) & (self.residual > self.tolerance)
        self.value = torch.where(better[:, None], value, self.value)
        self.residual = torch.where(better, residual, self.residual)
        return bool((self.residual <= self.tolerance).all())

    def result(self) -> FixedPoint:
        return FixedPoint(self.value, self.residual, self.sweeps)


def sweep_until_still(
    step: Step,
    start: Tensor,
    *,
    tolerance: float,
    max_sweeps: int,
    floor: float = 1.0,
    damping: float = 1.0,
) -> FixedPoint:
    """Iterate x <- x + damping (step(x) - x)."""
    best = _Best(start, tolerance, floor)
    x = start
    for _ in range(max_sweeps):
        image = step(x)
        if best.see(x, image):
            break
        x = image if damping == 1.0 else x + damping * (image - x)
    return best.result()


def anderson(
    step: Step, start: Tensor, *, tolerance: float, max_sweeps: int, floor: float = 1.0
) -> FixedPoint:
    """Anderson acceleration, type II with a memory of eight (Walker and Ni 2011)."""
    best = _Best(start, tolerance, floor)
    x = start
    previous: tuple[Tensor, Tensor, Tensor] | None = None
    batch, nodes = start.shape
    # How g = step(x) - x and step(x) changed from iterate to iterate, the oldest overwritten.
    memory = max(1, min(_ANDERSON_MEMORY, nodes))
    wide = single_at_least(start.dtype)
    all_dg = start.new_zeros(batch, memory, nodes, dtype=wide)
    all_dimage = torch.zeros_like(all_dg)
    relative = max(1e-10, torch.finfo(wide).eps)
    for sweep in range(max_sweeps):
        image = step(x)
        g = image - x
        if best.see(x, image):
            break
        x = image
        if previous is None:
            # Moves are measured by the first one, or the squares of small gradients vanish.
            unit = 1 / g.abs().amax(1, keepdim=True).clamp_min(torch.finfo(g.dtype).tiny)
        else:
            previous_g, previous_image, unit = previous
            place, filled = (sweep - 1) % memory, min(sweep, memory)
            all_dg[:, place] = (g - previous_g) * unit
            all_dimage[:, place] = image - previous_image
            dg = all_dg[:, :filled]
            gram = dg @ dg.mT
            ridge = relative * gram.diagonal(dim1=1, dim2=2).sum(1).clamp_min(1e-30)
            gram.diagonal(dim1=1, dim2=2).add_(ridge[:, None])
            weights, _info = torch.linalg.solve_ex(gram, dg @ (unit * g)[:, :, None].to(wide))
            x = image - (weights.mT @ all_dimage[:, :filled])[:, 0].to(x.dtype)
        previous = g, image, unit
        # A sample that blew up starts again from its best iterate.
        x = torch.where(x.isfinite().all(1, keepdim=True), x, best.value)
    return best.result()


def newton(
    step: Step,
    jacobian: Jacobian,
    start: Tensor,
    *,
    tolerance: float,
    floor: float = 1.0,
) -> FixedPoint:
    """Newton's method on x - step(x) = 0 with backtracking; semismooth where f has kinks.

    Parameters
    ----------
    step : callable
        The map, (batch, nodes) -> (batch, nodes).
    jacobian : callable
        (x, rows) -> derivative of the map at x[rows], shape (rows, nodes, nodes), its second axis
        the component of the image.
    start : Tensor, shape (batch, nodes)
        First iterate.
    tolerance, floor : float
        As in the other solvers.

    Notes
    -----
    O(nodes^3) per sample and step.
    """
    best = _Best(start, tolerance, floor)
    x, image = start, step(start)
    for _ in range(_NEWTON_STEPS):
        if best.see(x, image):
            break
        wanted = best.residual > tolerance
        g = image - x
        move = _newton_move(jacobian, x, g, wanted, torch.zeros_like(g[:, 0]))
        norm = g.norm(dim=1)
        length = torch.ones_like(norm)
        for _ in range(_BACKTRACKS):
            trial = x + length[:, None] * move
            trial_image = step(trial)
            accepted = (trial_image - trial).norm(dim=1) <= (1 - 1e-4 * length) * norm
            if bool((accepted | ~wanted).all()):
                break
            length = torch.where(accepted, length, 0.5 * length)
        usable = trial_image.isfinite().all(1, keepdim=True) & wanted[:, None]
        x = torch.where(usable, trial, x)
        image = torch.where(usable, trial_image, image)
    else:
        best.see(x, image)
    return best.result()


def _newton_move(
    jacobian: Jacobian, x: Tensor, g: Tensor, wanted: Tensor, inertia: Tensor
) -> Tensor:
    """Solve ((1 + inertia) I - J) move = g for the wanted samples; g itself where that fails."""
    size = x.shape[1]
    at_once = max(1, _JACOBIAN_ENTRIES // max(1, size * size))
    identity = torch.eye(size, dtype=x.dtype, device=x.device)
    move = torch.zeros_like(x)
    for rows in wanted.nonzero()[:, 0].split(at_once):
        matrix = (1 + inertia[rows])[:, None, None] * identity - jacobian(x, rows)
        wide = single_at_least(x.dtype)
        solved, _info = torch.linalg.solve_ex(matrix.to(wide), g[rows, :, None].to(wide))
        move[rows] = solved[:, :, 0].to(x.dtype)
    return torch.where(move.isfinite().all(1, keepdim=True), move, g)


def pseudo_transient(
    step: Step, jacobian: Jacobian, start: Tensor, *, tolerance: float, floor: float = 1.0
) -> FixedPoint:
    """Follow dx/dt = step(x) - x to rest with implicit Euler steps that grow as it calms down.

    It may climb over the local minima of the residual in which Newton's line search ends (Kelley
    and Keyes 1998, Convergence analysis of pseudo-transient continuation, SIAM J. Numer. Anal.).

    Parameters
    ----------
    step, jacobian, start, tolerance, floor
        As in `newton`.

    Notes
    -----
    O(nodes^3) per sample and step.
    """
    best = _Best(start, tolerance, floor)
    x, image = start, step(start)
    time_step = torch.ones_like(x[:, 0])
    for _ in range(_TRANSIENT_STEPS):
        if best.see(x, image):
            break
        g = image - x
        move = _newton_move(jacobian, x, g, best.residual > tolerance, 1 / time_step)
        x = x + move
        image = step(x)
        # Switched evolution relaxation: the step grows as the residual falls, within bounds.
        ratio = g.norm(dim=1) / (image - x).norm(dim=1).clamp_min(1e-300)
        time_step = (time_step * ratio.nan_to_num(1.0).clamp(0.5, 4.0)).clamp(1e-3, 1e12)
    return best.result()
