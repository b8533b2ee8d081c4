"""Components with cycles as ONNX operators: sweeps of Gauss-Seidel, in a loop or written out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nervure.export.onnx_acceleration import accelerated
from nervure.export.onnx_builder import Builder
from nervure.export.onnx_sweep import FAR, any_row, filled_rows, loop, swept, swept_on
from nervure.export.schedule import Cycle

# Sweeps after which rows that have not settled are accelerated, as in the engine.
PATIENCE = 50


@dataclass(frozen=True)
class Sweeping:
    """When sweeps end.

    Attributes
    ----------
    sweeps : int or None
        So many, written out; or None: as many as it takes.
    tolerance : float
        On the largest change of a sweep, relative to max(1, largest value).
    max_sweeps : int
        The same limit holds for the acceleration after the first 50.
    """

    sweeps: int | None
    tolerance: float
    max_sweeps: int

    def __str__(self) -> str:
        if self.sweeps is not None:
            return f"{self.sweeps} sweeps of Gauss-Seidel from zero, without a check"
        accelerated = f", after {PATIENCE} with Anderson acceleration"
        return (
            "sweeps of Gauss-Seidel from zero until the largest change of a row is at most "
            f"{self.tolerance:g} times max(1, largest value), at most {self.max_sweeps}"
            f"{accelerated if self.max_sweeps > PATIENCE else ''}"
        )


def solved(
    builder: Builder, cycle: Cycle, base: str, leak: float, sweeping: Sweeping
) -> tuple[str, str | None]:
    """Add the equilibrium of a cycle.

    Parameters
    ----------
    builder : Builder
    cycle : Cycle
    base : str
        Tensor (batch, nodes of the cycle) of drive, biases and what comes from outside.
    leak : float
    sweeping : Sweeping

    Returns
    -------
    values : str
        Tensor (batch, nodes of the cycle).
    change : str or None
        Tensor (batch, 1): what the last sweep changed, if sweeps go on until they change little.
    """
    if sweeping.sweeps is None:
        return _looped(builder, cycle, base, leak, sweeping)
    values = swept(builder, cycle, base, None, leak)
    for _ in range(sweeping.sweeps - 1):
        values = swept(builder, cycle, base, values, leak)
    return values, None


def _looped(
    builder: Builder, cycle: Cycle, base: str, leak: float, sweeping: Sweeping
) -> tuple[str, str]:
    tolerance = builder.scalar(sweeping.tolerance)

    def step(body: Builder, _: str, held: Sequence[str]) -> tuple[str, Sequence[str]]:
        old, last = held
        new, change, left = swept_on(body, cycle, base, leak, old, last, tolerance)
        return any_row(body, left), (new, change)

    count = len(cycle.nodes)
    start = [
        (filled_rows(builder, base, count), (count,)),
        (filled_rows(builder, base, 1, value=FAR), (1,)),
    ]
    patience = min(PATIENCE, sweeping.max_sweeps)
    values, changed = loop(builder, patience, builder.scalar(True, "bool"), start, step)
    if sweeping.max_sweeps > PATIENCE:
        values, changed = accelerated(
            builder, cycle, base, leak, values, changed, tolerance, sweeping.max_sweeps
        )
    # A row that is lost is so in all its nodes, whichever of them it was lost in.
    return builder.add("Add", values, builder.nan_if_lost(changed)), changed
