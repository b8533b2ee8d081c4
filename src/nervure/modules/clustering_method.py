"""`ClusteringMethod`: how units are compared and joined, and how many clusters are best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist, squareform

from nervure.errors import TopologyError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Linkage = Literal["average", "complete", "single", "ward"]
Distance = Literal["cosine", "jaccard", "euclidean"]
Criterion = Literal["modularity", "silhouette", "calinski-harabasz", "davies-bouldin"]

_DECIMALS = 8  # of a score: sums of floats that are equal on paper differ in their last digits


@dataclass(frozen=True)
class ClusteringMethod:
    """How the units of a layer are clustered.

    Attributes
    ----------
    linkage : {"average", "complete", "single", "ward"}
        Which two clusters are joined next.
    distance : {"cosine", "jaccard", "euclidean"}
        Between the features of two units; Ward's linkage is for the Euclidean one.
    criterion : {"modularity", "silhouette", "calinski-harabasz", "davies-bouldin"}
        Which number of clusters is best.

    Raises
    ------
    TopologyError
        If one is not known, or Ward's linkage has another distance.

    Notes
    -----
    The defaults are the paper's choice among these (neural-sculpting, appendix I.1, table 4).
    """

    linkage: Linkage = "average"
    distance: Distance = "cosine"
    criterion: Criterion = "modularity"

    def __post_init__(self) -> None:
        problems = [
            f"{name}: expected one of {', '.join(get_args(known))}, got {getattr(self, name)!r}"
            for name, known in (
                ("linkage", Linkage),
                ("distance", Distance),
                ("criterion", Criterion),
            )
            if getattr(self, name) not in get_args(known)
        ]
        if self.linkage == "ward" and self.distance != "euclidean":
            problems.append(f"linkage ward: expected euclidean distances, got {self.distance}")
        if problems:
            raise TopologyError("; ".join(problems))

    @property
    def falls(self) -> bool:
        """Whether a low criterion is a good one; if not, scores are its negative."""
        return self.criterion in ("modularity", "davies-bouldin")

    def distances_of(self, features: Bools) -> Floats:
        """Give the distances of rows of zeros and ones; equal rows have exactly 0."""
        if self.distance == "cosine":
            return cosine_distances(features)
        values = features if self.distance == "jaccard" else features.astype(np.float64)
        return np.asarray(squareform(pdist(values, self.distance)), dtype=np.float64)

    def merges_of(self, distances: Floats) -> Floats:
        """Give the dendrogram, as `scipy.cluster.hierarchy.linkage` does."""
        merges = linkage(squareform(distances, checks=False), self.linkage)
        return np.asarray(merges, dtype=np.float64)

    def scores_of(self, features: Bools, distances: Floats, merges: Floats) -> Floats:
        """Score the cuts of a dendrogram into 2 to n - 1 clusters; the lower, the better.

        Parameters
        ----------
        features : ndarray of bool, shape (n, later units)
        distances : ndarray, shape (n, n)
        merges : ndarray, shape (n - 1, 4)

        Returns
        -------
        ndarray of float64, shape (n - 2,)
            Rounded to eight decimals.

        Notes
        -----
        O(n^2) for the modularity of average linkage, O(n^3) for the others. As in the authors' code
        the silhouette has the distance of the linkage, while the indices of Calinski and Harabasz
        and of Davies and Bouldin look at the features.
        """
        if self.criterion == "modularity" and self.linkage == "average":
            return modularity_scores(distances, merges)
        scores = [
            self._score(features, distances, cut(merges, count))
            for count in range(2, len(distances))
        ]
        # The adding of 0.0 makes a rounded -0.0 an ordinary 0.
        return np.round(np.array(scores), _DECIMALS) + 0.0

    def _score(self, features: Bools, distances: Floats, labels: Ints) -> float:
        if self.criterion == "modularity":
            return partition_modularity(distances, labels)
        # Imported where needed: it is slow to import, and the paper's choice does without it.
        from sklearn import metrics

        if self.criterion == "silhouette":
            return -float(metrics.silhouette_score(distances, labels, metric="precomputed"))
        values = features.astype(np.float64)
        if self.criterion == "calinski-harabasz":
            return -float(metrics.calinski_harabasz_score(values, labels))
        return float(metrics.davies_bouldin_score(values, labels))


PAPER_CLUSTERING = ClusteringMethod()


def cosine_distances(features: Bools) -> Floats:
    """Give the cosine distances of rows of zeros and ones; equal rows have exactly 0."""
    table = features.astype(np.float64)
    common, reached = table @ table.T, table.sum(axis=1)
    # One root of the product, not a product of roots: whole numbers in, no rounding for equal rows.
    return np.asarray(1.0 - common / np.sqrt(np.outer(reached, reached)))


def partition_modularity(distances: Floats, labels: Ints) -> float:
    """Score one division into clusters by equation 2; `modularity_scores` has it in words.

    Examples
    --------
    >>> distances = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    >>> partition_modularity(distances, np.array([0, 0, 1]))
    -0.5
    """
    total = float(distances.sum())
    if total == 0:
        return 0.0
    member = np.eye(int(labels.max()) + 1)[labels]
    between = member.T @ distances @ member / total
    return float(np.trace(between) - (between.sum(axis=1) ** 2).sum())


def modularity_scores(distances: Floats, merges: Floats) -> Floats:
    """Score the cuts of a dendrogram into 2 to n - 1 clusters.

    With distances divided by their sum and A_ij their sum between clusters i and j, the score is
    the sum over clusters of A_ii - (sum over j of A_ij)^2.

    Parameters
    ----------
    distances : ndarray, shape (n, n)
    merges : ndarray, shape (n - 1, 4)
        As `scipy.cluster.hierarchy.linkage` gives it, by average linkage.

    Returns
    -------
    ndarray of float64, shape (n - 2,)
        Rounded to eight decimals. All are 0 when all distances are.

    Notes
    -----
    O(n^2). Joining clusters i and j changes the score by 2 A_ij - 2 r_i r_j, where r are the row
    sums; with average linkage A_ij is the height of the join times both sizes. Paper:
    neural-sculpting, equation 2.
    """
    size, total = len(distances), float(distances.sum())
    if total == 0:
        return np.zeros(max(0, size - 2))
    rows = np.concatenate((distances.sum(axis=1) / total, np.zeros(size - 1)))
    sizes = np.concatenate((np.ones(size), merges[:, 3]))
    score, scores = -float((rows**2).sum()), []
    for step, (left, right, height, _) in enumerate(merges[: size - 2].tolist()):
        i, j = int(left), int(right)
        between = height * float(sizes[i] * sizes[j]) / total
        score += 2 * between - 2 * float(rows[i] * rows[j])
        rows[size + step] = rows[i] + rows[j]
        scores.append(score)
    # The adding of 0.0 makes a rounded -0.0 an ordinary 0.
    return np.round(np.array(scores[::-1]), _DECIMALS) + 0.0


def cut(merges: Floats, count: int) -> Ints:
    """Cut a dendrogram into exactly so many clusters, numbered by their first members.

    Notes
    -----
    O(n^2) at worst. SciPy's ``fcluster`` cuts at a height, where ties cost it clusters.
    """
    size = len(merges) + 1
    labels = np.arange(size)
    cluster = np.arange(2 * size - 1)
    for step, (left, right) in enumerate(merges[: size - count, :2].astype(np.int64)):
        labels[labels == cluster[right]] = cluster[left]
        cluster[size + step] = cluster[left]
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse], dtype=np.int64)
