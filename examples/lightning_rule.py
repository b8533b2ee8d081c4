"""A rule of nervure in a Lightning training: one callback.

pip install lightning
python examples/lightning_rule.py
"""

from __future__ import annotations

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from nervure import NeuralModules, data, module_statistics, rules


class Classifier(lightning.LightningModule):
    """An ordinary module; that its network is rewired is not its business."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        return nn.functional.cross_entropy(self.network(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.3, momentum=0.5)


class Rewire(lightning.Callback):
    """Makes a rule as training begins, and lets it step after the optimizer."""

    def on_train_start(self, trainer: lightning.Trainer, module: Classifier) -> None:
        self.rule = rules.Repulsion(module.network, trainer.optimizers[0], keep=200, alpha=0.01)

    def on_train_batch_end(self, *_: object) -> None:
        self.rule.step()


def main(epochs: int = 10) -> tuple[NeuralModules, float]:
    """Train on digits; the network, and its error on the test rows."""
    digits = data.prepare(data.load("digits"), seed=0)
    rows = TensorDataset(torch.from_numpy(digits.x_train), torch.from_numpy(digits.y_train))
    loader = DataLoader(rows, 64, shuffle=True)
    network = NeuralModules(64, 10, nodes=100, seed=0)
    trainer = lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", callbacks=[Rewire()], logger=False,
        enable_checkpointing=False, enable_model_summary=False, enable_progress_bar=False,
    )  # fmt: skip
    trainer.fit(Classifier(network), loader)
    with torch.no_grad():
        found = network.eval()(torch.from_numpy(digits.x_test)).argmax(1).numpy()
    return network, float((found != digits.y_test).mean())


if __name__ == "__main__":
    trained, error = main()
    print(f"test error {error:.2%}; {module_statistics(trained.topology)}")
