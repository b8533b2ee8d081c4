"""scikit-learn estimators."""

from nervure.estimators.neural_modules import NeuralModulesClassifier, NeuralModulesRegressor

__all__ = ["NeuralModulesClassifier", "NeuralModulesRegressor"]
