"""How a topology runs: plan once, sweep many times."""

from nervure.engine.activations import ACTIVATIONS, Activation, activation_codes
from nervure.engine.memory import CacheStatistics, cache_statistics, empty_cache
from nervure.engine.plan import Plan, build_plan, plan
from nervure.engine.selection import Selection, select_largest
from nervure.engine.sweeping import Adjoint, SolveStatus, Sweep, adjoint, sweep

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Adjoint",
    "CacheStatistics",
    "Plan",
    "Selection",
    "SolveStatus",
    "Sweep",
    "activation_codes",
    "adjoint",
    "build_plan",
    "cache_statistics",
    "empty_cache",
    "plan",
    "select_largest",
    "sweep",
]
