"""`FreeNet`: encoder, neurons on a directed acyclic graph, decoder."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from nervure.errors import EngineError
from nervure.networks.graph_layer import GraphLayer
from nervure.networks.parameters import count_parameters
from nervure.topology import Topology

# Support of the initial biases, [-b, b]; the paper says only that it is fixed.
BIAS_SUPPORT = 0.1


class FreeNet(nn.Module):
    """A network without layers: each neuron may read the input and every neuron before it.

    Encoder (linear, inputs to all neurons), a core of `neurons` on an acyclic graph, decoder
    (linear, all neurons to outputs): a_i = f(u_i + sum of w_ij a_j over the edges j -> i, j < i),
    where u is what the encoder gives, its bias included. The core starts with every edge from a
    lower to a higher number; `nervure.rules.CoActivation` prunes and grows them.

    Parameters
    ----------
    inputs, outputs : int
        Features in; classes or regression targets out.
    neurons : int
        Neurons k of the core, at least 1.
    activation : str or sequence of str
        Of the neurons; "relu" and "squared_relu" are the paper's.
    topology : Topology, optional
        A wiring to start from instead of the dense one: every node an input and an output, and
        every edge from a lower to a higher number.
    seed : int, optional
        For the initial weights; torch's default generator if None.

    Attributes
    ----------
    encoder, decoder : torch.nn.Linear
    core : GraphLayer
        Without biases of its own, sparse: it keeps and computes the present edges only.

    Raises
    ------
    EngineError
        If a size or the topology is not as said.

    Notes
    -----
    Weights are drawn by Xavier's uniform rule (Glorot and Bengio 2010), those of the core as a
    matrix of neurons x neurons, biases uniformly from [-0.1, 0.1].

    Paper: freenets, sections 3 and 5.

    Examples
    --------
    >>> import torch
    >>> from nervure import FreeNet
    >>> net = FreeNet(64, 10, neurons=30, seed=0)
    >>> net(torch.zeros(3, 64)).shape, net.topology.num_edges
    (torch.Size([3, 10]), 435)
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        neurons: int = 100,
        activation: str | Sequence[str] = "relu",
        topology: Topology | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("inputs", inputs), ("outputs", outputs), ("neurons", neurons)):
            if value < 1:
                raise EngineError(f"{name}: expected at least 1, got {value}")
        if topology is None:
            every = np.arange(neurons, dtype=np.int32)
            topology = Topology.dense_dag(neurons, every, every)
        _check(topology, neurons)
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.encoder = _xavier_linear(inputs, neurons, generator)
        self.core = GraphLayer(topology, activation=activation, bias=False, generator=generator)
        bound = (6 / (2 * neurons)) ** 0.5
        with torch.no_grad():
            self.core.weight.uniform_(-bound, bound, generator=generator)
        self.decoder = _xavier_linear(neurons, outputs, generator)

    def config(self) -> dict[str, Any]:
        """Arguments that build a network of the same shape; the rest is in its state dict."""
        return {
            "inputs": self.encoder.in_features,
            "outputs": self.decoder.out_features,
            "neurons": self.core.topology.num_nodes,
        }

    @property
    def topology(self) -> Topology:
        """Wiring of the core."""
        return self.core.topology

    @property
    def num_parameters(self) -> int:
        """Weights and biases in use: those of encoder and decoder, and one per present edge."""
        return count_parameters(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs) to (batch, outputs): logits, or values for regression."""
        return cast(Tensor, self.decoder(self.activations(x)))

    def activations(self, x: Tensor) -> Tensor:
        """Values of all neurons, shape (batch, neurons)."""
        return cast(Tensor, self.core(self.encoder(x)))

    def compact(self) -> FreeNet:
        """Give a copy for prediction; pruned edges are not stored in the first place."""
        network = FreeNet.__new__(FreeNet)
        nn.Module.__init__(network)
        network.encoder = copy.deepcopy(self.encoder)
        # Built anew: a copy would take along the rule that watches the core, and its optimizer.
        network.core = self.core.compact()
        network.decoder = copy.deepcopy(self.decoder)
        return network.train(self.training)


def _check(topology: Topology, neurons: int) -> None:
    every = np.arange(neurons)
    in_order = np.array_equal(topology.inputs, every) and np.array_equal(topology.outputs, every)
    if topology.num_nodes != neurons or not in_order:
        raise EngineError(
            f"topology: expected {neurons} nodes, each an input and an output in the order of "
            f"their numbers, got {topology!r}"
        )
    if np.any(topology.sources >= topology.targets):
        raise EngineError(
            "topology: expected every edge to lead from a lower to a higher number; "
            "renumber the nodes in a topological order"
        )


def _xavier_linear(inputs: int, outputs: int, generator: torch.Generator | None) -> nn.Linear:
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs)
    nn.init.xavier_uniform_(layer.weight, generator=generator)
    with torch.no_grad():
        layer.bias.uniform_(-BIAS_SUPPORT, BIAS_SUPPORT, generator=generator)
    return layer
