"""`evolve_until_fixed`: train, rewire, train again, until the wiring stays as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure.errors import EngineError
from nervure.networks import FreeNet
from nervure.rules import CoActivation, CoActivationStatistics, Rewiring
from nervure.rules.coactivation import EPSILON
from nervure.topology import Topology
from nervure.training.epoch_watch import Metrics
from nervure.training.fit import fit
from nervure.training.loop import RuleMaker
from nervure.training.options import Task, TrainingOptions
from nervure.training.rows import Rows, dtype_of, evaluation_batches

StatisticsOver = Literal["data", "batches"]
Ending = Literal["fixed point", "cycle", "limit", "interrupted"]


def automatic_freenet_rate(task: Task) -> float:
    """Choose Adam's 0.003 for classes, 0.001 for regression.

    By validation error on digits, Fashion-MNIST and codon, and on the diabetes data, which larger
    steps overfit.
    """
    return 1e-3 if task == "regression" else 3e-3


def coactivation_rule(
    network: FreeNet,
    x: Rows,
    options: TrainingOptions,
    *,
    epsilon: float,
    interval: int | None = None,
    statistics: StatisticsOver = "data",
    on_update: Callable[[Rewiring, CoActivationStatistics], None] | None = None,
) -> RuleMaker:
    """Make the maker of a `CoActivation` rule for `fit`.

    Parameters
    ----------
    network : FreeNet
    x : ndarray or sparse matrix, shape (rows, features)
        What it will be trained on.
    options : TrainingOptions
        How it will be trained.
    epsilon : float
        Of the rule.
    interval : int, optional
        Optimizer steps between updates; one epoch if None.
    statistics : {"data", "batches"}
        Whether each update looks at all of x (the paper's Algorithm 2), or at the training
        batches since the last update, which is free.
    on_update : callable, optional
        As for the rule.

    Returns
    -------
    callable

    Raises
    ------
    EngineError
        If `statistics` is neither; when called, if another option is out of range.
    """
    if statistics not in ("data", "batches"):
        raise EngineError(f"statistics: expected data or batches, got {statistics!r}")

    def make(_: nn.Module, optimizer: torch.optim.Optimizer) -> CoActivation:
        return CoActivation(
            network,
            optimizer,
            epsilon=epsilon,
            interval=options.steps_per_epoch(x.shape[0]) if interval is None else interval,
            data=_all_of(network, x) if statistics == "data" else None,
            on_update=on_update,
        )

    return make


def _all_of(network: nn.Module, x: Rows) -> Callable[[], Iterator[Tensor]]:
    return lambda: evaluation_batches(x, dtype_of(network))


@dataclass(frozen=True)
class Round:
    """One training to convergence and the update after it.

    Attributes
    ----------
    epochs : int
        Trained in this round.
    loss : float
        Training loss of its last epoch.
    edges : int
        Of the wiring that was trained.
    pruned, grown : int
        Edges that the update then changed; 0 where the wiring stays or no update followed.
    """

    epochs: int
    loss: float
    edges: int
    pruned: int = 0
    grown: int = 0


@dataclass
class Evolved:
    """What `evolve_until_fixed` gives back.

    Attributes
    ----------
    rounds : list of Round
    ended : {"fixed point", "cycle", "limit", "interrupted"}
        The last update changed nothing; it led back to a wiring seen before; `max_updates` changed
        the wiring each; or Ctrl-C came.
    period : int or None
        Updates from a wiring to its return, if it ended in a cycle.
    seconds : float
    """

    rounds: list[Round] = field(default_factory=list)
    ended: Ending = "limit"
    period: int | None = None
    seconds: float = 0.0


def evolve_until_fixed(
    network: FreeNet,
    x: Rows,
    y: NDArray[Any],
    *,
    task: Task,
    options: TrainingOptions,
    epsilon: float = EPSILON,
    max_updates: int = 50,
    patience: int = 5,
    tolerance: float = 1e-3,
    on_round: Callable[[Round], None] | None = None,
) -> Evolved:
    """Train a FreeNet and its wiring to a fixed point.

    A round trains to convergence, takes the statistics over all of x and updates the wiring. It
    has converged when for `patience` epochs the training loss has not fallen below its lowest by
    more than the share `tolerance`, or after `options.epochs` epochs. When it ends otherwise than
    at a fixed point, the last wiring is trained once more, so that weights and wiring belong
    together in any case.

    Parameters
    ----------
    network : FreeNet
        Trained and rewired in place.
    x : ndarray or sparse matrix, shape (rows, features)
        Sparse rows are made dense batch by batch.
    y : ndarray, shape (rows,)
        Class indices (int64), or targets (float32).
    task : {"classification", "regression"}
    options : TrainingOptions
        Of each round; the seed grows by one from round to round. With the schedule "constant" the
        loss alone decides when a round ends; "cosine" starts anew in each.
    epsilon : float
        Of the rule.
    max_updates : int
        At least 1.
    patience : int
        At least 1.
    tolerance : float
        At least 0.
    on_round : callable, optional
        Given each round as it ends.

    Returns
    -------
    Evolved

    Raises
    ------
    EngineError
        If an option is out of range or the loss is no longer finite.

    Notes
    -----
    A wiring that returns need not return for ever, as weights have moved meanwhile; waiting for
    more is rarely worth the time. For epsilon of 0.5 and more a pair can be both often active and
    often inactive together, and its edge comes and goes: there cycles are to be expected.

    Paper: freenets, Algorithms 1 and 2.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from nervure import FreeNet, TrainingOptions
    >>> from nervure.training import evolve_until_fixed
    >>> x, y = load_iris(return_X_y=True)
    >>> net = FreeNet(4, 3, neurons=10, seed=0)
    >>> options = TrainingOptions(epochs=10, optimizer="adam", learning_rate=0.01)
    >>> found = evolve_until_fixed(net, x, y, task="classification", options=options)
    >>> found.ended, found.rounds[-1].edges == net.topology.num_edges
    ('fixed point', True)
    """
    problems = [
        f"{name}: expected at least {least}, got {value}"
        for name, value, least in (
            ("max_updates", max_updates, 1), ("patience", patience, 1), ("tolerance", tolerance, 0)
        )
        if not value >= least
    ]  # fmt: skip
    if problems:
        raise EngineError("; ".join(problems))
    # The optimizer of a round ends with it, so the rule has none to keep in step.
    rule = CoActivation(network, None, epsilon=epsilon, interval=None, data=_all_of(network, x))
    found = Evolved()
    seen: dict[Topology, int] = {network.topology: 0}
    begin = time.perf_counter()
    updates = 0
    while True:
        fitted = fit(
            network,
            x,
            y,
            task=task,
            options=replace(options, seed=options.seed + len(found.rounds)),
            until=_Plateau(patience, tolerance),
        )
        done = Round(len(fitted.history), fitted.history[-1]["train_loss"],
                     network.topology.num_edges)  # fmt: skip
        if fitted.interrupted:
            found.ended = "interrupted"
        goes_on = not fitted.interrupted and found.period is None and updates < max_updates
        if goes_on:
            updates += 1
            rewiring = rule.update()
            done = replace(done, pruned=len(rewiring.pruned), grown=len(rewiring.grown))
            if not rewiring.changed:
                found.ended, goes_on = "fixed point", False
            elif rewiring.after in seen:
                found.ended, found.period = "cycle", updates - seen[rewiring.after]
            seen.setdefault(rewiring.after, updates)
        found.rounds.append(done)
        if on_round is not None:
            on_round(done)
        if not goes_on:
            break
    found.seconds = time.perf_counter() - begin
    return found


class _Plateau:
    """Says of the epochs of a round, one after the other, whether the loss has stopped falling."""

    def __init__(self, patience: int, tolerance: float) -> None:
        self.patience = patience
        self.tolerance = tolerance
        self._lowest = float("inf")
        self._idle = 0

    def __call__(self, metrics: Metrics) -> bool:
        loss = metrics["train_loss"]
        if loss < self._lowest * (1 - self.tolerance):
            self._lowest, self._idle = loss, 0
        else:
            self._idle += 1
        return self._idle >= self.patience
