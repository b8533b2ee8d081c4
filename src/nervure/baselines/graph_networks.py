"""`GraphConvolution` and `GraphAttention`: classify the nodes of one graph, all of it known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array, csr_matrix, diags_array
from torch import Tensor, nn
from torch.nn import functional

from nervure.baselines.sparse_product import SparseProduct
from nervure.errors import EngineError

_SLOPE = 0.2  # of the leaky relu on attention scores, Velickovic et al. 2018, section 2.1
_EXACT = 2**24  # float32 counts so far


def node_rows(nodes: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Write node numbers as rows of data, which is how the networks here are asked for nodes.

    Parameters
    ----------
    nodes : array_like of int, shape (rows,)
        At least 0 and below 2^24, which float32 still counts.

    Returns
    -------
    ndarray of float32, shape (rows, 1)

    Raises
    ------
    EngineError
        If a number cannot be written so.

    Examples
    --------
    >>> from nervure.baselines import node_rows
    >>> node_rows([3, 5]).tolist()
    [[3.0], [5.0]]
    """
    numbers = np.asarray(nodes, dtype=np.int64)
    if numbers.ndim != 1 or (len(numbers) and not 0 <= numbers.min() <= numbers.max() < _EXACT):
        raise EngineError(f"expected a list of node numbers from 0 to {_EXACT - 1}")
    return numbers[:, np.newaxis].astype(np.float32)


