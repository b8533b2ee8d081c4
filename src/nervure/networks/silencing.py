"""Nodes of a layer that are zero for good."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from nervure.engine.activations import NAMES, apply_value
from nervure.networks.graph_layer import GraphLayer


@torch.no_grad()
def silence_nodes_(layer: GraphLayer, nodes: NDArray[np.int64]) -> None:
    """Make nodes zero that have no edges and no drive, and leave them nothing to learn.

    Parameters
    ----------
    layer : GraphLayer
        Without blocks.
    nodes : ndarray of int

    Notes
    -----
    Biases become zero; so do, with dense storage, the weights of absent edges, which have a
    gradient of their own otherwise. Where f(0) is not zero (sigmoid) the activation becomes the
    identity, or the node would be a second bias for whoever reads it.
    """
    at = torch.from_numpy(np.asarray(nodes, dtype=np.int64)).to(layer.weight.device)
    if layer.storage == "dense":
        layer.weight[at] = 0
        layer.weight[:, at] = 0
    elif layer.bias is not None:
        layer.bias[at] = 0
    codes = layer._codes.copy()
    nothing = torch.zeros(1, len(codes), dtype=torch.float64)
    at_zero = apply_value(torch.from_numpy(codes), nothing, layer.leak)[0].numpy()
    loud = nodes[at_zero[nodes] != 0]
    if len(loud):
        codes[loud] = NAMES.index("identity")
        layer._codes = codes
        layer.set_topology_(layer.topology)
