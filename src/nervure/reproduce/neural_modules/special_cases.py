"""Layered and residual networks as graphs of neurons: Appendix A, in float64."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure.networks import GraphLayer
from nervure.networks.linear import linear
from nervure.topology import Topology

KINDS = ("layered", "residual")
# From layer to layer: weights, or None for the identity.
Links = Mapping[tuple[int, int], nn.Linear | None]
_BATCH = 64


class LayeredNetwork(nn.Module):
    """Three linear layers with tanh between them, as torch has them.

    Parameters
    ----------
    inputs, width, outputs : int
    generator : torch.Generator
        Of the weights.
    """

    def __init__(self, inputs: int, width: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes = (inputs, width, width, outputs)
        self.first = linear(inputs, width, generator)
        self.second = linear(width, width, generator)
        self.third = linear(width, outputs, generator)

    def links(self) -> Links:
        """Give which layer feeds which."""
        return {(0, 1): self.first, (1, 2): self.second, (2, 3): self.third}

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs) to (batch, outputs)."""
        h = torch.tanh(self.first(x))
        h = torch.tanh(self.second(h))
        out: Tensor = self.third(h)
        return out


class ResidualNetwork(nn.Module):
    """A stem and two residual blocks, the second with a learned shortcut.

    Parameters
    ----------
    inputs, width, outputs : int
    generator : torch.Generator
        Of the weights.

    References
    ----------
    K. He et al., "Deep residual learning for image recognition", CVPR (2016); tanh in the place of
    relu, so that gradients have no kinks.
    """

    def __init__(self, inputs: int, width: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes = (inputs, width, width, width, width, width, outputs)
        self.stem = linear(inputs, width, generator)
        self.first_in = linear(width, width, generator)
        self.first_out = linear(width, width, generator)
        self.second_in = linear(width, width, generator)
        self.second_out = linear(width, width, generator)
        self.shortcut = linear(width, width, generator)
        self.head = linear(width, outputs, generator)

    def links(self) -> Links:
        """Give which layer feeds which."""
        return {
            (0, 1): self.stem,
            (1, 2): self.first_in, (2, 3): self.first_out, (1, 3): None,
            (3, 4): self.second_in, (4, 5): self.second_out, (3, 5): self.shortcut,
            (5, 6): self.head,
        }  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs) to (batch, outputs)."""
        h = torch.tanh(self.stem(x))
        h = torch.tanh(self.first_out(torch.tanh(self.first_in(h))) + h)
        inner = torch.tanh(self.second_in(h))
        h = torch.tanh(self.second_out(inner) + self.shortcut(h))
        out: Tensor = self.head(h)
        return out


LayersNetwork = LayeredNetwork | ResidualNetwork


def special_case(kind: str, inputs: int, width: int, outputs: int, seed: int) -> LayersNetwork:
    """Make a network in float64, "layered" or "residual"."""
    made = LayeredNetwork if kind == "layered" else ResidualNetwork
    return made(inputs, width, outputs, torch.Generator().manual_seed(seed)).double()


def coefficients(network: LayersNetwork) -> NDArray[np.float64]:
    """Lay the weights of a network out over all its units.

    Parameters
    ----------
    network : LayeredNetwork or ResidualNetwork

    Returns
    -------
    ndarray of float64, shape (units, units)
        [target, source], units numbered layer by layer. Without the -1 of the diagonal with which
        Figures 5 and 6 of the paper have it.
    """
    places = _places(network)
    matrix = np.zeros((sum(network.sizes),) * 2)
    for (source, target), link in network.links().items():
        block = np.eye(network.sizes[source]) if link is None else link.weight.detach().numpy()
        matrix[places[target], places[source]] = block
    return matrix


def wiring(network: LayersNetwork) -> Topology:
    """Give the graph of a network's units, first layer in, last layer out."""
    nodes = np.arange(sum(network.sizes))
    inputs, outputs = network.sizes[0], network.sizes[-1]
    return Topology.from_mask(coefficients(network) != 0, nodes[:inputs], nodes[-outputs:])


def compare(kind: str, inputs: int, width: int, outputs: int, seed: int) -> dict[str, Any]:
    """Hold a network of torch's layers against the graph of its units with the same weights.

    Parameters
    ----------
    kind : {"layered", "residual"}
    inputs, width, outputs : int
    seed : int
        Of weights and rows.

    Returns
    -------
    dict
        nodes, edges, sweeps (0: there is no cycle), and output_difference and gradient_difference:
        largest difference relative to the largest magnitude, of outputs, and of the gradients of
        inputs, weights and biases.
    """
    network = special_case(kind, inputs, width, outputs, seed)
    layer = _graph_of(network)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(_BATCH, inputs, generator=generator, dtype=torch.float64, requires_grad=True)
    towards = torch.randn(_BATCH, outputs, generator=generator, dtype=torch.float64)
    expected, found = network(x), layer(x)
    links = {ends: link for ends, link in network.links().items() if link is not None}
    own = [p for link in links.values() for p in (link.weight, link.bias)]
    wanted = torch.autograd.grad(expected, [x, *own], towards)
    drive, weight, bias = torch.autograd.grad(found, [x, *layer.parameters()], towards)
    assert layer.status is not None
    return {
        "nodes": layer.topology.num_nodes,
        "edges": layer.topology.num_edges,
        "sweeps": layer.status.sweeps,
        "output_difference": _difference([found], [expected]),
        "gradient_difference": _difference(
            [drive, *_by_link(layer.topology, weight, bias, links, _places(network))], wanted
        ),
    }


def _places(network: LayersNetwork) -> list[slice]:
    """Units of every layer."""
    return [slice(a, b) for a, b in pairwise(np.cumsum([0, *network.sizes]).tolist())]


def _graph_of(network: LayersNetwork) -> GraphLayer:
    sizes, topology, places = network.sizes, wiring(network), _places(network)
    hidden = topology.num_nodes - sizes[0] - sizes[-1]
    layer = GraphLayer(
        topology,
        activation=["identity"] * sizes[0] + ["tanh"] * hidden + ["identity"] * sizes[-1],
        generator=torch.Generator(),
        dtype=torch.float64,
    )
    weight = coefficients(network)[topology.targets, topology.sources]
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        assert layer.bias is not None
        for (_, target), link in network.links().items():
            if link is not None:
                layer.bias[places[target]] += link.bias
    return layer


def _by_link(
    topology: Topology,
    weight: Tensor,
    bias: Tensor,
    links: Mapping[tuple[int, int], nn.Linear],
    places: Sequence[slice],
) -> list[Tensor]:
    """Cut gradients of edges and nodes into weight and bias of each link."""
    matrix = torch.zeros((topology.num_nodes,) * 2, dtype=weight.dtype)
    matrix[tuple(torch.from_numpy(topology.edges.T[::-1].astype(np.int64)))] = weight
    return [
        part
        for source, target in links
        for part in (matrix[places[target], places[source]], bias[places[target]])
    ]


def _difference(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Give the largest difference of any pair, relative to the pair's largest magnitude."""
    return max(
        float((a - b).detach().abs().max() / b.detach().abs().max())
        for a, b in zip(found, expected, strict=True)
    )
