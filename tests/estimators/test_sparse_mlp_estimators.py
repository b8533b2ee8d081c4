"""Sparse layers as scikit-learn estimators."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from nervure import SparseMLPClassifier, SparseMLPRegressor
from nervure.errors import EngineError


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        SparseMLPClassifier((20, 20), epsilon=3, random_state=0),
        SparseMLPRegressor((20, 20), epsilon=3, motif_size=2, random_state=0),
    ]
)
def test_scikit_learn_conformance(estimator, check):
    check(estimator)


@pytest.mark.parametrize("rule", ["set", "rigl", "magnitude", "static"])
def test_every_rule_learns_digits_with_a_budget_of_edges(rule):
    x, y = load_digits(return_X_y=True)
    model = SparseMLPClassifier((100, 100), epsilon=5, rule=rule, epochs=15, random_state=0)
    assert cross_val_score(model, x, y, cv=3).mean() > 0.85
    model.fit(x, y)
    sizes = [64, 100, 100, 10]
    expected = sum(round(min(1, 5 * (n + m) / (n * m)) * n * m) for n, m in pairwise(sizes))
    assert abs(model.topology_.num_edges - expected) <= 2


def test_motifs_take_any_number_of_features_and_classes():
    x, y = load_iris(return_X_y=True)
    model = SparseMLPClassifier((30, 30), motif_size=3, random_state=0).fit(x, y)
    assert model.score(x, y) > 0.9
    with pytest.raises(EngineError, match=r"hidden layer 1 has 31 nodes.*take 30 or 33"):
        SparseMLPClassifier((31, 30), motif_size=3).fit(x, y)


def test_regression_explains_unseen_data():
    x, y = load_diabetes(return_X_y=True)
    model = SparseMLPRegressor((50, 50), epsilon=4, random_state=0)
    assert cross_val_score(model, x, y, cv=3).mean() > 0.35


def test_importances_find_the_features_that_carry_the_classes():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 600)
    x = rng.normal(size=(600, 60))
    x[np.arange(600), y] += 3.0
    model = SparseMLPClassifier((60, 60), epsilon=4, weight_decay=0.01, random_state=0).fit(x, y)
    assert model.feature_importances_.shape == (60,)
    assert model.feature_importances_.sum() == pytest.approx(1)
    assert set(np.argsort(-model.feature_importances_)[:3]) == {0, 1, 2}
    chosen = make_pipeline(
        SelectFromModel(model, max_features=3, threshold=-np.inf),
        SparseMLPClassifier((20,), random_state=0),
    ).fit(x, y)
    assert chosen[0].get_support().nonzero()[0].tolist() == [0, 1, 2]
