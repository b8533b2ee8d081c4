"""`Training`: the one training loop, for every network and every rule, an epoch at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from nervure.errors import EngineError
from nervure.networks import GraphLayer
from nervure.rules import Rewiring, Rule
from nervure.rules.rule import detach
from nervure.training.epoch_watch import EpochWatch, Metrics
from nervure.training.evaluation import evaluate
from nervure.training.options import Task, TrainingOptions
from nervure.training.rows import Rows, device_of, dtype_of, rows_to_tensor
from nervure.training.stored_state import expect_like, expect_optimizer
from nervure.training.targets import check_data, only_value

RuleMaker = Callable[[nn.Module, torch.optim.Optimizer], Rule]
Augment = Callable[[Tensor, np.random.Generator], Tensor]
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


@dataclass
class Fitted:
    """What a training comes to.

    Attributes
    ----------
    history : list of dict
        Metrics of each epoch.
    best_epoch : int
        Epoch whose weights the network now has, counted from 1.
    seconds : float
        Spent on this training; pauses between its epochs do not count.
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
class _Best:
    """The epoch to keep, of those so far."""

    merit: tuple[float, float]
    epoch: int
    state: dict[str, Tensor]

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> _Best:
        """Rebuild it from a state; ValueError if it is none."""
        expect_like({"merit": (0.0,), "epoch": 0, "state": None}, state, "best")
        tensors = dict(state["state"])
        if len(state["merit"]) != 2 or not all(isinstance(t, Tensor) for t in tensors.values()):
            raise ValueError("best: expected an error, a loss and the tensors of a network")
        return cls(state["merit"], state["epoch"], tensors)


