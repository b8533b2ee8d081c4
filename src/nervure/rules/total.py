"""Statistics over the samples of all processes that train together."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Total = Callable[[Tensor], Tensor]
"""Gives the sum of a tensor over all processes, of which each has its own."""


def of_one(values: Tensor) -> Tensor:
    """Give the total where there is one process."""
    return values


def share_of_rows(rows: int, total: Total) -> float:
    """Give the share that a process has in the rows of all."""
    return rows / max(1, int(total(torch.tensor(rows))))
