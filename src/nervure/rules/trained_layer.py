"""The layer that a rule rewires, and the optimizer that trains it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from nervure.errors import EngineError
from nervure.networks import GraphLayer


def core_of(network: nn.Module) -> GraphLayer:
    """Give a network's core, or the network if it is a layer itself.

    Raises
    ------
    EngineError
        If it has none.
    """
    layer = network if isinstance(network, GraphLayer) else getattr(network, "core", None)
    if not isinstance(layer, GraphLayer):
        raise EngineError(
            "network: expected a GraphLayer or a network with one as its core, got "
            f"{type(network).__name__}"
        )
    return layer


def group_of(optimizer: torch.optim.Optimizer, weight: nn.Parameter) -> dict[str, Any] | None:
    """Give the optimizer's group of a parameter, with its options; None if it has none.

    To be asked anew at every step: loading the optimizer's state puts other groups in their place.
    """
    return next((g for g in optimizer.param_groups if any(p is weight for p in g["params"])), None)


def trains(optimizer: torch.optim.Optimizer, weight: nn.Parameter) -> bool:
    """Whether an optimizer holds a parameter, such as the weights of a layer."""
    return group_of(optimizer, weight) is not None
