"""`CoActivation`: prune edges between silent neurons, join neurons that fire together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure.engine.tracing import not_traced
from nervure.errors import EngineError
from nervure.rules.coactivation_statistics import CoActivationStatistics, joined_pairs
from nervure.rules.rule import Rewiring
from nervure.rules.total import Total, of_one
from nervure.rules.trained_layer import core_of, trains
from nervure.topology import Topology

# The paper names it once, for figure 7.
EPSILON = 0.25
# Rows of the statistics' data that go through the network at once.
_ROWS = 1024

Data = Tensor | Callable[[], Iterable[Tensor]]


@dataclass(frozen=True)
class Evolution:
    """One update of the wiring, by Algorithm 2, lines 5 and 6.

    Attributes
    ----------
    augment, prune : ndarray of bool, shape (neurons, neurons)
        Edges wanted and unwanted, [target, source].
    after : Topology
    """

    augment: NDArray[np.bool_]
    prune: NDArray[np.bool_]
    after: Topology


def evolved(topology: Topology, statistics: CoActivationStatistics, epsilon: float) -> Evolution:
    """Work out the update that statistics ask for.

    Aug = (NCAM > 1 - epsilon) and not G, Prune = (NCIM > 1 - epsilon) and G, and
    G' = (G and not Prune) or (Aug and not Prune), with edges from lower to higher numbers only.

    Parameters
    ----------
    topology : Topology
        G, whose edges lead from lower to higher numbers.
    statistics : CoActivationStatistics
        Of the same neurons.
    epsilon : float

    Returns
    -------
    Evolution

    Notes
    -----
    O(neurons^2). Paper: freenets, section 3.4, Table 1 and Algorithm 2.
    """
    n = topology.num_nodes
    present = joined_pairs(topology)
    bar = 1 - epsilon
    augment = (statistics.ncam.numpy() > bar) & ~present & np.tri(n, k=-1, dtype=np.bool_)
    prune = (statistics.ncim.numpy() > bar) & present
    targets, sources = np.nonzero((present & ~prune) | (augment & ~prune))
    edges = np.stack([sources, targets], axis=1)
    after = Topology.from_edges(edges, n, topology.inputs, topology.outputs)
    return Evolution(augment, prune, after)


class CoActivation:
    """Let a FreeNet prune and grow its own edges (paper: freenets, Algorithm 2).

    Every `interval` optimizer steps the wiring is updated by what the neurons did: an edge between
    two neurons that are nearly always inactive together goes, two neurons that are nearly always
    active together are joined (see `evolved`). A pruned edge's weight is kept, and is what the edge
    starts from if it grows again.

    Parameters
    ----------
    network : FreeNet, or GraphLayer, or a module whose `core` is one
        Sparse and acyclic, its edges from lower to higher numbers, its outputs all nodes in order.
    optimizer : torch.optim.Optimizer, optional
        The one that trains it. Its state (momentum, moments) is carried for the edges that stay
        and starts from zero for those that grow. None if no optimizer goes on after an update.
    epsilon : float
        Between 0 and 1: together means in more than the share 1 - epsilon of the samples.
    interval : int, optional
        Optimizer steps between updates; None to update by calling `update` only.
    data : Tensor, or callable giving an iterable of Tensor, optional
        What the statistics are taken over at each update: all of it, in evaluation mode (the
        algorithm as printed). None: the training batches since the last update, as they come,
        which costs no extra pass.
    on_update : callable, optional
        Given (rewiring, statistics) at each update, also if it changes no edge.

    Attributes
    ----------
    statistics : CoActivationStatistics
        Of the last update, or running.

    Raises
    ------
    EngineError
        If the network is of another kind or an option is out of range.

    Examples
    --------
    >>> import torch
    >>> from nervure import FreeNet
    >>> from nervure.rules import CoActivation
    >>> x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    >>> net = FreeNet(4, 2, neurons=12, seed=0)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> rule = CoActivation(net, optimizer, epsilon=0.5, interval=1, data=x)
    >>> net(x).square().mean().backward()
    >>> optimizer.step()
    >>> rewiring = rule.step()
    >>> rewiring.after.num_edges == 66 - len(rewiring.pruned)
    True
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer | None,
        *,
        epsilon: float = EPSILON,
        interval: int | None = 100,
        data: Data | None = None,
        on_update: Callable[[Rewiring, CoActivationStatistics], None] | None = None,
    ) -> None:
        layer = core_of(network)
        topology = layer.topology
        problems = []
        if layer.storage != "sparse" or layer.block != 1:
            problems.append("network: expected sparse storage without blocks")
        if not np.array_equal(layer.plan.outputs, np.arange(topology.num_nodes)):
            problems.append("network: expected every node to be an output, in their order")
        if np.any(topology.sources >= topology.targets):
            problems.append("network: expected every edge to lead from a lower to a higher number")
        if not 0 < epsilon < 1:
            problems.append(f"epsilon: expected between 0 and 1, got {epsilon}")
        if interval is not None and interval < 1:
            problems.append(f"interval: expected at least 1, got {interval}")
        if optimizer is not None and not trains(optimizer, layer.weight):
            problems.append("optimizer: does not hold the weights of this network")
        if problems:
            raise EngineError("; ".join(problems))
        self.layer = layer
        self.epsilon = epsilon
        self.interval = interval
        self.data = data
        self.statistics = CoActivationStatistics(topology.num_nodes)
        self._network = network
        self._total: Total = of_one
        self._on_update = on_update
        self._optimizer = optimizer
        self._steps = 0
        self._done = False  # the statistics have served an update, and start anew
        # Weights of pruned edges, [target, source].
        self._kept = torch.zeros(
            (topology.num_nodes, topology.num_nodes),
            dtype=layer.weight.dtype,
            device=layer.weight.device,
        )
        self._hook = layer.register_forward_hook(self._after_forward) if data is None else None

    def detach(self) -> None:
        """Stop watching the network's forward passes."""
        if self._hook is not None:
            self._hook.remove()

    def share_statistics(self, total: Total) -> None:
        """Take statistics over the samples of all processes that train together."""
        self._total = total

    def step(self) -> Rewiring:
        """Count an optimizer step, and update the wiring if it is time."""
        self._steps += 1
        if self.interval is None or self._steps % self.interval:
            return Rewiring(self.layer.topology, self.layer.topology)
        return self.update()

    @torch.no_grad()
    def update(self) -> Rewiring:
        """Update the wiring now.

        Returns
        -------
        Rewiring

        Raises
        ------
        EngineError
            If there is nothing to take statistics over.

        Notes
        -----
        One forward pass over the data and O(neurons^2) beside it; memory does not grow with the
        number of samples.
        """
        layer = self.layer
        if self.data is not None:
            self._observe(self.data)
        self.statistics.sum_(self._total)
        before = layer.topology
        after = evolved(before, self.statistics, self.epsilon).after
        self._done = True
        rewiring = Rewiring(before, after)
        if self._on_update is not None:
            self._on_update(rewiring, self.statistics)
        if not rewiring.changed:
            return Rewiring(before, before)
        sources, targets = torch.from_numpy(rewiring.pruned.astype(np.int64)).T
        pruned = torch.from_numpy(before.edge_positions_in(after) < 0)
        self._kept[targets, sources] = layer.weight[pruned]
        grown = torch.from_numpy(layer.rewire_(after, self._optimizer) < 0)
        sources, targets = torch.from_numpy(rewiring.grown.astype(np.int64)).T
        layer.weight[grown] = self._kept[targets, sources]
        return rewiring

    def _observe(self, data: Data) -> None:
        self.statistics = CoActivationStatistics(self.layer.topology.num_nodes)
        batches = data.split(_ROWS) if isinstance(data, Tensor) else data()
        training = self._network.training
        self._network.eval()
        hook = self.layer.register_forward_hook(lambda *call: self.statistics.add(call[2]))
        try:
            for batch in batches:
                self._network(batch)
        finally:
            hook.remove()
            self._network.train(training)

    @not_traced
    def _after_forward(self, layer: nn.Module, _: Any, values: Tensor) -> None:  # noqa: ANN401
        if not (layer.training and torch.is_grad_enabled()):
            return
        if self._done:
            self.statistics = CoActivationStatistics(self.layer.topology.num_nodes)
            self._done = False
        self.statistics.add(values)

    def state_dict(self) -> dict[str, Any]:
        """Options, steps, running statistics and the weights of pruned edges."""
        return {
            "epsilon": self.epsilon,
            "interval": self.interval,
            "steps": self._steps,
            "done": self._done,
            "kept": self._kept.clone(),
            "statistics": self.statistics.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        interval = state["interval"]
        if (interval is not None and interval < 1) or state["kept"].shape != self._kept.shape:
            raise EngineError(
                f"no state of this rule: an interval of {interval}, and pairs of shape "
                f"{tuple(state['kept'].shape)} for {tuple(self._kept.shape)}"
            )
        self.epsilon, self.interval = state["epsilon"], interval
        self._steps, self._done = state["steps"], state["done"]
        self._kept.copy_(state["kept"])
        self.statistics.load_state_dict(state["statistics"])
