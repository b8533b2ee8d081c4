"""`DartsCell`: which operation joins which nodes, relaxed to weights that a search moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, cast

import torch
from torch import Tensor, nn

from nervure.errors import EngineError
from nervure.networks.linear import linear
from nervure.topology import Topology

OPERATIONS = ("zero", "identity", "tanh", "relu")

# A source, a target and what is between them; 0 is the input, 1 is the first inner node.
CellEdge = tuple[int, int, str]


class DartsCell(nn.Module):
    """A cell in which every edge is a mixture of operations.

    The input is node 0; each of `inner` nodes after it is a vector of ``nodes / inner`` neurons,
    the sum of what comes along the edges from all nodes before it; the decoder reads all inner
    nodes. An edge gives sum_o softmax(alpha)_o o(source) over the operations zero, identity (a
    linear map where the widths differ, as they do behind the input), linear then tanh, and linear
    then relu.

    Parameters
    ----------
    inputs, outputs : int
        Features in; classes or regression targets out.
    nodes : int
        Neurons of all inner nodes together, a multiple of `inner`.
    inner : int
        Inner nodes.
    seed : int, optional
        For the initial weights; torch's default generator if None.

    Attributes
    ----------
    architecture : Tensor, shape (edges, 4), buffer
        alpha, in the order of `edges` and of ``("zero", "identity", "tanh", "relu")``. A buffer and
        no parameter: the optimizer of the weights must not see it, the state dict must.
        `nervure.rules.DartsSearch` moves it.
    edges : tuple of (source, target)
        By target, then by source.

    Raises
    ------
    EngineError
        If an option does not fit.

    Notes
    -----
    Liu, Simonyan and Yang, "DARTS: differentiable architecture search", ICLR 2019, section 2.1;
    paper: neural-modules, section 4.2. With one input, where DARTS has the outputs of two cells
    before. The network of one hidden layer is one of the architectures.

    Examples
    --------
    >>> import torch
    >>> from nervure.baselines import DartsCell
    >>> cell = DartsCell(64, 10, nodes=40, seed=0)
    >>> len(cell.edges), cell(torch.zeros(3, 64)).shape
    (10, torch.Size([3, 10]))
    >>> len(cell.discretised(seed=1).edges)
    7
    """

    architecture: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        nodes: int = 200,
        inner: int = 4,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        width = _checked_width(inputs, outputs, nodes, inner)
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.inputs, self.inner = inputs, inner
        self.edges = tuple((s, t) for t in range(1, inner + 1) for s in range(t))
        self.mixtures = nn.ModuleList(
            _MixedEdge(width if source else inputs, width, generator) for source, _ in self.edges
        )
        self.decoder = linear(nodes, outputs, generator)
        start = 1e-3 * torch.randn(len(self.edges), len(OPERATIONS), generator=generator)
        self.register_buffer("architecture", start)

    def config(self) -> dict[str, Any]:
        """Arguments that build a cell of the same shape; the rest is in its state dict."""
        return {
            "inputs": self.inputs,
            "outputs": self.decoder.out_features,
            "nodes": self.decoder.in_features,
            "inner": self.inner,
        }

    @property
    def topology(self) -> Topology:
        """The nodes with all edges; what the search decides is their operations."""
        return Topology.dense_dag(self.inner + 1, outputs=range(1, self.inner + 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs) to (batch, outputs)."""
        shares = torch.softmax(self.architecture, dim=1)[:, 1:]
        along = [
            (*ends, partial(mixture, shares=share))
            for ends, mixture, share in zip(self.edges, self.mixtures, shares, strict=True)
        ]
        return cast(Tensor, self.decoder(_inner_values(x, along)))

    def chosen_edges(self) -> list[CellEdge]:
        """Give the two strongest edges into each node, each with its strongest operation.

        Returns
        -------
        list of (source, target, operation)
            By target, then by source. Strength is the share of the strongest operation other than
            zero; into the first node there is one edge only.
        """
        shares = torch.softmax(self.architecture, dim=1)[:, 1:]
        strength, best = (found.tolist() for found in shares.max(dim=1))
        kept = []
        for target in range(1, self.inner + 1):
            into = [edge for edge, ends in enumerate(self.edges) if ends[1] == target]
            kept += sorted(sorted(into, key=lambda edge: -strength[edge])[:2])
        return [(*self.edges[edge], OPERATIONS[1 + best[edge]]) for edge in kept]

    def discretised(self, seed: int | None = None) -> DerivedCell:
        """Give the cell of `chosen_edges`, with weights drawn anew, to be trained as a network."""
        return DerivedCell(**self.config(), edges=self.chosen_edges(), seed=seed)


