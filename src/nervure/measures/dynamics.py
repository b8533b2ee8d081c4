"""What became of edges during training, from a history of their strengths.

A history has shape (records, edges): the strength of every edge at the end of each epoch, say.
Signs do not count. An edge is *below* when its strength is less than the threshold, as it is when
it gets pruned there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class EdgeDynamics:
    """How edges moved about the threshold; columns A to D of the paper's Table 4.

    Attributes
    ----------
    retained_once_below : float
        A: share of the retained edges that were below the threshold at least once.
    records_retained_below : float
        B: mean number of records at which a retained edge was below.
    eliminated_risen : float
        C: share of the eliminated edges that reached ten times the threshold after they had first
        been below.
    records_eliminated_above : float
        D: mean number of records at which an eliminated edge was not below after it had first been.
    retained, eliminated : int
        Numbers of edges. With 0 of them the means and shares above are nan.
    """

    retained_once_below: float
    records_retained_below: float
    eliminated_risen: float
    records_eliminated_above: float
    retained: int
    eliminated: int


def edge_dynamics(
    history: npt.ArrayLike,
    threshold: float,
    *,
    retained: npt.ArrayLike | None = None,
    rise: float = 10.0,
) -> EdgeDynamics:
    """Describe how retained and eliminated edges moved about the threshold.

    Parameters
    ----------
    history : array_like of float, shape (records, edges)
        Strengths, oldest record first.
    threshold : float
    retained : array_like of bool, shape (edges,), optional
        Edges of the final graph. By default those that are not below at the last record; pass the
        edges that are live as well if dead paths were removed.
    rise : float
        How many times the threshold counts as a rise.

    Returns
    -------
    EdgeDynamics

    Notes
    -----
    O(records * edges). Paper: connectivity-tradeoff, Table 4, which gives A and C in percent.

    Examples
    --------
    >>> found = edge_dynamics([[5, 5], [0.5, 0.5], [0.2, 20], [5, 0.1]], threshold=1)
    >>> found.retained_once_below, found.records_retained_below
    (1.0, 2.0)
    >>> found.eliminated_risen, found.records_eliminated_above
    (1.0, 1.0)
    """
    strength = _checked_history(history)
    if not threshold > 0:
        raise ValueError(f"threshold must be above 0, not {threshold!r}")
    below = strength < threshold
    kept = _checked_retained(retained, below)
    # From the record on at which an edge was first below.
    since: Bools = np.asarray(np.logical_or.accumulate(below, axis=0), dtype=np.bool_)
    times_below = below.sum(axis=0)[kept]
    times_above = (since & ~below).sum(axis=0)[~kept]
    times_high = (since & (strength >= rise * threshold)).sum(axis=0)[~kept]
    return EdgeDynamics(
        retained_once_below=_mean(times_below > 0),
        records_retained_below=_mean(times_below),
        eliminated_risen=_mean(times_high > 0),
        records_eliminated_above=_mean(times_above),
        retained=int(kept.sum()),
        eliminated=int((~kept).sum()),
    )


def _checked_history(history: npt.ArrayLike) -> Floats:
    strength = np.abs(np.asarray(history, dtype=np.float64))
    if strength.ndim != 2 or not len(strength):
        raise ValueError(
            f"history must have shape (records, edges) with at least one record, not "
            f"{strength.shape}"
        )
    if np.isnan(strength).any():
        raise ValueError("history holds nan; give edges that were absent the strength 0")
    return strength


def _checked_retained(retained: npt.ArrayLike | None, below: Bools) -> Bools:
    if retained is None:
        retained = ~below[-1]
    mask: Bools = np.asarray(retained)
    if mask.dtype != np.bool_ or mask.shape != below.shape[1:]:
        raise ValueError(
            f"retained must be bool of shape {below.shape[1:]}, one entry per edge, not "
            f"{mask.dtype} of shape {mask.shape}"
        )
    return mask


def _mean(values: npt.NDArray[np.bool_ | np.int64]) -> float:
    return float(np.mean(values)) if len(values) else math.nan
