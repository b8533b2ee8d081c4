"""`Job`: one training of one method, under the conditions that all methods share."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from torch import nn

from nervure.data import Dataset, Prepared, load, prepare
from nervure.data.splits import split_rows
from nervure.reproduce.completed import completed
from nervure.training import Fitted, TrainingOptions, fit
from nervure.training.epoch_watch import Metrics
from nervure.training.loop import Loss, RuleMaker

# The test part is the same for all seeds: no row of it is ever seen by a search.
_TEST_SEED = 0
_LEAST_PATIENCE = 5
BINARY = "binary"


@dataclass
class Job:
    """What a method is given to train on, and for how long.

    Attributes
    ----------
    data : Prepared
    nodes : int
        Neurons of the network.
    seed : int
        Of weights and order of samples.
    values : mapping of str to float
        Hyper-parameters, such as "learning_rate".
    epochs : int
        Most of one `fit`.
    seconds : float
        Time budget of all of them together. An epoch that has begun is ended.
    history : list of dict
        Metrics of each epoch of the last `fit`.
    best_epoch : int
        Of the last `fit`, counted from 1.
    spent : float
        Seconds of all of them together.
    """

    data: Prepared
    nodes: int
    seed: int
    values: Mapping[str, float]
    epochs: int
    seconds: float
    history: list[Metrics] = field(default_factory=list)
    best_epoch: int = 0
    spent: float = 0.0

    @property
    def inputs(self) -> int:
        """Features of a row."""
        return int(self.data.x_train.shape[1])

    @property
    def outputs(self) -> int:
        """Classes."""
        return len(self.data.class_names)

    @property
    def over_time(self) -> bool:
        """Whether the budget is spent."""
        return self.spent > self.seconds

    def fit(
        self,
        network: nn.Module,
        *,
        rule: RuleMaker | None = None,
        loss: Loss | None = None,
        data: Prepared | None = None,
        **changes: Any,  # noqa: ANN401
    ) -> Fitted:
        """Train a network by the one loop, and end where the validation error stops falling.

        Parameters
        ----------
        network : torch.nn.Module
            Ends with the weights of the epoch with the lowest validation error.
        rule, loss
            As in `nervure.training.fit`.
        data : Prepared, optional
            Instead of that of the job.
        **changes
            Of the `TrainingOptions`.

        Returns
        -------
        Fitted

        Raises
        ------
        EngineError
            If the loss is no longer finite, or an option does not fit.
        KeyboardInterrupt
            If Ctrl-C ended the training.
        """
        data = self.data if data is None else data
        options = replace(
            TrainingOptions(
                epochs=self.epochs, learning_rate=self.values["learning_rate"], seed=self.seed
            ),
            **changes,
        )
        patience = max(_LEAST_PATIENCE, options.epochs // 3)
        before, begin = self.spent, time.perf_counter()
        least = [np.inf, 0]

        def until(metrics: Metrics) -> bool:
            self.spent = before + time.perf_counter() - begin
            if metrics["validation_error"] < least[0]:
                least[:] = metrics["validation_error"], metrics["epoch"]
            return self.over_time or metrics["epoch"] - least[1] >= patience

        fitted = fit(
            network,
            data.x_train,
            data.y_train,
            task="classification",
            options=options,
            rule=rule,
            loss=loss,
            validation=(data.x_validation, data.y_validation),
            until=until,
        )
        completed(fitted)
        self.spent = before + time.perf_counter() - begin
        self.history, self.best_epoch = fitted.history, fitted.best_epoch
        return fitted


def tested(dataset: Dataset) -> Dataset:
    """Hold a part of the rows back as the published test part is: the same for all seeds."""
    held = np.zeros(len(dataset.y), dtype=np.bool_)
    held[split_rows(dataset.y, seed=_TEST_SEED, classes=True).test] = True
    return replace(dataset, official_test=held)


@lru_cache(maxsize=1)
def _loaded(name: str, seed: int) -> Prepared:
    return prepare(tested(load(name)), seed=seed)


def data_of(name: str, seed: int, target: str = "classes") -> Prepared:
    """Split a dataset: the test part is always the same, training and validation rows vary.

    Parameters
    ----------
    name : str
    seed : int
        Of the validation part.
    target : {"classes", "binary"}
        All classes, or the most frequent one against all others: of the rows that are not tested
        on, which are the same for all seeds, so that all seeds have the same task.

    Returns
    -------
    Prepared
    """
    data = _loaded(name, seed)
    if target != BINARY:
        return data
    largest = int(np.bincount(np.concatenate([data.y_train, data.y_validation])).argmax())
    names = ("others", data.class_names[largest])
    return replace(
        data,
        class_names=names,
        y_train=(data.y_train == largest).astype(np.int64),
        y_validation=(data.y_validation == largest).astype(np.int64),
        y_test=(data.y_test == largest).astype(np.int64),
    )
