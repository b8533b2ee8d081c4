"""Other linkages, distances and criteria, against their definitions."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist, squareform

from nervure import Topology
from nervure.errors import TopologyError
from nervure.modules import ClusteringMethod, cluster_layer, detect_modules
from nervure.modules.clustering_method import cut, modularity_scores, partition_modularity

from .sculpted import separable, separable_and_reused

features = st.tuples(st.integers(3, 8), st.integers(2, 8)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)
CRITERIA = ("modularity", "silhouette", "calinski-harabasz", "davies-bouldin")
PAIRS = [*product(("average", "complete", "single"), ("cosine", "jaccard", "euclidean"))]
PAIRS.append(("ward", "euclidean"))


def distance(a, b, kind):
    """A distance of two sets of later units, from its definition."""
    first, second = set(np.flatnonzero(a)), set(np.flatnonzero(b))
    common = len(first & second)
    if kind == "cosine":
        return 1 - common / (len(first) * len(second)) ** 0.5
    if kind == "jaccard":
        return 1 - common / len(first | second)
    return len(first ^ second) ** 0.5


def modularity(distances, labels):
    """Equation 2, term by term."""
    share = distances / distances.sum() if distances.sum() else distances
    clusters = range(labels.max() + 1)
    sums = [[share[labels == i][:, labels == j].sum() for j in clusters] for i in clusters]
    return sum(sums[i][i] - sum(sums[i]) ** 2 for i in clusters)


def silhouette(distances, labels):
    """P. J. Rousseeuw 1987: mean of (b - a) / max(a, b), 0 of a unit that is alone."""
    values = []
    for i, own in enumerate(labels):
        same = [distances[i, j] for j in range(len(labels)) if labels[j] == own and j != i]
        if not same:
            values.append(0.0)
            continue
        a = np.mean(same)
        b = min(np.mean(distances[i, labels == c]) for c in set(labels.tolist()) - {own})
        values.append((b - a) / max(a, b) if max(a, b) else 0.0)
    return np.mean(values)


def calinski_harabasz(table, labels):
    """Dispersion between clusters over that inside, each by its degrees of freedom."""
    clusters = [table[labels == c] for c in range(labels.max() + 1)]
    n, k = len(table), len(clusters)
    centre = table.mean(0)
    between = sum(len(c) * ((c.mean(0) - centre) ** 2).sum() for c in clusters)
    inside = sum(((c - c.mean(0)) ** 2).sum() for c in clusters)
    return between * (n - k) / (inside * (k - 1)) if inside else 1.0


def davies_bouldin(table, labels):
    """Mean over clusters of the worst (s_i + s_j) / d_ij."""
    clusters = [table[labels == c] for c in range(labels.max() + 1)]
    centres = [c.mean(0) for c in clusters]
    spread = [np.linalg.norm(c - m, axis=1).mean() for c, m in zip(clusters, centres, strict=True)]
    if not any(spread):
        return 0.0
    worst = [
        max(
            (spread[i] + spread[j]) / apart if (apart := np.linalg.norm(m - other)) else 0.0
            for j, other in enumerate(centres)
            if j != i
        )
        for i, m in enumerate(centres)
    ]
    return np.mean(worst)


def by_definition(criterion, distances, table, labels):
    """The lower, the better, whatever the criterion."""
    if criterion == "modularity":
        return modularity(distances, labels)
    if criterion == "silhouette":
        return -silhouette(distances, labels)
    if criterion == "calinski-harabasz":
        return -calinski_harabasz(table, labels)
    return davies_bouldin(table, labels)


@given(features, st.sampled_from(PAIRS))
@settings(max_examples=60, deadline=None)
def test_distances_and_dendrograms_are_those_of_the_definitions(table, pair):
    assume(table.any(axis=1).all())
    found = cluster_layer(table, method=ClusteringMethod(*pair))
    expected = [[distance(a, b, pair[1]) for b in table] for a in table]
    assert np.allclose(found.distances, expected, atol=1e-12)
    condensed = squareform(found.distances, checks=False)
    assert np.array_equal(found.merges, linkage(condensed, pair[0]))


@given(features, st.sampled_from(PAIRS), st.sampled_from(CRITERIA))
@settings(max_examples=80, deadline=None)
def test_scores_are_those_of_the_definitions_and_the_lowest_is_taken(table, pair, criterion):
    assume(table.any(axis=1).all())
    found = cluster_layer(table, method=ClusteringMethod(*pair, criterion))
    for count, score in zip(found.counts, found.scores, strict=True):
        labels = cut(found.merges, count)
        expected = by_definition(criterion, found.distances, table.astype(float), labels)
        assert score == pytest.approx(expected, abs=1e-7)
    lowest = found.counts[found.scores == found.scores.min()]
    assert found.best == lowest.max()
    assert found.reason in (criterion, "one cluster", "all separate")


@given(features)
@settings(max_examples=60, deadline=None)
def test_both_ways_to_modularity_give_the_formula_on_average_linkage(table):
    assume(table.any(axis=1).all())
    condensed = pdist(table.astype(float), "cosine")
    merges, distances = linkage(condensed, "average"), squareform(condensed)
    cuts = [cut(merges, k) for k in range(2, len(table))]
    expected = [modularity(distances, labels) for labels in cuts]
    assert modularity_scores(distances, merges) == pytest.approx(expected, abs=1e-7)
    slow = [partition_modularity(distances, labels) for labels in cuts]
    assert slow == pytest.approx(expected, abs=1e-12)


@given(features)
@settings(max_examples=30, deadline=None)
def test_the_default_is_the_paper_s(table):
    assume(table.any(axis=1).all())
    default = cluster_layer(table)
    named = cluster_layer(table, method=ClusteringMethod("average", "cosine", "modularity"))
    assert np.array_equal(default.labels, named.labels)
    assert np.array_equal(default.scores, named.scores)
    assert default.reason == named.reason


@pytest.mark.parametrize("pair", PAIRS)
def test_modules_of_clear_cut_networks_do_not_depend_on_linkage_and_distance(pair):
    for wiring in (separable(), separable_and_reused(2)):
        expected = [nodes.tolist() for nodes in detect_modules(wiring).modules]
        for criterion in ("modularity", "silhouette"):
            method = ClusteringMethod(*pair, criterion)
            found = detect_modules(wiring, method=method)
            assert [nodes.tolist() for nodes in found.modules] == expected
            assert found.method == method


def test_a_detection_says_by_what_it_went():
    table = np.repeat(np.eye(4), 2, axis=0)
    pairs = [(i, 8 + int(j)) for i, j in enumerate(table.argmax(1))]
    wiring = Topology.from_edges(pairs)
    by = {c: detect_modules(wiring, method=ClusteringMethod(criterion=c)) for c in CRITERIA}
    assert "modularity -0.250 is lowest for 4, between" in by["modularity"].describe()
    text = by["silhouette"].describe()
    assert "silhouette 1.000 is highest for 4, between the extremes and not below 0.2" in text
    assert "davies-bouldin 0.000 is lowest for" in by["davies-bouldin"].describe()


def test_what_is_not_known_is_named():
    with pytest.raises(TopologyError, match=r"linkage: expected one of average, .* got 'middle'"):
        ClusteringMethod(linkage="middle")
    with pytest.raises(TopologyError, match=r"criterion: .*; linkage ward: expected euclidean"):
        ClusteringMethod("ward", "cosine", "taste")
