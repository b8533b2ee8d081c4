"""`fit`: the one training loop, for every network and every rule."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix
from torch import Tensor, nn
from torch.nn import functional

from nervure.errors import EngineError
from nervure.networks import GraphLayer
from nervure.rules import Rewiring, Rule
from nervure.training.epoch_watch import EpochWatch, Metrics

Task = Literal["classification", "regression"]
OptimizerName = Literal["sgd", "adam", "adamw"]
Rows = NDArray[np.floating] | csr_array | csr_matrix
RuleMaker = Callable[[nn.Module, torch.optim.Optimizer], Rule]

# Rows evaluated at once: large enough to be fast, small enough for wide inputs.
_EVALUATION_BATCH = 1024


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
    schedule : {"cosine", "constant"}
        Cosine falls to zero over the epochs (Loshchilov and Hutter 2017, without restarts).
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
    schedule: Literal["cosine", "constant"] = "cosine"
    optimizer: OptimizerName = "sgd"
    seed: int = 0
    keep_best: bool = True

    def __post_init__(self) -> None:
        problems = []
        if self.epochs < 1:
            problems.append(f"epochs: expected at least 1, got {self.epochs}")
        if self.batch_size is not None and self.batch_size < 1:
            problems.append(f"batch_size: expected at least 1, got {self.batch_size}")
        if not 0 < self.learning_rate < float("inf"):
            problems.append(f"learning_rate: expected above 0, got {self.learning_rate}")
        if not 0 <= self.momentum < 1:
            problems.append(f"momentum: expected at least 0 and below 1, got {self.momentum}")
        if not 0 <= self.weight_decay < float("inf"):
            problems.append(f"weight_decay: expected at least 0, got {self.weight_decay}")
        if self.schedule not in ("cosine", "constant"):
            problems.append(f"schedule: expected cosine or constant, got {self.schedule!r}")
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

    def batch_size_for(self, rows: int) -> int:
        """Give the batch size, chosen by the number of rows if it is None."""
        return self.batch_size or automatic_batch_size(rows)

    def steps_per_epoch(self, rows: int) -> int:
        """Give the number of optimizer steps in one pass over so many rows."""
        return -(-rows // self.batch_size_for(rows))


@dataclass
class Fitted:
    """What `fit` gives back.

    Attributes
    ----------
    history : list of dict
        Metrics of each epoch.
    best_epoch : int
        Epoch whose weights the network now has, counted from 1.
    seconds : float
    converged : bool
        Whether every batch of the training was solved for every sample.
    interrupted : bool
        Whether Ctrl-C ended it early; the network then has its best weights so far.
    """

    history: list[Metrics] = field(default_factory=list)
    best_epoch: int = 0
    seconds: float = 0.0
    converged: bool = True
    interrupted: bool = False


@dataclass(frozen=True)
class Evaluation:
    """Loss and figure of merit on some data.

    Attributes
    ----------
    loss : float
        Mean cross-entropy in nats, or mean squared error.
    error : float
        Share of wrong classes, or root mean squared error in units of the given targets.
    """

    loss: float
    error: float


def automatic_batch_size(rows: int) -> int:
    """Choose 128 samples, or fewer (at least 8) where an epoch would have under 30 steps."""
    return min(128, max(8, rows // 30))


def rows_to_tensor(x: Rows, rows: NDArray[np.int64] | slice, dtype: torch.dtype) -> Tensor:
    """Take rows of dense or sparse data as a dense tensor."""
    part = x[rows]
    dense = part if isinstance(part, np.ndarray) else part.toarray()
    return torch.from_numpy(np.ascontiguousarray(dense)).to(dtype)


def automatic_learning_rate(task: Task, nodes: int) -> float:
    """Choose 0.3 for classes, 1 / nodes for regression.

    The curvature of the squared error of a linear read-out grows with the number of bounded
    neurons it reads, and a step longer than about 2 / curvature diverges; cross-entropy, whose
    slope is bounded, has no such limit.
    """
    return 0.3 if task == "classification" else 1.0 / nodes


def dtype_of(network: nn.Module) -> torch.dtype:
    """Give the precision of a network's weights."""
    return next(network.parameters()).dtype


def evaluation_batches(x: Rows, dtype: torch.dtype) -> Iterator[Tensor]:
    """Go through all rows of dense or sparse data in order, in batches that fit into memory."""
    for i in range(0, x.shape[0], _EVALUATION_BATCH):
        yield rows_to_tensor(x, slice(i, i + _EVALUATION_BATCH), dtype)


def predict_values(network: nn.Module, x: Rows) -> Tensor:
    """Run the network on all rows, shape (rows, outputs), without gradients."""
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            parts = [network(batch) for batch in evaluation_batches(x, dtype_of(network))]
    finally:
        network.train(was_training)
    return torch.cat(parts)


def evaluate(network: nn.Module, x: Rows, y: NDArray[Any], task: Task) -> Evaluation:
    """Measure loss and error on given data.

    Parameters
    ----------
    network : torch.nn.Module
    x : array or sparse matrix, shape (rows, features)
    y : ndarray, shape (rows,)
        Class indices, or targets.
    task : {"classification", "regression"}

    Returns
    -------
    Evaluation
    """
    values = predict_values(network, x)
    target = torch.from_numpy(np.asarray(y))
    if task == "classification":
        loss = functional.cross_entropy(values, target).item()
        return Evaluation(loss, (values.argmax(1) != target).double().mean().item())
    squared = functional.mse_loss(values[:, 0].double(), target.double()).item()
    return Evaluation(squared, squared**0.5)


