"""Networks wired layer by layer: their degrees and the edges between their layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, NullLocator
from numpy.typing import NDArray
from scipy.stats import binom

from nervure.errors import TopologyError
from nervure.report.style import (
    FAINT,
    INK,
    NEGATIVE,
    POSITIVE,
    epoch_axis,
    legend,
    new_figure,
    title,
)
from nervure.topology import Topology, is_layered

Direction = Literal["incoming", "outgoing"]
DIRECTIONS: tuple[Direction, Direction] = ("incoming", "outgoing")

_MOST_LAYERS = 4  # hidden layers whose degrees are drawn
_COLOURS = (INK, POSITIVE, NEGATIVE, FAINT)
_MARKERS = "os^Dv"
_STYLES = ("-", "--", "-.")


def edges_between(topology: Topology, sizes: Sequence[int]) -> NDArray[np.int64]:
    """Count the edges from each layer to the next.

    Parameters
    ----------
    topology : Topology
    sizes : sequence of int
        Nodes of each layer, inputs first.

    Returns
    -------
    ndarray of int64, shape (layers - 1,)

    Raises
    ------
    TopologyError
        If these are not the layers of the topology.
    """
    _check(topology, sizes)
    layer = np.repeat(np.arange(len(sizes)), sizes)
    return np.bincount(layer[topology.sources], minlength=len(sizes) - 1).astype(np.int64)


def layer_names(layers: int) -> list[str]:
    """Name the layers: inputs, hidden 1, hidden 2, ..., outputs."""
    return ["inputs", *(f"hidden {i}" for i in range(1, layers - 1)), "outputs"]


def pair_names(layers: int) -> list[str]:
    """Name each layer with the one that reads it."""
    return [f"{a} → {b}" for a, b in pairwise(layer_names(layers))]


def layer_degrees(
    topology: Topology, sizes: Sequence[int], layer: int, which: Direction
) -> NDArray[np.int32]:
    """Give the incoming or outgoing degrees of a layer's nodes."""
    start = sum(sizes[:layer])
    degree = topology.in_degree if which == "incoming" else topology.out_degree
    return degree[start : start + sizes[layer]]


def chosen_layers(sizes: Sequence[int]) -> list[int]:
    """Give the hidden layers that are drawn: all, or four picked evenly."""
    hidden = np.arange(1, len(sizes) - 1)
    places = np.linspace(0, len(hidden) - 1, min(len(hidden), _MOST_LAYERS))
    return [int(layer) for layer in hidden[places.round().astype(int)]]