class DerivedCell(nn.Module):
    """A cell with one operation on each of few edges.

    Parameters
    ----------
    inputs, outputs : int
        Features in; classes or regression targets out.
    edges : sequence of (source, target, operation)
        Source below target; 0 is the input, the inner nodes are 1 to `inner`. Operations are
        "identity", "tanh" and "relu".
    nodes, inner : int
        As of `DartsCell`.
    seed : int, optional
        For the initial weights; torch's default generator if None.

    Raises
    ------
    EngineError
        If an option does not fit.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        edges: Sequence[CellEdge],
        *,
        nodes: int = 200,
        inner: int = 4,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        width = _checked_width(inputs, outputs, nodes, inner)
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        # From a model file they come as lists.
        self.edges = tuple((int(s), int(t), str(o)) for s, t, o in sorted(edges, key=itemgetter(1)))
        if {t for _, t, _ in self.edges} != set(range(1, inner + 1)) or any(
            not 0 <= s < t or name not in OPERATIONS[1:] for s, t, name in self.edges
        ):
            raise EngineError(
                f"edges: expected (source, target, operation) into each of {inner} nodes, source "
                f"below target, operations of {', '.join(OPERATIONS[1:])}; got {list(edges)}"
            )
        self.inputs, self.inner = inputs, inner
        self.operations = nn.ModuleList(
            _operation(name, width if s else inputs, width, generator) for s, _, name in self.edges
        )
        self.decoder = linear(nodes, outputs, generator)

    def config(self) -> dict[str, Any]:
        """Arguments that build a cell of the same shape; the rest is in its state dict."""
        return {
            "inputs": self.inputs,
            "outputs": self.decoder.out_features,
            "edges": [list(edge) for edge in self.edges],
            "nodes": self.decoder.in_features,
            "inner": self.inner,
        }

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs) to (batch, outputs)."""
        along = [
            (source, target, operation)
            for (source, target, _), operation in zip(self.edges, self.operations, strict=True)
        ]
        return cast(Tensor, self.decoder(_inner_values(x, along)))


class _MixedEdge(nn.Module):
    """All operations of one edge."""

    def __init__(self, source: int, target: int, generator: torch.Generator | None) -> None:
        super().__init__()
        self.operations = nn.ModuleList(
            _operation(name, source, target, generator) for name in OPERATIONS[1:]
        )

    def forward(self, x: Tensor, shares: Tensor) -> Tensor:
        """Add up what each operation makes of x by its share."""
        parts = [
            share * operation(x) for share, operation in zip(shares, self.operations, strict=True)
        ]
        return torch.stack(parts).sum(dim=0)


def _operation(name: str, source: int, target: int, generator: torch.Generator | None) -> nn.Module:
    if name == "identity" and source == target:
        return nn.Identity()
    layer = linear(source, target, generator)
    if name == "identity":
        return layer
    return nn.Sequential(layer, nn.Tanh() if name == "tanh" else nn.ReLU())


def _inner_values(
    x: Tensor, along: Iterable[tuple[int, int, Callable[[Tensor], Tensor]]]
) -> Tensor:
    """Go along edges that are sorted by target, and give all inner nodes side by side."""
    values = [x]
    for _, edges in groupby(along, key=itemgetter(1)):
        values.append(torch.stack([given(values[s]) for s, _, given in edges]).sum(dim=0))
    return torch.cat(values[1:], dim=1)


def _checked_width(inputs: int, outputs: int, nodes: int, inner: int) -> int:
    for name, value in (("inputs", inputs), ("outputs", outputs), ("inner", inner)):
        if value < 1:
            raise EngineError(f"{name}: expected at least 1, got {value}")
    if nodes < inner or nodes % inner:
        raise EngineError(f"nodes: expected a multiple of inner ({inner}), got {nodes}")
    return nodes // inner
