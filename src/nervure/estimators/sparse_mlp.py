"""`SparseMLPClassifier` and `SparseMLPRegressor`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import nn

from nervure.estimators.base import GraphClassifier, GraphEstimator, GraphRegressor
from nervure.networks import SparseMLP
from nervure.networks.sparse_mlp import EPSILON
from nervure.rules.evolutionary import ZETA
from nervure.training import Fitted, SparseOptions, TrainingOptions, fit_motif_race
from nervure.training.loop import RuleMaker
from nervure.training.options import OptimizerName, Task
from nervure.training.sparse_rules import (
    SparseRule,
    automatic_sparse_rate,
)


class _SparseMLPEstimator(GraphEstimator):
    def __init__(
        self,
        hidden_sizes: Sequence[int] = (300, 300),
        epsilon: float = EPSILON,
        rule: SparseRule = "set",
        zeta: float = ZETA,
        interval: int | None = None,
        motif_size: int | Literal["auto"] = 1,
        tied: bool = False,
        activation: str = "relu",
        epochs: int = 30,
        batch_size: int | None = None,
        optimizer: OptimizerName = "sgd",
        learning_rate: float | None = None,
        momentum: float = 0.9,
        weight_decay: float = 2e-4,
        standardize: bool = True,
        validation_fraction: float = 0.0,
        random_state: Any = None,  # noqa: ANN401
    ) -> None:
        self.hidden_sizes = hidden_sizes
        self.epsilon = epsilon
        self.rule: SparseRule = rule
        self.zeta = zeta
        self.interval = interval
        self.motif_size: int | Literal["auto"] = motif_size
        self.tied = tied
        self.activation = activation
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer: OptimizerName = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.standardize = standardize
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def _options(self, task: Task, seed: int) -> TrainingOptions:
        rate = automatic_sparse_rate(task) if self.learning_rate is None else self.learning_rate
        return TrainingOptions(
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            learning_rate=rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            seed=seed,
        )

    def _sparse(self) -> SparseOptions:
        return SparseOptions(
            hidden=tuple(self.hidden_sizes),
            epsilon=self.epsilon,
            motif_size=1 if self.motif_size == "auto" else self.motif_size,
            tied=self.tied,
            activation=self.activation,
            rule=self.rule,
            zeta=self.zeta,
            interval=self.interval,
        )

    def _build(
        self, rows: NDArray[np.float32], outputs: int, options: TrainingOptions
    ) -> tuple[nn.Module, RuleMaker]:
        sparse = self._sparse()
        network = sparse.make_network(rows.shape[1], outputs, seed=options.seed)
        return network, sparse.make_rule(options, len(rows))

    def _train(
        self,
        rows: NDArray[np.float32],
        y: NDArray[Any],
        outputs: int,
        task: Task,
        options: TrainingOptions,
        validation: tuple[NDArray[np.float32], NDArray[Any]] | None,
    ) -> tuple[nn.Module, Fitted]:
        if self.motif_size != "auto":
            self.motif_size_ = self.motif_size
            return super()._train(rows, y, outputs, task, options, validation)
        if validation is None:
            raise ValueError(
                "motif_size='auto' chooses by accuracy on data held out: expected "
                "validation_fraction above 0, got 0"
            )
        network, fitted, race = fit_motif_race(
            self._sparse(), rows, y, outputs=outputs, task=task, options=options,
            validation=validation,
        )  # fmt: skip
        self.motif_size_ = race.motif_size
        self.motif_trials_ = race.trials
        return network, fitted

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """Share of each feature in the strength of all inputs, shape (features,), sum 1.

        Strength is the sum of |w| of an input's edges. A larger `weight_decay`, such as 0.01, lets
        features without effect fade and makes the shares sharper.
        """
        check_is_fitted(self, "network_")
        return cast(SparseMLP, self.network_).input_importances()


class SparseMLPClassifier(GraphClassifier, _SparseMLPEstimator):
    """Classifier of sparse layers, whose edges evolve in training.

    Parameters
    ----------
    hidden_sizes : sequence of int, default (300, 300)
        Nodes of each hidden layer, multiples of `motif_size`.
    epsilon : float, default 20
        Density of each pair of layers of n and m nodes: epsilon (n + m) / (n m), at most 1.
    rule : {"set", "rigl", "magnitude", "static"}, default "set"
        Exchange the weakest edges for random ones; for those of the largest gradient; prune a dense
        network down gradually; or leave the edges of the start.
    zeta : float, default 0.3
        Share of the edges that "set" and "rigl" exchange at an update.
    interval : int, optional
        Optimizer steps between updates of the wiring; one epoch if None.
    motif_size : int or "auto", default 1
        Nodes per motif: edges join whole motifs. "auto" chooses among 1, 2 and 4 during training,
        by time and accuracy on the data held out (see `nervure.training.race_motif_sizes`).
    tied : bool, default False
        Whether a motif's edge has one weight instead of motif_size^2.
    activation : str, default "relu"
    epochs : int, default 30
    batch_size : int, optional
        128, or fewer where an epoch would have under 30 steps, if None.
    optimizer : {"sgd", "adam", "adamw"}, default "sgd"
    learning_rate : float, optional
        0.05 for classes and 0.01 for regression if None.
    momentum : float, default 0.9
        Of SGD.
    weight_decay : float, default 2e-4
    standardize : bool, default True
        Whether to bring features to zero mean and unit variance first.
    validation_fraction : float, default 0
        Share of the training data held out to choose the best epoch; 0 keeps the last.
    random_state : int, RandomState or None, default None

    Attributes
    ----------
    network_ : SparseMLP
        The trained network.
    topology_ : Topology
        The learned wiring, of motifs.
    motif_size_ : int
    motif_trials_ : tuple of Trial
        How the sizes did, with `motif_size` "auto".
    feature_importances_ : ndarray, shape (features,)
        Share of each feature in the strength (sum of |w|) of all inputs.
    history_ : list of dict
        Metrics of each epoch.
    converged_ : bool
        Always true: without cycles there is nothing to solve.
    n_features_in_ : int
    classes_ : ndarray, shape (classes,)

    Notes
    -----
    Papers: Mocanu et al. 2018 (SET); motif-set; Evci et al. 2020 (RigL); Zhu and Gupta 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from nervure import SparseMLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SparseMLPClassifier((40, 40), epsilon=4, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    """


class SparseMLPRegressor(GraphRegressor, _SparseMLPEstimator):
    """Regressor of sparse layers, whose edges evolve in training.

    Parameters
    ----------
    hidden_sizes : sequence of int, default (300, 300)
        Nodes of each hidden layer, multiples of `motif_size`.
    epsilon : float, default 20
        Density of each pair of layers of n and m nodes: epsilon (n + m) / (n m), at most 1.
    rule : {"set", "rigl", "magnitude", "static"}, default "set"
        Exchange the weakest edges for random ones; for those of the largest gradient; prune a dense
        network down gradually; or leave the edges of the start.
    zeta : float, default 0.3
        Share of the edges that "set" and "rigl" exchange at an update.
    interval : int, optional
        Optimizer steps between updates of the wiring; one epoch if None.
    motif_size : int or "auto", default 1
        Nodes per motif: edges join whole motifs. "auto" chooses among 1, 2 and 4 during training,
        by time and accuracy on the data held out (see `nervure.training.race_motif_sizes`).
    tied : bool, default False
        Whether a motif's edge has one weight instead of motif_size^2.
    activation : str, default "relu"
    epochs : int, default 30
    batch_size : int, optional
        128, or fewer where an epoch would have under 30 steps, if None.
    optimizer : {"sgd", "adam", "adamw"}, default "sgd"
    learning_rate : float, optional
        0.05 for classes and 0.01 for regression if None.
    momentum : float, default 0.9
        Of SGD.
    weight_decay : float, default 2e-4
    standardize : bool, default True
        Whether to bring features to zero mean and unit variance first.
    validation_fraction : float, default 0
        Share of the training data held out to choose the best epoch; 0 keeps the last.
    random_state : int, RandomState or None, default None

    Attributes
    ----------
    network_ : SparseMLP
        The trained network.
    topology_ : Topology
        The learned wiring, of motifs.
    motif_size_ : int
    motif_trials_ : tuple of Trial
        How the sizes did, with `motif_size` "auto".
    feature_importances_ : ndarray, shape (features,)
        Share of each feature in the strength (sum of |w|) of all inputs.
    history_ : list of dict
        Metrics of each epoch.
    converged_ : bool
        Always true: without cycles there is nothing to solve.
    n_features_in_ : int

    Notes
    -----
    Trained by squared error. Papers: Mocanu et al. 2018 (SET); motif-set.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from nervure import SparseMLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = SparseMLPRegressor((40, 40), epsilon=4, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.4
    True
    """
