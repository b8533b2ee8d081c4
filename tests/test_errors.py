"""Errors on their way between processes."""

import pickle

from nervure.errors import ConvergenceError


def test_an_error_with_attributes_comes_back_from_another_process():
    error = ConvergenceError("none", component=1, component_size=3, residual=0.5, samples=2)
    error.add_note("while training")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is ConvergenceError
    assert str(back) == "none"
    assert (back.component, back.component_size, back.residual, back.samples) == (1, 3, 0.5, 2)
