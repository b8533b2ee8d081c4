"""scikit-learn estimators."""

from nervure.estimators.freenet import FreeNetClassifier, FreeNetRegressor
from nervure.estimators.neural_modules import NeuralModulesClassifier, NeuralModulesRegressor
from nervure.estimators.sculpted_mlp import SculptedMLPClassifier, SculptedMLPRegressor
from nervure.estimators.sparse_mlp import SparseMLPClassifier, SparseMLPRegressor

__all__ = [
    "FreeNetClassifier",
    "FreeNetRegressor",
    "NeuralModulesClassifier",
    "NeuralModulesRegressor",
    "SculptedMLPClassifier",
    "SculptedMLPRegressor",
    "SparseMLPClassifier",
    "SparseMLPRegressor",
]
