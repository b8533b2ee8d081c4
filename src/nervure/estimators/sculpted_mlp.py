"""`SculptedMLPClassifier` and `SculptedMLPRegressor`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import nn

from nervure.errors import TopologyError
from nervure.estimators.base import GraphEstimator, GraphRegressor
from nervure.estimators.multilabel import MultilabelClassifier
from nervure.modules import Detection, Hierarchy, detect_modules
from nervure.networks import SparseMLP
from nervure.training import Fitted, TrainingOptions
from nervure.training.options import Task
from nervure.training.sculpting import SculptingOptions, sculpt, sparsest
from nervure.training.sculpting import Task as SculptingTask


class _SculptedMLPEstimator(GraphEstimator):
    def __init__(
        self,
        hidden_sizes: Sequence[int] = (36, 36),
        unit_steps: Sequence[float] = SculptingOptions.unit_steps,
        edge_steps: Sequence[float] = SculptingOptions.edge_steps,
        tolerance: float = 0.01,
        threshold: float | None = None,
        stop_early: bool = False,
        activation: str = "relu",
        epochs: int = 15,
        batch_size: int | None = None,
        learning_rate: float = 0.01,
        weight_decay: float = 1e-4,
        noise: float = 0.0,
        standardize: bool = True,
        validation_fraction: float = 0.2,
        random_state: Any = None,  # noqa: ANN401
    ) -> None:
        self.hidden_sizes = hidden_sizes
        self.unit_steps = unit_steps
        self.edge_steps = edge_steps
        self.tolerance = tolerance
        self.threshold = threshold
        self.stop_early = stop_early
        self.activation = activation
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.noise = noise
        self.standardize = standardize
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def _options(self, task: Task, seed: int) -> TrainingOptions:  # noqa: ARG002
        if self.validation_fraction == 0:
            raise ValueError(
                "validation_fraction: expected above 0, as networks are judged by data held out, "
                "got 0"
            )
        return TrainingOptions(
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimizer="adam",
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule="constant",
            seed=seed,
        )

    def _train(
        self,
        rows: NDArray[np.float32],
        y: NDArray[Any],
        outputs: int,
        task: Task,
        options: TrainingOptions,
        validation: tuple[NDArray[np.float32], NDArray[Any]] | None,
    ) -> tuple[nn.Module, Fitted]:
        assert validation is not None
        network = SparseMLP(
            [rows.shape[1], *self.hidden_sizes, outputs],
            density=1.0,
            activation=self.activation,
            seed=options.seed,
        )
        (self.sculpted_,) = sculpt(
            [network.core],
            SculptingTask.of(rows, y, *validation, task),
            SculptingOptions(
                epochs=options.epochs,
                batch_size=options.batch_size_for(len(rows)),
                learning_rate=options.learning_rate,
                weight_decay=options.weight_decay,
                noise=self.noise,
                threshold=self.threshold,
                tolerance=self.tolerance,
                unit_steps=tuple(self.unit_steps),
                edge_steps=tuple(self.edge_steps),
                stop_early=self.stop_early,
            ),
            seeds=[options.seed],
        )
        chosen = sparsest(self.sculpted_)
        chosen.into(network.core)
        self.rounds_ = chosen.rounds
        interrupted = any(one.interrupted for one in self.sculpted_)
        return network, Fitted([asdict(one) for one in chosen.rounds], interrupted=interrupted)

    @property
    def detection_(self) -> Detection | None:
        """Modules of the wiring; None where no path leads from an input to an output."""
        try:
            return detect_modules(self.topology_)
        except TopologyError:
            return None

    @property
    def modules_(self) -> Hierarchy | None:
        """The modules, with the names of features and classes where there are some."""
        found = self.detection_
        if found is None:
            return None
        count = len(found.topology.outputs)
        labels = getattr(self, "classes_", np.arange(count))
        numbered = np.array_equal(labels, np.arange(count))
        return Hierarchy.from_detection(
            found,
            input_names=getattr(self, "feature_names_in_", None),
            output_names=None if numbered else [str(label) for label in labels],
        )

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """Share of each feature in the strength of all inputs, shape (features,), sum 1.

        Strength is the sum of |w| of an input's edges; it is zero for an input without any.
        """
        check_is_fitted(self, "network_")
        return cast(SparseMLP, self.network_).input_importances()


class SculptedMLPClassifier(MultilabelClassifier, _SculptedMLPEstimator):
    """Classifier that prunes a dense network as far as the task allows, and shows its modules.

    Learns one label for each row, or several bits.

    Parameters
    ----------
    hidden_sizes : sequence of int, default (36, 36)
        Nodes of each hidden layer at the start.
    unit_steps : sequence of float, default (0.2, 0.4)
    edge_steps : sequence of float, default (0.01, 0.02)
        Shares of the hidden units, then of the edges, pruned at a time. Every pair is tried, side
        by side, and the sparsest network is taken. None of one kind: only the other is pruned.
    tolerance : float, default 0.01
        What a pruned network may lose of the dense one's accuracy on the data held out; for bits
        of its share of right ones.
    threshold : float, optional
        Accuracy, or share of right bits, it must reach there, instead of `tolerance`.
    stop_early : bool, default False
        Whether a round of training is over once the threshold is reached: faster, and less settled
        weights.
    activation : str, default "relu"
    epochs : int, default 15
        Of each round.
    batch_size : int, optional
        128, or fewer where an epoch would have under 30 steps, if None.
    learning_rate : float, default 0.01
        Of Adam, which begins anew each round.
    weight_decay : float, default 1e-4
    noise : float, default 0
        Standard deviation of noise on the training data, drawn anew each epoch.
    standardize : bool, default True
        Whether to bring features to zero mean and unit variance first.
    validation_fraction : float, default 0.2
        Share of the training data held out to judge networks by; above 0.
    random_state : int, RandomState or None, default None

    Attributes
    ----------
    network_ : SparseMLP
        The sparsest of the networks that are good enough; the dense one if none is.
    topology_ : Topology
        Its wiring.
    rounds_ : tuple of Round
        The rounds that led to it.
    sculpted_ : list of Sculpted
        The networks of all pairs of steps.
    detection_ : Detection or None
        Modules of the wiring and how they were found; None where no path is left.
    modules_ : Hierarchy or None
        These modules, what each takes in and gives, and which feeds which.
    feature_importances_ : ndarray, shape (features,)
        Share of each feature in the strength (sum of |w|) of all inputs.
    history_ : list of dict
        `rounds_` as plain values.
    converged_ : bool
        Always true: without cycles there is nothing to solve.
    n_features_in_ : int
    classes_ : ndarray, shape (classes,)
        For bits, their numbers.

    Notes
    -----
    Paper: neural-sculpting. `modules_` uses the thresholds it has for Boolean functions; for others
    call `nervure.modules.detect_modules` with `topology_`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from nervure import SculptedMLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SculptedMLPClassifier((12,), edge_steps=(0.1,), random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9, model.topology_.num_edges < 42  # of 84
    (True, True)
    """


class SculptedMLPRegressor(GraphRegressor, _SculptedMLPEstimator):
    """Regressor that prunes a dense network as far as the task allows, and shows its modules.

    Parameters
    ----------
    hidden_sizes : sequence of int, default (36, 36)
        Nodes of each hidden layer at the start.
    unit_steps : sequence of float, default (0.2, 0.4)
    edge_steps : sequence of float, default (0.01, 0.02)
        Shares of the hidden units, then of the edges, pruned at a time. Every pair is tried, side
        by side, and the sparsest network is taken. None of one kind: only the other is pruned.
    tolerance : float, default 0.01
        What a pruned network may lose of the dense one's R^2 on the data held out.
    threshold : float, optional
        R^2 it must reach there, instead of `tolerance`.
    stop_early : bool, default False
        Whether a round of training is over once the threshold is reached: faster, and less settled
        weights.
    activation : str, default "relu"
    epochs : int, default 15
        Of each round.
    batch_size : int, optional
        128, or fewer where an epoch would have under 30 steps, if None.
    learning_rate : float, default 0.01
        Of Adam, which begins anew each round.
    weight_decay : float, default 1e-4
    noise : float, default 0
        Standard deviation of noise on the training data, drawn anew each epoch.
    standardize : bool, default True
        Whether to bring features to zero mean and unit variance first.
    validation_fraction : float, default 0.2
        Share of the training data held out to judge networks by; above 0.
    random_state : int, RandomState or None, default None

    Attributes
    ----------
    network_ : SparseMLP
        The sparsest of the networks that are good enough; the dense one if none is.
    topology_ : Topology
        Its wiring.
    rounds_ : tuple of Round
        The rounds that led to it.
    sculpted_ : list of Sculpted
        The networks of all pairs of steps.
    detection_ : Detection or None
        Modules of the wiring and how they were found; None where no path is left.
    modules_ : Hierarchy or None
        These modules, what each takes in and gives, and which feeds which.
    feature_importances_ : ndarray, shape (features,)
        Share of each feature in the strength (sum of |w|) of all inputs.
    history_ : list of dict
        `rounds_` as plain values.
    converged_ : bool
        Always true: without cycles there is nothing to solve.
    n_features_in_ : int

    Notes
    -----
    Trained by squared error. Paper: neural-sculpting.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from nervure import SculptedMLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = SculptedMLPRegressor((12,), edge_steps=(0.1,), random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.4
    True
    """