def fit(
    network: nn.Module,
    x: Rows,
    y: NDArray[Any],
    *,
    task: Task,
    options: TrainingOptions,
    rule: RuleMaker | None = None,
    validation: tuple[Rows, NDArray[Any]] | None = None,
    on_epoch: Callable[[Metrics], None] | None = None,
    on_rewiring: Callable[[int, int, Rewiring, float], None] | None = None,
    until: Callable[[Metrics], bool] | None = None,
) -> Fitted:
    """Train a network, rewiring it after every step if there is a rule.

    Parameters
    ----------
    network : torch.nn.Module
        Trained in place.
    x : ndarray or sparse matrix, shape (rows, features)
        Sparse rows are made dense batch by batch.
    y : ndarray, shape (rows,)
        Class indices (int64), or targets (float32).
    task : {"classification", "regression"}
        Cross-entropy, or mean squared error.
    options : TrainingOptions
    rule : callable, optional
        Makes the rule: (network, optimizer) -> Rule.
    validation : (x, y), optional
        Measured after each epoch; also chooses the epoch to keep (`options.keep_best`).
    on_epoch : callable, optional
        Given the metrics of each epoch as it ends.
    on_rewiring : callable, optional
        Given (step, epoch, rewiring, threshold) after each step that changed an edge.
    until : callable, optional
        Given the metrics of each epoch as it ends; training ends early where it says so.

    Returns
    -------
    Fitted

    Raises
    ------
    ConvergenceError
        If an equilibrium is not found and the network's layers say "raise".
    EngineError
        If the loss is no longer finite.
    """
    if x.shape[0] != len(y) or not len(y):
        raise EngineError(f"expected one target per row, got {x.shape[0]} rows, {len(y)} targets")
    optimizer = options.make_optimizer(network.parameters())
    batch_size = options.batch_size_for(len(y))
    steps = options.epochs * options.steps_per_epoch(len(y))
    scheduler = (
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        if options.schedule == "cosine"
        else None
    )
    layers = [m for m in network.modules() if isinstance(m, GraphLayer)]
    # Asked before the rule prunes: a network that begins with cycles may lose and regain them.
    cyclic = any(not layer.topology.is_acyclic for layer in layers)
    active_rule = None if rule is None else rule(network, optimizer)
    targets = torch.from_numpy(np.asarray(y))
    if task == "regression":
        targets = targets.to(dtype_of(network))
    generator = np.random.default_rng(options.seed)
    dtype = dtype_of(network)
    fitted = Fitted()
    best: tuple[tuple[float, float], dict[str, Tensor]] | None = None
    begin = time.perf_counter()
    step = 0
    network.train()
    try:
        for epoch in range(1, options.epochs + 1):
            watch = EpochWatch(layers, cyclic=cyclic)
            for rows in _batches(len(y), batch_size, generator):
                step += 1
                output = network(rows_to_tensor(x, rows, dtype))
                loss = (
                    functional.cross_entropy(output, targets[rows])
                    if task == "classification"
                    else functional.mse_loss(output[:, 0], targets[rows])
                )
                watch.batch(loss.item(), len(rows))
                if not np.isfinite(watch.last_loss):
                    raise EngineError(
                        f"the training loss became {watch.last_loss} in epoch {epoch}: lower the "
                        f"learning rate (now {options.learning_rate:g}) or check the data"
                    )
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                if scheduler is not None:
                    scheduler.step()
                if active_rule is not None:
                    rewiring = active_rule.step()
                    watch.rewired(rewiring)
                    if on_rewiring is not None and rewiring.changed:
                        gamma = float(getattr(active_rule, "gamma", float("nan")))
                        on_rewiring(step, epoch, rewiring, gamma)
            metrics = watch.metrics(epoch, time.perf_counter() - begin, active_rule)
            if validation is not None:
                seen = evaluate(network, *validation, task)
                merit = "validation_error" if task == "classification" else "validation_rmse"
                metrics |= {"validation_loss": seen.loss, merit: seen.error}
                if options.keep_best and (best is None or (seen.error, seen.loss) < best[0]):
                    state = {k: v.clone() for k, v in network.state_dict().items()}
                    best = (seen.error, seen.loss), state
                    fitted.best_epoch = epoch
            fitted.converged &= metrics.get("lost", 0) == 0
            fitted.history.append(metrics)
            if on_epoch is not None:
                on_epoch(metrics)
            if until is not None and until(metrics):
                break
    except KeyboardInterrupt:
        if not fitted.history:
            raise
        fitted.interrupted = True
    if best is not None:
        network.load_state_dict(best[1])
    else:
        fitted.best_epoch = len(fitted.history)
    fitted.seconds = time.perf_counter() - begin
    detach = getattr(active_rule, "detach", None)
    if detach is not None:
        detach()
    return fitted


def _batches(count: int, size: int, generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    order = generator.permutation(count)
    for i in range(0, count, size):
        yield np.sort(order[i : i + size])
