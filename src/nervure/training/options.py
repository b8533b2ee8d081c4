"""`TrainingOptions`: how to train, and what is chosen where nothing is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

import torch
from torch import nn

from nervure.errors import EngineError

Task = Literal["classification", "regression", "bits"]
OptimizerName = Literal["sgd", "adam", "adamw"]
Schedule = Literal["cosine", "steps", "constant"]

# Shares of the training after which "steps" divides the learning rate by ten.
_MILESTONES = 0.8, 0.9


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Attributes
    ----------
    epochs : int
    batch_size : int, optional
        Samples per step; None chooses `automatic_batch_size`.
    learning_rate : float
        Of the optimizer at the start.
    momentum : float
        Of SGD; 0.5 as in Table 3 of the neural-modules paper.
    weight_decay : float
        L2 on everything, inside the gradient (for adamw apart from it), as torch has it.
    optimizer : {"sgd", "adam", "adamw"}
        Adam by Kingma and Ba (2015), AdamW by Loshchilov and Hutter (2019).
    schedule : {"cosine", "steps", "constant"}
        Cosine falls to zero over the epochs (Loshchilov and Hutter 2017, without restarts); steps
        divides by ten after 80 % and after 90 % of them (connectivity-tradeoff, appendix A).
    seed : int
        For the order of samples.
    keep_best : bool
        Whether to end with the weights and wiring of the epoch with the lowest validation error,
        if there is validation data.
    """

    epochs: int = 30
    batch_size: int | None = None
    learning_rate: float = 0.3
    momentum: float = 0.5
    weight_decay: float = 0.0
    schedule: Schedule = "cosine"
    optimizer: OptimizerName = "sgd"
    seed: int = 0
    keep_best: bool = True

    def __post_init__(self) -> None:
        counts = {"epochs": self.epochs}
        if self.batch_size is not None:
            counts["batch_size"] = self.batch_size
        problems = [
            f"{name}: expected a whole number of at least 1, got {count!r}"
            for name, count in counts.items()
            if not isinstance(count, Integral) or count < 1
        ]
        if not 0 < self.learning_rate < float("inf"):
            problems.append(f"learning_rate: expected above 0, got {self.learning_rate}")
        if not 0 <= self.momentum < 1:
            problems.append(f"momentum: expected at least 0 and below 1, got {self.momentum}")
        if not 0 <= self.weight_decay < float("inf"):
            problems.append(f"weight_decay: expected at least 0, got {self.weight_decay}")
        if self.schedule not in ("cosine", "steps", "constant"):
            problems.append(f"schedule: expected cosine, steps or constant, got {self.schedule!r}")
        if self.optimizer not in ("sgd", "adam", "adamw"):
            problems.append(f"optimizer: expected sgd, adam or adamw, got {self.optimizer!r}")
        if problems:
            raise EngineError("; ".join(problems))

    def make_optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Make the optimizer of these options."""
        if self.optimizer == "sgd":
            return torch.optim.SGD(
                parameters,
                lr=self.learning_rate,
                momentum=self.momentum,
                weight_decay=self.weight_decay,
            )
        kind = torch.optim.Adam if self.optimizer == "adam" else torch.optim.AdamW
        return kind(parameters, lr=self.learning_rate, weight_decay=self.weight_decay)

    def make_scheduler(
        self, optimizer: torch.optim.Optimizer, rows: int
    ) -> torch.optim.lr_scheduler.LRScheduler | None:
        """Make the schedule of these options, to be asked after each step; None if constant."""
        steps = self.epochs * self.steps_per_epoch(rows)
        if self.schedule == "cosine":
            return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        if self.schedule == "steps":
            milestones = [round(share * steps) for share in _MILESTONES]
            return torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, 0.1)
        return None

    def batch_size_for(self, rows: int) -> int:
        """Give the batch size, chosen by the number of rows if it is None."""
        return self.batch_size or automatic_batch_size(rows)

    def steps_per_epoch(self, rows: int) -> int:
        """Give the number of optimizer steps in one pass over so many rows."""
        return -(-rows // self.batch_size_for(rows))


def automatic_batch_size(rows: int) -> int:
    """Choose 128 samples, or fewer (at least 8) where an epoch would have under 30 steps."""
    return min(128, max(8, rows // 30))


def automatic_learning_rate(task: Task, nodes: int) -> float:
    """Choose 0.3 for classes and bits, 1 / nodes for regression.

    The curvature of the squared error of a linear read-out grows with the number of bounded
    neurons it reads, and a step longer than about 2 / curvature diverges; cross-entropy, whose
    slope is bounded, has no such limit.
    """
    return 1.0 / nodes if task == "regression" else 0.3
