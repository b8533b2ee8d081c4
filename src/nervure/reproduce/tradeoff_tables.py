"""The tables of connectivity-tradeoff from a ledger: ours beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nervure.data import COLOUR_IMAGES
from nervure.errors import TopologyError
from nervure.measures import (
    DEFAULT,
    MeasureTable,
    characterise,
    edge_overlap,
    similarity,
    top_k_first,
)
from nervure.reproduce.ledger import Cell
from nervure.reproduce.paired import mean_and_spread
from nervure.reproduce.tradeoff import stages_of, starting_graph, wiring_of
from nervure.reproduce.tradeoff_paper import CHARACTERISTICS, Figure
from nervure.topology import Topology

Found = Sequence[tuple[Cell, Mapping[str, Any]]]


@dataclass(frozen=True)
class Row:
    """One quantity over the datasets.

    Attributes
    ----------
    name : str
    ours : mapping of str to (float, float)
        Mean and standard deviation over seeds by dataset; nan where there is nothing to measure.
    paper : mapping of str to (float, float)
        What the paper prints; empty where it prints none.
    """

    name: str
    ours: Mapping[str, Figure]
    paper: Mapping[str, Figure]

    @property
    def rank_correlation(self) -> float:
        """Spearman's, of our means and the paper's over the datasets that both have."""
        shared = [name for name in self.ours if name in self.paper]
        ours = [self.ours[name][0] for name in shared]
        if len(shared) < 3 or not np.isfinite(ours).all() or len(set(ours)) == 1:
            return float("nan")
        return float(stats.spearmanr(ours, [self.paper[name][0] for name in shared]).statistic)


def wirings(found: Found) -> Found:
    """Choose the cells that learned a wiring from the complete DAG, and have some of it left."""
    return [
        (cell, result)
        for cell, result in found
        if cell["kind"] == "wiring" and cell["reach"] is None and result["edges"]
    ]


def characteristics(found: Found) -> MeasureTable:
    """Measure the wirings that were learned, in the order of `wirings`; parameters not among it."""
    chosen = wirings(found)
    return characterise(
        [wiring_of(cell, dict(result)) for cell, result in chosen],
        [f"{cell['data']} {cell['seed']}" for cell, _ in chosen],
        [stages_of(cell) for cell, _ in chosen],
        DEFAULT,
    )


def characteristic_rows(found: Found, table: MeasureTable) -> list[Row]:
    """Sum the characteristics up by dataset, as Tables 1 and 2 do."""
    chosen = wirings(found)
    names = [cell["data"] for cell, _ in chosen]
    parameters = [_chosen_point(cell, result)["parameters"] for cell, result in chosen]
    columns = {name: table.column(name) for name in CHARACTERISTICS if name in table.columns}
    columns["parameters"] = np.asarray(parameters, dtype=np.float64)
    return [row(name, names, columns[name], CHARACTERISTICS[name]) for name in CHARACTERISTICS]


def row(
    name: str, datasets: Sequence[str], values: NDArray[np.float64], paper: Sequence[Figure] = ()
) -> Row:
    """Sum values up by dataset.

    Parameters
    ----------
    name : str
    datasets : sequence of str
        Of each value.
    values : ndarray of float64
    paper : sequence of (float, float)
        By dataset, in the order of `COLOUR_IMAGES`.
    """
    by_data: dict[str, list[float]] = {}
    for data, value in zip(datasets, values.tolist(), strict=True):
        by_data.setdefault(data, []).append(value)
    printed = dict(zip(COLOUR_IMAGES, paper, strict=True)) if paper else {}
    return Row(
        name,
        {data: mean_and_spread(by_data[data]) for data in COLOUR_IMAGES if data in by_data},
        printed,
    )


@dataclass(frozen=True)
class Likeness:
    """How alike graphs of one dataset are, beside graphs of different ones.

    Attributes
    ----------
    matrix : ndarray of float64, shape (graphs, graphs)
    groups : list of str
        Dataset of each graph.
    within, between : mapping of str to float
        Mean similarity of different graphs of a dataset, and of its graphs to all others.
    nearest : float
        Share of graphs whose most similar other graph is of the same dataset.
    p_value : float
        Of a permutation test that within is above between; smallest possible 1 / 10,000.
    """

    matrix: NDArray[np.float64]
    groups: list[str]
    within: Mapping[str, float]
    between: Mapping[str, float]
    nearest: float
    p_value: float


def likeness(found: Found, table: MeasureTable, *, seed: int = 0) -> Likeness:
    """Compare all learned graphs by their characteristics (RBF), as Figure 4 does."""
    groups = [cell["data"] for cell, _ in wirings(found)]
    order = np.argsort([COLOUR_IMAGES.index(name) for name in groups], kind="stable")
    matrix = similarity(table, missing="mean")[np.ix_(order, order)]
    sorted_groups = [groups[i] for i in order]
    labels = np.array(sorted_groups)
    off = ~np.eye(len(labels), dtype=bool)
    same = (labels[:, None] == labels) & off
    other = (labels[:, None] != labels) & off
    within, between = {}, {}
    for name in dict.fromkeys(sorted_groups):
        mine = labels == name
        within[name] = _mean(matrix[mine][same[mine]])
        between[name] = _mean(matrix[mine][other[mine]])
    nearest = np.where(off, matrix, -1).argmax(axis=1)
    return Likeness(
        matrix,
        sorted_groups,
        within,
        between,
        _mean((labels[nearest] == labels).astype(float)),
        _permutation_p(matrix, labels, off, seed),
    )


def _permutation_p(
    matrix: NDArray[np.float64], labels: NDArray[Any], off: NDArray[np.bool_], seed: int
) -> float:
    def difference(names: NDArray[Any]) -> float:
        same = (names[:, None] == names) & off
        return _mean(matrix[same]) - _mean(matrix[~same & off])

    generator = np.random.default_rng(seed)
    seen = difference(labels)
    if not np.isfinite(seen):
        return float("nan")
    rounds = 9999
    above = sum(difference(generator.permutation(labels)) >= seen for _ in range(rounds))
    return (1 + above) / (1 + rounds)


@dataclass(frozen=True)
class FirstEpoch:
    """A learned graph beside the first epoch's strongest and weakest edges (Figures 6b and 7).

    Attributes
    ----------
    data : str
    strongest, weakest : float
        Sørensen-Dice coefficient with as many edges.
    graph : Topology or None
        The strongest that hold together and are at least as many as are left on the average of the
        dataset; None where no number of edges does.
    """

    data: str
    strongest: float
    weakest: float
    graph: Topology | None


def first_epochs(found: Found) -> list[FirstEpoch]:
    """Compare each learned graph, before dead paths go, with what its first epoch says."""
    chosen = wirings(found)
    shares: dict[str, list[float]] = {}
    for cell, result in chosen:
        share = len(result["edges"]) / starting_graph(cell).num_edges
        shares.setdefault(cell["data"], []).append(share)
    out = []
    for cell, result in chosen:
        start = starting_graph(cell)
        # The record before is the start, at which all are equal.
        strengths = np.asarray(result["strengths"][1])
        learned = wiring_of(cell, dict(result))
        order = np.argsort(-strengths, kind="stable")
        count = learned.num_edges
        parts = [_kept(start, order[:count]), _kept(start, order[len(order) - count :])]
        try:
            graph = top_k_first(strengths, start, float(np.mean(shares[cell["data"]])))
        except TopologyError:
            graph = None
        strongest, weakest = (edge_overlap(learned, part) for part in parts)
        out.append(FirstEpoch(cell["data"], strongest, weakest, graph))
    return out


def _kept(start: Topology, positions: NDArray[np.int64]) -> Topology:
    mask = np.zeros(start.num_edges, dtype=bool)
    mask[positions] = True
    return start.keep(mask)


@dataclass(frozen=True)
class Accuracies:
    """Test accuracies in per cent of a seed's networks (Figure 5); nan where there is none."""

    data: str
    seed: int
    reach: int | None
    full: float
    thresholded: float
    same: float
    fitted: float


