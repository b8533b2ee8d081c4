"""What rewires a network while it trains."""

from nervure.rules.coactivation import CoActivation, Evolution, evolved
from nervure.rules.coactivation_statistics import CoActivationStatistics, pair_histograms
from nervure.rules.darts_search import DartsSearch, architecture_gradient
from nervure.rules.evolutionary import SET, MagnitudePruning, RigL, Static
from nervure.rules.halving import HalvingSearch
from nervure.rules.iterative_pruning import EdgePruning, IterativePruning, UnitPruning
from nervure.rules.repulsion import Repulsion
from nervure.rules.resource_tradeoff import (
    EdgeHistory,
    ResourceTradeoff,
    edge_strengths,
    threshold_,
    thresholded,
)
from nervure.rules.rule import Rewiring, Rule
from nervure.rules.rule_group import RuleGroup
from nervure.rules.sparse_training import SparseTraining
from nervure.rules.unit_sensitivity import unit_sensitivity

__all__ = [
    "SET",
    "CoActivation",
    "CoActivationStatistics",
    "DartsSearch",
    "EdgeHistory",
    "EdgePruning",
    "Evolution",
    "HalvingSearch",
    "IterativePruning",
    "MagnitudePruning",
    "Repulsion",
    "ResourceTradeoff",
    "Rewiring",
    "RigL",
    "Rule",
    "RuleGroup",
    "SparseTraining",
    "Static",
    "UnitPruning",
    "architecture_gradient",
    "edge_strengths",
    "evolved",
    "pair_histograms",
    "threshold_",
    "thresholded",
    "unit_sensitivity",
]
