"""Rounds of neural sculpting as people write them: masked linear layers, one network at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nervure.networks import GraphLayer
from nervure.training.sculpting import SculptingOptions, Task


class MaskedLinear(nn.Linear):
    """A linear layer whose weights are multiplied by a mask in every pass."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.mask: Tensor
        self.register_buffer("mask", torch.ones(outputs, inputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (rows, inputs) to (rows, outputs)."""
        return functional.linear(x, self.weight * self.mask, self.bias)


def masked_network(layer: GraphLayer, sizes: Sequence[int]) -> nn.Sequential:
    """Give a layered relu network as masked linear layers.

    Parameters
    ----------
    layer : GraphLayer
        Its nodes numbered layer by layer, with edges between neighbouring layers only.
    sizes : sequence of int
        Of its layers.
    """
    matrix = torch.from_numpy(
        layer.topology.to_scipy(layer.edge_weight.numpy()).toarray().astype(np.float32)
    )
    begins = np.cumsum([0, *sizes])
    parts: list[nn.Module] = []
    for k, (inputs, outputs) in enumerate(pairwise(sizes)):
        linear = MaskedLinear(inputs, outputs)
        sources, targets = (slice(*begins[i : i + 2]) for i in (k, k + 1))
        with torch.no_grad():
            linear.weight.copy_(matrix[targets, sources])
            linear.bias.copy_(layer.node_bias[targets])
            linear.mask.copy_(matrix[targets, sources] != 0)
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def train_round(
    network: nn.Sequential,
    task: Task,
    options: SculptingOptions,
    rng: np.random.Generator,
    *,
    fused: bool = False,
) -> None:
    """Train a network for a round and leave it with the weights of its best epoch.

    Parameters
    ----------
    network : nn.Sequential
    task : Task
        Of bits.
    options : SculptingOptions
    rng : numpy.random.Generator
        For the order of samples and their noise.
    fused : bool
        Whether Adam is PyTorch's fused one.
    """
    parameters = list(network.parameters())
    optimizer = torch.optim.Adam(
        parameters, lr=options.learning_rate, weight_decay=options.weight_decay,
        fused=fused,
    )  # fmt: skip
    loss = functional.binary_cross_entropy_with_logits
    best, best_merit, best_loss = list[Tensor](), -1.0, float("inf")
    for _ in range(options.epochs):
        order = torch.from_numpy(rng.permutation(len(task.x)))
        for rows in order.split(options.batch_size):
            x = task.x[rows]
            noise = rng.standard_normal(x.shape, dtype=np.float32)
            optimizer.zero_grad()
            loss(network(x + options.noise * torch.from_numpy(noise)), task.y[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            output = network(task.x_validation)
            merit = float(((output > 0) == (task.y_validation > 0.5)).float().mean())
            found = float(loss(output, task.y_validation))
        if merit > best_merit or (merit == best_merit and found <= best_loss):
            best = [part.detach().clone() for part in parameters]
            best_merit, best_loss = merit, found
    with torch.no_grad():
        for part, value in zip(parameters, best, strict=True):
            part.copy_(value)
