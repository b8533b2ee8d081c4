"""`DenseMLP`: the same layers with every edge."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from nervure.engine.activations import ACTIVATIONS, DEFAULT_LEAK, NAMES
from nervure.errors import EngineError
from nervure.networks.linear import linear


class DenseMLP(nn.Module):
    """A multilayer perceptron, to hold sparse ones against.

    Parameters
    ----------
    sizes : sequence of int
        Nodes of each layer, from inputs to outputs; at least two layers.
    activation : str
        Of the hidden nodes.
    seed : int, optional
        For the initial weights, drawn like those of `SparseMLP`: N(0, 2 / inputs), zero biases.
        torch's default generator if None.
    """

    def __init__(
        self, sizes: Sequence[int], *, activation: str = "relu", seed: int | None = None
    ) -> None:
        super().__init__()
        if activation not in NAMES:
            raise EngineError(f"unknown activation {activation}; choose from {', '.join(NAMES)}")
        if len(sizes) < 2 or min(sizes) < 1:
            raise EngineError(f"sizes: expected at least two of at least 1, got {list(sizes)}")
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.sizes = tuple(sizes)
        self.activation = activation
        self.layers = nn.ModuleList(linear(n, m, generator) for n, m in pairwise(sizes))
        with torch.no_grad():
            for layer, inputs in zip(self.layers, sizes, strict=False):
                cast(Tensor, layer.weight).normal_(0, (2 / inputs) ** 0.5, generator=generator)
                cast(Tensor, layer.bias).zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs) to (batch, outputs)."""
        activation = ACTIVATIONS[NAMES.index(self.activation)]
        for layer in self.layers[:-1]:
            x = activation.value(layer(x), DEFAULT_LEAK)
        return cast(Tensor, self.layers[-1](x))
