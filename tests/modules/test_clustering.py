import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist, squareform

from nervure.errors import TopologyError
from nervure.modules import cluster_layer
from nervure.modules.clustering import shared_targets
from nervure.modules.clustering_method import cosine_distances, cut, modularity_scores

features = st.tuples(st.integers(2, 9), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)


def by_formula(distances, labels):
    """Equation 2, term by term."""
    share = distances / distances.sum() if distances.sum() else distances
    clusters = range(labels.max() + 1)
    sums = [[share[labels == i][:, labels == j].sum() for j in clusters] for i in clusters]
    return sum(sums[i][i] - sum(sums[i]) ** 2 for i in clusters)


def by_joining(merges, count):
    """Join sets in the order of the dendrogram until so many are left.

    SciPy's cut_tree is no oracle here: where heights tie it joins in another order.
    """
    size = len(merges) + 1
    groups = {i: {i} for i in range(size)}
    for step in range(size - count):
        left, right = merges[step, :2].astype(int)
        groups[size + step] = groups.pop(left) | groups.pop(right)
    labels = np.empty(size, dtype=int)
    for label, group in enumerate(sorted(groups.values(), key=min)):
        labels[list(group)] = label
    return labels


@given(features)
@settings(max_examples=100, deadline=None)
def test_every_step_against_scipy_and_the_formula(table):
    assume(table.any(axis=1).all())
    found = cluster_layer(table)
    assert np.allclose(found.distances, squareform(pdist(table.astype(float), "cosine")))
    assert np.array_equal(found.merges, linkage(squareform(found.distances), "average"))
    for count, score in zip(found.counts, found.scores, strict=True):
        labels = by_joining(found.merges, count)
        assert cut(found.merges, count).tolist() == labels.tolist()
        assert score == pytest.approx(by_formula(found.distances, labels), abs=1e-7)
    if len(found.scores):
        assert found.best == max(
            k for k, s in zip(found.counts, found.scores, strict=True) if s == min(found.scores)
        )
    assert len(set(found.labels.tolist())) == found.count
    assert found.labels[0] == 0


@given(features)
@settings(max_examples=100, deadline=None)
def test_decision_follows_from_what_is_kept(table):
    assume(table.any(axis=1).all())
    found = cluster_layer(table, threshold=-0.2)
    size = len(table)
    assert found.tested == (size == 2 or found.best in (2, size - 1) or found.scores.min() > -0.2)
    separate, single = -found.nearest.z, found.halves.z
    expected = found.best
    if found.tested and separate > 0:
        expected = size
    if found.tested and single >= 0 and single >= separate:
        expected = 1
    assert found.count == expected


@given(st.integers(1, 8), st.data())
@settings(max_examples=60, deadline=None)
def test_z_is_that_of_a_binomial_distribution(later, data):
    first, second = (data.draw(arrays(np.bool_, later)) for _ in range(2))
    shared = shared_targets(first, second)
    k, m = int(first.sum()), int(second.sum())
    chance = k * m / later**2
    counts = np.arange(later + 1)
    probability = np.array(
        [math.comb(later, c) * chance**c * (1 - chance) ** (later - c) for c in counts]
    )
    mean = (probability * counts).sum()
    spread = math.sqrt(max(0.0, (probability * counts**2).sum() - mean**2))
    assert shared.common == sum(a and b for a, b in zip(first, second, strict=True))
    assert shared.expected == pytest.approx(mean)
    assert shared.deviation == pytest.approx(spread, abs=1e-6)
    if shared.deviation:
        assert shared.z == pytest.approx((shared.common - mean) / spread)
    else:
        assert shared.z == 0.0
        assert shared.common == shared.expected


def test_equal_rows_are_exactly_alike():
    table = np.array([[1, 1, 1, 0], [1, 1, 1, 0], [0, 1, 1, 1]], dtype=bool)
    distances = cosine_distances(table)
    assert distances[0, 1] == 0.0
    assert distances[0, 2] == distances[1, 2] > 0


def test_cut_gives_exactly_so_many_clusters_where_heights_tie():
    table = np.eye(6, dtype=bool)
    merges = linkage(squareform(cosine_distances(table)), "average")
    assert len(set(merges[:, 2])) == 1
    for count in range(1, 7):
        labels = cut(merges, count)
        assert sorted(set(labels.tolist())) == list(range(count))
        assert [labels.tolist().index(c) for c in range(count)] == sorted(
            labels.tolist().index(c) for c in range(count)
        )


def test_scores_of_features_that_are_all_alike_are_zero():
    table = np.ones((5, 3), dtype=bool)
    found = cluster_layer(table)
    assert found.scores.tolist() == [0, 0, 0]
    assert found.best == 4
    assert (found.count, found.reason) == (1, "one cluster")
    assert modularity_scores(np.zeros((2, 2)), np.zeros((1, 4))).tolist() == []


def test_one_unit_and_two():
    alone = cluster_layer([[1, 0]])
    assert (alone.count, alone.reason, alone.labels.tolist()) == (1, "alone", [0])
    assert math.isnan(alone.best_score)
    apart = cluster_layer([[1, 0], [0, 1]])
    assert (apart.count, apart.reason) == (2, "all separate")
    together = cluster_layer([[1, 0], [1, 0]])
    assert (together.count, together.reason) == (1, "one cluster")


def test_threshold_decides_whether_units_are_tested():
    # Four groups of two without anything in common: modularity is -1/4, for four clusters.
    table = np.repeat(np.eye(4), 2, axis=0)
    loose, strict = cluster_layer(table, threshold=-0.2), cluster_layer(table, threshold=-0.3)
    assert -0.3 < loose.best_score < -0.2
    assert loose.best == 4
    assert not loose.tested
    assert strict.tested
    assert (loose.count, strict.count) == (4, 4)


@pytest.mark.parametrize("bad", [[[0, 0], [1, 0]], np.zeros((0, 3)), [1, 0]])
def test_units_that_reach_nothing_are_refused(bad):
    with pytest.raises(TopologyError, match="leave out what reaches nothing"):
        cluster_layer(bad)
