"""Where the weights of each edge stand in a sparse layer's parameter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nervure.topology import Topology


@dataclass(frozen=True)
class WeightLayout:
    """Weights in edge order: one for each tied edge, then block^2 for each free one.

    Attributes
    ----------
    edges : int
        Of the topology of blocks.
    tied : int
        Edges, the first in edge order, with one weight for all block^2 pairs of nodes.
    block : int
        Nodes per block.
    """

    edges: int
    tied: int
    block: int

    @classmethod
    def of(cls, topology: Topology, block: int, tied_targets: int) -> WeightLayout:
        """Give the layout in which the edges into the first `tied_targets` blocks are tied."""
        # A block of one node has one weight per edge anyhow.
        tied = int(topology.indptr[tied_targets]) if block > 1 else 0
        return cls(topology.num_edges, tied, block)

    @property
    def size(self) -> int:
        """Number of weights kept."""
        return self.tied + (self.edges - self.tied) * self.block**2

    def spelled(self, weight: Tensor) -> Tensor:
        """Give block^2 weights for every edge, as the engine takes them; differentiable."""
        if self.tied == 0:
            return weight
        repeated = weight[: self.tied, None].expand(-1, self.block**2).reshape(-1)
        return repeated if self.tied == self.edges else torch.cat([repeated, weight[self.tied :]])

    def per_edge(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Repeat one value per edge for each of its weights."""
        each = np.full(self.edges, self.block**2)
        each[: self.tied] = 1
        return np.repeat(values, each)

    def carried(self, values: Tensor, old: WeightLayout, positions: NDArray[np.int64]) -> Tensor:
        """Take values from the layout of an old wiring to this one, zero for new edges.

        Parameters
        ----------
        values : Tensor, shape (old.size,)
        old : WeightLayout
        positions : ndarray of int64, shape (edges,)
            Of each edge in the old order, or -1.
        """
        tied = _moved(values[: old.tied], positions[: self.tied], 1)
        free = positions[self.tied :]
        free = np.where(free < 0, -1, free - old.tied)
        return torch.cat([tied, _moved(values[old.tied :], free, self.block**2)])

    def strengths(self, weight: Tensor, pairs: NDArray[np.int64] | None = None) -> Tensor:
        """Mean |w| of each edge, with the sign of the sum of its weights; shape (edges,).

        Parameters
        ----------
        weight : Tensor, shape (size,)
        pairs : ndarray of int64, shape (edges,), optional
            By how many weights to divide where they are not block^2, as the rest are zero.
        """
        weight = weight.detach()
        free = weight[self.tied :]
        if self.block > 1:
            blocks = free.view(-1, self.block**2)
            free = blocks.abs().sum(1) * blocks.sum(1).sign()
            if pairs is None:
                free /= self.block**2
            else:
                free /= torch.from_numpy(pairs[self.tied :]).to(free.device)
        return torch.cat([weight[: self.tied], free]) if self.tied else free.clone()


def _moved(values: Tensor, positions: NDArray[np.int64], each: int) -> Tensor:
    kept = torch.from_numpy(np.flatnonzero(positions >= 0)).to(values.device)
    source = torch.from_numpy(positions[positions >= 0]).to(values.device)
    out = values.new_zeros(len(positions), each)
    out[kept] = values.view(-1, each)[source]
    return out.view(-1)
