"""The figures of connectivity-tradeoff from a ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nervure.data import COLOUR_IMAGES
from nervure.errors import DisconnectedError, MissingDependencyError
from nervure.measures import (
    MeasureTable,
    characterise,
    edge_overlap_matrix,
    embedding,
    similarity,
    standardised,
)
from nervure.report import (
    embedding_scatter,
    similarity_map,
    stage_drawing,
    strength_history,
    threshold_curves,
)
from nervure.report.module_colours import module_colour
from nervure.report.style import FAINT, INK, legend, new_figure, title
from nervure.reproduce.ledger import Cell
from nervure.reproduce.paired import mean_and_spread
from nervure.reproduce.tradeoff import stages_of, starting_graph, wiring_of
from nervure.reproduce.tradeoff_tables import (
    Accuracies,
    FirstEpoch,
    Found,
    Likeness,
    wirings,
)
from nervure.topology import Topology

_NETWORKS = ("full", "thresholded", "same", "fitted")
_WORDS = ("all edges", "thresholded", "trained again", "again, channels fitted")
_MARKS = "osD^"


def write_figures(
    found: Found,
    likeness: Likeness | None,
    accuracies: Sequence[Accuracies],
    first: Sequence[FirstEpoch],
    folder: Path,
) -> list[Path]:
    """Draw every figure there are results for.

    Parameters
    ----------
    found, likeness, accuracies, first
        As `tradeoff_tables` gives them; likeness is None for fewer than two graphs.
    folder : Path
        Made if missing.

    Returns
    -------
    list of Path
        ``figure-2-thresholds.png`` and so on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = wirings(found)
    drawn: dict[str, Figure | None] = {}
    if chosen:
        drawn["figure-2-thresholds"] = _thresholds(chosen)
        drawn |= {f"figure-3-{name}": _graph(*one) for name, one in _firsts(chosen).items()}
        drawn |= {f"figure-6a-{name}": _strengths(*one) for name, one in _firsts(chosen).items()}
        drawn["figure-6b-first-epoch"] = _overlaps(first)
        drawn |= _against_first_epoch(chosen, first)
        drawn["figure-8-embedding"] = _embedding(chosen)
    if likeness is not None:
        drawn["figure-4-similarity"] = similarity_map(
            likeness.matrix, likeness.groups, label="similarity (RBF)"
        )
    if accuracies:
        drawn["figure-5-retraining"] = _accuracies(
            [line for line in accuracies if line.reach is None]
        )
    paths = []
    for name, figure in drawn.items():
        if figure is not None:
            paths.append(folder / f"{name}.png")
            figure.savefig(paths[-1], dpi=150)
    return paths


def _firsts(chosen: Found) -> dict[str, tuple[Cell, Mapping[str, Any]]]:
    """Give the first seed of each dataset."""
    out: dict[str, tuple[Cell, Mapping[str, Any]]] = {}
    for cell, result in sorted(chosen, key=lambda pair: int(pair[0]["seed"])):
        out.setdefault(cell["data"], (cell, result))
    return out


def _thresholds(chosen: Found) -> Figure:
    cell = chosen[0][0]
    accuracy: dict[str, list[list[float]]] = {}
    sparsity: dict[str, list[list[float]]] = {}
    thresholds = [point["threshold"] for point in chosen[0][1]["points"]]
    possible = starting_graph(cell).num_edges
    for name in COLOUR_IMAGES:
        points = [result["points"] for c, result in chosen if c["data"] == name]
        if not points:
            continue
        accuracy[name] = [
            [np.nan if p["accuracy"] is None else p["accuracy"] for p in row] for row in points
        ]
        sparsity[name] = [[1 - p["edges"] / possible for p in row] for row in points]
    return threshold_curves(thresholds, accuracy, sparsity, chosen=cell["threshold"])


def _graph(cell: Cell, result: Mapping[str, Any]) -> Figure | None:
    return stage_drawing(wiring_of(cell, dict(result)), stages_of(cell))


def _strengths(cell: Cell, result: Mapping[str, Any]) -> Figure:
    retained = np.zeros(starting_graph(cell).num_edges, dtype=bool)
    retained[result["edges"]] = True
    strengths = np.asarray(result["strengths"])
    return strength_history(range(len(strengths)), strengths, retained, cell["threshold"])


