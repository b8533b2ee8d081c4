"""The units of a network that may be pruned, and what it takes to silence them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure.errors import EngineError
from nervure.networks.silencing import silence_nodes_
from nervure.rules.trained_layer import core_of


class HiddenUnits:
    """The nodes of a core that are neither features nor outputs of the whole network.

    Inputs of the core are hidden where a linear `encoder` drives them, and its outputs where a
    linear `decoder` reads them; so all nodes of a `FreeNet` or `NeuralModules` are.

    Parameters
    ----------
    network : GraphLayer, or a module whose `core` is one
        Its `encoder` and `decoder`, where it has them, are the linear layers straight before and
        after the core.
    units : sequence of int, optional
        Those of the hidden nodes that are meant; all if None.

    Attributes
    ----------
    nodes : ndarray of int64
        Numbers of the units in the core, rising.

    Raises
    ------
    EngineError
        If nothing is hidden, or `units` are not hidden nodes.
    """

    def __init__(self, network: nn.Module, units: Sequence[int] | None = None) -> None:
        self.layer = core_of(network)
        plan, topology = self.layer.plan, self.layer.topology
        encoder, decoder = (
            part if isinstance(part, nn.Linear) else None
            for part in (getattr(network, name, None) for name in ("encoder", "decoder"))
        )
        fits = encoder is not None and encoder.out_features == plan.num_inputs
        self.encoder = encoder if fits else None
        fits = decoder is not None and decoder.in_features == plan.num_outputs
        self.decoder = decoder if fits else None
        hidden = np.ones(plan.nodes, dtype=np.bool_)
        if self.encoder is None:
            hidden[topology.inputs] = False
        if self.decoder is None:
            hidden[topology.outputs] = False
        self.nodes = np.flatnonzero(hidden)
        if not len(self.nodes):
            raise EngineError(
                "network: every node is an input or an output, so none is hidden; prune edges "
                "instead"
            )
        if units is not None:
            self.nodes = _chosen(units, hidden)

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which of `nodes` are driven or read others, and are read; shape (units,)."""
        topology, plan = self.layer.topology, self.layer.plan
        driven, read = topology.in_degree > 0, topology.out_degree > 0
        if self.encoder is not None:
            driven[plan.inputs] |= _any(self.encoder.weight, 1)
        if self.decoder is not None:
            read[plan.outputs] |= _any(self.decoder.weight, 0)
        used: NDArray[np.bool_] = (driven & read)[self.nodes]
        return used

    @torch.no_grad()
    def silence_(self, nodes: NDArray[np.int64]) -> None:
        """Take nodes without edges off encoder and decoder.

        Their rows and columns stay zero in training: a node that is zero and that nobody reads
        gets no gradient, nor does what drives or reads it. Weight decay leaves zeros alone; an
        optimizer's momentum must be cleared.
        """
        if self.encoder is None and self.decoder is None:
            return
        if self.encoder is not None:
            rows = self._places(self.layer.plan.inputs, nodes)
            self.encoder.weight[rows] = 0
            if self.encoder.bias is not None:
                self.encoder.bias[rows] = 0
        if self.decoder is not None:
            self.decoder.weight[:, self._places(self.layer.plan.outputs, nodes)] = 0
        silence_nodes_(self.layer, nodes)

    def _places(self, role: NDArray[np.int32], nodes: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.isin(role, nodes)).to(self.layer.weight.device)


def _any(weight: Tensor, axis: int) -> NDArray[np.bool_]:
    some: NDArray[np.bool_] = (weight.detach() != 0).any(axis).cpu().numpy()
    return some


def _chosen(units: Sequence[int], hidden: NDArray[np.bool_]) -> NDArray[np.int64]:
    nodes = np.asarray(units)
    if nodes.ndim != 1 or not len(nodes) or not np.issubdtype(nodes.dtype, np.integer):
        raise EngineError(f"units: expected numbers of nodes, at least one, got {units!r}")
    outside = nodes[(nodes < 0) | (nodes >= len(hidden))]
    if len(outside):
        raise EngineError(f"units: expected nodes 0 to {len(hidden) - 1}, got {_few(outside)}")
    shown = nodes[~hidden[nodes]]
    if len(shown):
        raise EngineError(
            "units: expected hidden nodes, got features or outputs of the network: "
            f"{_few(shown)}; leave them out"
        )
    return np.unique(nodes).astype(np.int64)


def _few(nodes: NDArray[np.int64]) -> str:
    return ", ".join(map(str, nodes[:5])) + (", ..." if len(nodes) > 5 else "")
