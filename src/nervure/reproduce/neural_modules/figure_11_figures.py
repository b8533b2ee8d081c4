"""Module matrices (Figure 11) and the comparison with biological networks (Figure 12)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nervure.measures import CONNECTOMES
from nervure.report.adjacency import adjacency_matrix
from nervure.report.style import FAINT, INK, NEGATIVE, POSITIVE, new_figure, title
from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules.figure_11_tables import MEASURES, Learned
from nervure.reproduce.panels import legend_below
from nervure.topology import Topology, from_edges


def matrix(cell: Cell, result: Mapping[str, Any]) -> Figure:
    """Draw who feeds whom in one network, modules framed."""
    topology, weights = _wiring(cell, result)
    figure = adjacency_matrix(topology, weights)
    figure.suptitle(
        f"{cell['data']}, {cell['nodes']} nodes, {topology.num_edges} edges, "
        f"alpha {cell['alpha']:g}",
        x=0.02, ha="left", fontsize=10.5, color=INK,
    )  # fmt: skip
    return figure


def beside_biology(learned: Sequence[Learned]) -> Figure:
    """Draw every measure in a panel, a line for each learned and published graph.

    Open circles: directions counted, so that the figure does not compare with the others.
    """
    names = [*(own.name for own in learned), *(graph.name for graph in CONNECTOMES)]
    figure, axes = new_figure(1.4 + 0.24 * len(names), ("abcde",))
    for ax, (measured, measure) in zip(axes, MEASURES, strict=True):
        for row, own in enumerate(learned):
            values = own.each(measure)
            colour = POSITIVE if own.alpha else NEGATIVE
            ax.plot(values, [row] * len(values), "o", ms=5, color=colour, alpha=0.8)
        for row, graph in enumerate(CONNECTOMES, len(learned)):
            value = measure(graph)
            if math.isnan(value):
                continue
            world = graph.small_world
            other = world is not None and world.directed and measured == "small-worldness"
            ax.plot(value, row, "s", ms=6, color=INK, mfc="none" if other else INK)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.set_yticks(range(len(names)), names if ax is axes[0] else [])
        ax.grid(axis="y", color=FAINT, alpha=0.25, lw=0.7)
        ax.axhline(len(learned) - 0.5, color=FAINT, lw=0.8)
        ax.tick_params(axis="y", length=0)
        title(ax, measured)
        if measured == "density":
            ax.set_xscale("log")
            ax.set_xlim(0.5 * min(graph.density for own in learned for graph in own.graphs), 1.3)
            ax.xaxis.set_major_formatter("{x:g}")
        else:
            ax.xaxis.set_major_locator(MaxNLocator(3))
            ax.set_xlim(0, 1.1 * ax.dataLim.xmax)
    for style, colour, filled, label in (
        ("o", POSITIVE, True, "learned, with penalty"),
        ("o", NEGATIVE, True, "learned, without"),
        ("s", INK, True, "published"),
        ("s", INK, False, "published, directions counted"),
    ):
        axes[0].plot([], [], style, color=colour, mfc=colour if filled else "none", label=label)
    legend_below(figure, axes[0])
    return figure


def _wiring(cell: Cell, result: Mapping[str, Any]) -> tuple[Topology, np.ndarray[Any, Any]]:
    nodes = int(cell["nodes"])
    every = range(nodes)
    topology = from_edges(result["edges"], nodes, inputs=every, outputs=every)
    # Edge order is that of the topology that was trained, which is sorted as any other.
    return topology, np.array(result["weights"])
