"""`FreeNetClassifier` and `FreeNetRegressor`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nervure.estimators.base import GraphClassifier, GraphEstimator, GraphRegressor
from nervure.networks import FreeNet
from nervure.rules.coactivation import EPSILON
from nervure.training import TrainingOptions
from nervure.training.evolve import StatisticsOver, automatic_freenet_rate, coactivation_rule
from nervure.training.loop import RuleMaker
from nervure.training.options import OptimizerName, Task


class _FreeNetEstimator(GraphEstimator):
    def __init__(
        self,
        neurons: int = 100,
        activation: str = "relu",
        epsilon: float = EPSILON,
        interval: int | None = None,
        statistics: StatisticsOver = "data",
        epochs: int = 30,
        batch_size: int | None = None,
        optimizer: OptimizerName = "adam",
        learning_rate: float | None = None,
        standardize: bool = True,
        validation_fraction: float = 0.0,
        random_state: Any = None,  # noqa: ANN401
    ) -> None:
        self.neurons = neurons
        self.activation = activation
        self.epsilon = epsilon
        self.interval = interval
        self.statistics: StatisticsOver = statistics
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer: OptimizerName = optimizer
        self.learning_rate = learning_rate
        self.standardize = standardize
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def _options(self, task: Task, seed: int) -> TrainingOptions:
        return TrainingOptions(
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            learning_rate=automatic_freenet_rate(task)
            if self.learning_rate is None
            else self.learning_rate,
            seed=seed,
        )

    def _build(
        self, rows: NDArray[np.float32], outputs: int, options: TrainingOptions
    ) -> tuple[nn.Module, RuleMaker]:
        network = FreeNet(
            rows.shape[1],
            outputs,
            neurons=self.neurons,
            activation=self.activation,
            seed=options.seed,
        )
        rule = coactivation_rule(
            network,
            rows,
            options,
            epsilon=self.epsilon,
            interval=self.interval,
            statistics=self.statistics,
        )
        return network, rule


class FreeNetClassifier(GraphClassifier, _FreeNetEstimator):
    """Classifier without layers, which prunes and grows its edges by co-activation.

    Parameters
    ----------
    neurons : int, default 100
    activation : str, default "relu"
    epsilon : float, default 0.25
        Two neurons go together if they do in more than the share 1 - epsilon of the samples.
    interval : int, optional
        Optimizer steps between updates of the wiring; one epoch if None.
    statistics : {"data", "batches"}, default "data"
        Whether an update looks at all training data, or at the batches since the last one.
    epochs : int, default 30
    batch_size : int, optional
        128, or fewer where an epoch would have under 30 steps, if None.
    optimizer : {"adam", "adamw", "sgd"}, default "adam"
    learning_rate : float, optional
        0.003 for classes and 0.001 for regression if None.
    standardize : bool, default True
        Whether to bring features to zero mean and unit variance first. Neurons are then active
        on about half of the samples; on raw features of one sign more edges change.
    validation_fraction : float, default 0
        Share of the training data held out to choose the best epoch; 0 keeps the last.
    random_state : int, RandomState or None, default None

    Attributes
    ----------
    network_ : FreeNet
        The trained network.
    topology_ : Topology
        The learned wiring.
    history_ : list of dict
        Metrics of each epoch.
    converged_ : bool
        Always true: without cycles there is nothing to solve.
    n_features_in_ : int
    classes_ : ndarray, shape (classes,)

    Notes
    -----
    Paper: freenets, Algorithm 2, with an update every `interval` steps; for training to
    convergence between updates see `nervure.training.evolve_until_fixed`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from nervure import FreeNetClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = FreeNetClassifier(neurons=20, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    """


class FreeNetRegressor(GraphRegressor, _FreeNetEstimator):
    """Regressor without layers, which prunes and grows its edges by co-activation.

    Parameters
    ----------
    neurons : int, default 100
    activation : str, default "relu"
    epsilon : float, default 0.25
        Two neurons go together if they do in more than the share 1 - epsilon of the samples.
    interval : int, optional
        Optimizer steps between updates of the wiring; one epoch if None.
    statistics : {"data", "batches"}, default "data"
        Whether an update looks at all training data, or at the batches since the last one.
    epochs : int, default 30
    batch_size : int, optional
        128, or fewer where an epoch would have under 30 steps, if None.
    optimizer : {"adam", "adamw", "sgd"}, default "adam"
    learning_rate : float, optional
        0.003 for classes and 0.001 for regression if None.
    standardize : bool, default True
        Whether to bring features to zero mean and unit variance first. Neurons are then active
        on about half of the samples; on raw features of one sign more edges change.
    validation_fraction : float, default 0
        Share of the training data held out to choose the best epoch; 0 keeps the last.
    random_state : int, RandomState or None, default None

    Attributes
    ----------
    network_ : FreeNet
        The trained network.
    topology_ : Topology
        The learned wiring.
    history_ : list of dict
        Metrics of each epoch.
    converged_ : bool
        Always true: without cycles there is nothing to solve.
    n_features_in_ : int

    Notes
    -----
    Paper: freenets, Algorithm 2, with an update every `interval` steps; trained by squared error.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from nervure import FreeNetRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> FreeNetRegressor(neurons=20, random_state=0).fit(X, y).score(X, y) > 0.4
    True
    """
