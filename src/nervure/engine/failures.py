"""What to say when an equilibrium is not found."""

from __future__ import annotations

from typing import NoReturn

from torch import Tensor

from nervure.engine.plan import sections
from nervure.errors import ConvergenceError

_REMEDY = (
    "The map is probably expansive there. Remedies: contraction=0.95 (projects the weights after "
    "each step so that a unique solution exists), a smaller learning rate, a stronger decay "
    "(alpha), fewer kept edges, a larger max_sweeps or tolerance; on_failure='flag' goes on "
    "without these samples."
)


def _size_of(plan: Tensor, component: int) -> int:
    comp_ptr = sections(plan).comp_ptr
    return int(comp_ptr[component + 1] - comp_ptr[component])


def raise_forward_failure(
    plan: Tensor, drive: Tensor, converged: Tensor, stats: list[float]
) -> NoReturn:
    """Raise `ConvergenceError` for a forward sweep that left samples unsolved."""
    sweeps, residual, lost, component = stats[0], stats[1], int(stats[2]), int(stats[3])
    size = _size_of(plan, component)
    bad = (~drive.isfinite().all(1)).nonzero()[:, 0].tolist()
    cause = _REMEDY
    if bad:
        some = ", ".join(str(i) for i in bad[:5]) + (", ..." if len(bad) > 5 else "")
        cause = (
            f"The drive of {len(bad)} of them holds NaN or infinity (sample {some}): clean the "
            "input, or look for a diverged encoder. " + _REMEDY
        )
    raise ConvergenceError(
        f"no equilibrium found for {lost} of {len(converged)} samples: component {component} "
        f"({size} nodes) stands at residual {residual:.2g} after {sweeps:.0f} sweeps, damped "
        f"sweeps, Anderson, Newton and continuation. {cause}",
        component=component,
        component_size=size,
        residual=residual,
        samples=lost,
    )


def raise_adjoint_failure(plan: Tensor, stats: list[float]) -> NoReturn:
    """Raise `ConvergenceError` for an adjoint sweep that left samples unsolved."""
    component = int(stats[3])
    size = _size_of(plan, component)
    raise ConvergenceError(
        f"no adjoint solution for {int(stats[2])} samples: component {component} ({size} nodes) "
        f"stands at relative residual {stats[1]:.2g} after {stats[0]:.0f} sweeps and a direct "
        f"solve. {_REMEDY}",
        component=component,
        component_size=size,
        residual=stats[1],
        samples=int(stats[2]),
    )
