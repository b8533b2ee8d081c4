"""`NeuralModules`: encoder, a graph core with cycles, decoder."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from nervure.engine.sweeping import DEFAULT_MAX_SWEEPS, OnFailure
from nervure.errors import EngineError
from nervure.networks.graph_layer import GraphLayer, Storage
from nervure.networks.linear import linear
from nervure.topology import Topology


class NeuralModules(nn.Module):
    """A network whose nodes may be wired in any way, loops included.

    Encoder E^1 (linear, inputs to all nodes), a core of `nodes` neurons on a directed graph,
    decoder E^m (linear, all nodes to outputs). The core starts from the complete digraph with
    dense-backed weights; `nervure.rules.Repulsion` keeps the strongest edges and shapes the graph
    into modules, its strongly connected components.

    Parameters
    ----------
    inputs, outputs : int
        Features in; classes or regression targets out.
    nodes : int
        Neurons p of the core, at least 2.
    activation : str or sequence of str
        Of the core's nodes.
    topology : Topology, optional
        A wiring to start from instead of the complete digraph; every node must be both input and
        output.
    storage : {"dense", "sparse"}
        "dense" to learn the wiring; "sparse" is what `compact` returns.
    contraction, tolerance, max_sweeps, on_failure
        As in `GraphLayer`.
    seed : int, optional
        For the initial weights; torch's default generator if None.

    Attributes
    ----------
    encoder, decoder : torch.nn.Linear
    core : GraphLayer
    gamma : Tensor, scalar buffer
        Magnitude of the weakest edge kept (paper: neural-modules, Algorithm 2); 0 when all are.

    Notes
    -----
    Paper: neural-modules, section 3 and Algorithms 1 to 3.

    Examples
    --------
    >>> import torch
    >>> from nervure import NeuralModules
    >>> net = NeuralModules(64, 10, nodes=50, seed=0)
    >>> net(torch.zeros(3, 64)).shape
    torch.Size([3, 10])
    """

    gamma: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        nodes: int = 200,
        activation: str | Sequence[str] = "tanh",
        topology: Topology | None = None,
        storage: Storage = "dense",
        contraction: float | None = None,
        tolerance: float | None = None,
        max_sweeps: int = DEFAULT_MAX_SWEEPS,
        on_failure: OnFailure = "raise",
        seed: int | None = None,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("inputs", inputs, 1),
            ("outputs", outputs, 1),
            ("nodes", nodes, 2),
        ):
            if value < least:
                raise EngineError(f"{name}: expected at least {least}, got {value}")
        if topology is None:
            topology = Topology.complete(nodes)
        if not len(topology.inputs) == len(topology.outputs) == topology.num_nodes == nodes:
            raise EngineError(
                f"topology: expected {nodes} nodes, each an input and an output, got {topology!r}"
            )
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.encoder = linear(inputs, nodes, generator)
        self.core = GraphLayer(
            topology,
            activation=activation,
            storage=storage,
            contraction=contraction,
            tolerance=tolerance,
            max_sweeps=max_sweeps,
            on_failure=on_failure,
            generator=generator,
        )
        self.decoder = linear(nodes, outputs, generator)
        self.register_buffer("gamma", torch.zeros(()))

    def config(self) -> dict[str, Any]:
        """Arguments that build a network of the same shape; the rest is in its state dict."""
        return {
            "inputs": self.encoder.in_features,
            "outputs": self.decoder.out_features,
            "nodes": self.core.topology.num_nodes,
            "storage": self.core.storage,
            "contraction": self.core.contraction,
            "tolerance": self.core.tolerance,
            "max_sweeps": self.core.max_sweeps,
            "on_failure": self.core.on_failure,
        }

    @property
    def topology(self) -> Topology:
        """Wiring of the core."""
        return self.core.topology

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., inputs) to (..., outputs): logits, or values for regression."""
        return cast(Tensor, self.decoder(self.core(self.encoder(x))))

    def compact(self) -> Self:
        """Give the network for prediction: only the kept edges are stored; outputs are equal."""
        network = type(self).__new__(type(self))
        nn.Module.__init__(network)
        network.encoder = copy.deepcopy(self.encoder)
        network.core = self.core.compact()
        network.decoder = copy.deepcopy(self.decoder)
        network.register_buffer("gamma", self.gamma.clone())
        return network.train(self.training)
