"""How networks are sculpted, and what is refused."""

import numpy as np
import pytest

from nervure.errors import EngineError
from nervure.training.sculpting import PAPER_EDGE_STEPS, PAPER_UNIT_STEPS, SculptingOptions


def test_the_papers_grid_has_seventy_pairs():
    np.testing.assert_allclose(PAPER_UNIT_STEPS, np.arange(5, 75, 5) / 100)
    np.testing.assert_allclose(PAPER_EDGE_STEPS, np.array([0.5, 1, 1.5, 2, 2.5]) / 100)
    SculptingOptions(unit_steps=PAPER_UNIT_STEPS, edge_steps=PAPER_EDGE_STEPS)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epochs": 0}, "epochs: expected at least 1, got 0"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"learning_rate": 0.0}, r"learning_rate: expected above 0, got 0\.0"),
        ({"learning_rate": float("nan")}, "learning_rate: expected above 0, got nan"),
        ({"weight_decay": -1.0}, r"weight_decay: expected at least 0, got -1\.0"),
        ({"noise": float("inf")}, "noise: expected at least 0, got inf"),
        ({"tolerance": -0.1}, r"tolerance: expected at least 0, got -0\.1"),
        ({"unit_steps": (0.1, 0.0)}, r"unit_steps: expected shares above 0 .* got 0\.0"),
        ({"edge_steps": (1.5,)}, r"edge_steps: expected shares above 0 and at most 1, got 1\.5"),
        ({"unit_steps": (), "edge_steps": ()}, "expected at least one step, got none"),
    ],
)
def test_mistakes_are_named(given, said):
    with pytest.raises(EngineError, match=said):
        SculptingOptions(**given)


def test_all_mistakes_are_named_at_once():
    with pytest.raises(EngineError, match=r"epochs: .*; learning_rate: .*; noise: "):
        SculptingOptions(epochs=0, learning_rate=-1, noise=-1)