class _GraphNetwork(nn.Module, ABC):
    """What both have in common: the graph, dropout, and that nodes are asked for by number."""

    def __init__(
        self,
        features: csr_matrix | csr_array,
        edges: npt.ArrayLike,
        outputs: int,
        *,
        nodes: int,
        dropout: float,
        seed: int | None,
    ) -> None:
        super().__init__()
        for name, value in (("outputs", outputs), ("nodes", nodes)):
            if value < 1:
                raise EngineError(f"{name}: expected at least 1, got {value}")
        if not 0 <= dropout < 1:
            raise EngineError(f"dropout: expected at least 0 and below 1, got {dropout}")
        self.outputs, self.nodes, self.dropout = outputs, nodes, dropout
        self._generator = None if seed is None else torch.Generator().manual_seed(seed)
        self._remembered: tuple[list[tuple[int, int]], Tensor] | None = None
        self.features = SparseProduct(features)
        self.neighbours = SparseProduct(self._neighbours(_with_loops(features.shape[0], edges)))

    @staticmethod
    @abstractmethod
    def _neighbours(adjacency: csr_array) -> csr_array:
        """Give the weight of each edge, from the adjacency matrix with all self-loops."""

    @abstractmethod
    def logits(self) -> Tensor:
        """Compute all nodes of the graph, shape (graph nodes, outputs)."""

    def config(self) -> dict[str, Any]:
        """Arguments that, with the graph, build a network of the same shape."""
        return {"outputs": self.outputs, "nodes": self.nodes, "dropout": self.dropout}

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode."""
        self._remembered = None
        return super().train(mode)

    def forward(self, rows: Tensor) -> Tensor:
        """Map node numbers (batch, 1), see `node_rows`, to logits (batch, outputs)."""
        return self._all_logits()[rows[:, 0].long()]

    def _all_logits(self) -> Tensor:
        if self.training or torch.is_grad_enabled():
            return self.logits()
        # Evaluation asks batch by batch, and each time for the whole graph.
        weights = [(p.data_ptr(), p._version) for p in self.parameters()]
        if self._remembered is None or self._remembered[0] != weights:
            self._remembered = weights, self.logits()
        return self._remembered[1]

    def _dropped(self, values: Tensor) -> Tensor:
        if not self.training or not self.dropout:
            return values
        kept = torch.rand(values.shape, generator=self._generator) >= self.dropout
        return values * kept.to(values.device) / (1 - self.dropout)

    def _drawn(self, *shape: int) -> nn.Parameter:
        """Draw uniformly with variance 2 / (first + last size), after Glorot and Bengio 2010."""
        bound = (6 / (shape[0] + shape[-1])) ** 0.5
        return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=self._generator))


class GraphConvolution(_GraphNetwork):
    """Two layers of graph convolution: A (relu(A X V + b)) W + c.

    A is D^-1/2 (adjacency + 1) D^-1/2, with D the degrees, self-loops counted.

    Parameters
    ----------
    features : csr_matrix or csr_array, shape (graph nodes, features)
    edges : array_like of int, shape (edges, 2)
        Undirected; however often and whichever way an edge is given, it counts once. Self-loops are
        added to all nodes, and those given change nothing.
    outputs : int
        Classes.
    nodes : int
        Hidden neurons for each node of the graph.
    dropout : float
        On features and on hidden neurons, while training.
    seed : int, optional
        For the initial weights, and then for dropout; torch's default generator if None.

    Raises
    ------
    EngineError
        If an option or an edge does not fit.

    Notes
    -----
    Kipf and Welling 2017, "Semi-supervised classification with graph convolutional networks",
    eq. 9; paper: neural-modules, appendix G.2. Rows of data are node numbers, `node_rows`; features
    and edges of all nodes are known, targets of those given. Each step computes the whole graph, so
    train on full batches. In evaluation the whole graph is computed once for the batches that
    follow one another. Neither features, edges nor generator are part of the state dict.

    Examples
    --------
    >>> import networkx as nx, numpy as np
    >>> from scipy.sparse import eye_array
    >>> from nervure.baselines import GraphConvolution, node_rows
    >>> from nervure.training import TrainingOptions, evaluate, fit
    >>> graph = nx.karate_club_graph()
    >>> y = np.array([club != "Mr. Hi" for _, club in graph.nodes(data="club")], dtype=np.int64)
    >>> network = GraphConvolution(eye_array(34, format="csr"), graph.edges, 2, nodes=16, seed=0)
    >>> options = TrainingOptions(epochs=50, batch_size=2, optimizer="adam", learning_rate=0.03)
    >>> leaders = node_rows([0, 33])
    >>> fitted = fit(network, leaders, y[[0, 33]], task="classification", options=options)
    >>> evaluate(network, node_rows(range(34)), y, "classification").error < 0.1
    True
    """

    def __init__(
        self,
        features: csr_matrix | csr_array,
        edges: npt.ArrayLike,
        outputs: int,
        *,
        nodes: int = 200,
        dropout: float = 0.5,
        seed: int | None = None,
    ) -> None:
        super().__init__(features, edges, outputs, nodes=nodes, dropout=dropout, seed=seed)
        self.first, self.second = self._drawn(features.shape[1], nodes), self._drawn(nodes, outputs)
        self.first_bias = nn.Parameter(torch.zeros(nodes))
        self.second_bias = nn.Parameter(torch.zeros(outputs))

    @staticmethod
    def _neighbours(adjacency: csr_array) -> csr_array:
        scale = diags_array(adjacency.sum(axis=1) ** -0.5)
        return csr_array(scale @ adjacency @ scale)

    def logits(self) -> Tensor:
        """Compute all nodes of the graph, shape (graph nodes, outputs)."""
        projected = self.features(self.first, self._dropped(self.features.values))
        hidden = torch.relu(self.neighbours(projected) + self.first_bias)
        out: Tensor = self.neighbours(self._dropped(hidden) @ self.second) + self.second_bias
        return out


class GraphAttention(_GraphNetwork):
    """Two layers of graph attention, the first of several heads side by side.

    Node i takes up sum_j a_ij h_j of its neighbours j and itself, h = X W, with a_ij the softmax
    over j of leaky_relu(p . h_i + q . h_j); after the first layer follows elu.

    Parameters
    ----------
    features, edges, outputs, dropout, seed
        As of `GraphConvolution`; dropout is on a_ij too.
    nodes : int
        Hidden neurons of all heads together, for each node of the graph; a multiple of `heads`.
    heads : int
        Of the first layer; the second has one.

    Raises
    ------
    EngineError
        If an option or an edge does not fit.

    Notes
    -----
    Velickovic et al. 2018, "Graph attention networks", eq. 1 to 5; paper: neural-modules, appendix
    G.2. All else is as of `GraphConvolution`. Of an edge only its share in each head is stored, not
    what flows along it: memory is O(graph nodes x nodes + edges x heads), not O(edges x nodes).
    """

    def __init__(
        self,
        features: csr_matrix | csr_array,
        edges: npt.ArrayLike,
        outputs: int,
        *,
        nodes: int = 200,
        heads: int = 4,
        dropout: float = 0.5,
        seed: int | None = None,
    ) -> None:
        super().__init__(features, edges, outputs, nodes=nodes, dropout=dropout, seed=seed)
        if heads < 1 or nodes % heads:
            raise EngineError(f"nodes: expected a multiple of heads ({heads}), got {nodes}")
        self.heads = heads
        self.first, self.second = self._drawn(features.shape[1], nodes), self._drawn(nodes, outputs)
        self.first_attention = self._drawn(2, heads, nodes // heads)
        self.second_attention = self._drawn(2, 1, outputs)
        self.first_bias = nn.Parameter(torch.zeros(nodes))
        self.second_bias = nn.Parameter(torch.zeros(outputs))

    @staticmethod
    def _neighbours(adjacency: csr_array) -> csr_array:
        return adjacency

    def config(self) -> dict[str, Any]:
        """Arguments that, with the graph, build a network of the same shape."""
        return {**super().config(), "heads": self.heads}

    def logits(self) -> Tensor:
        """Compute all nodes of the graph, shape (graph nodes, outputs)."""
        projected = self.features(self.first, self._dropped(self.features.values))
        hidden = functional.elu(self._gathered(projected, self.first_attention) + self.first_bias)
        projected = self._dropped(hidden) @ self.second
        return self._gathered(projected, self.second_attention) + self.second_bias

    def _gathered(self, projected: Tensor, attention: Tensor) -> Tensor:
        """Give the sums over neighbours, (graph nodes, width)."""
        heads = projected.view(len(projected), *attention.shape[1:])
        own, other = torch.einsum("nhc,khc->knh", heads, attention)
        targets, sources = self.neighbours.targets, self.neighbours.sources
        scores = functional.leaky_relu(own[targets] + other[sources], _SLOPE)
        shares = self._dropped(_softmax_within(scores, targets, len(projected)))
        parts = [self.neighbours(heads[:, k], shares[:, k]) for k in range(attention.shape[1])]
        return torch.cat(parts, dim=1)


def _softmax_within(scores: Tensor, groups: Tensor, count: int) -> Tensor:
    """Give the softmax over the rows of each group, column by column."""
    index = groups[:, None].expand_as(scores)
    largest = scores.new_zeros(count, scores.shape[1])
    # The shift cancels in the quotient, so it needs no gradient.
    largest.scatter_reduce_(0, index, scores.detach(), "amax", include_self=False)
    weights = torch.exp(scores - largest[groups])
    return weights / torch.zeros_like(largest).index_add(0, groups, weights)[groups]


def _with_loops(count: int, edges: npt.ArrayLike) -> csr_array:
    """Give the symmetric adjacency matrix of ones, with ones on its diagonal."""
    pairs = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    if len(pairs) and not 0 <= pairs.min() <= pairs.max() < count:
        raise EngineError(
            f"edges: expected nodes 0 to {count - 1}, got {pairs.min()} to {pairs.max()}"
        )
    nodes = np.arange(count)
    targets = np.concatenate((pairs[:, 0], pairs[:, 1], nodes))
    sources = np.concatenate((pairs[:, 1], pairs[:, 0], nodes))
    adjacency = csr_array((np.ones(len(targets)), (targets, sources)), shape=(count, count))
    adjacency.sum_duplicates()
    adjacency.data[:] = 1
    return adjacency
