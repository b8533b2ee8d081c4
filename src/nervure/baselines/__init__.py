"""Networks with a fixed wiring, trained through the same loop for comparison."""

from nervure.baselines.darts import DartsCell, DerivedCell
from nervure.baselines.dense import DenseMLP
from nervure.baselines.forward_forward import CyclicForwardForward
from nervure.baselines.graph_networks import GraphAttention, GraphConvolution, node_rows
from nervure.baselines.masked import MaskedMLP
from nervure.baselines.plain import PlainNetwork, matched_hidden_size

__all__ = [
    "CyclicForwardForward",
    "DartsCell",
    "DenseMLP",
    "DerivedCell",
    "GraphAttention",
    "GraphConvolution",
    "MaskedMLP",
    "PlainNetwork",
    "matched_hidden_size",
    "node_rows",
]
