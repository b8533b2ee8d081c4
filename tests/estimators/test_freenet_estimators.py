"""`FreeNetClassifier` and `FreeNetRegressor`."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from nervure import FreeNetClassifier, FreeNetRegressor
from nervure.errors import EngineError


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        FreeNetClassifier(neurons=10, random_state=0),
        FreeNetRegressor(neurons=10, random_state=0),
    ]
)
def test_scikit_learn_conformance(estimator, check):
    check(estimator)


def test_digits_well_above_chance_on_unseen_data():
    x, y = load_digits(return_X_y=True)
    model = FreeNetClassifier(neurons=50, epochs=15, random_state=0)
    assert cross_val_score(model, x, y, cv=3).mean() > 0.9


def test_regression_explains_unseen_data():
    x, y = load_diabetes(return_X_y=True)
    model = FreeNetRegressor(neurons=20, random_state=0)
    assert cross_val_score(model, x, y, cv=3).mean() > 0.35


@pytest.mark.parametrize("statistics", ["data", "batches"])
def test_the_wiring_is_learned_and_the_same_each_time(statistics):
    x, y = load_iris(return_X_y=True)
    options = {"neurons": 20, "epsilon": 0.45, "interval": 5, "statistics": statistics}
    first, second = (
        FreeNetClassifier(standardize=False, random_state=3, **options).fit(x, y) for _ in range(2)
    )
    assert first.topology_.num_edges < 190
    assert first.history_[-1]["edges"] == first.topology_.num_edges
    assert first.topology_ == second.topology_
    np.testing.assert_array_equal(first.predict_proba(x), second.predict_proba(x))


def test_the_best_epoch_comes_with_its_wiring():
    x, y = load_iris(return_X_y=True)
    model = FreeNetClassifier(
        neurons=20, epsilon=0.45, standardize=False, validation_fraction=0.3, random_state=0
    ).fit(x, y)
    best = min(model.history_, key=lambda m: (m["validation_error"], m["validation_loss"]))
    assert model.topology_.num_edges == best["edges"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"epsilon": 1.5}, "epsilon: expected between 0 and 1"),
        ({"interval": 0}, "interval: expected at least 1"),
        ({"statistics": "all"}, "statistics: expected data or batches"),
        ({"neurons": 0}, "neurons: expected at least 1"),
        ({"optimizer": "lbfgs"}, "optimizer: expected sgd, adam or adamw"),
        ({"activation": "relux"}, "relux"),
    ],
)
def test_out_of_range_options_are_refused(options, word):
    x, y = load_iris(return_X_y=True)
    with pytest.raises(EngineError, match=word):
        FreeNetClassifier(**options).fit(x, y)
