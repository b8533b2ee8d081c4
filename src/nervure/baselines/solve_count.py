"""`SolveCount`: whether the solver inside a layer did what was asked of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass
class SolveCount:
    """Samples given to a solver, and those it left unsolved, over all passes so far.

    Attributes
    ----------
    samples, unsolved : int
        Set both to 0 to count anew.
    residual : float
        Largest of the last pass; 0 before the first.
    """

    samples: int = 0
    unsolved: int = 0
    residual: float = 0.0

    @property
    def share(self) -> float:
        """Share of the samples that were left unsolved, 0 where there were none."""
        return self.unsolved / self.samples if self.samples else 0.0

    def add(self, residuals: Tensor, tolerance: float) -> None:
        """Count one pass.

        Parameters
        ----------
        residuals : Tensor, shape (batch,)
            NaN counts as unsolved.
        tolerance : float
            Largest residual of a solved sample.
        """
        if not len(residuals):
            return
        self.samples += len(residuals)
        self.unsolved += int((~(residuals <= tolerance)).sum())
        self.residual = float(residuals.max())
