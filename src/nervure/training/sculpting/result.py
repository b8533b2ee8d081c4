"""`Sculpted`: a network laid bare, and the rounds that led to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from nervure.networks import GraphLayer
from nervure.topology import Topology

Phase = Literal["dense", "unit", "settle", "edge"]


@dataclass(frozen=True)
class Round:
    """One round in the making of a network.

    Attributes
    ----------
    phase : {"dense", "unit", "settle", "edge"}
        Settling trains once more what pruning of units has left, before edges are pruned.
    share : float
        Pruned, of the units or edges of the start.
    merit : float
    accepted : bool
    nodes, edges : int
        Hidden units and edges it trained with.
    epochs : int
    """

    phase: Phase
    share: float
    merit: float
    accepted: bool
    nodes: int
    edges: int
    epochs: int


@dataclass(frozen=True)
class Judged:
    """A round, and which network it was of.

    Attributes
    ----------
    trial : int
        Number of its start.
    unit_step, edge_step : float or None
        The steps it is pruned with; None where it has not come to that.
    round : Round
    """

    trial: int
    unit_step: float | None
    edge_step: float | None
    round: Round


@dataclass(frozen=True, eq=False)
class Sculpted:
    """A network laid bare.

    Attributes
    ----------
    topology : Topology
        Over the nodes of the start.
    weight : ndarray of float32, shape (edges,)
    bias : ndarray of float32, shape (nodes,)
        Zero where a node is gone.
    merit : float
        Over the validation rows.
    threshold : float
        What it had to reach.
    unit_step, edge_step : float or None
        The steps it was pruned with.
    rounds : tuple of Round
        All that led to it, those turned down included.
    dense : Sculpted or None
        Its start after the first training, which all networks of a start share.
    interrupted : bool
        Whether Ctrl-C came before it was pruned as far as it can be.
    """

    topology: Topology
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    merit: float
    threshold: float
    unit_step: float | None
    edge_step: float | None
    rounds: tuple[Round, ...]
    dense: Sculpted | None = None
    interrupted: bool = False

    @property
    def reached(self) -> bool:
        """Whether it reaches the threshold; if not, it is the dense network."""
        return self.merit >= self.threshold

    def into(self, layer: GraphLayer) -> None:
        """Give a layer this wiring and these values.

        Parameters
        ----------
        layer : GraphLayer
            The start, or one like it.
        """
        layer.rewire_(self.topology)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(self.weight))
            if layer.bias is not None:
                layer.bias.copy_(torch.from_numpy(self.bias))


def sparsest(networks: Sequence[Sculpted]) -> Sculpted:
    """Give the one with the fewest edges of those that reach their threshold, or of all.

    Notes
    -----
    What the paper reports of a grid (appendix H).
    """
    reached = [network for network in networks if network.reached]
    return min(reached or networks, key=lambda network: network.topology.num_edges)
