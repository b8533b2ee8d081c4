"""What loops over a cycle are made of: one sweep, what it changed, and the loop itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nervure.export.onnx_builder import Builder, Columns
from nervure.export.onnx_levels import activated, parted, weighted
from nervure.export.schedule import Cycle

# What a row changed that has not been swept yet.
FAR = float(np.finfo(np.float32).max)
State = tuple[str, tuple[int, ...]]


def swept(builder: Builder, cycle: Cycle, base: str, old: str | None, leak: float) -> str:
    """Add one sweep of Gauss-Seidel; without old values, that from zero."""
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


def largest_change(builder: Builder, cycle: Cycle, new: str, old: str) -> str:
    """Add the largest change of each row, (batch, 1), relative to max(1, largest value).

    A row that holds a nan has nan.
    """
    change = _largest(builder, builder.add("Sub", new, old))
    if not cycle.bounded:
        scale = builder.add("Max", _largest(builder, new), builder.scalar(1.0))
        change = builder.add("Div", change, scale)
    # Runtimes differ in whether the largest of a row is nan if one is; a sum always is.
    total = builder.add("ReduceSum", new, builder.shape(1), keepdims=1)
    return builder.add("Add", change, builder.nan_if_lost(total))


def swept_on(
    body: Builder, cycle: Cycle, base: str, leak: float, old: str, last: str, tolerance: str
) -> tuple[str, str, str]:
    """Add a sweep of the rows that have not settled; the others, and lost ones, are held still.

    Parameters
    ----------
    body : Builder
    cycle : Cycle
    base : str
        Tensor (batch, nodes of the cycle) of drive, biases and what comes from outside.
    leak : float
    old, last : str
        Values before, and what the last sweep changed, (batch, 1).
    tolerance : str

    Returns
    -------
    new, change, left : str
        `left`, (batch, 1), tells which rows are to be swept again. What is not a number compares as
        settled: such a row is lost, and holds up no other.
    """
    # Held still, a row does not depend on the rest of the batch.
    moving = body.add("Greater", last, tolerance)
    new = body.add("Where", moving, swept(body, cycle, base, old, leak), old)
    change = body.add("Where", moving, largest_change(body, cycle, new, old), last)
    return new, change, body.add("Greater", change, tolerance)


def filled_rows(builder: Builder, base: str, *shape: int, value: float = 0.0) -> str:
    """Fill a tensor with as many rows as another has."""
    rows = builder.add("Shape", base, start=0, end=1)
    return builder.filled(builder.add("Concat", rows, builder.shape(*shape), axis=0), value)


def any_row(builder: Builder, condition: str) -> str:
    """Tell whether a condition, (batch, 1), holds for some row."""
    types = builder.onnx.TensorProto
    count = builder.add("Cast", condition, to=types.FLOAT)
    return builder.add("Cast", builder.add("ReduceSum", count, keepdims=0), to=types.BOOL)


def loop(
    builder: Builder,
    most: int,
    go_on: str,
    start: Sequence[State],
    step: Callable[[Builder, str, Sequence[str]], tuple[str, Sequence[str]]],
) -> list[str]:
    """Add a loop, and name what it ends with.

    Parameters
    ----------
    builder : Builder
    most : int
        Turns.
    go_on : str
        Whether there is a first turn.
    start : sequence of (str, shape)
        Tensors that go from turn to turn, and their shapes behind the axis of the batch.
    step : callable (body, turn, tensors) -> (again, tensors)
        Adds a turn to the body.
    """
    helper, types = builder.onnx.helper, builder.onnx.TensorProto
    body = Builder(builder)
    turn, condition = body.name("turn"), body.name("go_on")
    held = [body.name("held") for _ in start]
    again, results = step(body, turn, held)

    def described(names: Sequence[str]) -> list[object]:
        return [
            helper.make_tensor_value_info(name, types.FLOAT, ["batch", *shape])
            for name, (_, shape) in zip(names, start, strict=True)
        ]

    graph = helper.make_graph(
        body.operators,
        body.name("sweep"),
        [
            helper.make_tensor_value_info(turn, types.INT64, []),
            helper.make_tensor_value_info(condition, types.BOOL, []),
            *described(held),
        ],
        [helper.make_tensor_value_info(again, types.BOOL, []), *described(results)],
    )
    inputs = (builder.scalar(most, "int64"), go_on, *(tensor for tensor, _ in start))
    return builder.add_many("Loop", inputs, len(start), body=graph)


def _largest(builder: Builder, x: str) -> str:
    """Largest size of each row, shape (batch, 1)."""
    return builder.add("ReduceMax", builder.add("Abs", x), axes=[1], keepdims=1)
