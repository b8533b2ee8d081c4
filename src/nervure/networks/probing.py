"""Values and deltas of every node, for what looks inside a layer."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nervure import engine
from nervure.networks.graph_layer import GraphLayer


def values_and_deltas(layer: GraphLayer, drive: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Give a and dL/dz of every node for a batch.

    Parameters
    ----------
    layer : GraphLayer
    drive : Tensor, shape (batch, inputs)
    gradient : Tensor, shape (batch, outputs)
        dL/da of the outputs.

    Returns
    -------
    values, deltas : Tensor, shape (batch, nodes)
        Detached.

    Notes
    -----
    One sweep and its adjoint, in which every node is an input, whose gradient is then the delta of
    that node. With cycles both are those of the equilibrium, as exact as the layer's tolerance.
    """
    known = layer.plan
    everyone = engine.build_plan(
        layer.topology,
        known.codes,
        block=layer.block,
        inputs=np.arange(known.nodes, dtype=np.int32),
        outputs=known.outputs,
    )
    full = drive.new_zeros(len(drive), known.nodes, dtype=layer.weight.dtype)
    full[:, torch.from_numpy(known.inputs.astype(np.int64))] = drive.detach().to(full.dtype)
    full.requires_grad_()
    with torch.enable_grad():
        found = engine.sweep(
            everyone,
            layer.edge_weight,
            full,
            layer.node_bias,
            tolerance=layer.tolerance,
            max_sweeps=layer.max_sweeps,
            leak=layer.leak,
            on_failure=layer.on_failure,
        )
        (deltas,) = torch.autograd.grad(found.output, full, gradient.to(full.dtype))
    return found.values, deltas
