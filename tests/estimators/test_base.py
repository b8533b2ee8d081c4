"""What every estimator does around the training."""

import numpy as np
import pytest

from nervure.estimators import NeuralModulesClassifier, SculptedMLPClassifier
from nervure.training import Training
from nervure.training.sculpting.grid import Grid

X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize(("model", "owner", "name"), [
    (NeuralModulesClassifier(nodes=6, epochs=5, random_state=0), Training, "epoch"),
    (SculptedMLPClassifier((4,), edge_steps=(0.2,), epochs=2, random_state=0), Grid, "train_round"),
])  # fmt: skip
def test_ctrl_c_ends_a_fit_and_whoever_fits(monkeypatch, model, owner, name):
    """After the first step, from where on the training itself ends without an error."""
    step, calls = getattr(owner, name), []

    def interrupted(self):
        calls.append(self)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(owner, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert len(calls) == 2
    assert not hasattr(model, "network_")
