"""How much the loss depends on each unit of a network's core."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure.errors import EngineError
from nervure.networks import GraphLayer
from nervure.networks.probing import values_and_deltas
from nervure.rules.trained_layer import core_of


def unit_sensitivity(
    network: nn.Module, data: Tensor, loss: Callable[[Tensor], Tensor]
) -> NDArray[np.float64]:
    """Give the mean over samples of |dL/da a| of every node of the core, shape (nodes,).

    Parameters
    ----------
    network : GraphLayer, or a module whose `core` is one
        Without blocks. It is scored in evaluation mode.
    data : Tensor, shape (samples, ...)
        As the network takes it.
    loss : callable
        Given the network's outputs for `data`, the loss of each sample, shape (samples,).

    Raises
    ------
    EngineError
        If network or loss do not fit, or no sample has an equilibrium.

    Notes
    -----
    How much the loss would change, to first order, if whoever reads a node (other nodes, and what
    comes after the core) read zero. With d the deltas of the nodes that read node i, and g what
    comes back from after the core, dL/da_i = g_i + sum_k w_ki d_k. On a graph without cycles d is
    the ordinary gradient. With cycles it is that at the equilibrium (the implicit adjoint): the
    network settles anew, and the node itself may answer through a loop.

    Samples whose equilibrium was not found (`on_failure="flag"`) are left out. Two passes, one
    adjoint, and O(samples * edges). Paper: neural-sculpting, eq. 1; the mean is over samples one by
    one, so that effects of opposite sign do not cancel.
    """
    layer = core_of(network)
    if layer.block != 1:
        raise EngineError(
            f"network: expected single nodes, got blocks of {layer.block}; build it without blocks"
        )
    drive, gradient = _drive_and_gradient(network, layer, data, loss)
    values, deltas = values_and_deltas(layer, drive, gradient)
    matrix = layer.topology.to_scipy(layer.edge_weight.double().cpu().numpy())
    reading = deltas.double().cpu().numpy() @ matrix
    reading[:, layer.plan.outputs] += gradient.double().cpu().numpy()
    sensitivity: NDArray[np.float64] = np.abs(reading * values.double().cpu().numpy()).mean(0)
    return sensitivity


def _drive_and_gradient(
    network: nn.Module, layer: GraphLayer, data: Tensor, loss: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Give what enters the core, and dL/da of its outputs, for the samples that are solved."""
    passes: list[tuple[Tensor, Tensor]] = []

    def cut(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        # Only what comes after the core is differentiated; the core's own part is asked of nodes.
        leaf = output.detach().requires_grad_()
        passes.append((inputs[0].detach(), leaf))
        return leaf.clone()  # what comes after may write into it

    training = network.training
    network.eval()
    hook = layer.register_forward_hook(cut)
    try:
        with torch.enable_grad():
            losses = loss(network(data))
    finally:
        hook.remove()
        network.train(training)
    if len(passes) != 1:
        raise EngineError(f"network: expected one pass of its core, got {len(passes)}")
    drive, output = passes[0]
    if drive.ndim != 2:
        raise EngineError(
            "network: expected its core to take one row per sample, shape (samples, "
            f"{layer.plan.num_inputs}), got {tuple(drive.shape)}"
        )
    if losses.shape != drive.shape[:1]:
        raise EngineError(
            f"loss: expected one value for each of {len(drive)} samples, shape ({len(drive)},), "
            f"got {tuple(losses.shape)}; take reduction='none' and average over outputs only"
        )
    if not losses.requires_grad:
        raise EngineError(
            "loss: expected to depend on the outputs by what autograd knows, got a constant; "
            "take out detach(), argmax and the like"
        )
    (gradient,) = torch.autograd.grad(losses.sum(), output)
    assert layer.status is not None
    solved = layer.status.converged.to(drive.device)
    if not solved.any():
        raise EngineError(
            "network: expected an equilibrium for some of the data, found none; pass "
            "contraction=0.95 or lower the learning rate"
        )
    return drive[solved], gradient[solved]
