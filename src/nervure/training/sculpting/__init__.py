"""Sculpting: many networks trained and pruned side by side until their structure is bare."""

from nervure.training.sculpting.epochs import LADDER, shortest_training
from nervure.training.sculpting.grid import Progress, sculpt
from nervure.training.sculpting.options import (
    PAPER_EDGE_STEPS,
    PAPER_UNIT_STEPS,
    SculptingOptions,
)
from nervure.training.sculpting.result import Judged, Round, Sculpted, sparsest
from nervure.training.sculpting.task import Task

__all__ = [
    "LADDER",
    "PAPER_EDGE_STEPS",
    "PAPER_UNIT_STEPS",
    "Judged",
    "Progress",
    "Round",
    "Sculpted",
    "SculptingOptions",
    "Task",
    "sculpt",
    "shortest_training",
    "sparsest",
]
