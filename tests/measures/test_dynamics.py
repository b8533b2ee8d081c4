import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nervure.measures import edge_dynamics

from .graphs import checked

LEVELS = st.sampled_from([0.0, 0.5, 1.0, 3.0, 10.0, -0.2, -2.0, -30.0])


def mean(values):
    return sum(values) / len(values) if values else math.nan


@checked
@given(arrays(float, st.tuples(st.integers(1, 6), st.integers(0, 6)), elements=LEVELS), st.data())
def test_it_is_table_4_edge_by_edge(history, data):
    edges = history.shape[1]
    given_mask = data.draw(st.none() | arrays(bool, edges))
    retained = [abs(history[-1, e]) >= 1 for e in range(edges)]
    if given_mask is not None:
        retained = given_mask.tolist()
    a, b, c, d = [], [], [], []
    for e in range(edges):
        course = [abs(value) for value in history[:, e]]
        if retained[e]:
            times = sum(value < 1 for value in course)
            a.append(times > 0)
            b.append(times)
        else:
            first = next((i for i, value in enumerate(course) if value < 1), len(course))
            after = course[first:]
            c.append(any(value >= 10 for value in after))
            d.append(sum(value >= 1 for value in after))
    found = edge_dynamics(history, 1.0, retained=given_mask)
    assert found.retained == len(a)
    assert found.eliminated == len(c)
    assert (
        found.retained_once_below,
        found.records_retained_below,
        found.eliminated_risen,
        found.records_eliminated_above,
    ) == pytest.approx(tuple(map(mean, (a, b, c, d))), nan_ok=True)


def test_a_rise_before_the_fall_is_none():
    assert edge_dynamics([[20.0], [0.1], [5.0], [0.1]], 1.0).eliminated_risen == 0
    assert edge_dynamics([[20.0], [0.1], [5.0], [0.1]], 1.0, rise=5).eliminated_risen == 1


@pytest.mark.parametrize(
    ("history", "options", "message"),
    [
        ([1.0, 2.0], {}, "shape"),
        (np.zeros((0, 3)), {}, "at least one record"),
        ([[np.nan]], {}, "nan"),
        ([[1.0]], {"threshold": 0}, "threshold"),
        ([[1.0]], {"retained": [1]}, "retained must be bool"),
        ([[1.0]], {"retained": [True, False]}, "shape"),
    ],
)
def test_mistakes_are_named(history, options, message):
    with pytest.raises(ValueError, match=message):
        edge_dynamics(history, **{"threshold": 1.0, **options})
