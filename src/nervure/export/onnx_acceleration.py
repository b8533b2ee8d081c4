"""Rows around whose equilibrium sweeps circle, as ONNX operators: Anderson acceleration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nervure.export.onnx_builder import Builder
from nervure.export.onnx_sweep import FAR, any_row, filled_rows, loop, swept_on
from nervure.export.schedule import Cycle

# How many changes an update looks back on, as in the engine.
_MEMORY = 8
# Of a change's own square: less of it is rounding, and the change a mixture of others.
_INDEPENDENT = 1e-6


def accelerated(
    builder: Builder,
    cycle: Cycle,
    base: str,
    leak: float,
    values: str,
    changed: str,
    tolerance: str,
    most: int,
) -> tuple[str, str]:
    """Solve the rows that have not settled, from zero; the others stay as they are.

    Parameters
    ----------
    builder : Builder
    cycle : Cycle
    base : str
        Tensor (batch, nodes of the cycle) of drive, biases and what comes from outside.
    leak : float
    values : str
        Tensor (batch, nodes of the cycle), after sweeps.
    changed : str
        Tensor (batch, 1), what the last of them changed.
    tolerance : str
    most : int
        Sweeps.

    Returns
    -------
    values, changed : str
    """
    count = len(cycle.nodes)
    memory = min(_MEMORY, count)
    zero = builder.scalar(0.0)
    unsettled = builder.add("Not", builder.add("LessOrEqual", changed, tolerance))

    def step(body: Builder, turn: str, held: Sequence[str]) -> tuple[str, Sequence[str]]:
        old, last, move, image, moves, images = held
        new, change, left = swept_on(body, cycle, base, leak, old, last, tolerance)
        new_move = body.add("Sub", new, old)
        first = body.add("Equal", turn, body.scalar(0, "int64"))

        def since(now: str, before: str) -> str:
            return body.add("Where", first, zero, body.add("Sub", now, before))

        moves = _pushed(body, moves, since(new_move, move), memory)
        images = _pushed(body, images, since(new, image), memory)
        shares = _shares(body, moves, new_move, memory)
        mixed = body.add("Squeeze", body.add("MatMul", shares, images), body.shape(1))
        better = body.add("Sub", new, mixed)
        result = body.add("Where", left, better, new)
        return any_row(body, left), (result, change, new_move, new, moves, images)

    shapes = [(count,), (count,), (memory, count), (memory, count)]
    start = [
        (builder.add("Where", unsettled, zero, values), (count,)),
        (builder.add("Where", unsettled, builder.scalar(FAR), changed), (1,)),
        *((filled_rows(builder, base, *shape), shape) for shape in shapes),
    ]
    values, changed, *_ = loop(builder, most, any_row(builder, unsettled), start, step)
    return values, changed


def _pushed(body: Builder, history: str, x: str, memory: int) -> str:
    """Put a row before a history, whose oldest goes."""
    kept = body.add("Slice", history, body.shape(0), body.shape(memory - 1), body.shape(1))
    return body.add("Concat", body.add("Unsqueeze", x, body.shape(1)), kept, axis=1)


def _shares(body: Builder, changes: str, x: str, memory: int) -> str:
    """Give the shares of changes in x by least squares, (batch, 1, memory), the newest first.

    Gauss and Jordan's elimination of the normal equations, without what nearly repeats newer ones.
    """

    def part(of: str, row: int, column: int | None) -> str:
        # One row, or one cell of it, of a stack of matrices.
        if column is None:
            return body.add("Slice", of, body.shape(row), body.shape(row + 1), body.shape(1))
        first, behind = body.shape(row, column), body.shape(row + 1, column + 1)
        return body.add("Slice", of, first, behind, body.shape(1, 2))

    across = body.add("Transpose", changes, perm=[0, 2, 1])
    known = body.add("Concat", across, body.add("Unsqueeze", x, body.shape(2)), axis=2)
    products = system = body.add("MatMul", changes, known)
    zero, one = body.scalar(0.0), body.scalar(1.0)
    inverses = []
    for k in range(memory):
        pivot = part(system, k, k)
        least = body.add("Mul", part(products, k, k), body.scalar(_INDEPENDENT))
        counts = body.add("Greater", pivot, least)
        safe = body.add("Where", counts, pivot, one)
        inverses.append(body.add("Where", counts, body.add("Reciprocal", safe), zero))
        row = body.add("Mul", part(system, k, None), inverses[-1])
        column = body.add("Slice", system, body.shape(k), body.shape(k + 1), body.shape(2))
        others = np.ones((memory, 1), dtype=np.float32)
        others[k] = 0
        column = body.add("Mul", column, body.constant(others, "others"))
        system = body.add("Sub", system, body.add("MatMul", column, row))
    right = body.add("Slice", system, body.shape(memory), body.shape(memory + 1), body.shape(2))
    diagonal = body.add("Concat", *inverses, axis=1)
    return body.add("Transpose", body.add("Mul", right, diagonal), perm=[0, 2, 1])
