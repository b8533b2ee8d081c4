"""`SculptingOptions`: how networks are trained and pruned until they are bare."""

from __future__ import annotations

from dataclasses import dataclass

from nervure.errors import EngineError

PAPER_UNIT_STEPS = tuple(round(0.05 * k, 2) for k in range(1, 15))
"""The 14 steps of the paper's grid, as shares of the hidden units (appendix H)."""
PAPER_EDGE_STEPS = (0.005, 0.01, 0.015, 0.02, 0.025)
"""The 5 steps of the paper's grid, as shares of the edges (appendix H)."""


@dataclass(frozen=True)
class SculptingOptions:
    """How networks are trained and pruned.

    Attributes
    ----------
    epochs : int
        Of each round of training.
    batch_size : int
    learning_rate, weight_decay : float
        Of Adam, begun anew each round.
    noise : float
        Standard deviation of noise on training inputs, drawn anew each epoch.
    threshold : float, optional
        Merit (accuracy, share of right bits, or R^2) over the validation rows that a pruned network
        must reach; None for that of the dense network less `tolerance`.
    tolerance : float
        What may be lost where no threshold is given.
    unit_steps, edge_steps : tuple of float
        Shares pruned at a time, of the hidden units and of the edges of the start: every pair of
        them is tried. No unit steps: only edges are pruned; no edge steps: only units.
    stop_early : bool
        Whether a round is over once the threshold is reached: far fewer epochs, and less settled
        weights than the best epoch of all, which is what the paper takes.
    recovery : int
        A halved step doubles again after so many acceptances in a row (see `HalvingSearch`); 0, as
        in the paper, for never.
    """

    epochs: int = 15
    batch_size: int = 32
    learning_rate: float = 0.01
    weight_decay: float = 1e-4
    noise: float = 0.0
    threshold: float | None = None
    tolerance: float = 0.0
    unit_steps: tuple[float, ...] = (0.2, 0.4)
    edge_steps: tuple[float, ...] = (0.01, 0.02)
    stop_early: bool = False
    recovery: int = 0

    def __post_init__(self) -> None:
        problems = [
            f"{name}: expected at least 1, got {getattr(self, name)}"
            for name in ("epochs", "batch_size")
            if getattr(self, name) < 1
        ]
        if not 0 < self.learning_rate < float("inf"):
            problems.append(f"learning_rate: expected above 0, got {self.learning_rate}")
        problems += [
            f"{name}: expected at least 0, got {getattr(self, name)}"
            for name in ("weight_decay", "noise", "tolerance", "recovery")
            if not 0 <= getattr(self, name) < float("inf")
        ]
        problems += [
            f"{name}: expected shares above 0 and at most 1, got {step}"
            for name in ("unit_steps", "edge_steps")
            for step in getattr(self, name)
            if not 0 < step <= 1
        ]
        if not self.unit_steps and not self.edge_steps:
            problems.append("unit_steps, edge_steps: expected at least one step, got none")
        if problems:
            raise EngineError("; ".join(problems))
