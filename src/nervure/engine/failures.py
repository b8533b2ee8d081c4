"""What to say when an equilibrium is not found."""

from __future__ import annotations

from typing import NoReturn

from torch import Tensor

from nervure.engine.native import Stats
from nervure.engine.plan import Plan
from nervure.engine.reference import DENSE_LIMIT
from nervure.errors import ConvergenceError

_REMEDY = (
    "The map is probably expansive there. Remedies: contraction=0.95 (projects the weights after "
    "each step so that a unique solution exists), a smaller learning rate, a stronger decay "
    "(alpha), fewer kept edges, a larger max_sweeps or tolerance; on_failure='flag' goes on "
    "without these samples."
)


def raise_forward_failure(plan: Plan, drive: Tensor, stats: Stats) -> NoReturn:
    """Raise `ConvergenceError` for a forward sweep that left samples unsolved."""
    component, lost = int(stats.component), int(stats.lost)
    size = plan.program.component_size(component)
    tried = "Anderson and damped sweeps"
    if size <= DENSE_LIMIT:
        tried = "Anderson, damped sweeps, Newton and continuation"
    bad = (~drive.isfinite().all(1)).nonzero()[:, 0].tolist()
    cause = _REMEDY
    if bad:
        some = ", ".join(str(i) for i in bad[:5]) + (", ..." if len(bad) > 5 else "")
        cause = (
            f"The drive of {len(bad)} of them holds NaN or infinity (sample {some}): clean the "
            "input, or look for a diverged encoder. " + _REMEDY
        )
    raise ConvergenceError(
        f"no equilibrium found for {lost} of {len(drive)} samples: component {component} "
        f"({size} nodes) stands at residual {stats.residual:.2g} after {stats.sweeps:.0f} sweeps, "
        f"{tried}. {cause}",
        component=component,
        component_size=size,
        residual=stats.residual,
        samples=lost,
    )


def raise_adjoint_failure(plan: Plan, stats: Stats) -> NoReturn:
    """Raise `ConvergenceError` for an adjoint sweep that left samples unsolved."""
    component = int(stats.component)
    size = plan.program.component_size(component)
    tried = "Anderson and a direct solve" if size <= DENSE_LIMIT else "Anderson"
    raise ConvergenceError(
        f"no adjoint solution for {int(stats.lost)} samples: component {component} ({size} nodes) "
        f"stands at relative residual {stats.residual:.2g} after {stats.sweeps:.0f} sweeps, "
        f"{tried}. {_REMEDY}",
        component=component,
        component_size=size,
        residual=stats.residual,
        samples=int(stats.lost),
    )
