"""How alike graphs are, by their measures and by their edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from nervure.measures.table import MeasureTable
from nervure.topology import Topology

Missing = Literal["raise", "mean", "drop"]


def standardised(table: MeasureTable, missing: Missing = "raise") -> npt.NDArray[np.float64]:
    """Bring measures to mean 0 and variance 1 over the graphs.

    Parameters
    ----------
    table : MeasureTable
    missing : {"raise", "mean", "drop"}
        What to do about a measure that is not finite for some graphs: refuse, give those graphs its
        mean, or leave the measure out.

    Returns
    -------
    ndarray of float64, shape (rows, features)
        Measures that are the same for all graphs, or finite for none, tell nothing and are left
        out.

    Raises
    ------
    ValueError
        When values are missing and `missing` is "raise".

    Examples
    --------
    >>> from nervure.measures import characterise
    >>> from nervure.topology import dense_dag
    >>> table = characterise([dense_dag(4), dense_dag(6)], measures=["nodes", "density"])
    >>> standardised(table).tolist()
    [[-1.0], [1.0]]
    """
    if missing not in ("raise", "mean", "drop"):
        raise ValueError(f"missing: expected raise, mean or drop, got {missing!r}")
    finite = np.isfinite(table.values)
    counts = finite.sum(axis=0)
    partly = (counts > 0) & (counts < len(finite))
    if partly.any() and missing == "raise":
        raise ValueError(_missing_text(table, finite, partly))
    use = (counts == len(finite)) if missing == "drop" else counts > 0
    values = np.where(finite, table.values, np.nan)[:, use]
    if not values.size:
        return values
    away = values - np.nanmean(values, axis=0)
    spread = np.sqrt(np.nanmean(away**2, axis=0))
    # Rounding leaves a constant column with a spread of some last digits.
    varies = spread > 1e-12 * np.nanmax(np.abs(values), axis=0)
    features: npt.NDArray[np.float64] = np.nan_to_num(away[:, varies] / spread[varies])
    return features


def similarity(
    table: MeasureTable, gamma: float | None = None, *, missing: Missing = "raise"
) -> npt.NDArray[np.float64]:
    """Compute the similarity of all pairs of graphs from their standardised measures.

    Parameters
    ----------
    table : MeasureTable
    gamma : float, optional
        Width of the kernel; by default 1 / number of features, as in
        ``sklearn.metrics.pairwise.rbf_kernel``.
    missing : {"raise", "mean", "drop"}
        As in `standardised`.

    Returns
    -------
    ndarray of float64, shape (rows, rows)
        exp(-gamma * squared distance): 1 on the diagonal; all 1 if no measure differs.

    Notes
    -----
    O(rows^2 * features). Paper: connectivity-tradeoff, Figure 4.

    Examples
    --------
    >>> from nervure.measures import characterise
    >>> from nervure.topology import dense_dag
    >>> similarity(characterise([dense_dag(4), dense_dag(6)])).round(3).tolist()
    [[1.0, 0.018], [0.018, 1.0]]
    """
    features = standardised(table, missing)
    if gamma is None:
        gamma = 1 / max(features.shape[1], 1)
    if not gamma > 0:
        raise ValueError(f"gamma must be above 0, not {gamma!r}")
    squares = ((features[:, None] - features[None]) ** 2).sum(axis=2)
    alike: npt.NDArray[np.float64] = np.exp(-gamma * squares)
    return alike


def edge_overlap(a: Topology, b: Topology, factor: float = 2) -> float:
    """Compute the Sørensen-Dice coefficient of two sets of edges.

    Parameters
    ----------
    a, b : Topology
        With the same numbering of nodes.
    factor : float
        2 |A and B| / (|A| + |B|) is 1 for equal sets. The paper's footnote prints no factor 2:
        ``factor=1`` gives that, which is 0.5 for equal sets.

    Returns
    -------
    float
        nan when neither graph has edges.

    Notes
    -----
    O(e log e). All edges count, also dead ones; `Topology.trimmed` drops those. Paper:
    connectivity-tradeoff, appendix D.

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> edge_overlap(from_edges([(0, 1), (1, 2)]), from_edges([(0, 1), (0, 2)]))
    0.5
    """
    shared = int((a.edge_positions_in(b) >= 0).sum())
    together = a.num_edges + b.num_edges
    return factor * shared / together if together else math.nan


def edge_overlap_matrix(
    topologies: Sequence[Topology], factor: float = 2
) -> npt.NDArray[np.float64]:
    """Compute `edge_overlap` of all pairs of graphs.

    Returns
    -------
    ndarray of float64, shape (graphs, graphs)

    Notes
    -----
    O(graphs^2 * e log e). Paper: connectivity-tradeoff, Figure 7b.

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> edge_overlap_matrix([from_edges([(0, 1)], 3), from_edges([(1, 2)], 3)]).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    count = len(topologies)
    found = np.empty((count, count))
    for i in range(count):
        for j in range(i + 1):
            found[i, j] = found[j, i] = edge_overlap(topologies[i], topologies[j], factor)
    return found


def _missing_text(
    table: MeasureTable, finite: npt.NDArray[np.bool_], partly: npt.NDArray[np.bool_]
) -> str:
    columns = ", ".join(table.columns[j] for j in np.flatnonzero(partly))
    rows = [table.names[i] for i in np.flatnonzero(~finite[:, partly].all(axis=1))]
    shown = ", ".join(rows[:5]) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")
    return (
        f"{columns} have no finite value for {shown} (a graph without a path from input to output, "
        "with cycles or in pieces?); leave these graphs out, or pass missing='drop' to leave the "
        "measures out, or missing='mean' to put means in their place"
    )
