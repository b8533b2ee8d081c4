"""Training: the loop, and the run folder that keeps what happened."""

from nervure.training.augmentation import FlipAndCrop
from nervure.training.checkpoint import Checkpoint
from nervure.training.distributed import DistributedNetwork, DistributedRule
from nervure.training.evaluation import Evaluation, evaluate, predict_values
from nervure.training.evolve import Evolved, evolve_until_fixed
from nervure.training.fit import carry_on, fit
from nervure.training.loop import Fitted, Training
from nervure.training.motif_race import Race, Trial, fit_motif_race, race_motif_sizes
from nervure.training.options import TrainingOptions
from nervure.training.run import Run
from nervure.training.score import comprehensive_score
from nervure.training.sparse_rules import SparseOptions
from nervure.training.tensorboard import TensorBoard
from nervure.training.thresholds import (
    THRESHOLDS,
    ThresholdPoint,
    highest_threshold,
    threshold_sweep,
)

__all__ = [
    "THRESHOLDS",
    "Checkpoint",
    "DistributedNetwork",
    "DistributedRule",
    "Evaluation",
    "Evolved",
    "Fitted",
    "FlipAndCrop",
    "Race",
    "Run",
    "SparseOptions",
    "TensorBoard",
    "ThresholdPoint",
    "Training",
    "TrainingOptions",
    "Trial",
    "carry_on",
    "comprehensive_score",
    "evaluate",
    "evolve_until_fixed",
    "fit",
    "fit_motif_race",
    "highest_threshold",
    "predict_values",
    "race_motif_sizes",
    "threshold_sweep",
]
