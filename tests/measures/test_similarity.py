import math

import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler

from nervure.errors import TopologyError
from nervure.measures import (
    MeasureTable,
    edge_overlap,
    edge_overlap_matrix,
    similarity,
    standardised,
)
from nervure.topology import dense_dag, from_edges

from .graphs import checked, dags


def table_of(values):
    values = np.asarray(values, dtype=float)
    rows, columns = values.shape
    return MeasureTable(
        tuple(f"g{i}" for i in range(rows)),
        tuple(f"m{j}" for j in range(columns)),
        values,
        np.zeros_like(values),
    )


RANDOM = np.random.default_rng(0).normal(size=(12, 5)) * [1, 100, 1e-6, 3, 7] + [0, 5, 1e-3, 9, 1]


@pytest.mark.parametrize("gamma", [None, 0.05, 2.0])
def test_it_is_scikit_learns_kernel(gamma):
    expected = rbf_kernel(StandardScaler().fit_transform(RANDOM), gamma=gamma)
    np.testing.assert_allclose(similarity(table_of(RANDOM), gamma), expected, rtol=1e-10)


def test_what_tells_nothing_changes_nothing():
    more = np.column_stack((RANDOM, np.full(12, 0.1), np.full(12, np.nan), np.full(12, -np.inf)))
    np.testing.assert_allclose(similarity(table_of(more)), similarity(table_of(RANDOM)))
    assert standardised(table_of(np.ones((3, 2)))).shape == (3, 0)
    assert (similarity(table_of(np.ones((3, 2)))) == 1).all()


def test_missing_values_are_refused_unless_told_what_to_do():
    holes = RANDOM.copy()
    holes[2, 1], holes[5, 3] = np.nan, -np.inf
    with pytest.raises(ValueError, match=r"m1, m3 have no finite value for g2, g5 .*missing="):
        similarity(table_of(holes))
    dropped = similarity(table_of(holes), missing="drop")
    np.testing.assert_allclose(dropped, similarity(table_of(RANDOM[:, [0, 2, 4]])))
    features = standardised(table_of(holes), "mean")
    assert features[2, 1] == features[5, 3] == 0
    known = np.delete(holes[:, 1], 2)
    expected = (known - known.mean()) / known.std()
    np.testing.assert_allclose(np.delete(features[:, 1], 2), expected)
    with pytest.raises(ValueError, match="raise, mean or drop"):
        similarity(table_of(RANDOM), missing="guess")


@pytest.mark.parametrize("gamma", [0, -1, math.nan])
def test_gamma_is_checked(gamma):
    with pytest.raises(ValueError, match="gamma must be above 0"):
        similarity(table_of(RANDOM), gamma)


@checked
@given(dags(6), dags(6))
def test_overlap_is_that_of_sets(a, b):
    n = max(a.num_nodes, b.num_nodes)
    a, b = (from_edges(t.edges, n) for t in (a, b))
    one, two = ({tuple(edge) for edge in t.edges.tolist()} for t in (a, b))
    if not one and not two:
        assert math.isnan(edge_overlap(a, b))
        return
    dice = 2 * len(one & two) / (len(one) + len(two))
    assert edge_overlap(a, b) == pytest.approx(dice)
    assert edge_overlap(a, b, factor=1) == pytest.approx(dice / 2)
    assert edge_overlap(a, b) == edge_overlap(b, a)
    both = edge_overlap_matrix([a, b])
    np.testing.assert_array_equal(both, [[edge_overlap(x, y) for y in (a, b)] for x in (a, b)])


def test_other_nodes_cannot_be_compared():
    with pytest.raises(TopologyError, match="3 nodes are looked up among 4"):
        edge_overlap(dense_dag(3), dense_dag(4))
