"""A network in the making: what is left of its start, and its values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nervure.networks import GraphLayer
from nervure.topology import Topology


@dataclass(frozen=True, eq=False)
class NetworkState:
    """A pruned network as numbers.

    Attributes
    ----------
    topology : Topology
        Of the nodes that are left.
    nodes : ndarray of int64
        What they are called at the start.
    edges : ndarray of int64
        Where its edges stand among those of the start.
    weight, bias : ndarray of float32
        Of `edges` and `nodes`.
    """

    topology: Topology
    nodes: NDArray[np.int64]
    edges: NDArray[np.int64]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def of(cls, layer: GraphLayer) -> NetworkState:
        """Take the state of a layer as it is."""
        return cls(
            layer.topology,
            np.arange(layer.topology.num_nodes),
            np.arange(layer.topology.num_edges),
            layer.edge_weight.float().numpy(),
            layer.node_bias.float().numpy(),
        )

    def without_nodes(self, gone: NDArray[np.bool_]) -> NetworkState:
        """Take nodes out, with all their edges."""
        left = np.flatnonzero(~gone)
        kept = ~(gone[self.topology.sources] | gone[self.topology.targets])
        return NetworkState(
            self.topology.subgraph(left), self.nodes[left], self.edges[kept], self.weight[kept],
            self.bias[left],
        )  # fmt: skip

    def with_edges(self, kept: NDArray[np.bool_]) -> NetworkState:
        """Take edges out."""
        return NetworkState(
            self.topology.keep(kept), self.nodes, self.edges[kept], self.weight[kept], self.bias
        )

    def with_values(self, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> NetworkState:
        """Give it other weights and biases."""
        return NetworkState(self.topology, self.nodes, self.edges, weight, bias)
