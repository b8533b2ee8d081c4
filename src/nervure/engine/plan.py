"""Analyse a topology once; execute the result many times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nervure import _core
from nervure.engine.activations import activation_codes
from nervure.topology import Topology

_HEADER = 16


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything the engine needs to know of a topology, worked out once.

    Attributes
    ----------
    packed : Tensor of int32, shape (size,)
        Edges both ways, nodes in condensation order, components, activations and roles, in
        one array on the CPU. It is what the operators take, so that compiled and exported programs
        carry it as an ordinary tensor.
    nodes, edges, num_inputs, num_outputs : int
        Sizes.
    keeps_slope : bool
        Whether some activation (gelu, silu) makes the forward sweep keep f'(z) for the adjoint.
    """

    packed: Tensor
    nodes: int
    edges: int
    num_inputs: int
    num_outputs: int
    keeps_slope: bool

    @property
    def is_acyclic(self) -> bool:
        """Whether one pass solves the graph exactly."""
        return self.packed[6].item() == 0

    @property
    def nbytes(self) -> int:
        """Size of the plan in bytes: about 12 per edge and 24 per node."""
        return self.packed.nbytes


def build_plan(topology: Topology, activation: NDArray[np.int32]) -> Plan:
    """Build a plan, O(nodes + edges), without looking into the cache.

    Parameters
    ----------
    topology : Topology
        What is wired.
    activation : ndarray of int32, shape (nodes,)
        Activation code per node (`activation_codes`).
    """
    packed = _core.build_plan(
        topology.indptr, topology.sources, topology.inputs, topology.outputs, activation
    )
    return Plan(
        torch.from_numpy(packed),
        topology.num_nodes,
        topology.num_edges,
        len(topology.inputs),
        len(topology.outputs),
        bool(packed[7]),
    )


@lru_cache(maxsize=16)
def _cached(topology: Topology, activation: tuple[str, ...] | str) -> Plan:
    return build_plan(topology, activation_codes(activation, topology.num_nodes))


def plan(topology: Topology, activation: str | Sequence[str] = "relu") -> Plan:
    """Give the execution plan of a topology; equal topologies share one.

    Parameters
    ----------
    topology : Topology
        What is wired.
    activation : str or sequence of str
        Activation of all nodes, or of each.

    Returns
    -------
    Plan

    Notes
    -----
    Components and order come from one pass of Tarjan's algorithm (SIAM J. Comput. 1972), O(nodes +
    edges). The last 16 plans are kept.

    Examples
    --------
    >>> from nervure import Topology
    >>> plan(Topology.from_edges([(0, 1), (1, 2), (2, 1)]), "tanh").is_acyclic
    False
    """
    return _cached(topology, activation if isinstance(activation, str) else tuple(activation))


@dataclass(frozen=True)
class Sections:
    """The arrays inside a packed plan, as views."""

    nodes: int
    edges: int
    indptr: Tensor
    sources: Tensor
    order: Tensor
    comp_ptr: Tensor
    activation: Tensor
    inputs: Tensor
    outputs: Tensor

    @property
    def targets(self) -> Tensor:
        """Target of every edge, shape (edges,)."""
        return torch.repeat_interleave(torch.arange(self.nodes), self.indptr.diff().long())

    @property
    def levels(self) -> Tensor:
        """Depth of every node's component in the condensation, shape (nodes,)."""
        arrays = (self.indptr, self.sources, self.labels.int(), self.order, self.comp_ptr)
        return torch.from_numpy(_core.condensation_levels(*(a.numpy() for a in arrays)))

    @property
    def labels(self) -> Tensor:
        """Component of every node, shape (nodes,)."""
        labels = torch.empty(self.nodes, dtype=torch.long)
        count = len(self.comp_ptr) - 1
        labels[self.order.long()] = torch.repeat_interleave(
            torch.arange(count), self.comp_ptr.diff().long()
        )
        return labels


def sections(packed: Tensor) -> Sections:
    """Read a packed plan (layout: csrc/plan.cpp)."""
    _, n, e, inputs, outputs, components, *_ = packed[:_HEADER].tolist()
    sizes = [n + 1, e, n + 1, e, e, n, components + 1, n, inputs, outputs, n, n]
    parts = torch.split(packed[_HEADER:], sizes)
    return Sections(
        nodes=n,
        edges=e,
        indptr=parts[0],
        sources=parts[1],
        order=parts[5],
        comp_ptr=parts[6],
        activation=parts[7],
        inputs=parts[8],
        outputs=parts[9],
    )
