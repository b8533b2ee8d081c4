"""Training: the loop, and the run folder that keeps what happened."""

from nervure.training.fit import (
    Evaluation,
    Fitted,
    TrainingOptions,
    evaluate,
    fit,
    predict_values,
)

__all__ = ["Evaluation", "Fitted", "TrainingOptions", "evaluate", "fit", "predict_values"]
