"""Clusters of the units of one layer, by what they reach in later layers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nervure.errors import TopologyError
from nervure.modules.clustering_method import (
    PAPER_CLUSTERING,
    ClusteringMethod,
    Criterion,
    cut,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Reason = Criterion | Literal["alone", "one cluster", "all separate"]

BOOLEAN_THRESHOLD = -0.2
MNIST_THRESHOLD = -0.3


@dataclass(frozen=True)
class SharedTargets:
    """How many later units two (groups of) units have in common, against chance.

    Attributes
    ----------
    first, second : int
        Later units that each of the two reaches, k_i and k_j.
    later : int
        Later units in all, N.
    common : int
        Later units that both reach.
    expected : float
        Mean of `common` if each reached as many by chance: N x with x = k_i k_j / N^2.
    deviation : float
        Its standard deviation, sqrt(N x (1 - x)).
    """

    first: int
    second: int
    later: int
    common: int
    expected: float
    deviation: float

    @property
    def z(self) -> float:
        """Deviations by which the two share more than chance; below 0 they can be separated."""
        # Without deviation one reaches nothing or both reach everything: as many as expected.
        return (self.common - self.expected) / self.deviation if self.deviation else 0.0


@dataclass(frozen=True, eq=False)
class LayerClustering:
    """Clusters of some units, and every step that led to them.

    Attributes
    ----------
    features : ndarray of bool, shape (units, later units)
        Which later unit each unit reaches.
    distances : ndarray of float64, shape (units, units)
        Of the features: cosine distances, unless the method has others.
    merges : ndarray of float64, shape (units - 1, 4)
        The dendrogram, as `scipy.cluster.hierarchy.linkage` gives it.
    counts : ndarray of int64
        Numbers of clusters that were scored: 2 to units - 1.
    scores : ndarray of float64
        Modularity of the distances for each of them, or what else the method goes by; the lower,
        the better.
    best : int
        Number of clusters with the lowest score, the largest of several; 2 units, of which no
        number can be scored, begin as 2, and one unit as 1.
    tested : bool
        Whether scores could not settle it, so that the two tests decide.
    nearest : SharedTargets or None
        The first two units that are joined; if they share less than chance, all units are
        separate.
    halves : SharedTargets or None
        The last two groups that are joined; if they share no less than chance, all units are one
        cluster.
    count : int
        Number of clusters at last.
    labels : ndarray of int64
        Cluster of each unit, numbered by their first units.
    reason : {"alone", "modularity", "one cluster", "all separate"}
        What decided; another criterion of the method stands in the place of modularity.
    """

    features: Bools
    distances: Floats
    merges: Floats
    counts: Ints
    scores: Floats
    best: int
    tested: bool
    nearest: SharedTargets | None
    halves: SharedTargets | None
    count: int
    labels: Ints
    reason: Reason

    @property
    def best_score(self) -> float:
        """The lowest score; nan if no number of clusters could be scored."""
        return float(self.scores.min()) if len(self.scores) else math.nan


def cluster_layer(
    features: ArrayLike,
    *,
    threshold: float = BOOLEAN_THRESHOLD,
    method: ClusteringMethod = PAPER_CLUSTERING,
) -> LayerClustering:
    """Cluster the units of a layer by the later units that they reach.

    Average linkage on cosine distances gives 2 to n - 1 clusters; the number with the lowest
    modularity of the distances is taken. Modularity cannot see one cluster or n of them. So, if it
    chooses 2 or n - 1 or is above the threshold at its best, two tests follow. *All separate*: the
    two nearest units share fewer later units than chance would have it. *One cluster*: the two
    halves share no fewer than chance; as many are enough. If both hold, the one with more
    deviations from chance decides, one cluster if they are equal; if neither holds, modularity
    keeps its word.

    Parameters
    ----------
    features : array_like of bool, shape (units, later units)
        Each unit reaches at least one.
    threshold : float
        -0.2 in the paper for Boolean functions, -0.3 for images of digits.
    method : ClusteringMethod
        Another linkage, distance or criterion, of which the scores are then; the tests are the
        same.

    Returns
    -------
    LayerClustering

    Raises
    ------
    TopologyError
        When there is no unit, or one that reaches nothing.

    Notes
    -----
    O(n^2 (log n + later units)) time, O(n^2) memory. Paper: neural-sculpting, section 4 with
    equation 2, appendix I with algorithm 3.

    Examples
    --------
    >>> found = cluster_layer([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    >>> found.labels.tolist(), found.counts.tolist(), found.scores.tolist(), found.reason
    ([0, 0, 1, 1], [2, 3], [-0.5, -0.375], 'modularity')
    """
    table = np.asarray(features, dtype=np.bool_)
    if table.ndim != 2 or not len(table) or not table.any(axis=1).all():
        raise TopologyError(
            f"features: expected one row per unit, each of which reaches a later unit, got shape "
            f"{table.shape} with {int((~table.any(axis=-1)).sum())} empty rows; leave out what "
            "reaches nothing"
        )
    size = len(table)
    distances = method.distances_of(table)
    if size == 1:
        return LayerClustering(
            table, distances, np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0), 1, False,
            None, None, 1, np.zeros(1, np.int64), "alone",
        )  # fmt: skip
    merges = method.merges_of(distances)
    counts, scores = np.arange(2, size), method.scores_of(table, distances, merges)
    best = int(counts[scores <= scores.min()][-1]) if size > 2 else 2
    tested = size == 2 or best in (2, size - 1) or bool(scores.min() > threshold)
    pair = merges[0, :2].astype(np.int64)
    nearest = shared_targets(table[pair[0]], table[pair[1]])
    half = cut(merges, 2) == 0
    halves = shared_targets(table[half].any(axis=0), table[~half].any(axis=0))
    count = best
    reason: Reason = method.criterion
    if tested and halves.z >= max(0.0, -nearest.z):
        count, reason = 1, "one cluster"
    elif tested and nearest.z < 0:
        count, reason = size, "all separate"
    return LayerClustering(
        table, distances, merges, counts, scores, best, tested, nearest, halves, count,
        cut(merges, count), reason,
    )  # fmt: skip


def shared_targets(first: Bools, second: Bools) -> SharedTargets:
    """Compare what two (groups of) units reach with chance.

    Parameters
    ----------
    first, second : ndarray of bool
        Which later units each reaches.

    Returns
    -------
    SharedTargets

    Notes
    -----
    Paper: neural-sculpting, section 4, separability test.

    Examples
    --------
    >>> a, b = np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool)
    >>> shared_targets(a, b).common, shared_targets(a, b).expected, shared_targets(a, b).z
    (1, 1.0, 0.0)
    """
    k, m, later = int(first.sum()), int(second.sum()), len(first)
    # k m / N and its like in whole numbers first: at a tie the difference must be exactly 0.
    share = k * m / later**2 if later else 0.0
    expected = k * m / later if later else 0.0
    deviation = math.sqrt(expected * (1 - share))
    return SharedTargets(k, m, later, int((first & second).sum()), expected, deviation)
