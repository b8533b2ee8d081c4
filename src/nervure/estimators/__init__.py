"""scikit-learn estimators."""

from nervure.estimators.freenet import FreeNetClassifier, FreeNetRegressor
from nervure.estimators.neural_modules import NeuralModulesClassifier, NeuralModulesRegressor

__all__ = [
    "FreeNetClassifier",
    "FreeNetRegressor",
    "NeuralModulesClassifier",
    "NeuralModulesRegressor",
]
