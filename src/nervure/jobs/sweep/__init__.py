"""A search of settings: many trainings, judged by their validation error."""

from nervure.jobs.sweep.request import SweepRequest
from nervure.jobs.sweep.running import SweepListener, SweepResult, run_sweep
from nervure.jobs.sweep.space import Between, OneOf, Range
from nervure.jobs.sweep.study import Trial

__all__ = [
    "Between",
    "OneOf",
    "Range",
    "SweepListener",
    "SweepRequest",
    "SweepResult",
    "Trial",
    "run_sweep",
]
