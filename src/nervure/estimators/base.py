"""What all estimators share: checking data, training, and the scikit-learn conventions."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from nervure.topology import Topology
from nervure.training import Fitted, TrainingOptions, fit, predict_values
from nervure.training.loop import RuleMaker
from nervure.training.options import Task

_LARGEST_SEED = 2**31 - 1


class GraphEstimator(BaseEstimator):  # type: ignore[misc]
    """Base of the estimators; subclasses give the network, the rule, the options and the task.

    Attributes made by `fit`: ``network_`` (a torch module, in its compact form), ``history_``
    (metrics per epoch), ``n_features_in_``, ``converged_``.
    """

    # Set by the __init__ of subclasses, which scikit-learn reads parameter names from.
    standardize: bool
    validation_fraction: float
    random_state: Any

    @abstractmethod
    def _options(self, task: Task, seed: int) -> TrainingOptions:
        """Say how to train."""

    def _build(
        self, rows: NDArray[np.float32], outputs: int, options: TrainingOptions
    ) -> tuple[nn.Module, RuleMaker]:
        """Make the untrained network, by the options' seed, and the maker of its rule.

        `rows` is what will be trained on, shape (rows, features). Whoever has `_train` of its own
        need not have this.
        """
        raise NotImplementedError

    def _fit(self, x: NDArray[Any], y: NDArray[Any], outputs: int, task: Task) -> Self:
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(
                "validation_fraction: expected at least 0 and below 1, got "
                f"{self.validation_fraction}"
            )
        random = check_random_state(self.random_state)
        seed = int(random.randint(_LARGEST_SEED))
        options = self._options(task, seed)
        self._scaler = StandardScaler().fit(x) if self.standardize else None
        rows = self._scaled(x).astype(np.float32)
        validation = None
        if self.validation_fraction > 0:
            rows, held, y, held_y = train_test_split(
                rows,
                y,
                test_size=self.validation_fraction,
                random_state=seed,
                stratify=_strata(y, self.validation_fraction, task),
            )
            validation = (held, held_y)
        network, fitted = self._train(rows, y, outputs, task, options, validation)
        if fitted.interrupted:
            # Whoever fits many, as a grid search does, must not take this for a finished one.
            raise KeyboardInterrupt
        compact = getattr(network, "compact", None)
        # In double precision a sample's prediction does not depend on the batch it comes in, to
        # within what anyone compares; trained weights are the same.
        self.network_ = (network if compact is None else compact()).double().eval()
        self.history_ = fitted.history
        self.converged_ = fitted.converged
        return self

    def _train(
        self,
        rows: NDArray[np.float32],
        y: NDArray[Any],
        outputs: int,
        task: Task,
        options: TrainingOptions,
        validation: tuple[NDArray[np.float32], NDArray[Any]] | None,
    ) -> tuple[nn.Module, Fitted]:
        network, rule = self._build(rows, outputs, options)
        fitted = fit(network, rows, y, task=task, options=options, rule=rule, validation=validation)
        return network, fitted

    def _scaled(self, x: NDArray[Any]) -> NDArray[np.float64]:
        return x if self._scaler is None else self._scaler.transform(x)

    def _values(self, x: Any) -> NDArray[np.float64]:  # noqa: ANN401
        check_is_fitted(self, "network_")
        rows = validate_data(self, x, reset=False, dtype=np.float64)
        return predict_values(self.network_, self._scaled(rows)).double().numpy()

    @property
    def topology_(self) -> Topology:
        """The learned wiring."""
        check_is_fitted(self, "network_")
        return cast(Topology, self.network_.topology)


def _strata(y: NDArray[Any], share: float, task: Task) -> NDArray[Any] | None:
    """Say by what to stratify: classes, if there are rows enough of each for both sides."""
    if task != "classification":
        return None
    counts = np.bincount(y)
    held = math.ceil(share * len(y))
    enough = counts[counts > 0].min() >= 2 and min(held, len(y) - held) >= np.sum(counts > 0)
    return y if enough else None


class GraphClassifier(ClassifierMixin, GraphEstimator):  # type: ignore[misc]
    """Base of the classifiers."""

    def fit(self, X: Any, y: Any) -> Self:  # noqa: ANN401
        """Train on data.

        Parameters
        ----------
        X : array-like, shape (samples, features)
        y : array-like, shape (samples,)
            Labels of any kind, at least two different ones.

        Returns
        -------
        self
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"expected at least two classes in y, got one class: {self.classes_[0]!r}"
            )
        return self._fit(X, codes.astype(np.int64), len(self.classes_), "classification")

    def decision_function(self, X: Any) -> NDArray[np.float64]:  # noqa: ANN401
        """Give logits, shape (samples, classes); for two classes their difference (samples,)."""
        values = self._values(X)
        return values[:, 1] - values[:, 0] if len(self.classes_) == 2 else values

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: ANN401
        """Give class probabilities, shape (samples, classes)."""
        return torch.softmax(torch.from_numpy(self._values(X)), 1).numpy()

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: ANN401
        """Give the most probable label of each sample, shape (samples,)."""
        values = self._values(X)
        labels: NDArray[Any] = self.classes_[values.argmax(1)]
        return labels


class GraphRegressor(RegressorMixin, GraphEstimator):  # type: ignore[misc]
    """Base of the regressors; targets are standardised for training."""

    def fit(self, X: Any, y: Any) -> Self:  # noqa: ANN401
        """Train on data.

        Parameters
        ----------
        X : array-like, shape (samples, features)
        y : array-like, shape (samples,)

        Returns
        -------
        self
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self._y_mean, spread = float(np.mean(y)), float(np.std(y))
        self._y_std = spread if spread > 0 else 1.0
        scaled = ((y - self._y_mean) / self._y_std).astype(np.float32)
        return self._fit(X, scaled, 1, "regression")

    def predict(self, X: Any) -> NDArray[np.float64]:  # noqa: ANN401
        """Give the predicted target of each sample, shape (samples,)."""
        return self._values(X)[:, 0] * self._y_std + self._y_mean
