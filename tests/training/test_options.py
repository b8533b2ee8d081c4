import numpy as np
import pytest

from nervure.errors import EngineError
from nervure.training import TrainingOptions


@pytest.mark.parametrize(("options", "text"), [
    ({"epochs": 0}, "epochs: expected a whole number of at least 1, got 0"),
    ({"epochs": 2.5}, "epochs: expected a whole number of at least 1, got 2.5"),
    ({"batch_size": 0}, "batch_size: expected a whole number of at least 1, got 0"),
    ({"batch_size": 8.0}, "batch_size: expected a whole number of at least 1, got 8.0"),
])  # fmt: skip
def test_counts_are_whole(options, text):
    with pytest.raises(EngineError, match=text):
        TrainingOptions(**options)


def test_whole_numbers_of_numpy_are_whole():
    assert TrainingOptions(epochs=np.int64(3), batch_size=np.int32(4)).epochs == 3
