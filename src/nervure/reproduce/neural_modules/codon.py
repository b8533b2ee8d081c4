"""Training on codon, for the parts that look at the training rather than at the error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nervure.networks import NeuralModules
from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules.job import data_of
from nervure.rules import Repulsion
from nervure.training.loop import Training
from nervure.training.options import TrainingOptions

# Settings of a training that no part varies; the library's defaults for classes.
COMMON: dict[str, Any] = {"learning_rate": 0.3, "momentum": 0.5, "batch_size": 128}
Watch = Callable[[NeuralModules], None]


@dataclass(frozen=True, eq=False)
class Rows:
    """Training rows of one split.

    Attributes
    ----------
    x : ndarray of float32, shape (rows, features)
    y : ndarray of int64, shape (rows,)
    classes : int
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    classes: int


@lru_cache(maxsize=2)
def training_rows(seed: int, rows: int | None) -> Rows:
    """Give the training rows of a split, or a random part of them.

    Parameters
    ----------
    seed : int
        Of the validation rows, which are none of these, and of the part.
    rows : int, optional
        As many of them at most; None for all.

    Returns
    -------
    Rows
    """
    data = data_of("codon", seed)
    x = cast("NDArray[np.float32]", data.x_train)
    chosen = np.random.default_rng(seed).permutation(len(x))[:rows]
    chosen.sort()
    return Rows(x[chosen], data.y_train[chosen], len(data.class_names))


def options_of(cell: Cell) -> TrainingOptions:
    """Give the training options of a cell that holds `COMMON`, "epochs" and "seed"."""
    return TrainingOptions(
        epochs=cell["epochs"],
        batch_size=cell["batch_size"],
        learning_rate=cell["learning_rate"],
        momentum=cell["momentum"],
        schedule=cell.get("schedule", "cosine"),
        seed=cell["seed"],
    )


def modules_training(cell: Cell, watch: Watch | None = None) -> Training:
    """Begin a training of neural modules on codon.

    Parameters
    ----------
    cell : mapping
        `COMMON`, and: seed, rows, epochs, nodes, keep, alpha, penalty ("repulsion", "l2", "none").
    watch : callable, optional
        Given the network after every backward pass and before anything is changed by it: weights,
        wiring and gradients belong together then.

    Returns
    -------
    Training
        A sample without an equilibrium is left out of its step; it does not end the training.
    """
    data = training_rows(cell["seed"], cell["rows"])
    network = NeuralModules(
        data.x.shape[1], data.classes, nodes=cell["nodes"], seed=cell["seed"], on_failure="flag"
    )

    def rule(module: nn.Module, optimizer: torch.optim.Optimizer) -> Repulsion:
        if watch is not None:
            # Before the rule, whose own hook decays the weights.
            optimizer.register_step_pre_hook(lambda *_: watch(network))
        return Repulsion(
            cast(NeuralModules, module),
            optimizer,
            keep=cell["keep"],
            alpha=cell["alpha"],
            penalty=cell["penalty"],
        )

    return Training(
        network, data.x, data.y, task="classification", options=options_of(cell), rule=rule
    )
