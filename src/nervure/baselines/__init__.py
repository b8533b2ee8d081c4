"""Networks with a fixed wiring, or one learned by others' methods, to compare with."""

from nervure.baselines.darts import DartsCell, DerivedCell
from nervure.baselines.deep_equilibrium import DeepEquilibrium
from nervure.baselines.dense import DenseMLP
from nervure.baselines.forward_forward import CyclicForwardForward
from nervure.baselines.graph_networks import GraphAttention, GraphConvolution, node_rows
from nervure.baselines.learned_dag import LearnedDAG
from nervure.baselines.masked import MaskedMLP
from nervure.baselines.optnet import OptNet
from nervure.baselines.plain import PlainNetwork, matched_hidden_size

__all__ = [
    "CyclicForwardForward",
    "DartsCell",
    "DeepEquilibrium",
    "DenseMLP",
    "DerivedCell",
    "GraphAttention",
    "GraphConvolution",
    "LearnedDAG",
    "MaskedMLP",
    "OptNet",
    "PlainNetwork",
    "matched_hidden_size",
    "node_rows",
]