class Training:
    """A training that goes an epoch at a time, and can wait in between.

    What it needs to go on it holds itself: optimizer, schedule, rule and order of samples. So
    several trainings advanced in turns give what each gives alone, and one that has waited gives
    what it would have given without.

    Parameters
    ----------
    network : torch.nn.Module
        Trained in place.
    x : ndarray or sparse matrix, shape (rows, features), or ndarray, shape (rows, ...)
        Sparse rows are made dense batch by batch.
    y : ndarray, shape (rows,), or (rows, bits)
        Class indices (int64), targets (float32), or bits, 0 or 1.
    task : {"classification", "regression", "bits"}
        Cross-entropy, mean squared error, or cross-entropy of each bit.
    options : TrainingOptions
    rule : callable, optional
        Makes the rule: (network, optimizer) -> Rule.
    validation : (x, y), optional
        Measured after each epoch; also chooses the epoch to keep (`options.keep_best`).
    augment : callable, optional
        Changes each batch before it is learned, such as `FlipAndCrop`: (rows, generator) -> rows.
    loss : callable, optional
        What a step makes smaller, instead of the task's: (network, rows, targets) -> Tensor. Of a
        network that learns by losses inside of it, say.
    on_epoch : callable, optional
        Given the metrics of each epoch as it ends.
    on_rewiring : callable, optional
        Given (step, epoch, rewiring, threshold) after each step that changed an edge.

    Raises
    ------
    EngineError
        If the task is none, rows and targets do not match, or the rule does not fit the network.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from nervure.baselines import PlainNetwork
    >>> from nervure.training import Training, TrainingOptions
    >>> x, y = load_iris(return_X_y=True)
    >>> networks = [PlainNetwork(4, 3, nodes=nodes, seed=0) for nodes in (5, 20)]
    >>> options = TrainingOptions(epochs=10)
    >>> race = [Training(n, x, y, task="classification", options=options) for n in networks]
    >>> for _ in range(3):
    ...     losses = [training.epoch()["train_loss"] for training in race]
    >>> winner = race[losses.index(min(losses))]
    >>> while not winner.done:
    ...     metrics = winner.epoch()
    >>> sorted(len(training.finish().history) for training in race)
    [3, 10]
    """

    def __init__(
        self,
        network: nn.Module,
        x: Rows,
        y: NDArray[Any],
        *,
        task: Task,
        options: TrainingOptions,
        rule: RuleMaker | None = None,
        validation: tuple[Rows, NDArray[Any]] | None = None,
        augment: Augment | None = None,
        loss: Loss | None = None,
        on_epoch: Callable[[Metrics], None] | None = None,
        on_rewiring: Callable[[int, int, Rewiring, float], None] | None = None,
    ) -> None:
        check_data(x, y, task)
        if validation is not None:
            check_data(*validation, task)
        self.network = network
        self.task = task
        self.options = options
        self._optimizer = options.make_optimizer(network.parameters())
        self._scheduler = options.make_scheduler(self._optimizer, len(y))
        self._layers = [m for m in network.modules() if isinstance(m, GraphLayer)]
        # Asked before the rule prunes: a network that begins with cycles may lose and regain them.
        self._cyclic = any(not layer.topology.is_acyclic for layer in self._layers)
        self._rule = None if rule is None else rule(network, self._optimizer)
        self._x = x
        self._dtype = dtype_of(network)
        self._device = device_of(network)
        targets = torch.from_numpy(np.asarray(y)).to(self._device)
        self._targets = targets if task == "classification" else targets.to(self._dtype)
        # A batch of one has no spread that batch normalisation could divide by.
        normalised = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules())
        self._least_rows = 2 if normalised else 1
        self._generator = np.random.default_rng(options.seed)
        self._validation = validation
        self._augment = augment
        self._loss = self._loss_of_task if loss is None else loss
        self._on_epoch = on_epoch
        self._on_rewiring = on_rewiring
        self._fitted = Fitted()
        self._best: _Best | None = None
        self._step = 0
        self._cut_short = False
        self._finished = False

    @property
    def fitted(self) -> Fitted:
        """What the training has come to so far; complete after `finish`."""
        return self._fitted

    @property
    def done(self) -> bool:
        """Whether all epochs of the options have been trained."""
        return len(self._fitted.history) >= self.options.epochs

    def epoch(self) -> Metrics:
        """Train for one more epoch, and measure it if there is validation data.

        Returns
        -------
        Metrics
            Among them "seconds", spent on this training up to the end of the epoch's last step,
            and "train_seconds", those of the epoch's steps and rewirings alone.

        Raises
        ------
        ConvergenceError
            If an equilibrium is not found and the network's layers say "raise".
        EngineError
            If the loss is no longer finite, or no further epoch can follow: all are done, the
            training is finished, or an error or Ctrl-C came in mid-epoch.
        """
        self._refuse_if_over()
        begin = time.perf_counter()
        self._cut_short = True
        # Who looked at the network in a pause may have left it in evaluation mode.
        self.network.train()
        try:
            metrics = self._train_epoch(len(self._fitted.history) + 1)
            best = self._measured(metrics)
            # Last, and together: whatever ends the epoch before leaves the record as it was.
            self._fitted.converged &= metrics.get("lost", 0) == 0
            self._fitted.history.append(metrics)
            self._best = best
            self._cut_short = False
            if self._on_epoch is not None:
                self._on_epoch(metrics)
        finally:
            self._fitted.seconds += time.perf_counter() - begin
        return metrics

    def finish(self) -> Fitted:
        """End the training, after its last epoch or earlier.

        The network gets the weights and wiring of its best epoch, where `options.keep_best` and
        validation data say which, and the rule lets go of it. Called again, it changes nothing.

        Returns
        -------
        Fitted
        """
        if self._finished:
            return self._fitted
        begin = time.perf_counter()
        if self._best is not None:
            self.network.load_state_dict(self._best.state)
            self._fitted.best_epoch = self._best.epoch
        else:
            self._fitted.best_epoch = len(self._fitted.history)
        if self._rule is not None:
            detach(self._rule)
        self._finished = True
        self._best = None
        self._fitted.seconds += time.perf_counter() - begin
        return self._fitted

    def state_dict(self) -> dict[str, Any]:
        """Give all that a training needs to go on from here, besides what it was made with.

        Weights and wiring, optimizer, schedule, rule, order of samples, the best epoch, the history
        and torch's own random state (which dropout draws from).

        Returns
        -------
        dict
            Of tensors, arrays, numbers, texts, and lists, tuples and mappings of them, as
            `nervure.training.state_file.save_state` takes them. Tensors are not copied: save or
            copy them before the next epoch.

        Raises
        ------
        EngineError
            If it is finished, or an error or Ctrl-C came in mid-epoch.
        """
        self._refuse_if_cut_short()
        best = self._best
        return {
            "network": dict(self.network.state_dict()),
            "optimizer": self._optimizer.state_dict(),
            "scheduler": _progress_of(self._scheduler),
            "rule": None if self._rule is None else self._rule.state_dict(),
            "generator": self._generator.bit_generator.state,
            "torch_generator": torch.get_rng_state(),
            "step": self._step,
            "best": None
            if best is None
            else {"merit": best.merit, "epoch": best.epoch, "state": best.state},
            "history": self._fitted.history,
            "seconds": self._fitted.seconds,
            "converged": self._fitted.converged,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where another training like this one stood.

        Parameters
        ----------
        state : mapping
            As `state_dict` gave it. The other had the same network, options, rule and data; then
            what follows is the same bit for bit, on the same machine with as many threads.

        Raises
        ------
        EngineError
            If it does not fit this training.
        """
        self._refuse_if_cut_short()
        try:
            # First the network: its wiring says how many weights optimizer and rule speak of.
            self.network.load_state_dict(state["network"])
            groups = [dict(group) for group in self._optimizer.param_groups]
            self._optimizer.load_state_dict(state["optimizer"])
            expect_optimizer(self._optimizer, groups, self.options.make_optimizer)
            expect_like(_progress_of(self._scheduler), state["scheduler"], "scheduler")
            if self._scheduler is not None:
                self._scheduler.__dict__.update(state["scheduler"])
            if self._rule is not None:
                expect_like(self._rule.state_dict(), state["rule"], "rule")
                self._rule.load_state_dict(state["rule"])
            self._generator.bit_generator.state = state["generator"]
            torch.set_rng_state(state["torch_generator"])
            best = state["best"]
            self._best = None if best is None else _Best.of(best)
            plain = {"step": self._step, "history": [], "seconds": 0.0, "converged": True}
            expect_like(plain, {name: state[name] for name in plain}, "training")
            self._step = state["step"]
            history = [dict(metrics) for metrics in state["history"]]
            self._fitted = Fitted(history, seconds=state["seconds"], converged=state["converged"])
        except (
            LookupError, TypeError, ValueError, RuntimeError, AttributeError, ArithmeticError
        ) as error:  # fmt: skip
            raise EngineError(
                f"the state does not fit this training: {error}; make it with the network, rule, "
                "options and data of the first"
            ) from error

    def _refuse_if_cut_short(self) -> None:
        if self._finished:
            raise EngineError("this training is finished; begin another to train further")
        if self._cut_short:
            # Some of its steps are taken: optimizer, schedule and rule are past its beginning.
            raise EngineError("the last epoch ended in its middle; only finish() can follow")

    def _refuse_if_over(self) -> None:
        self._refuse_if_cut_short()
        if self.done:
            raise EngineError(
                f"all epochs are done ({self.options.epochs}); call finish(), or ask for more in "
                "the options"
            )

    def _train_epoch(self, epoch: int) -> Metrics:
        watch = EpochWatch(self._layers, cyclic=self._cyclic)
        count = len(self._targets)
        size = self.options.batch_size_for(count)
        for rows in _batches(count, size, self._generator, self._least_rows):
            self._step += 1
            self._take_step(rows, epoch, watch)
            self._rewire(epoch, watch)
        return watch.metrics(epoch, self._fitted.seconds, self._rule)

    def _take_step(self, rows: NDArray[np.int64], epoch: int, watch: EpochWatch) -> None:
        x = rows_to_tensor(self._x, rows, self._dtype)
        if self._augment is not None:
            x = self._augment(x, self._generator)
        loss = self._loss(self.network, x.to(self._device), self._targets[rows])
        watch.batch(loss.item(), len(rows))
        if not np.isfinite(watch.last_loss):
            raise EngineError(
                f"the training loss became {watch.last_loss} in epoch {epoch}: lower the "
                f"learning rate (now {self.options.learning_rate:g}) or check the data"
            )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        if self._scheduler is not None:
            self._scheduler.step()

    def _loss_of_task(self, network: nn.Module, x: Tensor, target: Tensor) -> Tensor:
        return _loss(network(x), target, self.task)

    def _rewire(self, epoch: int, watch: EpochWatch) -> None:
        if self._rule is None:
            return
        rewiring = self._rule.step()
        watch.rewired(rewiring)
        if self._on_rewiring is not None and rewiring.changed:
            gamma = float(getattr(self._rule, "gamma", float("nan")))
            self._on_rewiring(self._step, epoch, rewiring, gamma)

    def _measured(self, metrics: Metrics) -> _Best | None:
        """Add what validation finds to the metrics, and give the best epoch with this one."""
        if self._validation is None:
            return None
        seen = evaluate(self.network, *self._validation, self.task)
        name = "validation_rmse" if self.task == "regression" else "validation_error"
        metrics |= {"validation_loss": seen.loss, name: seen.error}
        merit = seen.error, seen.loss
        better = self._best is None or _ranked(merit) < _ranked(self._best.merit)
        if not (better and self.options.keep_best):
            return self._best
        state = {k: v.clone() for k, v in self.network.state_dict().items()}
        return _Best(merit, metrics["epoch"], state)


def _ranked(merit: tuple[float, float]) -> tuple[float, ...]:
    """Put what is no number behind all numbers."""
    return tuple(math.inf if math.isnan(value) else value for value in merit)


def _progress_of(scheduler: torch.optim.lr_scheduler.LRScheduler | None) -> dict[str, Any]:
    """Give what changes in a scheduler as it goes on; the rest follows from the options."""
    if scheduler is None:
        return {}
    changing = ("last_epoch", "_step_count", "_last_lr")
    return {key: value for key, value in scheduler.state_dict().items() if key in changing}


def _loss(output: Tensor, target: Tensor, task: Task) -> Tensor:
    if task == "classification":
        return functional.cross_entropy(output, target)
    if task == "bits":
        return functional.binary_cross_entropy_with_logits(output, target)
    return functional.mse_loss(only_value(output), target)


def _batches(
    count: int, size: int, generator: np.random.Generator, least: int
) -> Iterator[NDArray[np.int64]]:
    """Go through all rows in random order; a last batch below `least` rows joins the one before."""
    order = generator.permutation(count)
    starts = list(range(0, count, size))
    if len(starts) > 1 and count - starts[-1] < least:
        starts.pop()
    for i, end in zip(starts, [*starts[1:], count], strict=True):
        yield np.sort(order[i:end])