def chosen_snapshots(snapshots: Sequence[tuple[int, Topology]]) -> list[tuple[int, Topology]]:
    """Give the first snapshot, a middle one and the last."""
    last = len(snapshots) - 1
    return [snapshots[i] for i in sorted({0, last // 2, last})]


def degree_history(
    snapshots: Sequence[tuple[int, Topology]], sizes: Sequence[int], *, period: str = "epoch"
) -> Figure:
    """Draw how the degrees of hidden nodes are distributed at first, halfway and at last.

    For each number of edges, the share of a layer's nodes that have at least so many, on
    logarithmic axes. Random wiring (binomial degrees, drawn dotted) ends in a cliff; scale-free
    wiring, few nodes having very many edges, falls along a straight line.

    Parameters
    ----------
    snapshots : sequence of (epoch, topology)
        At least one; of more than three, the first, a middle one and the last are drawn.
    sizes : sequence of int
        Nodes of each layer, inputs first; at least one layer is hidden. Of more than four hidden
        layers, four are drawn.
    period : str
        What an epoch is called.

    Returns
    -------
    Figure

    Raises
    ------
    TopologyError
        If these are not the layers of every snapshot, or none is hidden.

    Notes
    -----
    D. C. Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse
    connectivity inspired by network science", Nature Communications 9 (2018), figure 2.
    """
    picked = chosen_snapshots(snapshots)
    for _, topology in picked:
        _check(topology, sizes)
    layers = chosen_layers(sizes)
    if not layers:
        raise TopologyError(f"degrees of hidden layers: layers of {list(sizes)} nodes have none")
    letters = "abcdefgh"[: 2 * len(layers)]
    figure, axes = new_figure(
        0.9 + 2.2 * len(layers), [letters[i : i + 2] for i in range(0, len(letters), 2)]
    )
    figure.set_layout_engine("constrained", h_pad=0.1)  # titles keep off the numbers above them
    names = layer_names(len(sizes))
    for row, layer in enumerate(layers):
        for ax, which in zip(axes[2 * row : 2 * row + 2], DIRECTIONS, strict=True):
            degrees = [
                (f"{period} {epoch}", layer_degrees(t, sizes, layer, which)) for epoch, t in picked
            ]
            _draw_degrees(ax, degrees, sizes[layer + (1 if which == "outgoing" else -1)])
            title(ax, f"{names[layer].capitalize()}: {which} edges")
        axes[2 * row].set_ylabel("share of nodes\nwith at least so many")
    for ax in axes[-2:]:
        ax.set_xlabel("edges of a node")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9,
                  labelcolor=INK)  # fmt: skip
    return figure


def density_history(
    snapshots: Sequence[tuple[int, Topology]], sizes: Sequence[int], *, period: str = "epoch"
) -> Figure:
    """Draw the share of possible edges that is present between each two layers, over epochs.

    Parameters
    ----------
    snapshots : sequence of (epoch, topology)
    sizes : sequence of int
        Nodes of each layer, inputs first.
    period : str
        What an epoch is called.

    Returns
    -------
    Figure

    Raises
    ------
    TopologyError
        If these are not the layers of every snapshot.
    """
    figure, (ax,) = new_figure(3.0)
    possible = np.array([n * m for n, m in pairwise(sizes)])
    epochs = [epoch for epoch, _ in snapshots]
    share = np.array([100 * edges_between(t, sizes) / possible for _, t in snapshots])
    for i, name in enumerate(pair_names(len(sizes))):
        # Lines that lie on each other are told apart by their marks, which take turns.
        turns = max(share.shape[1], len(epochs) // 15)
        ax.plot(
            epochs, share[:, i], color=_COLOURS[i % len(_COLOURS)], label=name, linewidth=1.6,
            linestyle=_STYLES[i % len(_STYLES)], marker=_MARKERS[i % len(_MARKERS)],
            markersize=4.5, markevery=(i, turns),
        )  # fmt: skip
    ax.set_ylim(0, 1.06 * share.max(initial=1e-9))
    ax.set_ylabel("of possible edges (%)")
    title(ax, "Density between the layers")
    epoch_axis(ax, epochs)
    ax.set_xlabel(period)
    legend(ax, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _check(topology: Topology, sizes: Sequence[int]) -> None:
    if not is_layered(topology, sizes):
        raise TopologyError(
            f"expected nodes in layers of {list(sizes)}, every edge leading from one layer to the "
            f"next, got {topology!r}"
        )


def _draw_degrees(ax: Axes, degrees: Sequence[tuple[str, NDArray[np.int32]]], beside: int) -> None:
    """Draw the share of nodes with at least k edges; `beside` is the most a node can have."""
    looks: list[dict[str, Any]] = [
        {"color": FAINT, "linestyle": "--", "marker": "s"},
        {"color": POSITIVE, "linestyle": "-", "marker": "^"},
        {"color": INK, "linestyle": "-", "marker": "o"},
    ]
    last = degrees[-1][1]
    values = np.concatenate([v for _, v in degrees])
    least, most = max(1, int(values.min())), max(1, int(values.max()))
    for (label, values), look in zip(degrees, looks[-len(degrees) :], strict=True):
        k, first = np.unique(np.sort(values), return_index=True)
        share = 1 - first / len(values)
        # Every node has at least none: a log axis has no place for it, nor needs one.
        ax.plot(k[k > 0], share[k > 0], label=label, markersize=3, linewidth=1.2,
                markevery=max(1, len(k) // 25), **look)  # fmt: skip
    at = np.arange(least, most + 2)
    random = binom.sf(at - 1, beside, min(1.0, float(last.mean()) / beside))
    ax.plot(at, random, color=NEGATIVE, linestyle=":", linewidth=1.8,
            label="random (binomial), mean of the last")  # fmt: skip
    ax.set_ylim(0.6 / len(last), 1.5)
    ax.set_xlim(0.9 * least, 1.15 * (most + 1))
    # After the limits: without edges there is no data to find any by.
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(FixedLocator(_whole_ticks(least, most)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.yaxis.set_major_locator(LogLocator())
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def _whole_ticks(least: int, most: int) -> list[int]:
    """Give whole numbers for a logarithmic axis: 1, 2, 5, 10, ... or the ends and the middle."""
    powers = range(len(str(most)))
    ticks = [d * 10**e for e in powers for d in (1, 2, 5) if least <= d * 10**e <= most]
    if most > 500 * least:
        ticks = [10**e for e in powers if least <= 10**e]
    return ticks if len(ticks) > 1 else sorted({least, (least + most) // 2, most})
