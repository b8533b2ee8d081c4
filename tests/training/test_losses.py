"""Losses beside those of torch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nervure.errors import EngineError
from nervure.training.losses import max_abs_error

number = st.floats(-1e3, 1e3, width=32)


@given(hnp.array_shapes(max_dims=3, max_side=5), st.data())
@settings(deadline=None)
def test_is_the_largest_distance(shape, data):
    output, target = (data.draw(hnp.arrays("float32", shape, elements=number)) for _ in range(2))
    loss = max_abs_error(torch.tensor(output), torch.tensor(target))
    assert loss.shape == ()
    assert loss.item() == max(
        abs(a - b) for a, b in zip(output.ravel(), target.ravel(), strict=True)
    )


def test_only_the_worst_value_is_pulled():
    output = torch.tensor([0.0, 5.0, -1.0], dtype=torch.float64, requires_grad=True)
    target = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64)
    max_abs_error(output, target).backward()
    assert output.grad.tolist() == [0.0, 1.0, 0.0]
    assert torch.autograd.gradcheck(lambda x: max_abs_error(x, target), output)


def test_equally_bad_values_share_the_pull():
    output = torch.tensor([3.0, -3.0, 1.0], requires_grad=True)
    max_abs_error(output, torch.zeros(3)).backward()
    assert output.grad.tolist() == [0.5, -0.5, 0.0]


def test_what_is_no_number_is_not_hidden():
    assert max_abs_error(torch.tensor([1.0, float("nan")]), torch.zeros(2)).isnan()


@pytest.mark.parametrize("shapes", [((3, 1), (3,)), ((3,), (1,)), ((0,), (0,))])
def test_shapes_that_do_not_fit_are_refused(shapes):
    with pytest.raises(EngineError, match="one shape and not empty"):
        max_abs_error(*map(torch.zeros, shapes))
