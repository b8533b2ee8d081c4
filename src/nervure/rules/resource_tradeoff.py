"""`ResourceTradeoff`: a price on every edge, so that training keeps only those that pay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from nervure.errors import EngineError
from nervure.networks import BlockDAG, GraphLayer
from nervure.rules.before_step import before_step
from nervure.rules.rule import Rewiring
from nervure.rules.trained_layer import trains
from nervure.topology import Topology

LAMBDA = 1e-3
THRESHOLD = 0.006
"""Below it edges may go without loss of accuracy, on all of the paper's datasets."""


@dataclass
class EdgeHistory:
    """The strengths of all edges of the start over time.

    Attributes
    ----------
    topology : Topology
        The start.
    steps : list of int
        Optimizer steps after which strengths were recorded; 0 is the start.
    strengths : list of ndarray of float32, shape (edges of the start,)
        Zero where an edge is gone.
    """

    topology: Topology
    steps: list[int] = field(default_factory=list)
    strengths: list[NDArray[np.float32]] = field(default_factory=list)


class ResourceTradeoff:
    """Minimise the loss and lambda times the sum of all edges' strengths.

    When the optimizer steps, the gradient of the price is added to that of the loss, if there is
    one: no change to the loss or the training loop is needed. Edges weaker than a threshold are
    taken out with `threshold_`, by default at the end.

    Parameters
    ----------
    network : BlockDAG, or GraphLayer, or a module whose `core` is one
        Without blocks of nodes in the core. Strengths are |tanh w| of a BlockDAG's edges, and |w|
        of all others'.
    optimizer : torch.optim.Optimizer
        The one that trains it.
    penalty : float
        Lambda.
    threshold : float
        Strength below which `threshold_` takes edges out.
    interval : int
        Steps between records of the strengths, such as an epoch.
    edge_rate : float
        Factor on the gradients of the edges' weights, price included: with SGD they learn as at a
        learning rate so many times higher, but for weight decay. Adam and its like do not care for
        the scale of gradients.
    prune_at : int, optional
        Step after which the weak edges go and the price is no longer asked; None: never by itself.

    Attributes
    ----------
    history : EdgeHistory
    layer : BlockDAG or GraphLayer

    Raises
    ------
    EngineError
        If the network or an option does not fit.

    Notes
    -----
    Paper: connectivity-tradeoff, section 3, eq. 1 and 2. With plain gradient descent it is the
    gradient of the sum of both; with momentum and weight decay too, as the paper trains.

    The price is asked once per step, of however many passes gradients are accumulated, after they
    are clipped and divided by a `torch.amp.GradScaler`. With ``step(closure)``, once per call of
    the closure. After the step ``weight.grad`` is that of the loss.

    Examples
    --------
    >>> import torch
    >>> from nervure import GraphLayer, Topology
    >>> from nervure.rules import ResourceTradeoff
    >>> layer = GraphLayer(Topology.layered([4, 8, 2]))
    >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    >>> rule = ResourceTradeoff(layer, optimizer, penalty=0.01, interval=5)
    >>> for _ in range(10):
    ...     layer(torch.ones(3, 4)).square().mean().backward()
    ...     optimizer.step()
    ...     _ = rule.step()
    ...     optimizer.zero_grad()
    >>> rule.history.steps
    [0, 5, 10]
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        penalty: float = LAMBDA,
        threshold: float = THRESHOLD,
        interval: int = 1,
        edge_rate: float = 1.0,
        prune_at: int | None = None,
    ) -> None:
        problems = []
        if not 0 <= penalty < float("inf"):
            problems.append(f"penalty: expected at least 0, got {penalty}")
        if not 0 <= threshold < float("inf"):
            problems.append(f"threshold: expected at least 0, got {threshold}")
        if interval < 1:
            problems.append(f"interval: expected at least 1, got {interval}")
        if not 0 < edge_rate < float("inf"):
            problems.append(f"edge_rate: expected above 0, got {edge_rate}")
        if prune_at is not None and prune_at < 1:
            problems.append(f"prune_at: expected at least 1, got {prune_at}")
        self.layer = wired_part(network)
        self._weight = edge_parameter(self.layer)
        if not trains(optimizer, self._weight):
            problems.append("optimizer: does not hold the edge weights of this network")
        if problems:
            raise EngineError("; ".join(problems))
        self.penalty, self.threshold = penalty, threshold
        self.interval, self.prune_at = interval, prune_at
        self.edge_rate = edge_rate
        self._optimizer = optimizer
        self._steps = 0
        self.history = EdgeHistory(self.layer.topology)
        self._gradient: Tensor | None = None
        self._hooks: tuple[RemovableHandle, ...] = ()
        self._attach()
        self._record()

    def _attach(self) -> None:
        self._hooks = (
            # First, since a fused step takes the gradient away from those that come after it.
            before_step(self._optimizer, self._ask_price, each=True, first=True),
            self._optimizer.register_step_post_hook(self._after_optimizer_step),
        )

    @torch.no_grad()
    def _ask_price(self, optimizer: torch.optim.Optimizer, _: bool) -> None:
        self._gradient = self._weight.grad
        if self._gradient is None:
            return
        # Where a GradScaler leaves it to the optimizer to divide, the price is divided with it.
        scale = getattr(optimizer, "grad_scale", None)
        penalty = self.penalty if scale is None else self.penalty * scale.to(self._gradient)
        self._weight.grad = self._with_price(self._gradient, penalty)

    def _after_optimizer_step(self, *_: object) -> None:
        if self._gradient is not None:
            self._weight.grad, self._gradient = self._gradient, None

    def _with_price(self, gradient: Tensor, penalty: float | Tensor) -> Tensor:
        """Add lambda d|s|/dw, s = tanh w or w."""
        weight = self._weight.detach()
        if isinstance(self.layer, BlockDAG):
            squashed = torch.tanh(weight)
            price = penalty * squashed.sign() * (1 - squashed.square())
            return self.edge_rate * (gradient + price)
        priced = self.edge_rate * (gradient + penalty * weight.sign())
        if weight.ndim == 2:
            # Dense storage: the diagonal holds biases, and absent edges cost nothing.
            return torch.where(_mask(self.layer.topology, weight), priced, gradient)
        return priced

    def step(self) -> Rewiring:
        """Count an optimizer step, record strengths if due, and prune if it is time."""
        before = self.layer.topology
        self._steps += 1
        if self._steps % self.interval == 0:
            self._record()
        if self._steps == self.prune_at:
            self.detach()
            threshold_(self.layer, self.threshold, self._optimizer)
        if isinstance(self.layer, GraphLayer):
            self.layer.project_()
        return Rewiring(before, self.layer.topology)

    def _record(self) -> None:
        start = self.history.topology
        strengths = np.zeros(start.num_edges, dtype=np.float32)
        positions = self.layer.topology.edge_positions_in(start)
        # An edge that another rule grew was not there at the start.
        strengths[positions[positions >= 0]] = edge_strengths(self.layer)[positions >= 0]
        self.history.steps.append(self._steps)
        self.history.strengths.append(strengths)

    def detach(self) -> None:
        """Ask no price any more."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = ()

    def state_dict(self) -> dict[str, Any]:
        """Give everything that a resumed run needs besides network and optimizer."""
        start = self.history.topology
        return {
            "steps": self._steps,
            "asking": bool(self._hooks),
            "start": {
                "indptr": torch.from_numpy(start.indptr.copy()),
                "sources": torch.from_numpy(start.sources.copy()),
            },
            "recorded": list(self.history.steps),
            "strengths": [torch.from_numpy(s.copy()) for s in self.history.strengths],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self._steps = state["steps"]
        now = self.layer.topology
        indptr, sources = (state["start"][key].numpy().copy() for key in ("indptr", "sources"))
        # The network may have been built without the edges that went before it was saved.
        self.history = EdgeHistory(
            Topology(now.num_nodes, indptr, sources, now.inputs, now.outputs),
            list(state["recorded"]),
            [s.numpy().copy() for s in state["strengths"]],
        )
        self.detach()
        if state["asking"]:
            self._attach()


def wired_part(network: nn.Module) -> BlockDAG | GraphLayer:
    """Give the part of a network that has the edges: a BlockDAG, or a core.

    Raises
    ------
    EngineError
        If it has none, or its core has blocks of nodes.
    """
    kinds = BlockDAG, GraphLayer
    graph = network if isinstance(network, kinds) else getattr(network, "core", None)
    if not isinstance(graph, kinds):
        raise EngineError(
            "network: expected a BlockDAG, a GraphLayer or a network with one as its core, got "
            f"{type(network).__name__}"
        )
    if isinstance(graph, GraphLayer) and graph.block > 1:
        raise EngineError(
            f"network: expected one weight per edge, got a core with blocks of {graph.block} nodes"
        )
    return graph


def edge_parameter(graph: BlockDAG | GraphLayer) -> nn.Parameter:
    """Give the parameter that holds the edges' weights."""
    return graph.edge_weight if isinstance(graph, BlockDAG) else graph.weight


def edge_strengths(network: nn.Module) -> NDArray[np.float32]:
    """Give |tanh w| of a BlockDAG's edges, or |w| of any other network's, in edge order.

    Parameters
    ----------
    network : BlockDAG, or GraphLayer, or a module whose `core` is one
        Without blocks in the core.

    Returns
    -------
    ndarray of float32, shape (edges,)
    """
    graph = wired_part(network)
    if isinstance(graph, BlockDAG):
        return graph.strengths.astype(np.float32)
    strengths: NDArray[np.float32] = graph.edge_weight.abs().float().cpu().numpy()
    return strengths


def thresholded(network: nn.Module, threshold: float) -> Topology:
    """Give what is left of a wiring without weak edges, and without what then leads nowhere.

    Parameters
    ----------
    network : BlockDAG, or GraphLayer, or a module whose `core` is one
    threshold : float
        Edges of less strength go.

    Returns
    -------
    Topology

    Raises
    ------
    DisconnectedError
        If no path from an input to an output is left.

    Notes
    -----
    O(nodes + edges). Paper: connectivity-tradeoff, section 3, "pruning the network".
    """
    graph = wired_part(network)
    return graph.topology.keep(edge_strengths(graph) >= threshold).trimmed(require="any")


def threshold_(
    network: nn.Module, threshold: float = THRESHOLD, optimizer: torch.optim.Optimizer | None = None
) -> Rewiring:
    """Take weak edges out of a network, and what then leads nowhere.

    Parameters
    ----------
    network : BlockDAG, or GraphLayer, or a module whose `core` is one
    threshold : float
        Edges of less strength go.
    optimizer : torch.optim.Optimizer, optional
        Its state is carried along.

    Returns
    -------
    Rewiring

    Raises
    ------
    DisconnectedError
        If no path from an input to an output would be left; the network is then as before.
    """
    graph = wired_part(network)
    before = graph.topology
    after = thresholded(graph, threshold)
    graph.rewire_(after, optimizer)
    return Rewiring(before, after)


def _mask(topology: Topology, like: Tensor) -> Tensor:
    mask = torch.zeros_like(like, dtype=torch.bool)
    targets = torch.from_numpy(topology.targets.astype(np.int64)).to(like.device)
    sources = torch.from_numpy(topology.sources.astype(np.int64)).to(like.device)
    mask[targets, sources] = True
    return mask
