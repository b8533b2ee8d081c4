"""`NeuralModulesClassifier` and `NeuralModulesRegressor`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nervure.estimators.base import GraphClassifier, GraphEstimator, GraphRegressor
from nervure.networks import NeuralModules
from nervure.rules import Repulsion
from nervure.rules.repulsion import ALPHA, Penalty
from nervure.training import TrainingOptions
from nervure.training.loop import RuleMaker
from nervure.training.options import Task, automatic_learning_rate


class _NeuralModulesEstimator(GraphEstimator):
    def __init__(
        self,
        nodes: int = 100,
        keep: int | None = None,
        alpha: float = ALPHA,
        penalty: Penalty = "repulsion",
        activation: str = "tanh",
        contraction: float | None = None,
        epochs: int = 30,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        momentum: float = 0.5,
        standardize: bool = True,
        validation_fraction: float = 0.0,
        random_state: Any = None,  # noqa: ANN401
    ) -> None:
        self.nodes = nodes
        self.keep = keep
        self.alpha = alpha
        self.penalty: Penalty = penalty
        self.activation = activation
        self.contraction = contraction
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.standardize = standardize
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def _options(self, task: Task, seed: int) -> TrainingOptions:
        return TrainingOptions(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=automatic_learning_rate(task, self.nodes)
            if self.learning_rate is None
            else self.learning_rate,
            momentum=self.momentum,
            seed=seed,
        )

    def _build(
        self, rows: NDArray[np.float32], outputs: int, options: TrainingOptions
    ) -> tuple[nn.Module, RuleMaker]:
        network = NeuralModules(
            rows.shape[1],
            outputs,
            nodes=self.nodes,
            activation=self.activation,
            contraction=self.contraction,
            seed=options.seed,
        )

        def rule(_: nn.Module, optimizer: torch.optim.Optimizer) -> Repulsion:
            return Repulsion(
                network,
                optimizer,
                keep=2 * self.nodes if self.keep is None else self.keep,
                alpha=self.alpha,
                penalty=self.penalty,
            )

        return network, rule


class NeuralModulesClassifier(GraphClassifier, _NeuralModulesEstimator):
    """Classifier that learns an arbitrary wiring, loops included.

    Parameters
    ----------
    nodes : int, default 100
        Neurons of the core.
    keep : int, optional
        Edges kept among the core's neurons; twice the nodes if None.
    alpha : float, default 0.001
        Strength of the penalty that keeps modules small.
    penalty : {"repulsion", "l2", "none"}, default "repulsion"
    activation : str, default "tanh"
    contraction : float, optional
        Between 0 and 1; guarantees that every input has one equilibrium.
    epochs : int, default 30
    batch_size : int, optional
        128, or fewer where an epoch would have under 30 steps, if None.
    learning_rate : float, optional
        0.3 for classes and 1 / nodes for regression if None.
    momentum : float, default 0.5
    standardize : bool, default True
        Whether to bring features to zero mean and unit variance first.
    validation_fraction : float, default 0
        Share of the training data held out to choose the best epoch; 0 keeps the last.
    random_state : int, RandomState or None, default None

    Attributes
    ----------
    network_ : NeuralModules
        The trained network in its compact form.
    topology_ : Topology
        The learned wiring; its components of two nodes or more are the modules.
    history_ : list of dict
        Metrics of each epoch.
    converged_ : bool
        Whether every sample was solved in every batch.
    n_features_in_ : int
    classes_ : ndarray, shape (classes,)

    Notes
    -----
    Paper: neural-modules, Algorithms 1 to 3.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from nervure import NeuralModulesClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = NeuralModulesClassifier(nodes=20, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    """


class NeuralModulesRegressor(GraphRegressor, _NeuralModulesEstimator):
    """Regressor that learns an arbitrary wiring, loops included.

    Parameters
    ----------
    nodes : int, default 100
        Neurons of the core.
    keep : int, optional
        Edges kept among the core's neurons; twice the nodes if None.
    alpha : float, default 0.001
        Strength of the penalty that keeps modules small.
    penalty : {"repulsion", "l2", "none"}, default "repulsion"
    activation : str, default "tanh"
    contraction : float, optional
        Between 0 and 1; guarantees that every input has one equilibrium.
    epochs : int, default 30
    batch_size : int, optional
        128, or fewer where an epoch would have under 30 steps, if None.
    learning_rate : float, optional
        0.3 for classes and 1 / nodes for regression if None.
    momentum : float, default 0.5
    standardize : bool, default True
        Whether to bring features to zero mean and unit variance first.
    validation_fraction : float, default 0
        Share of the training data held out to choose the best epoch; 0 keeps the last.
    random_state : int, RandomState or None, default None

    Attributes
    ----------
    network_ : NeuralModules
        The trained network in its compact form.
    topology_ : Topology
        The learned wiring; its components of two nodes or more are the modules.
    history_ : list of dict
        Metrics of each epoch.
    converged_ : bool
        Whether every sample was solved in every batch.
    n_features_in_ : int

    Notes
    -----
    Paper: neural-modules, Algorithms 1 to 3; trained by squared error.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from nervure import NeuralModulesRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> NeuralModulesRegressor(nodes=20, random_state=0).fit(X, y).score(X, y) > 0.4
    True
    """
