"""What data must be like for a task: checked before it is trained on or measured."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nervure.errors import EngineError
from nervure.training.options import Task
from nervure.training.rows import Rows


def check_data(x: Rows, y: NDArray[Any], task: str) -> None:
    """Check that a task is known and that its targets are one for each row, and of its shape.

    Parameters
    ----------
    x : array or sparse matrix, shape (rows, ...)
    y : ndarray, shape (rows,), or (rows, bits)
    task : str

    Raises
    ------
    EngineError
        If the task is none, there are no rows, or the targets do not fit.
    """
    if task not in get_args(Task):
        raise EngineError(f"task: expected {', '.join(get_args(Task))}, got {task!r}")
    shape = np.shape(y)
    if not shape or x.shape[0] != shape[0] or not shape[0]:
        raise EngineError(
            f"expected one target per row, got {x.shape[0]} rows, {shape[0] if shape else 0} "
            "targets"
        )
    # (rows, 1) would be compared with (rows,) each with each.
    if task != "bits" and len(shape) != 1:
        raise EngineError(
            f"y: expected shape ({shape[0]},) for {task}, got {shape}; flatten it, or train for "
            "bits"
        )


def only_value(output: Tensor) -> Tensor:
    """Give what a network of one output says, shape (rows,), to compare with targets.

    Raises
    ------
    EngineError
        If it has more outputs, which would be left untrained and unmeasured.
    """
    if output.shape[1] != 1:
        raise EngineError(
            f"expected one output for regression, got {output.shape[1]}; build the network with "
            "one, or train it with a loss of your own"
        )
    return output[:, 0]
