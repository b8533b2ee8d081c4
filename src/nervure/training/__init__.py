"""Training: the loop, and the run folder that keeps what happened."""

from nervure.training.evolve import Evolved, evolve_until_fixed
from nervure.training.fit import (
    Evaluation,
    Fitted,
    TrainingOptions,
    evaluate,
    fit,
    predict_values,
)

__all__ = [
    "Evaluation",
    "Evolved",
    "Fitted",
    "TrainingOptions",
    "evaluate",
    "evolve_until_fixed",
    "fit",
    "predict_values",
]
