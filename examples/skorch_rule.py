"""A rule of nervure in a skorch classifier: one callback.

pip install skorch
python examples/skorch_rule.py
"""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn

from nervure import NeuralModules, data, module_statistics, rules


class Rewire(Callback):
    """Makes a rule as training begins, and lets it step after the optimizer."""

    def on_train_begin(self, net: NeuralNetClassifier, *_: object, **__: object) -> None:
        self.rule = rules.Repulsion(net.module_, net.optimizer_, keep=200, alpha=0.01)

    def on_batch_end(self, *_: object, training: bool = False, **__: object) -> None:
        if training:  # batches of validation data have no step
            self.rule.step()


def main(epochs: int = 10) -> tuple[NeuralModules, float]:
    """Train on digits; the network, and its error on the test rows."""
    digits = data.prepare(data.load("digits"), seed=0)
    torch.manual_seed(0)  # skorch draws the order of batches from torch's own generator
    settings: dict[str, Any] = {"module__inputs": 64, "module__outputs": 10, "module__nodes": 100}
    classifier = NeuralNetClassifier(
        NeuralModules, **settings, module__seed=0, criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD, optimizer__momentum=0.5, lr=0.3, batch_size=64,
        max_epochs=epochs, callbacks=[Rewire()], iterator_train__shuffle=True, verbose=0,
    )  # fmt: skip
    classifier.fit(digits.x_train, digits.y_train)
    error = 1 - classifier.score(digits.x_test, digits.y_test)
    return classifier.module_, float(error)


if __name__ == "__main__":
    trained, error = main()
    print(f"test error {error:.2%}; {module_statistics(trained.topology)}")
