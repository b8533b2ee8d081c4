"""Differences pair by pair against SciPy."""

import numpy as np
import pytest
from scipy import stats

from nervure.reproduce.paired import mean_and_spread, paired


def test_paired_differences():
    one, other = [3.0, 4.0, float("nan"), 6.0], [1.0, 1.0, 0.0, 5.0]
    difference = paired(one, other)
    expected = stats.ttest_rel([3.0, 4.0, 6.0], [1.0, 1.0, 5.0])
    assert (difference.mean, difference.pairs) == (2.0, 3)
    assert difference.p_value == pytest.approx(expected.pvalue)
    assert np.isnan(paired([1.0], [1.0]).p_value)


def test_spread_is_that_of_a_sample():
    assert mean_and_spread([1.0, 2.0, 4.0, float("nan")]) == pytest.approx((7 / 3, (7 / 3) ** 0.5))
    assert mean_and_spread([5.0]) == (5.0, 0.0)
    assert np.isnan(mean_and_spread([])).all()
