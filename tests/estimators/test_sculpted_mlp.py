"""Sculpted networks as scikit-learn estimators."""

import numpy as np
import pyarrow
import pytest
import torch
from sklearn.datasets import load_diabetes, load_iris
from sklearn.utils.estimator_checks import parametrize_with_checks

from nervure import SculptedMLPClassifier, SculptedMLPRegressor
from nervure.errors import EngineError
from nervure.modules import boolean_task
from nervure.training.model_file import load_model, save_model

FAST = {
    "hidden_sizes": (8,), "epochs": 8, "batch_size": 64, "learning_rate": 0.05, "stop_early": True,
    "random_state": 0,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        SculptedMLPClassifier(unit_steps=(0.5,), edge_steps=(), **FAST),
        SculptedMLPRegressor(unit_steps=(), edge_steps=(0.5,), **FAST),
    ]
)
def test_scikit_learn_conformance(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def of_bits():
    x, y = boolean_task("input-separable").truth_table()
    # The table many times over: rows held out are rows known.
    x, y = np.tile(x, (16, 1)), np.tile(y, (16, 1))
    options = {"threshold": 1.0, "learning_rate": 0.05, "batch_size": 32, "stop_early": True}
    model = SculptedMLPClassifier((24,), edge_steps=(0.02,), random_state=1, **options)
    return model.fit(x, y.astype(int)), x, y


def test_bits_are_learned_and_their_modules_found(of_bits):
    model, x, y = of_bits
    assert model.score(x, y) == 1
    assert model.predict(x).shape == model.predict_proba(x).shape == (256, 4)
    assert model.topology_.num_edges < 40
    lowest = model.modules_.levels[0]
    assert {module.inputs for module in lowest} == {(0, 1), (2, 3)}
    assert model.detection_.topology == model.topology_
    assert model.feature_importances_.sum() == pytest.approx(1)


def test_the_whole_grid_is_there_and_the_sparsest_is_the_model(of_bits):
    model, *_ = of_bits
    assert [(one.unit_step, one.edge_step) for one in model.sculpted_] == [(0.2, 0.02), (0.4, 0.02)]
    assert model.topology_.num_edges == min(one.topology.num_edges for one in model.sculpted_)
    accepted = [one.edges for one in model.rounds_ if one.accepted]
    assert accepted == sorted(accepted, reverse=True)
    assert (accepted[0], accepted[-1]) == (8 * 24, model.topology_.num_edges)
    assert len(model.history_) == len(model.rounds_)


def test_the_network_can_be_saved_like_any_other(of_bits, tmp_path):
    model, x, _ = of_bits
    save_model(tmp_path / "model.safetensors", model.network_, metadata={})
    again = load_model(tmp_path / "model.safetensors").network
    rows = torch.from_numpy(x).double()
    assert torch.equal(again(rows), model.network_(rows))
    assert again.num_parameters < 8 * 24


def test_names_of_features_and_classes_are_those_of_the_modules():
    data = load_iris()
    # A table with names, as scikit-learn takes them from any library of data frames.
    table = pyarrow.table(dict(zip(data.feature_names, data.data.T, strict=True)))
    labels = data.target_names[data.target]
    options = {"unit_steps": (), "edge_steps": (0.3,), "batch_size": 16, "random_state": 0}
    model = SculptedMLPClassifier((8,), **options).fit(table, labels)
    assert model.score(table, labels) > 0.9
    assert model.modules_.input_names == tuple(data.feature_names)
    assert model.modules_.output_names == ("setosa", "versicolor", "virginica")


def test_regression_explains_unseen_data_with_few_edges():
    x, y = load_diabetes(return_X_y=True)
    options = {"unit_steps": (0.5,), "edge_steps": (0.2,), "random_state": 0}
    model = SculptedMLPRegressor((8,), epochs=8, **options).fit(x[:330], y[:330])
    assert model.score(x[330:], y[330:]) > 0.35
    assert model.topology_.num_edges < 44  # half of all


@pytest.mark.parametrize(("options", "error", "text"), [
    ({"validation_fraction": 0}, ValueError, "validation_fraction: expected above 0"),
    ({"unit_steps": (), "edge_steps": ()}, EngineError, "expected at least one step"),
    ({"tolerance": -1}, EngineError, "tolerance: expected at least 0"),
])  # fmt: skip
def test_options_out_of_range_are_refused(options, error, text):
    x, y = load_iris(return_X_y=True)
    with pytest.raises(error, match=text):
        SculptedMLPClassifier(**options).fit(x, y)


def test_a_class_of_one_row_is_trained_on():
    x, y = load_iris(return_X_y=True)
    y[0] = 7
    model = SculptedMLPClassifier(unit_steps=(0.5,), edge_steps=(), **FAST).fit(x, y)
    assert model.classes_.tolist() == [0, 1, 2, 7]
    assert model.score(x, y) > 0.7


def test_columns_that_are_no_bits_are_refused():
    x, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=r"expected bits, 0 or 1, in the 2 columns of y, got \[2"):
        SculptedMLPClassifier().fit(x, np.stack([y, y], axis=1))
