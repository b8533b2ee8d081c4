"""`evaluate`: how good a network is on given data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from nervure.errors import EngineError
from nervure.training.options import Task
from nervure.training.rows import Rows, device_of, dtype_of, evaluation_batches
from nervure.training.targets import check_data, only_value


@dataclass(frozen=True)
class Evaluation:
    """Loss and figure of merit on some data.

    Attributes
    ----------
    loss : float
        Mean cross-entropy in nats (of bits: per bit), or mean squared error.
    error : float
        Share of wrong classes or bits, or root mean squared error in units of the given targets.
    """

    loss: float
    error: float


def predict_values(network: nn.Module, x: Rows) -> Tensor:
    """Run the network on all rows, shape (rows, outputs), without gradients; on the CPU.

    Raises
    ------
    EngineError
        If there are none.
    """
    if not x.shape[0]:
        raise EngineError("x: expected at least one row, got none")
    was_training = network.training
    device = device_of(network)
    network.eval()
    try:
        with torch.no_grad():
            parts = [
                network(batch.to(device)).cpu()
                for batch in evaluation_batches(x, dtype_of(network))
            ]
    finally:
        network.train(was_training)
    return torch.cat(parts)


def evaluate(network: nn.Module, x: Rows, y: NDArray[Any], task: Task) -> Evaluation:
    """Measure loss and error on given data.

    Parameters
    ----------
    network : torch.nn.Module
    x : array or sparse matrix, shape (rows, features)
    y : ndarray, shape (rows,), or (rows, bits)
        Class indices, targets, or bits.
    task : {"classification", "regression", "bits"}

    Returns
    -------
    Evaluation

    Raises
    ------
    EngineError
        If the task is none, rows and targets do not match or there are none, or the network has
        more than one output for regression.
    """
    check_data(x, y, task)
    values = predict_values(network, x)
    target = torch.from_numpy(np.asarray(y))
    if task == "classification":
        loss = functional.cross_entropy(values, target).item()
        return Evaluation(loss, (values.argmax(1) != target).double().mean().item())
    if task == "bits":
        loss = functional.binary_cross_entropy_with_logits(values, target.to(values.dtype)).item()
        return Evaluation(loss, ((values > 0) != (target > 0.5)).double().mean().item())
    squared = functional.mse_loss(only_value(values).double(), target.double()).item()
    return Evaluation(squared, squared**0.5)
