"""Training: the loop, and the run folder that keeps what happened."""

from nervure.training.evaluation import Evaluation, evaluate, predict_values
from nervure.training.evolve import Evolved, evolve_until_fixed
from nervure.training.fit import fit
from nervure.training.loop import Fitted, Training
from nervure.training.options import TrainingOptions

__all__ = [
    "Evaluation",
    "Evolved",
    "Fitted",
    "Training",
    "TrainingOptions",
    "evaluate",
    "evolve_until_fixed",
    "fit",
    "predict_values",
]
