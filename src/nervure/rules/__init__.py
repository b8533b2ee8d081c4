"""What rewires a network while it trains."""

from nervure.rules.coactivation import CoActivation, Evolution, evolved
from nervure.rules.coactivation_statistics import CoActivationStatistics, pair_histograms
from nervure.rules.evolutionary import SET, MagnitudePruning, RigL, Static
from nervure.rules.halving import HalvingSearch
from nervure.rules.iterative_pruning import EdgePruning, IterativePruning, UnitPruning
from nervure.rules.repulsion import Repulsion
from nervure.rules.rule import Rewiring, Rule
from nervure.rules.sparse_training import SparseTraining
from nervure.rules.unit_sensitivity import unit_sensitivity

__all__ = [
    "SET",
    "CoActivation",
    "CoActivationStatistics",
    "EdgePruning",
    "Evolution",
    "HalvingSearch",
    "IterativePruning",
    "MagnitudePruning",
    "Repulsion",
    "Rewiring",
    "RigL",
    "Rule",
    "SparseTraining",
    "Static",
    "UnitPruning",
    "evolved",
    "pair_histograms",
    "unit_sensitivity",
]
