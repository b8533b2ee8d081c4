"""Differences seed by seed against SciPy."""

import math

import pytest
from scipy import stats

from nervure.reproduce.neural_modules.comparison import compare

LABELS = {"a": "A", "b": "B"}


def test_only_seeds_of_both_count_and_the_test_is_paired():
    places = [
        ("codon", {0: 0.1, 1: 0.12, 2: 0.5}, {0: 0.12, 1: 0.13}),
        ("gas", {0: 0.3}, {0: 0.29, 7: 0.1}),
    ]
    found = compare("a", "b", places)
    expected = stats.ttest_rel([0.1, 0.12, 0.3], [0.12, 0.13, 0.29])
    assert (found.difference.pairs, found.wins) == (3, 2)
    assert found.difference.mean == pytest.approx((-0.02 - 0.01 + 0.01) / 3)
    assert found.difference.p_value == pytest.approx(expected.pvalue)
    assert found.sentence(LABELS) == (
        "A - B = -0.67 ± 1.53 points over 3 pairs, lower in 2, p = 0.53 (paired t-test)"
    )


def test_sizes_of_one_dataset_and_seed_are_one_pair():
    small = ({0: 0.2, 1: 0.3}, {0: 0.25, 1: 0.32})
    large = ({0: 0.1, 1: 0.2}, {0: 0.11})
    once = compare("a", "b", [("gas", *small), ("gas", *large)])
    expected = stats.ttest_rel([0.15, 0.3], [0.18, 0.32])
    assert (once.difference.pairs, once.wins) == (2, 2)
    assert once.difference.mean == pytest.approx(-0.025)
    assert once.difference.p_value == pytest.approx(expected.pvalue)
    # The same errors at more sizes say no more.
    again = compare("a", "b", 5 * [("gas", *small), ("gas", *large)])
    assert again.difference.p_value == pytest.approx(once.difference.p_value)


def test_nothing_and_one_pair_are_said_as_such():
    assert compare("a", "b", [("gas", {0: 0.1}, {1: 0.1})]).sentence(LABELS) == (
        "A - B: nothing to compare"
    )
    one = compare("a", "b", [("gas", {0: 0.1}, {0: 0.2})])
    assert one.sentence(LABELS) == "A - B = -10.00 points (one pair)"


def test_differences_that_vary_by_rounding_alone_have_no_p_value():
    for errors in ({0: 0.25, 1: 0.5}, {0: 0.31, 1: 0.56, 2: 0.11}):
        shifted = {seed: error + 0.06 for seed, error in errors.items()}
        found = compare("a", "b", [("gas", shifted, errors)])
        assert math.isnan(found.difference.p_value)
        assert found.wins == 0
