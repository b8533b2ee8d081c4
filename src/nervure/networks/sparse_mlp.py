"""`SparseMLP`: layers that keep and compute only some of their edges, alone or in motifs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from nervure.engine.activations import NAMES
from nervure.errors import EngineError
from nervure.networks.graph_layer import RECTIFIERS, GraphLayer
from nervure.networks.parameters import count_parameters
from nervure.topology import (
    Topology,
    erdos_renyi_densities,
    is_layered,
    shared_densities,
)
from nervure.topology.densities import Distribution
from nervure.topology.random_graphs import Draw

Init = Literal["fan_in", "he_uniform", "glorot_uniform", "normal"]
EPSILON = 20.0


class SparseMLP(nn.Module):
    """A multilayer perceptron of which most edges are absent: neither kept nor computed.

    All layers are one graph, run in one engine call. `nervure.rules.SET` and its relatives rewire
    it in training.

    Parameters
    ----------
    sizes : sequence of int
        Nodes of each layer, from inputs to outputs; at least two layers.
    epsilon : float, optional
        Density of each pair of layers by Erdős and Rényi: epsilon (n + m) / (n m), at most 1. 20 if
        neither it nor `density` is given.
    density : float, optional
        Of all layers together, instead of epsilon.
    distribution : {"erk", "er", "uniform"}
        How `density` is shared out over the layers (see `nervure.topology.shared_densities`).
    motif_size : int
        Nodes per motif, m: nodes are grouped in m's, and an edge joins a whole motif to a whole
        motif. It must divide every hidden layer and, without `pad`, the inputs. The output layer
        is filled up with nodes that nobody reads.
    tied : bool
        Whether an edge between motifs has one weight for all m^2 pairs of nodes instead of m^2
        weights. Edges to the outputs are never tied: outputs of one motif would be equal.
    pad : bool
        Whether the input layer may be filled up to whole motifs, with nodes that are zero.
    output_layer : {"sparse", "dense"}
        Whether the last pair of layers follows the density like the rest.
    activation : str
        Of the hidden nodes; inputs and outputs have none.
    init : {"fan_in", "he_uniform", "glorot_uniform", "normal"}
        Initial weights: normal with the variance that suits the edges a node really has; uniform by
        He's or Glorot's rule for full layers, as the authors of SET have it, which makes signals
        fade in thin ones; or N(0, 0.1^2).
    draw : {"exact", "bernoulli", "replacement"}
        How edges are drawn (see `nervure.topology.layered`).
    topology : Topology, optional
        A wiring of motifs to start from instead of a drawn one; the density is then not used.
    seed : int, optional
        For edges and initial weights. None draws it from torch's default generator.

    Attributes
    ----------
    core : GraphLayer
    sizes : tuple of int
        As given.
    widths : tuple of int
        Motifs of each layer.

    Raises
    ------
    EngineError
        If an option is out of range or a layer does not consist of whole motifs.

    Notes
    -----
    A tied motif computes what a single node would: its nodes read the same sum, and differ by their
    biases only, which start equal. Where the next layer is tied too they stay equal for ever. So
    with tied motifs the network is, but for its last hidden layer, one of sizes / m with each input
    motif summed up.

    Papers: Mocanu et al. 2018, Nature Communications 9 (SET); motif-set, sections 3.1 and 3.2.

    Examples
    --------
    >>> import torch
    >>> from nervure import SparseMLP
    >>> net = SparseMLP([64, 100, 100, 10], epsilon=5, motif_size=2, seed=0)
    >>> net(torch.zeros(3, 64)).shape
    torch.Size([3, 10])
    >>> net.topology.num_nodes, net.num_parameters
    (137, 2646)
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        epsilon: float | None = None,
        density: float | None = None,
        distribution: Distribution = "erk",
        motif_size: int = 1,
        tied: bool = False,
        pad: bool = False,
        output_layer: Literal["sparse", "dense"] = "sparse",
        activation: str = "relu",
        init: Init = "fan_in",
        draw: Draw = "exact",
        topology: Topology | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self.sizes = tuple(int(size) for size in sizes)
        self.motif_size = motif_size
        self.tied = tied
        self.pad = pad
        _check(self.sizes, motif_size, pad, epsilon, density, distribution, init, output_layer)
        self.widths = tuple(-(-size // motif_size) for size in self.sizes)
        if seed is None:
            seed = int(torch.randint(2**31 - 1, ()))
        if topology is None:
            if density is not None:
                densities = shared_densities([*pairwise(self.sizes)], density, distribution)
            else:
                chosen = EPSILON if epsilon is None else epsilon
                densities = erdos_renyi_densities(self.sizes, chosen)
            if output_layer == "dense":
                densities[-1] = 1.0
            topology = Topology.layered(self.widths, density=densities, draw=draw, seed=seed)
        self._check_topology(topology)
        nodes = topology.num_nodes * motif_size
        ends = self.widths[0] * motif_size, nodes - self.widths[-1] * motif_size
        hidden = ends[1] - ends[0]
        generator = torch.Generator().manual_seed(seed)
        self.core = GraphLayer(
            topology,
            activation=["identity"] * ends[0] + [activation] * hidden
            + ["identity"] * (nodes - ends[1]),
            block=motif_size,
            tied=topology.num_nodes - self.widths[-1] if tied else 0,
            inputs=range(ends[0]),
            outputs=range(ends[1], ends[1] + self.sizes[-1]),
            generator=generator,
        )  # fmt: skip
        with torch.no_grad():
            every = np.arange(topology.num_edges)
            self.core.weight.copy_(self.draw_weights(init, every, generator))

    def _check_topology(self, topology: Topology) -> None:
        starts = self.starts
        fits = (
            is_layered(topology, self.widths)
            and np.array_equal(topology.inputs, np.arange(starts[1]))
            and np.array_equal(topology.outputs, np.arange(starts[-2], starts[-1]))
        )
        if not fits:
            raise EngineError(
                f"topology: expected layers of {', '.join(map(str, self.widths))} motifs, numbered "
                "one layer after the other and each wired to the next, with the first as inputs "
                f"and the last as outputs, got {topology!r}"
            )

    @property
    def starts(self) -> NDArray[np.int64]:
        """First motif of each layer, and the number of motifs, shape (layers + 1,)."""
        return np.concatenate([[0], np.cumsum(self.widths)])

    def layer_of(self, motifs: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Give the layer of each motif, counted from 0."""
        return np.searchsorted(self.starts, motifs, side="right") - 1

    def draw_weights(
        self, init: Init, edges: NDArray[np.int64], generator: torch.Generator
    ) -> Tensor:
        """Draw initial weights for some edges, as they stand in `core.weight`; zero for fill.

        Parameters
        ----------
        init : {"fan_in", "he_uniform", "glorot_uniform", "normal"}
        edges : ndarray of int64
            Positions in edge order, rising.
        generator : torch.Generator

        Returns
        -------
        Tensor, shape (weights of these edges,)
        """
        topology, layout = self.core.topology, self.core.layout
        targets = topology.targets[edges]
        if init == "normal":
            scale = np.full(len(edges), 0.1)
        elif init == "fan_in":
            # Nodes of a tied motif are equal, so their sum has not m but m^2 times the variance.
            equal = (edges < layout.tied) & (self.layer_of(topology.sources[edges]) > 0)
            each_source = self.motif_size ** np.where(equal, 2, 1)
            hidden = NAMES[self.core.plan.codes[self.widths[0] * self.motif_size]]
            gain = 2 if hidden in RECTIFIERS else 1
            scale = np.sqrt(gain / (topology.in_degree[targets] * each_source))
        else:
            sizes = np.array(self.sizes)
            layer = self.layer_of(targets)
            fan = sizes[layer - 1] + (sizes[layer] if init == "glorot_uniform" else 0)
            scale = np.sqrt(6 / fan)
        each = np.where(edges < layout.tied, 1, self.motif_size**2)
        spread = torch.from_numpy(np.repeat(scale, each)).to(self.core.weight.dtype)
        values = torch.empty_like(spread)
        if init in ("normal", "fan_in"):
            values.normal_(generator=generator)
        else:
            values.uniform_(-1, 1, generator=generator)
        values.mul_(spread)
        self._clear_fill(values, edges)
        return values.to(self.core.weight.device)

    def _clear_fill(self, values: Tensor, edges: NDArray[np.int64]) -> None:
        """Zero the weights of nodes that fill up a motif: they never learn, and would count."""
        topology, m, real = self.core.topology, self.motif_size, self.real_nodes
        free = edges[edges >= self.core.layout.tied]
        blocks = values[len(values) - len(free) * m * m :].view(-1, m, m)
        for motif in np.flatnonzero(real < m):
            least = int(real[motif])
            blocks[torch.from_numpy(topology.targets[free] == motif), least:] = 0
            blocks[torch.from_numpy(topology.sources[free] == motif), :, least:] = 0

    @property
    def real_nodes(self) -> NDArray[np.int64]:
        """Nodes of each motif that do not only fill it up, shape (motifs,)."""
        m, real = self.motif_size, np.full(sum(self.widths), self.motif_size)
        real[self.widths[0] - 1] -= self.widths[0] * m - self.sizes[0]
        real[-1] -= self.widths[-1] * m - self.sizes[-1]
        return real

    def config(self) -> dict[str, Any]:
        """Arguments that build a network of the same shape; the rest is in its state dict."""
        return {
            "sizes": list(self.sizes),
            "motif_size": self.motif_size,
            "tied": self.tied,
            "pad": self.pad,
        }

    @property
    def topology(self) -> Topology:
        """Wiring of the motifs; ``topology.expanded(motif_size)`` is that of the nodes."""
        return self.core.topology

    @property
    def num_parameters(self) -> int:
        """Weights and biases kept."""
        return count_parameters(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs) to (batch, outputs): logits, or values for regression."""
        fill = self.widths[0] * self.motif_size - self.sizes[0]
        if fill:
            if x.shape[-1] != self.sizes[0]:
                raise EngineError(f"expected {self.sizes[0]} inputs, got shape {tuple(x.shape)}")
            # Inputs, so that no bias of theirs is trained.
            x = functional.pad(x, (0, fill))
        return cast(Tensor, self.core(x))

    def input_strengths(self) -> NDArray[np.float64]:
        """Sum of |w| over the outgoing edges of each input, shape (inputs,).

        By these SET selects features: edges of an input that does not matter are pruned, and random
        ones that take their place do not grow strong.

        Notes
        -----
        Atashgahi et al., "Quick and robust feature selection: the strength of energy-efficient
        sparse training for autoencoders", Machine Learning 2022.
        """
        m, topology = self.motif_size, self.core.topology
        last = int(topology.indptr[self.starts[2]])
        blocks = self.core.edge_weight[: last * m * m].abs().view(last, m, m).sum(1)
        sums = np.zeros((self.widths[0], m))
        np.add.at(sums, topology.sources[:last], blocks.double().cpu().numpy())
        strengths: NDArray[np.float64] = sums.reshape(-1)[: self.sizes[0]]
        return strengths

    def input_importances(self) -> NDArray[np.float64]:
        """Share of each input in the strengths of all, shape (inputs,), sum 1."""
        strengths = self.input_strengths()
        shares: NDArray[np.float64] = strengths / (strengths.sum() or 1.0)
        return shares

    def compact(self) -> SparseMLP:
        """Give a copy for prediction; absent edges are not stored in the first place."""
        network = SparseMLP.__new__(SparseMLP)
        nn.Module.__init__(network)
        for name in ("sizes", "widths", "motif_size", "tied", "pad"):
            setattr(network, name, getattr(self, name))
        # Built anew: a copy would take along what watches the core, and its optimizer.
        network.core = self.core.compact()
        return network.train(self.training)


def _check(
    sizes: tuple[int, ...],
    motif_size: int,
    pad: bool,
    epsilon: float | None,
    density: float | None,
    distribution: str,
    init: str,
    output_layer: str,
) -> None:
    if len(sizes) < 2 or min(sizes) < 1:
        raise EngineError(f"sizes: expected at least two layers of at least one node, got {sizes}")
    if not isinstance(motif_size, int) or motif_size < 1:
        raise EngineError(f"motif_size: expected an integer of at least 1, got {motif_size!r}")
    problems = []
    names = ["the input layer", *(f"hidden layer {k}" for k in range(1, len(sizes) - 1))]
    for k, (name, size) in enumerate(zip(names, sizes, strict=False)):
        rest = size % motif_size
        if rest and not (k == 0 and pad):
            near = [n for n in (size - rest, size - rest + motif_size) if n]
            remedy = f"take {' or '.join(map(str, near))}" if k else "pass pad=True"
            problems.append(
                f"{name} has {size} nodes, not a multiple of motif_size={motif_size}: {remedy}"
            )
    if epsilon is not None and density is not None:
        problems.append("pass either one of epsilon and density")
    if epsilon is not None and not 0 < epsilon < math.inf:
        problems.append(f"epsilon: expected above 0, got {epsilon}")
    if density is not None and not 0 < density <= 1:
        problems.append(f"density: expected above 0 and at most 1, got {density}")
    if distribution not in get_args(Distribution):
        problems.append(f"distribution: expected uniform, er or erk, got {distribution!r}")
    if init not in ("fan_in", "he_uniform", "glorot_uniform", "normal"):
        problems.append(
            f"init: expected fan_in, he_uniform, glorot_uniform or normal, got {init!r}"
        )
    if output_layer not in ("sparse", "dense"):
        problems.append(f"output_layer: expected sparse or dense, got {output_layer!r}")
    if problems:
        raise EngineError("; ".join(problems))
