"""When an optimizer's step on one parameter can be done inside another pass over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nervure.engine import native
from nervure.engine.dense_update import SgdStep


def fusible_sgd(
    optimizer: torch.optim.Optimizer, group: Mapping[str, Any], weight: Tensor
) -> SgdStep | None:
    """Give the options of a plain SGD step on a CPU parameter, or None for anything else."""
    gradient = weight.grad
    if type(optimizer) is not torch.optim.SGD or group.get("differentiable"):
        return None
    if getattr(optimizer, "grad_scale", None) is not None:  # torch.amp.GradScaler's, yet to divide
        return None
    if gradient is None or gradient.is_sparse or not native.supports(weight):
        return None
    if gradient.dtype != weight.dtype or not (weight.is_contiguous() and gradient.is_contiguous()):
        return None
    return SgdStep(
        float(group["lr"]),
        float(group["momentum"]),
        float(group["dampening"]),
        float(group["weight_decay"]),
        nesterov=bool(group["nesterov"]),
        maximize=bool(group["maximize"]),
    )


def momentum_buffer(
    optimizer: torch.optim.Optimizer, weight: Tensor, step: SgdStep
) -> tuple[Tensor | None, bool]:
    """Give the optimizer's own buffer for a parameter, made if need be, and whether it is new."""
    if step.momentum == 0:
        return None, False
    state = optimizer.state[weight]
    buffer = state.get("momentum_buffer")
    if buffer is not None and buffer.is_contiguous():
        return buffer, False
    if buffer is not None:
        state["momentum_buffer"] = buffer.contiguous()
        return state["momentum_buffer"], False
    state["momentum_buffer"] = native.empty(tuple(weight.shape), weight.dtype)
    return state["momentum_buffer"], True
