"""Whole jobs, as the command runs them."""

from nervure.jobs.predict import Predictions, predict_table, write_predictions
from nervure.jobs.train import (
    Listener,
    TrainRequest,
    TrainResult,
    train_neural_modules,
)

__all__ = [
    "Listener",
    "Predictions",
    "TrainRequest",
    "TrainResult",
    "predict_table",
    "train_neural_modules",
    "write_predictions",
]
