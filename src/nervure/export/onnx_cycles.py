"""Components with cycles as ONNX operators: sweeps of Gauss-Seidel, in a loop or written out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nervure.export.onnx_builder import Builder, Columns
from nervure.export.onnx_levels import activated, parted, weighted
from nervure.export.schedule import Cycle


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
    """

    sweeps: int | None
    tolerance: float
    max_sweeps: int

    def __str__(self) -> str:
        if self.sweeps is not None:
            return f"{self.sweeps} sweeps of Gauss-Seidel from zero, without a check"
        return (
            "sweeps of Gauss-Seidel from zero until the largest change of a row is at most "
            f"{self.tolerance:g} times max(1, largest value), at most {self.max_sweeps}"
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
    values = _sweep(builder, cycle, base, None, leak)
    for _ in range(sweeping.sweeps - 1):
        values = _sweep(builder, cycle, base, values, leak)
    return values, None


def _sweep(builder: Builder, cycle: Cycle, base: str, old: str | None, leak: float) -> str:
    """Add one sweep; without old values, that from zero."""
    count = len(cycle.nodes)
    before, now = Columns(builder, count), Columns(builder, count)
    if old is not None:
        before.put(old, np.arange(count))
        base = weighted(builder, before, cycle.back, base)
    parts = []
    for level, z in zip(cycle.levels, parted(builder, base, cycle.levels), strict=True):
        z = weighted(builder, now, level.edges, z)
        parts.append(activated(builder, z, level.code, leak))
        now.put(parts[-1], level.nodes)
    return parts[0] if len(parts) == 1 else builder.add("Concat", *parts, axis=1)


def _looped(
    builder: Builder, cycle: Cycle, base: str, leak: float, sweeping: Sweeping
) -> tuple[str, str]:
    onnx = builder.onnx
    helper, types = onnx.helper, onnx.TensorProto
    body = Builder(builder)
    turn, go_on, old, last = (body.name(name) for name in ("turn", "go_on", "values", "change"))
    tolerance = body.scalar(sweeping.tolerance)
    # A row that has settled is held still, so that it does not depend on the rest of the batch.
    moving = body.add("Greater", last, tolerance)
    new = body.add("Where", moving, _sweep(body, cycle, base, old, leak), old)
    change = _largest(body, body.add("Sub", new, old))
    if not cycle.bounded:
        scale = body.add("Max", _largest(body, new), body.scalar(1.0))
        change = body.add("Div", change, scale)
    # Runtimes differ in whether the largest of a row is nan if one is; a sum always is.
    total = body.add("ReduceSum", new, body.shape(1), keepdims=1)
    change = body.add("Add", change, body.nan_if_lost(total))
    change = body.add("Where", moving, change, last)
    # What is not a number compares as settled: such a row is lost, and holds up no other.
    left = body.add("Cast", body.add("Greater", change, tolerance), to=types.FLOAT)
    again = body.add("Cast", body.add("ReduceSum", left, keepdims=0), to=types.BOOL)
    count = len(cycle.nodes)
    graph = helper.make_graph(
        body.operators,
        body.name("sweep"),
        [
            helper.make_tensor_value_info(turn, types.INT64, []),
            helper.make_tensor_value_info(go_on, types.BOOL, []),
            helper.make_tensor_value_info(old, types.FLOAT, ["batch", count]),
            helper.make_tensor_value_info(last, types.FLOAT, ["batch", 1]),
        ],
        [
            helper.make_tensor_value_info(again, types.BOOL, []),
            helper.make_tensor_value_info(new, types.FLOAT, ["batch", count]),
            helper.make_tensor_value_info(change, types.FLOAT, ["batch", 1]),
        ],
    )
    rows = builder.add("Shape", base, start=0, end=1)
    column = builder.add("Concat", rows, builder.shape(1), axis=0)
    start = (
        builder.scalar(sweeping.max_sweeps, "int64"),
        builder.scalar(True, "bool"),
        builder.filled(builder.add("Shape", base)),
        builder.filled(column, float(np.finfo(np.float32).max)),
    )
    values, changed = builder.add_many("Loop", start, 2, body=graph)
    # A row that is lost is so in all its nodes, whichever of them it was lost in.
    return builder.add("Add", values, builder.nan_if_lost(changed)), changed


def _largest(builder: Builder, x: str) -> str:
    """Largest size of each row, shape (batch, 1)."""
    return builder.add("ReduceMax", builder.add("Abs", x), axes=[1], keepdims=1)