def _overlaps(first: Sequence[FirstEpoch]) -> Figure:
    figure, (ax,) = new_figure(3.4)
    names = [name for name in COLOUR_IMAGES if any(one.data == name for one in first)]
    for shift, colour, what in ((-0.18, 0, "strongest"), (0.18, 1, "weakest")):
        for place, name in enumerate(names):
            mean, spread = mean_and_spread(
                [float(getattr(one, what)) for one in first if one.data == name]
            )
            ax.bar(
                place + shift, mean, 0.34, yerr=spread, color=module_colour(colour), ecolor=INK,
                label=f"{what} edges" if place == 0 else None,
            )  # fmt: skip
    ax.set_xticks(range(len(names)), names)
    ax.set_ylabel("Sørensen-Dice coefficient")
    ax.set_ylim(0, 1)
    title(ax, "Learned graph and as many edges chosen after the first epoch")
    legend(ax)
    return figure


def _against_first_epoch(chosen: Found, first: Sequence[FirstEpoch]) -> dict[str, Figure]:
    """Compare learned graphs with those of the first epoch, by measures (a) and by edges (b)."""
    graphs: list[tuple[str, Topology]] = []
    for name in COLOUR_IMAGES:
        mine = [(cell, result) for cell, result in chosen if cell["data"] == name]
        graphs += [(f"{name}, learned", wiring_of(cell, dict(result))) for cell, result in mine]
        graphs += [
            (f"{name}, epoch 1", one.graph)
            for one in first
            if one.data == name and one.graph is not None
        ]
    if len(graphs) < 2:
        return {}
    names, topologies = [name for name, _ in graphs], [topology for _, topology in graphs]
    by_measures = similarity(_measured(topologies, chosen[0][0]), missing="mean")
    by_edges = edge_overlap_matrix(topologies)
    return {
        "figure-7a-measures": similarity_map(by_measures, names, label="similarity (RBF)"),
        "figure-7b-edges": similarity_map(by_edges, names, label="Sørensen-Dice coefficient"),
    }


def _embedding(chosen: Found) -> Figure | None:
    """Embed the graphs of every threshold up to the chosen one."""
    topologies, groups = [], []
    for cell, result in sorted(chosen, key=lambda pair: COLOUR_IMAGES.index(pair[0]["data"])):
        start, last = starting_graph(cell), np.asarray(result["strengths"][-1])
        seen = set()
        for point in result["points"]:
            if point["threshold"] > cell["threshold"] or point["accuracy"] is None:
                continue
            try:
                left = start.keep(last >= point["threshold"]).trimmed(require="any")
            except DisconnectedError:
                continue
            if left not in seen:
                seen.add(left)
                topologies.append(left)
                groups.append(cell["data"])
    table = _measured(topologies, chosen[0][0])
    if len(topologies) < 4 or not standardised(table, "mean").shape[1]:
        return None
    try:
        return embedding_scatter(embedding(table, 0, missing="mean"), groups, method="UMAP")
    except MissingDependencyError:
        xy = embedding(table, 0, method="pca", missing="mean")
        return embedding_scatter(xy, groups, method="principal components; UMAP is not installed")


def _measured(topologies: Sequence[Topology], cell: Cell) -> MeasureTable:
    return characterise(topologies, stages=stages_of(cell))


def _accuracies(lines: Sequence[Accuracies]) -> Figure:
    names = [name for name in COLOUR_IMAGES if any(line.data == name for line in lines)]
    figure, panels = new_figure(3.2, ("abcde"[: len(names)],))
    for ax, name in zip(panels, names, strict=True):
        _accuracy_panel(ax, [line for line in lines if line.data == name])
        title(ax, name)
    panels[0].set_ylabel("test accuracy, %")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9,
        labelcolor=INK,
    )  # fmt: skip
    return figure


def _accuracy_panel(ax: Axes, lines: Sequence[Accuracies]) -> None:
    for place, (network, words) in enumerate(zip(_NETWORKS, _WORDS, strict=True)):
        values = [float(getattr(line, network)) for line in lines]
        known = [value for value in values if np.isfinite(value)]
        ax.plot(
            [place] * len(known), known, _MARKS[place], color=module_colour(place), markersize=5,
            alpha=0.8, label=words,
        )  # fmt: skip
        if known:
            ax.hlines(np.mean(known), place - 0.3, place + 0.3, color=FAINT, linewidth=1.2)
    ax.set_xticks([])
    ax.set_xlim(-0.6, len(_NETWORKS) - 0.4)
    ax.margins(y=0.15)
