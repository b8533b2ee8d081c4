"""What rewires a network while it trains."""

from nervure.rules.repulsion import Repulsion
from nervure.rules.rule import Rewiring, Rule

__all__ = ["Repulsion", "Rewiring", "Rule"]
