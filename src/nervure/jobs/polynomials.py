"""The job that learns functions of one number: FreeNets beside a plain network of their size."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure.baselines import PlainNetwork, matched_hidden_size
from nervure.data.polynomials import (
    SAMPLES,
    FunctionTask,
    interval_polynomials,
    monomial,
    sparse_polynomial,
    trigonometric,
)
from nervure.errors import EngineError
from nervure.networks import FreeNet, count_parameters
from nervure.rules import CoActivation
from nervure.training.losses import max_abs_error

NetworkName = Literal["freenet", "freenet, wiring fixed", "plain"]
NETWORKS: tuple[NetworkName, ...] = ("freenet", "freenet, wiring fixed", "plain")

# Points of the held-out grid, both ends of [0, 1] among them.
GRID = 2001


@dataclass(frozen=True)
class PolynomialOptions:
    """How to train; all but the first three as in the FreeNets authors' code.

    Attributes
    ----------
    neurons : tuple of int
        Sizes of the FreeNet; the plain network gets the hidden units that match its parameters.
    epochs : int
    seeds : tuple of int
        For weights and the order of samples.
    activation : str
        Of the neurons of all networks.
    epsilon : float
        Of `CoActivation`, which updates the wiring at the end of every epoch.
    batch_size : int
    learning_rate, weight_decay : float
        Of AdamW (Loshchilov and Hutter 2019).
    factor, patience : float, int
        The learning rate is multiplied by `factor` when the mean training loss has not fallen for
        more than `patience` epochs.
    """

    neurons: tuple[int, ...] = (10, 20, 40)
    epochs: int = 100
    seeds: tuple[int, ...] = (0, 1, 2)
    activation: str = "relu"
    epsilon: float = 0.25
    batch_size: int = 32
    learning_rate: float = 0.01
    weight_decay: float = 1e-5
    factor: float = 0.1
    patience: int = 10

    def __post_init__(self) -> None:
        problems = [
            f"{name}: expected at least 1, got {value}"
            for name, value in (
                *(("neurons", size) for size in self.neurons),
                ("epochs", self.epochs),
                ("batch_size", self.batch_size),
            )
            if value < 1
        ]
        if not self.neurons or not self.seeds:
            problems.append("neurons and seeds: expected at least one of each")
        if problems:
            raise EngineError("; ".join(problems))


QUICK = PolynomialOptions(neurons=(10,), epochs=15, seeds=(0,))
QUICK_SAMPLES = 2000


@dataclass(frozen=True)
class PolynomialRow:
    """How well one network learned one task.

    Attributes
    ----------
    task : str
    network : {"freenet", "freenet, wiring fixed", "plain"}
        With `CoActivation`, without, and one hidden layer.
    seed, neurons : int
    parameters : int
        In use at the end; for the FreeNet it falls with the edges pruned.
    max_error, mean_error : float
        Absolute errors on an even grid over [0, 1]; infinite where training diverged.
    seconds : float
        Of training.
    """

    task: str
    network: NetworkName
    seed: int
    neurons: int
    parameters: int
    max_error: float
    mean_error: float
    seconds: float


def polynomial_tasks(samples: int = SAMPLES, seed: int = 0) -> list[FunctionTask]:
    """Give one task of each kind.

    Parameters
    ----------
    samples, seed : int
        As in `nervure.data.polynomials`.

    Returns
    -------
    list of FunctionTask
    """
    return [
        monomial(8, samples=samples, seed=seed),
        sparse_polynomial(16, samples=samples, seed=seed),
        trigonometric(4, samples=samples, seed=seed),
        interval_polynomials(3, 8, samples=samples, seed=seed),
    ]


def run_polynomials(
    tasks: Sequence[FunctionTask],
    options: PolynomialOptions | None = None,
    on_row: Callable[[PolynomialRow], None] | None = None,
) -> list[PolynomialRow]:
    """Train a FreeNet, with and without `CoActivation`, and the plain network on each task.

    Parameters
    ----------
    tasks : sequence of FunctionTask
        From `polynomial_tasks`, say; with ``polynomial_tasks(QUICK_SAMPLES)`` and `QUICK` the job
        takes less than a minute on one core.
    options : PolynomialOptions, optional
    on_row : callable, optional
        Given each row as soon as it is known.

    Returns
    -------
    list of PolynomialRow
        By task, neurons, seed and network, in this order.

    Raises
    ------
    EngineError
        If the activation or `epsilon` is not known or out of range.

    Notes
    -----
    `nervure.fit` has neither this loss nor a learning rate that waits for a plateau, and nothing
    else wants them; the loop here is the authors' and no more. The weights of the last epoch
    count.
    """
    chosen = options or PolynomialOptions()
    rows = []
    for task in tasks:
        for neurons in chosen.neurons:
            for seed in chosen.seeds:
                for name in NETWORKS:
                    row = _row(task, name, neurons, seed, chosen)
                    rows.append(row)
                    if on_row is not None:
                        on_row(row)
    return rows


def _row(
    task: FunctionTask, name: NetworkName, neurons: int, seed: int, options: PolynomialOptions
) -> PolynomialRow:
    network: nn.Module = FreeNet(1, 1, neurons=neurons, activation=options.activation, seed=seed)
    if name == "plain":
        neurons = matched_hidden_size(1, 1, count_parameters(network))
        network = PlainNetwork(1, 1, nodes=neurons, activation=options.activation, seed=seed)
    begin = time.perf_counter()
    _train(network, task, seed, options, evolve=name == "freenet")
    seconds = time.perf_counter() - begin
    errors = _errors(network, task)
    return PolynomialRow(
        task.name,
        name,
        seed,
        neurons,
        count_parameters(network),
        float(errors.max()),
        float(errors.mean()),
        seconds,
    )


def _train(
    network: nn.Module, task: FunctionTask, seed: int, options: PolynomialOptions, *, evolve: bool
) -> None:
    x, y = torch.from_numpy(task.x), torch.from_numpy(task.y)[:, None]
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=options.factor, patience=options.patience
    )
    rule = None
    if evolve and isinstance(network, FreeNet):
        rule = CoActivation(network, optimizer, epsilon=options.epsilon, interval=None, data=x)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(options.epochs):
        total = 0.0
        for rows in torch.randperm(len(x), generator=generator).split(options.batch_size):
            loss: Tensor = max_abs_error(network(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        if not np.isfinite(total):
            return
        scheduler.step(total / len(x))
        if rule is not None:
            rule.update()


def _errors(network: nn.Module, task: FunctionTask) -> NDArray[np.float64]:
    # Rounded as the network sees it, so that the rounding of x is no error of the network.
    grid = np.linspace(0, 1, GRID, dtype=np.float32)
    with torch.no_grad():
        found = network(torch.from_numpy(grid)[:, None])[:, 0].double().numpy()
    errors = np.abs(found - task.evaluate(grid))
    return np.where(np.isfinite(errors), errors, np.inf)
