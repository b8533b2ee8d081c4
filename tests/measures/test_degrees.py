import math

import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from nervure.measures import degree_moments, mean_degree
from nervure.topology import dense_dag, from_edges

from .graphs import checked, cut, digraphs, live_graph


@checked
@given(digraphs())
def test_moments_are_those_of_scipy(topology):
    graph = live_graph(topology)
    views = {"total": graph.degree, "in": graph.in_degree, "out": graph.out_degree}
    for direction, view in views.items():
        degree = np.array([d for _, d in view], dtype=float)
        found = degree_moments(topology, direction)
        if not len(degree):
            assert all(map(math.isnan, found))
            continue
        assert found.mean == pytest.approx(degree.mean())
        assert found.variance == pytest.approx(degree.var())
        if degree.var():
            assert found.skewness == pytest.approx(stats.skew(degree))
        else:
            assert math.isnan(found.skewness)
    if len(graph):
        assert mean_degree(topology) == pytest.approx(degree_moments(topology).mean)


def test_dead_edges_do_not_count():
    assert mean_degree(from_edges([(0, 1), (1, 2), (1, 3)], inputs=[0], outputs=[2])) == 4 / 3
    assert math.isnan(mean_degree(cut()))


def test_unknown_direction():
    with pytest.raises(ValueError, match="got 'up'"):
        degree_moments(dense_dag(3), "up")
