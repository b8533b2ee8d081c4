"""`Topology`: what is wired, as an immutable value."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any, NoReturn, Self, final

import numpy as np
import numpy.typing as npt

from nervure.topology import (
    blocks,
    connectivity,
    constructors,
    dot,
    graphml,
    interchange,
    operations,
    positions,
    random_graphs,
)
from nervure.topology.components import (
    Components,
    OutAdjacency,
    condensation_levels,
    frozen,
    out_adjacency,
    strong_components,
)
from nervure.topology.edges import Bools, Int32s
from nervure.topology.validation import checked_csr, checked_num_nodes, checked_role


@final
class Topology:
    """An immutable directed graph with inputs and outputs.

    Nodes are numbered from 0. Edges are stored as a CSR by target, and every array that belongs
    to edges (weights, masks, scores) follows that *edge order*: by target, then by source. There
    are no self-loops; biases are separate. What the graph knows about itself is computed when
    first asked for and then kept.

    Two topologies are equal when all five fields are, the order of inputs and outputs included.
    Equal topologies have equal hashes, also in another process.

    Parameters
    ----------
    num_nodes : int
        Number of nodes.
    indptr : array_like of int, shape (num_nodes + 1,)
        The edges into node i have positions ``indptr[i]:indptr[i + 1]``.
    sources : array_like of int
        Source of each edge, rising inside each target's row.
    inputs, outputs : array_like of int
        Distinct node ids; their order is kept. A node may be both. The rest is the interior.

    Raises
    ------
    NodeOutOfRangeError, DuplicateEdgeError, SelfLoopError, TopologyError
        When the arrays are no such graph.

    Notes
    -----
    The arrays are copied and checked in O(nodes + edges).

    Examples
    --------
    >>> from nervure.topology import Topology
    >>> topology = Topology(3, [0, 0, 1, 3], [0, 0, 1], inputs=[0], outputs=[2])
    >>> topology
    Topology(nodes=3, edges=3, density=0.5, inputs=1, outputs=1, acyclic)
    >>> topology.edges.tolist()
    [[0, 1], [0, 2], [1, 2]]
    >>> topology.levels.tolist(), topology.depth
    ([0, 1, 2], 2)
    """

    num_nodes: int
    indptr: Int32s
    sources: Int32s
    inputs: Int32s
    outputs: Int32s

    def __init__(
        self,
        num_nodes: int,
        indptr: npt.ArrayLike,
        sources: npt.ArrayLike,
        inputs: npt.ArrayLike,
        outputs: npt.ArrayLike,
    ) -> None:
        count = checked_num_nodes(num_nodes)
        self._fill(
            count,
            *checked_csr(count, indptr, sources),
            checked_role(inputs, count, "inputs"),
            checked_role(outputs, count, "outputs"),
        )

    @classmethod
    def _trusted(
        cls, num_nodes: int, indptr: Int32s, sources: Int32s, inputs: Int32s, outputs: Int32s
    ) -> Self:
        """Take over int32 arrays that are right by construction; nothing is checked or copied."""
        topology = object.__new__(cls)
        topology._fill(num_nodes, indptr, sources, inputs, outputs)
        return topology

    def _fill(
        self, num_nodes: int, indptr: Int32s, sources: Int32s, inputs: Int32s, outputs: Int32s
    ) -> None:
        # Straight into __dict__, as cached_property does: assignment is closed to everybody.
        self.__dict__.update(
            num_nodes=num_nodes,
            indptr=frozen(indptr),
            sources=frozen(sources),
            inputs=frozen(inputs),
            outputs=frozen(outputs),
        )

    # Constructors and operations are documented free functions in modules of their own; each is
    # reachable from the class as well.
    complete = staticmethod(constructors.complete)
    dense_dag = staticmethod(constructors.dense_dag)
    layered = staticmethod(random_graphs.layered)
    erdos_renyi = staticmethod(random_graphs.erdos_renyi)
    from_edges = staticmethod(constructors.from_edges)
    from_mask = staticmethod(constructors.from_mask)
    from_scipy = staticmethod(interchange.from_scipy)
    from_networkx = staticmethod(interchange.from_networkx)
    from_graphml = staticmethod(graphml.from_graphml)

    to_scipy = interchange.to_scipy
    to_networkx = interchange.to_networkx
    to_dot = dot.to_dot
    to_graphml = graphml.to_graphml

    keep = operations.keep
    expanded = blocks.expanded
    coarsened = blocks.coarsened
    grow = operations.grow
    drop = operations.drop
    union = operations.union
    subgraph = operations.subgraph
    relabelled = operations.relabelled
    reversed = operations.reversed_topology
    with_roles = operations.with_roles
    edge_positions_in = positions.edge_positions_in
    check_connected = connectivity.check_connected
    trimmed = connectivity.trimmed

    @property
    def num_edges(self) -> int:
        """Number of edges."""
        return len(self.sources)

    @property
    def density(self) -> float:
        """Edges divided by the ``n (n - 1)`` that are possible; 0 below two nodes."""
        possible = self.num_nodes * (self.num_nodes - 1)
        return self.num_edges / possible if possible else 0.0

    @cached_property
    def interior(self) -> Int32s:
        """Nodes that are neither input nor output, rising."""
        mask = np.ones(self.num_nodes, dtype=np.bool_)
        mask[self.inputs] = False
        mask[self.outputs] = False
        return frozen(np.flatnonzero(mask).astype(np.int32))

    @cached_property
    def targets(self) -> Int32s:
        """Target of each edge, in edge order."""
        nodes = np.arange(self.num_nodes, dtype=np.int32)
        return frozen(np.repeat(nodes, np.diff(self.indptr)))

    @property
    def edges(self) -> Int32s:
        """Rows of (source, target), in edge order; a new array each time."""
        return np.column_stack((self.sources, self.targets))

    @cached_property
    def in_degree(self) -> Int32s:
        """Number of edges into each node."""
        return frozen(np.diff(self.indptr))

    @cached_property
    def out_degree(self) -> Int32s:
        """Number of edges out of each node."""
        counts = np.bincount(self.sources, minlength=self.num_nodes)
        return frozen(counts.astype(np.int32))

    @cached_property
    def out_adjacency(self) -> OutAdjacency:
        """The same edges by source; O(nodes + edges)."""
        return out_adjacency(self.indptr, self.sources)

    @cached_property
    def components(self) -> Components:
        """Strongly connected components in condensation order.

        Notes
        -----
        O(nodes + edges), by Tarjan's algorithm without recursion.

        References
        ----------
        R. Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1 (1972).
        """
        return strong_components(self.indptr, self.sources)

    @cached_property
    def levels(self) -> Int32s:
        """Longest-path depth of each node's component in the condensation; O(nodes + edges)."""
        return condensation_levels(self.indptr, self.sources, self.components)

    @property
    def depth(self) -> int:
        """Number of edges on the longest path of the condensation."""
        return int(self.levels.max()) if self.num_nodes else 0

    @property
    def is_acyclic(self) -> bool:
        """Whether there is no directed cycle."""
        return self.components.count == self.num_nodes

    @cached_property
    def live(self) -> Bools:
        """Mask of the nodes on a path from an input to an output; O(nodes + edges)."""
        return connectivity.live_nodes(self)

    @cached_property
    def _digest(self) -> bytes:
        digest = hashlib.blake2b(digest_size=16)
        for array in (self.indptr, self.sources, self.inputs, self.outputs):
            # The length keeps the borders between the arrays in the digest.
            digest.update(len(array).to_bytes(8, "little"))
            digest.update(array.data)
        return digest.digest()

    def __hash__(self) -> int:
        return int.from_bytes(self._digest[:8], "little", signed=True)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Topology):
            return NotImplemented
        # indptr holds the number of nodes.
        return (
            np.array_equal(self.indptr, other.indptr)
            and np.array_equal(self.sources, other.sources)
            and np.array_equal(self.inputs, other.inputs)
            and np.array_equal(self.outputs, other.outputs)
        )

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(
            f"cannot set {name}: a Topology is immutable; operations return new ones"
        )

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"cannot delete {name}: a Topology is immutable")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Only the five fields travel; the cache is cheaper to compute than to send.
        fields = (self.num_nodes, self.indptr, self.sources, self.inputs, self.outputs)
        return (Topology._trusted, fields)

    def __repr__(self) -> str:
        modules = int(self.components.cyclic.sum())
        largest = int(self.components.sizes.max()) if self.num_nodes else 0
        shape = f"modules={modules}, largest={largest}" if modules else "acyclic"
        return (
            f"Topology(nodes={self.num_nodes}, edges={self.num_edges}, "
            f"density={self.density:.3g}, inputs={len(self.inputs)}, "
            f"outputs={len(self.outputs)}, {shape})"
        )
