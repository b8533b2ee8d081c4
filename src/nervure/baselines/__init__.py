"""Networks with a fixed wiring, trained through the same loop for comparison."""

from nervure.baselines.dense import DenseMLP
from nervure.baselines.masked import MaskedMLP
from nervure.baselines.plain import PlainNetwork, matched_hidden_size

__all__ = ["DenseMLP", "MaskedMLP", "PlainNetwork", "matched_hidden_size"]
