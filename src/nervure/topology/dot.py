"""Topologies in the DOT language of Graphviz."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nervure.topology.interchange import per_edge

if TYPE_CHECKING:
    from nervure.topology.graph import Topology


def to_dot(topology: Topology, weights: npt.ArrayLike | None = None) -> str:
    """Write a topology in the DOT language of Graphviz.

    Inputs are boxes, outputs double circles, nodes that are both double octagons. Each module is
    a cluster.

    Parameters
    ----------
    topology : Topology
        The graph.
    weights : array_like, optional
        One value per edge, in edge order; becomes its label.

    Returns
    -------
    str
        A ``digraph``, to be drawn by ``dot -Tsvg``.

    Notes
    -----
    O(nodes + edges), in Python speed.

    References
    ----------
    E. Gansner, E. Koutsofios and S. North, "Drawing graphs with dot".

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> print(from_edges([(0, 1)]).to_dot([0.25]))
    digraph topology {
      node [shape=circle];
      0 [shape=box];
      1 [shape=doublecircle];
      0 -> 1 [label="0.25"];
    }
    """
    lines = ["digraph topology {", "  node [shape=circle];"]
    both = np.isin(topology.inputs, topology.outputs)
    only_outputs = topology.outputs[~np.isin(topology.outputs, topology.inputs)]
    for nodes, shape in (
        (topology.inputs[~both], "box"),
        (topology.inputs[both], "doubleoctagon"),
        (topology.interior, "circle"),
        (only_outputs, "doublecircle"),
    ):
        lines += [f"  {node} [shape={shape}];" for node in nodes.tolist()]
    for number, module in enumerate(topology.components.modules):
        members = " ".join(f"{node};" for node in sorted(module.tolist()))
        lines.append(f"  subgraph cluster_{number} {{ {members} }}")
    labels = [""] * topology.num_edges
    if weights is not None:
        labels = [f' [label="{value:.4g}"]' for value in per_edge(topology, weights).tolist()]
    ends = zip(topology.sources.tolist(), topology.targets.tolist(), labels, strict=True)
    lines += [f"  {source} -> {target}{label};" for source, target, label in ends]
    return "\n".join([*lines, "}"])
