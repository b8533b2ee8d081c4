"""Parameters of a network: how many, and how one takes another shape."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def count_parameters(network: nn.Module) -> int:
    """Count the weights and biases of a network; absent edges of a sparse core have none."""
    return sum(parameter.numel() for parameter in network.parameters())


def replace_values(parameter: nn.Parameter, values: Tensor) -> None:
    """Give a parameter values of another shape in place, as optimizers that hold it need.

    Its gradient goes.

    A graph of an earlier pass that is still alive (a loss somebody keeps) keeps the node that takes
    up the parameter's gradient, with the old shape. Torch makes a new node if the dtype changes.
    """
    other = torch.float32 if values.dtype == torch.float64 else torch.float64
    parameter.grad = None
    parameter.data = values.new_empty(0, dtype=other)
    parameter.data = values
