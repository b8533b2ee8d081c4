"""scikit-learn's own conformance suite, and the places estimators are used in."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from nervure import NeuralModulesClassifier, NeuralModulesRegressor


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        NeuralModulesClassifier(nodes=10, random_state=0),
        NeuralModulesRegressor(nodes=10, random_state=0),
    ]
)
def test_scikit_learn_conformance(estimator, check):
    check(estimator)


def test_pipeline_and_grid_search():
    x, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), NeuralModulesClassifier(nodes=10, random_state=0))
    search = GridSearchCV(pipeline, {"neuralmodulesclassifier__alpha": [0.0, 0.01]}, cv=3)
    assert search.fit(x, y).best_score_ > 0.9


def test_string_labels_and_probabilities():
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = NeuralModulesClassifier(nodes=10, random_state=0).fit(x, names)
    assert set(model.predict(x)) <= set(names)
    np.testing.assert_allclose(model.predict_proba(x).sum(1), 1.0)


def test_learned_wiring_has_the_asked_number_of_edges():
    x, y = load_iris(return_X_y=True)
    model = NeuralModulesClassifier(nodes=12, keep=17, random_state=0).fit(x, y)
    assert model.topology_.num_edges == 17
    assert model.network_.core.storage == "sparse"


def test_digits_well_above_chance_on_unseen_data():
    x, y = load_digits(return_X_y=True)
    model = NeuralModulesClassifier(nodes=50, random_state=0)
    assert cross_val_score(model, x, y, cv=3).mean() > 0.9


def test_regression_explains_unseen_data():
    x, y = load_diabetes(return_X_y=True)
    model = NeuralModulesRegressor(nodes=20, random_state=0)
    assert cross_val_score(model, x, y, cv=3).mean() > 0.35


def test_same_random_state_gives_the_same_model():
    x, y = load_iris(return_X_y=True)
    first, second = (
        NeuralModulesClassifier(nodes=10, random_state=3).fit(x, y).predict_proba(x)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_out_of_range_options_are_refused():
    x, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="validation_fraction"):
        NeuralModulesClassifier(validation_fraction=1.5).fit(x, y)
