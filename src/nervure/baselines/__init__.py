"""Networks with a fixed wiring, trained through the same loop for comparison."""

from nervure.baselines.deep_equilibrium import DeepEquilibrium
from nervure.baselines.dense import DenseMLP
from nervure.baselines.learned_dag import LearnedDAG
from nervure.baselines.masked import MaskedMLP
from nervure.baselines.optnet import OptNet
from nervure.baselines.plain import PlainNetwork, matched_hidden_size

__all__ = [
    "DeepEquilibrium",
    "DenseMLP",
    "LearnedDAG",
    "MaskedMLP",
    "OptNet",
    "PlainNetwork",
    "matched_hidden_size",
]
