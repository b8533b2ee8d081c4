"""What networks learn, and how they are judged."""

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score

from nervure.errors import EngineError
from nervure.training.sculpting import Task

from .plain import LOSSES, merit_of, task_of

OBJECTIVES = sorted(LOSSES)
X, BITS = np.zeros((4, 3)), np.ones((4, 2))


def outputs_for(task, networks=3):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(len(task.y_validation), networks, 3, generator=generator)


def repeated(target, networks=3):
    return target[:, None].expand(-1, networks, *target.shape[1:])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_losses_and_merits_are_those_of_torch_and_sklearn(objective):
    task = task_of(objective)
    output, target = outputs_for(task), task.y_validation
    losses = task.losses(output, repeated(target))
    points = task.points(output, repeated(target))
    assert losses.shape == points.shape == output.shape[:2]
    for k in range(3):
        torch.testing.assert_close(losses[:, k].mean(), LOSSES[objective](output[:, k], target))
        merit = float(points[:, k].double().mean()) / task.points_per_row
        assert merit == pytest.approx(merit_of(output[:, k], task), abs=1e-6)


def test_a_row_that_is_all_right_has_all_points():
    for objective in ("bits", "classification"):
        task = task_of(objective)
        target = task.y_validation
        right = target if objective == "bits" else torch.nn.functional.one_hot(target, 3)
        points = task.points((2.0 * right - 1)[:, None], target[:, None])
        assert (points == task.points_per_row).all()


def test_regression_takes_one_column_or_many():
    y = np.arange(4.0)
    task = Task.of(X, y, X, y, "regression")
    assert task.y.shape == (4, 1)
    assert task.y.dtype == task.x.dtype == torch.float32
    output = torch.tensor([[0.5], [1.0], [1.0], [3.0]])
    found = task.points(output[:, None], task.y_validation[:, None]).mean()
    assert float(found) == pytest.approx(r2_score(y, output))


def test_a_constant_target_is_no_division_by_zero():
    task = Task.of(X, np.ones(4), X, np.ones(4), "regression")
    points = task.points(torch.zeros(4, 1, 1), task.y_validation[:, None])
    assert points.isfinite().all()
    assert (points < 0).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((X, BITS, X, BITS, "logits"), "objective: expected bits, classification or regression"),
        ((X[0], BITS, X, BITS, "bits"), r"x, x_validation: expected \(rows, inputs\)"),
        ((X, BITS, X[:, :2], BITS, "bits"), r"got \(4, 3\) and \(4, 2\)"),
        ((X, BITS[0], X, BITS, "bits"), r"y: expected targets for bits, got \(2,\)"),
        ((X, BITS, X, BITS, "classification"), "y: expected targets for classification"),
        ((X, BITS, X, BITS[:, :1], "bits"), "y, y_validation: expected as many .* got 2 and 1"),
        ((X, BITS, X, BITS[:3], "bits"), "y_validation: expected one target per row, got 3"),
        ((X[:0], BITS[:0], X, BITS, "bits"), "y: expected one target per row, got 0"),
        ((X, 2 * BITS, X, BITS, "bits"), r"y: expected bits, 0 or 1, got \[2\.\]"),
        ((X, -BITS[:, 0], X, BITS[:, 0], "classification"), "y: expected classes from 0 on"),
    ],
)
def test_mistakes_are_named(given, said):
    with pytest.raises(EngineError, match=said):
        Task.of(*given)
