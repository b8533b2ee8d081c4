"""What rewires a network while it trains."""

from nervure.rules.coactivation import CoActivation, Evolution, evolved
from nervure.rules.coactivation_statistics import CoActivationStatistics, pair_histograms
from nervure.rules.repulsion import Repulsion
from nervure.rules.rule import Rewiring, Rule

__all__ = [
    "CoActivation",
    "CoActivationStatistics",
    "Evolution",
    "Repulsion",
    "Rewiring",
    "Rule",
    "evolved",
    "pair_histograms",
]
