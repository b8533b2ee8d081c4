"""Classifiers that also predict several bits per row, as scikit-learn's multilabel ones do."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from nervure.estimators.base import GraphClassifier


class MultilabelClassifier(GraphClassifier):
    """Base of the classifiers of one label, or of bits."""

    def fit(self, X: Any, y: Any) -> Self:  # noqa: ANN401
        """Train on data.

        Parameters
        ----------
        X : array-like, shape (samples, features)
        y : array-like, shape (samples,) or (samples, bits)
            Labels of any kind, at least two different ones; or bits, 0 or 1, of which any number
            may be 1 in a row.

        Returns
        -------
        self
        """
        shape = y.shape if hasattr(y, "shape") else np.asarray(y).shape
        self._bits = len(shape) == 2 and shape[1] > 1
        if not self._bits:
            return super().fit(X, y)
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True)
        y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
        if not np.isin(y, (0, 1)).all():
            raise ValueError(
                f"expected bits, 0 or 1, in the {y.shape[1]} columns of y, got "
                f"{np.unique(y[~np.isin(y, (0, 1))])[:3].tolist()}; pass one column for classes"
            )
        self.classes_ = np.arange(y.shape[1])
        return self._fit(X, y.astype(np.float32), y.shape[1], "bits")

    def decision_function(self, X: Any) -> NDArray[np.float64]:  # noqa: ANN401
        """Give logits, (samples, classes) or (samples, bits); for two classes their difference."""
        return self._values(X) if self._of_bits() else super().decision_function(X)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: ANN401
        """Give probabilities of the classes, (samples, classes), or of ones, (samples, bits)."""
        if self._of_bits():
            return torch.sigmoid(torch.from_numpy(self._values(X))).numpy()
        return super().predict_proba(X)

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: ANN401
        """Give the most probable labels, shape (samples,), or bits, (samples, bits)."""
        return (self._values(X) > 0).astype(np.int64) if self._of_bits() else super().predict(X)

    def _of_bits(self) -> bool:
        # Before fit there is neither; whoever asks then is told so by what follows.
        return getattr(self, "_bits", False)

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
