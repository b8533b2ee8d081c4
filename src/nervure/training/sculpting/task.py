"""What networks that are sculpted learn, and how they are judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nervure.errors import EngineError
from nervure.training.options import Task as Objective


@dataclass(frozen=True, eq=False)
class Task:
    """What networks learn and how they are judged.

    Attributes
    ----------
    x, x_validation : Tensor of float32, shape (rows, inputs)
    y, y_validation : Tensor
        Bits (rows, bits) of float32, class numbers (rows,) of int64, or targets (rows, outputs) of
        float32.
    objective : {"bits", "classification", "regression"}
        Bitwise cross-entropy of the logits, judged by the share of right bits; cross-entropy,
        judged by accuracy; or squared error, judged by R^2.
    """

    x: Tensor
    y: Tensor
    x_validation: Tensor
    y_validation: Tensor
    objective: Objective

    @classmethod
    def of(
        cls,
        x: NDArray[Any],
        y: NDArray[Any],
        x_validation: NDArray[Any],
        y_validation: NDArray[Any],
        objective: Objective,
    ) -> Task:
        """Make it of arrays.

        Raises
        ------
        EngineError
            If shapes do not fit, the objective is unknown, a class is negative, or a bit is neither
            0 nor 1.
        """
        if objective not in ("bits", "classification", "regression"):
            raise EngineError(
                f"objective: expected bits, classification or regression, got {objective!r}"
            )
        inputs = [np.asarray(part, dtype=np.float32) for part in (x, x_validation)]
        kind = np.int64 if objective == "classification" else np.float32
        targets = [np.asarray(part, dtype=kind) for part in (y, y_validation)]
        if objective == "regression":
            targets = [part.reshape(len(part), -1) for part in targets]
        problems = []
        if any(part.ndim != 2 for part in inputs) or inputs[0].shape[1:] != inputs[1].shape[1:]:
            problems.append(
                "x, x_validation: expected (rows, inputs) with as many inputs, got "
                f"{inputs[0].shape} and {inputs[1].shape}"
            )
        for name, rows, wanted in zip(("y", "y_validation"), inputs, targets, strict=True):
            if wanted.ndim != (1 if objective == "classification" else 2):
                problems.append(f"{name}: expected targets for {objective}, got {wanted.shape}")
            elif len(wanted) != len(rows) or not len(rows):
                problems.append(f"{name}: expected one target per row, got {len(wanted)} of them")
            elif objective == "classification" and wanted.min() < 0:
                problems.append(f"{name}: expected classes from 0 on, got {wanted.min()}")
            elif objective == "bits" and not np.isin(wanted, (0, 1)).all():
                problems.append(f"{name}: expected bits, 0 or 1, got {np.unique(wanted)[:4]}")
        if not problems and targets[0].shape[1:] != targets[1].shape[1:]:
            problems.append(
                "y, y_validation: expected as many columns, got "
                f"{targets[0].shape[1]} and {targets[1].shape[1]}"
            )
        if problems:
            raise EngineError("; ".join(problems))
        return cls(
            torch.from_numpy(inputs[0]), torch.from_numpy(targets[0]),
            torch.from_numpy(inputs[1]), torch.from_numpy(targets[1]), objective,
        )  # fmt: skip

    def losses(self, output: Tensor, target: Tensor) -> Tensor:
        """Give the loss of each row and network, shape (rows, networks).

        Parameters
        ----------
        output : Tensor, shape (rows, networks, outputs)
        target : Tensor, shape (rows, networks) or (rows, networks, outputs)
        """
        if self.objective == "classification":
            flat = functional.cross_entropy(
                output.flatten(0, 1), target.flatten(), reduction="none"
            )
            return flat.view(output.shape[:2])
        if self.objective == "bits":
            return functional.binary_cross_entropy_with_logits(
                output, target, reduction="none"
            ).mean(-1)
        return (output - target).square().mean(-1)

    @property
    def points_per_row(self) -> int:
        """What `points` gives for a row that is all right."""
        return self.y.shape[1] if self.objective == "bits" else 1

    def points(self, output: Tensor, target: Tensor) -> Tensor:
        """Give what each row of each network adds to its merit, shape (rows, networks).

        Right bits, 1 for the right class, or 1 less the squared error over the variance of the
        validation targets, whose mean is R^2.

        Parameters
        ----------
        output, target : Tensor
            As for `losses`.
        """
        if self.objective == "classification":
            return (output.argmax(-1) == target).float()
        if self.objective == "bits":
            return ((output > 0) == (target > 0.5)).float().sum(-1)
        spread = self.y_validation.var(0, correction=0).clamp_min(1e-12)
        return 1 - ((output - target).square() / spread).mean(-1)
