"""The figures of Theorem 3.3 and Appendix A."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from nervure.report.style import FAINT, INK, NEGATIVE, PAPER, POSITIVE, legend, title
from nervure.reproduce.neural_modules.special_cases import KINDS, special_case, wiring
from nervure.reproduce.panels import panel_grid
from nervure.topology import Topology

_LOOKS = ((POSITIVE, "-"), (NEGATIVE, "--"), (INK, ":"))
# Units of the drawn networks: inputs, each hidden layer, outputs.
_SIZES = (6, 8, 4)

Points = Sequence[Mapping[str, float]]


def premise_curves(points: Mapping[str, Sequence[Points]]) -> Figure:
    """Draw eq. 23 and eq. 14 over iterations, a line per seed.

    Parameters
    ----------
    points : mapping of str to sequence
        Of each penalty, by the name it is to have, what `Premise` kept, seed by seed.

    Returns
    -------
    Figure
        Left, ``|w - w~|^2`` in units of its start; right, the squared norm of the gradient, and a
        line of the slope that the bound's first term has.
    """
    figure, (left, right) = panel_grid(2, 2)
    every: list[tuple[float, float]] = []
    for (name, seeds), (colour, style) in zip(points.items(), _LOOKS, strict=False):
        for number, found in enumerate(seeds):
            label = name if number == 0 else None
            look: dict[str, Any] = {"color": colour, "ls": style, "lw": 1.2, "label": label}
            later = found[1:]
            iterations = [p["iteration"] for p in later]
            start = found[0]["distance"]
            left.plot(iterations, [p["distance"] / start for p in later], **look)
            right.plot(iterations, [p["gradient"] for p in later], **look)
            every += [(p["iteration"], p["gradient"]) for p in later]
    if every:
        last = max(t for t, _ in every)
        t = np.geomspace(1, last, 2)
        top = max(value for _, value in every)
        right.plot(t, top * t**-0.5, color=FAINT, lw=1, label="slope -1/2")
    left.axhline(1, color=FAINT, lw=1)
    title(left, "|w - w~|² / its start")
    title(right, "|gradient of the kept edges|²")
    left.set_ylim(bottom=0)
    right.set_yscale("log")
    for ax in (left, right):
        ax.set_xscale("log")
        ax.set_xlabel("iteration")
        if ax.lines:
            legend(ax)
    return figure


def coefficient_matrices(learned: Topology) -> Figure:
    """Draw the coefficient matrices C of Figures 5 to 7 from graphs of the library.

    Parameters
    ----------
    learned : Topology
        A wiring found by training from the complete digraph over as many nodes.

    Returns
    -------
    Figure
        Of a layered network, a residual one, the complete digraph and the learned wiring, the last
        with a frame around every module.
    """
    layered, residual = (special_case(kind, *_SIZES, seed=0) for kind in KINDS)
    figure, axes = panel_grid(4, 2)
    figure.set_size_inches(figure.get_figwidth(), 9.4)
    for ax, network, text in (
        (axes[0], layered, "Figure 5: layers"),
        (axes[1], residual, "Figure 6: layers with shortcuts"),
    ):
        topology = wiring(network)
        _matrix(ax, topology, np.arange(topology.num_nodes))
        title(ax, text)
        for border in np.cumsum(network.sizes)[:-1] - 0.5:
            ax.axhline(border, color=FAINT, lw=0.5)
            ax.axvline(border, color=FAINT, lw=0.5)
    n = learned.num_nodes
    _matrix(axes[2], Topology.complete(n), np.arange(n))
    title(axes[2], "Figure 7: every pair, the start")
    components = learned.components
    _matrix(axes[3], learned, components.order)
    axes[3].set_xlabel("from node, in condensation order")
    title(axes[3], f"what is kept: {learned.num_edges} of {n * (n - 1):,} edges")
    for c in np.flatnonzero(components.cyclic):
        first, size = components.offsets[c] - 0.5, components.sizes[c]
        axes[3].add_patch(
            Rectangle((first, first), size, size, fill=False, edgecolor=NEGATIVE, linewidth=1.4)
        )
    square: dict[str, Any] = {"marker": "s", "linestyle": "none"}
    handles = [
        Line2D([], [], color=POSITIVE, label="a weight (edge)", **square),
        Line2D([], [], color=INK, label="-1 (the node itself)", **square),
        Line2D([], [], color=NEGATIVE, mfc=PAPER, label="module", **square),
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9,
        labelcolor=INK,
    )  # fmt: skip
    return figure


def _matrix(ax: Axes, topology: Topology, order: NDArray[np.integer]) -> None:
    """Draw [target, source] with nodes in an order: edges, and the diagonal."""
    n = topology.num_nodes
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    image = np.zeros((n, n, 4))
    image[place[topology.targets], place[topology.sources]] = to_rgba(POSITIVE)
    image[np.arange(n), np.arange(n)] = to_rgba(INK)
    ax.imshow(image, interpolation="nearest")
    ax.spines[["top", "right"]].set_visible(True)
    ax.spines[["top", "right"]].set_color(FAINT)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel("from node")
    ax.set_ylabel("to node")
