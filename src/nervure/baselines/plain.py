"""`PlainNetwork`: one hidden layer, the bar every learned wiring is held against."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nervure.engine.activations import ACTIVATIONS, DEFAULT_LEAK, NAMES
from nervure.errors import EngineError
from nervure.networks.linear import linear


def matched_hidden_size(inputs: int, outputs: int, parameters: int) -> int:
    """Give the smallest hidden layer whose network has at least so many parameters.

    Parameters
    ----------
    inputs, outputs : int
    parameters : int
        Weights and biases of the network to be matched.

    Returns
    -------
    int
        At least 1.

    Notes
    -----
    Paper: freenets, section 5, where neurons are added to the baseline until it is as large.

    Examples
    --------
    >>> from nervure.baselines import matched_hidden_size
    >>> matched_hidden_size(784, 10, 785 * 100 + 4950 + 1010)
    107
    """
    return max(1, -(-(parameters - outputs) // (inputs + 1 + outputs)))


class PlainNetwork(nn.Module):
    """Linear, activation, linear.

    Parameters
    ----------
    inputs, outputs : int
        Features in; classes or regression targets out.
    nodes : int
        Neurons of the hidden layer.
    activation : str
        As for nodes of a graph.
    seed : int, optional
        For the initial weights; torch's default generator if None.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        nodes: int = 200,
        activation: str = "tanh",
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if activation not in NAMES:
            raise EngineError(f"unknown activation {activation}; choose from {', '.join(NAMES)}")
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.hidden = linear(inputs, nodes, generator)
        self.decoder = linear(nodes, outputs, generator)
        self.activation = activation

    def config(self) -> dict[str, Any]:
        """Arguments that build a network of the same shape; the rest is in its state dict."""
        return {
            "inputs": self.hidden.in_features,
            "outputs": self.decoder.out_features,
            "nodes": self.hidden.out_features,
            "activation": self.activation,
        }

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs) to (batch, outputs)."""
        activation = ACTIVATIONS[NAMES.index(self.activation)]
        out: Tensor = self.decoder(activation.value(self.hidden(x), DEFAULT_LEAK))
        return out
