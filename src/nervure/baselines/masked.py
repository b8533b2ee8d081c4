"""`MaskedMLP`: sparsity by masks over dense weights, as is common: nothing is saved by it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nervure.engine.activations import ACTIVATIONS, DEFAULT_LEAK
from nervure.networks import SparseMLP


class MaskedMLP(nn.Module):
    """The function of a `SparseMLP` as dense layers whose weights are multiplied by masks.

    Parameters
    ----------
    network : SparseMLP
        Its wiring and weights are taken over.

    Attributes
    ----------
    weights, biases : ParameterList
        Of each pair of layers, (targets, sources) and (targets,).
    """

    def __init__(self, network: SparseMLP) -> None:
        super().__init__()
        core = network.core
        m, topology = network.motif_size, core.topology
        starts = network.starts
        blocks = core.edge_weight.view(-1, m, m)
        bias = core.node_bias
        self.activation = ACTIVATIONS[int(core.plan.codes[int(starts[1]) * m])]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for layer in range(len(network.sizes) - 1):
            edges = slice(*topology.indptr[starts[layer + 1 : layer + 3]].tolist())
            target, source = (
                torch.from_numpy(np.asarray(ends[edges], dtype=np.int64) - int(start))
                for ends, start in (
                    (topology.targets, starts[layer + 1]),
                    (topology.sources, starts[layer]),
                )
            )
            widths = network.widths[layer + 1], network.widths[layer]
            dense = torch.zeros(widths[0], widths[1], m, m, dtype=blocks.dtype)
            mask = torch.zeros_like(dense)
            dense[target, source] = blocks[edges]
            mask[target, source] = 1
            rows, columns = network.sizes[layer + 1], network.sizes[layer]
            self.weights.append(nn.Parameter(_matrix(dense)[:rows, :columns].clone()))
            mask = _matrix(mask)[:rows, :columns].clone()
            self.register_buffer(f"mask{layer}", mask, persistent=False)
            first = int(starts[layer + 1]) * m
            self.biases.append(nn.Parameter(bias[first : first + rows].clone()))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs) to (batch, outputs)."""
        last = len(self.weights) - 1
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            mask = self.get_buffer(f"mask{layer}")
            x = functional.linear(x, weight * mask, bias)
            if layer < last:
                x = self.activation.value(x, DEFAULT_LEAK)
        return x


def _matrix(blocks: Tensor) -> Tensor:
    """Turn (targets, sources, m, m) into (targets m, sources m)."""
    rows, columns, m, _ = blocks.shape
    return blocks.permute(0, 2, 1, 3).reshape(rows * m, columns * m)