def accuracies(found: Found) -> list[Accuracies]:
    """Put together the accuracies of the complete, the thresholded and the retrained networks."""
    again = {
        _key(cell): 100 * result["accuracy"]
        for cell, result in found
        if cell["kind"] == "retraining"
    }
    out = []
    for cell, result in found:
        if cell["kind"] != "wiring":
            continue
        left = _chosen_point(cell, result)["accuracy"]
        out.append(
            Accuracies(
                cell["data"],
                cell["seed"],
                cell["reach"],
                100 * result["accuracy"],
                float("nan") if left is None else 100 * left,
                again.get((*_key(cell)[:3], "same"), float("nan")),
                again.get((*_key(cell)[:3], "fitted"), float("nan")),
            )
        )
    return out


def epoch_seconds(found: Found, which: str) -> tuple[list[str], NDArray[np.float64]]:
    """Give the datasets and times of an epoch of "full", "same" or "fitted" networks."""
    chosen = [
        (cell["data"], result["epoch_seconds"])
        for cell, result in found
        if cell["reach"] is None and cell.get("widths", "full") == which
    ]
    return [data for data, _ in chosen], np.array([seconds for _, seconds in chosen])


def _chosen_point(cell: Cell, result: Mapping[str, Any]) -> dict[str, Any]:
    return next(dict(p) for p in result["points"] if p["threshold"] == cell["threshold"])


def _key(cell: Cell) -> tuple[str, int, int | None, str]:
    return cell["data"], cell["seed"], cell["reach"], cell.get("widths", "")


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else float("nan")
