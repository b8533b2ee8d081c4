"""Strongly connected components and the order in which they can be computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from nervure import _core
from nervure.topology.edges import Bools, Int32s


class OutAdjacency(NamedTuple):
    """The edges of a topology by source instead of by target.

    Attributes
    ----------
    indptr : ndarray of int32
        Row offsets: the edges that leave node j are ``indptr[j]:indptr[j + 1]``.
    targets : ndarray of int32
        Target of each edge, rising inside each row.
    edges : ndarray of int32
        Position of each edge in the topology's edge order.
    """

    indptr: Int32s
    targets: Int32s
    edges: Int32s


@dataclass(frozen=True, eq=False)
class Components:
    """The strongly connected components of a topology, predecessors first.

    Attributes
    ----------
    labels : ndarray of int32
        Component of each node. Components are numbered in a topological order of the
        condensation: an edge between two components leads from the lower to the higher number.
    order : ndarray of int32
        All nodes, component by component; inside a component in an order that follows the edges
        where it can.
    offsets : ndarray of int32
        Nodes of component c are ``order[offsets[c]:offsets[c + 1]]``.
    """

    labels: Int32s
    order: Int32s
    offsets: Int32s

    @property
    def count(self) -> int:
        """Number of components."""
        return len(self.offsets) - 1

    @cached_property
    def sizes(self) -> Int32s:
        """Number of nodes of each component."""
        return frozen(np.diff(self.offsets))

    @cached_property
    def cyclic(self) -> Bools:
        """Whether each component holds a cycle, that is, more than one node."""
        mask: Bools = self.sizes > 1
        mask.setflags(write=False)
        return mask

    @cached_property
    def modules(self) -> tuple[Int32s, ...]:
        """The node arrays of the cyclic components, in condensation order."""
        return tuple(
            self.order[self.offsets[c] : self.offsets[c + 1]] for c in np.flatnonzero(self.cyclic)
        )

    def __repr__(self) -> str:
        largest = int(self.sizes.max()) if self.count else 0
        return f"Components(count={self.count}, cyclic={int(self.cyclic.sum())}, largest={largest})"


def frozen(array: Int32s) -> Int32s:
    """Make an array read-only and return it."""
    array.setflags(write=False)
    return array


def strong_components(indptr: Int32s, sources: Int32s) -> Components:
    """Find the strongly connected components of a CSR by target."""
    labels, order, offsets = _core.strong_components(indptr, sources)
    return Components(frozen(labels), frozen(order), frozen(offsets))


def condensation_levels(indptr: Int32s, sources: Int32s, components: Components) -> Int32s:
    """Longest-path depth of each node's component in the condensation."""
    return frozen(
        _core.condensation_levels(
            indptr, sources, components.labels, components.order, components.offsets
        )
    )


def out_adjacency(indptr: Int32s, sources: Int32s) -> OutAdjacency:
    """Transpose a CSR by target."""
    return OutAdjacency(*(frozen(array) for array in _core.transpose(indptr, sources)))
