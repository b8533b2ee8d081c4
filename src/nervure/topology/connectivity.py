"""Which nodes lie on a path from an input to an output, and what to do about the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from nervure import _core
from nervure.errors import DisconnectedError, TopologyError
from nervure.topology.edges import Bools, Int32s, name_nodes

if TYPE_CHECKING:
    from nervure.topology.graph import Topology

Require: TypeAlias = Literal["all", "outputs", "any", "none"]


def live_nodes(topology: Topology) -> Bools:
    """Mask of the nodes that an input reaches and that reach an output."""
    out = topology.out_adjacency
    forward = _core.reachable(out.indptr, out.targets, topology.inputs)
    backward = _core.reachable(topology.indptr, topology.sources, topology.outputs)
    live: Bools = np.logical_and(forward, backward)
    live.setflags(write=False)
    return live


def check_connected(topology: Topology, require: Require = "all") -> None:
    """Raise unless inputs and outputs still have a path through the graph.

    A node that is input and output at once is connected by itself.

    Parameters
    ----------
    topology : Topology
        The graph to check.
    require : {"all", "outputs", "any", "none"}
        ``"all"``: every input reaches an output, and every output is reached by an input;
        ``"outputs"``: every output is reached; ``"any"``: there is at least one path;
        ``"none"``: nothing is checked.

    Raises
    ------
    DisconnectedError
        Says which inputs and outputs have lost their path.

    Notes
    -----
    O(nodes + edges) the first time, since it computes `Topology.live`; then O(roles).

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> topology = from_edges([(0, 2), (1, 3)], inputs=[0, 1], outputs=[2])
    >>> topology.check_connected("outputs")
    >>> topology.check_connected()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    nervure.errors.DisconnectedError: 1 of 2 inputs reaches no output (node 1); prune less, ...
    """
    if require not in get_args(Require):
        raise TopologyError(f"require must be one of {', '.join(get_args(Require))}: {require!r}")
    if require == "none":
        return
    if require == "any":
        if not topology.live.any():
            raise DisconnectedError(
                "no path leads from any input to any output; prune less, grow an edge between the "
                "two parts, or pass require='none' to accept an empty network"
            )
        return
    lost = [_lost(topology.live, topology.outputs, "output", "is reached by no input")]
    if require == "all":
        lost.insert(0, _lost(topology.live, topology.inputs, "input", "reaches no output"))
    problems = [text for text in lost if text]
    if problems:
        weaker = "'outputs' or 'any'" if require == "all" else "'any'"
        raise DisconnectedError(
            f"{'; '.join(problems)}; prune less, grow edges that join these nodes again, "
            f"or pass require={weaker} to accept the loss"
        )


def _lost(live: Bools, role: Int32s, noun: str, fate: str) -> str:
    dead = role[~live[role]]
    if not dead.size:
        return ""
    return f"{dead.size} of {role.size} {noun}s {fate} ({name_nodes(dead)})"


def trimmed(topology: Topology, *, require: Require = "all") -> Topology:
    """Drop every edge that touches a node on no path from an input to an output.

    The numbering of the nodes and their roles stay; only edges go. A node that is reached by an
    input but reaches no output is as dead as one that no input reaches.

    Parameters
    ----------
    topology : Topology
        The graph to trim.
    require : {"all", "outputs", "any", "none"}
        Which roles must have kept a path; see `check_connected`.

    Returns
    -------
    Topology
        Itself when nothing is dead.

    Raises
    ------
    DisconnectedError
        When an input or output that `require` asks for has lost its path.

    Notes
    -----
    O(nodes + edges).

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> topology = from_edges([(0, 1), (1, 2), (1, 3)], inputs=[0], outputs=[2])
    >>> topology.trimmed().edges.tolist()
    [[0, 1], [1, 2]]
    """
    check_connected(topology, require)
    live = topology.live
    if live.all():
        return topology
    return topology.keep(live[topology.sources] & live[topology.targets])
