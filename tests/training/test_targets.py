"""Data that do not fit a task are refused before anything is trained or measured."""

import numpy as np
import pytest
import torch

from nervure.baselines import PlainNetwork
from nervure.errors import EngineError
from nervure.training import Training, TrainingOptions, evaluate, predict_values

X = np.zeros((6, 3), np.float32)
CLASSES = np.array([0, 1, 0, 1, 0, 1])
VALUES = np.linspace(0, 1, 6, dtype=np.float32)

WRONG = [
    (X, CLASSES, "clasification", "expected classification, regression, bits, got 'clasification'"),
    (X, VALUES[:, None], "regression", r"y: expected shape \(6,\) for regression, got \(6, 1\)"),
    (X, CLASSES[:, None], "classification", r"y: expected shape \(6,\) for classification"),
    (X, VALUES[:5], "regression", "one target per row, got 6 rows, 5 targets"),
    (X, np.float32(1.0), "regression", "one target per row, got 6 rows, 0 targets"),
    (X[:0], VALUES[:0], "regression", "got 0 rows, 0 targets"),
]


def network(outputs):
    return PlainNetwork(3, outputs, nodes=4, seed=0)


@pytest.mark.parametrize(("x", "y", "task", "text"), WRONG)
def test_what_does_not_fit_is_refused(x, y, task, text):
    outputs = 1 if task == "regression" else 2
    options = TrainingOptions(epochs=1)
    with pytest.raises(EngineError, match=text):
        Training(network(outputs), x, y, task=task, options=options)
    with pytest.raises(EngineError, match=text):
        evaluate(network(outputs), x, y, task)
    good = (X, VALUES if task == "regression" else CLASSES)
    if task != "clasification":
        with pytest.raises(EngineError, match=text):
            Training(network(outputs), *good, task=task, options=options, validation=(x, y))


def test_regression_by_several_outputs_is_refused():
    text = "expected one output for regression, got 2"
    with pytest.raises(EngineError, match=text):
        evaluate(network(2), X, VALUES, "regression")
    training = Training(network(2), X, VALUES, task="regression", options=TrainingOptions(epochs=1))
    with pytest.raises(EngineError, match=text):
        training.epoch()


def test_a_loss_of_its_own_may_take_several_outputs():
    training = Training(
        network(2), X, VALUES, task="regression", options=TrainingOptions(epochs=1),
        loss=lambda net, x, y: (net(x).mean(1) - y).square().mean(),
    )  # fmt: skip
    assert np.isfinite(training.epoch()["train_loss"])


def test_bits_are_of_two_dimensions():
    bits = np.stack([CLASSES, 1 - CLASSES], 1).astype(np.float32)
    assert evaluate(network(2), X, bits, "bits").error == 0.5


def test_there_is_something_to_predict():
    with pytest.raises(EngineError, match="at least one row"):
        predict_values(network(1), X[:0])
    assert torch.equal(predict_values(network(1), X[:1]), network(1)(torch.from_numpy(X[:1])))
