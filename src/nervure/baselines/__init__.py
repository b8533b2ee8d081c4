"""Networks with a fixed wiring, trained through the same loop for comparison."""

from nervure.baselines.plain import PlainNetwork

__all__ = ["PlainNetwork"]
