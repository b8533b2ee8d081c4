"""What goes into a network and comes out of it, by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Signature:
    """Names of features and outputs, as far as they are known.

    Attributes
    ----------
    feature_names : tuple of str
        Of the columns that the network takes, which are those of the data after its encoding.
    class_names : tuple of str
        Of the columns that it gives: classes, or bits.
    task : str or None
        "classification", "bits" or "regression".
    target_mean, target_std : float
        A regression's target is output * target_std + target_mean.
    """

    feature_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    task: str | None = None
    target_mean: float = 0.0
    target_std: float = 1.0

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Signature:
        """Read it from the metadata of a model file, which need not have it."""
        data = metadata.get("data")
        if not isinstance(data, Mapping):
            return cls()
        mean, std = data.get("target_mean"), data.get("target_std")
        task = data.get("task")
        return cls(
            _names(data.get("feature_names")),
            _names(data.get("class_names")),
            task if isinstance(task, str) else None,
            float(mean) if isinstance(mean, int | float) else 0.0,
            float(std) if isinstance(std, int | float) else 1.0,
        )

    def properties(self) -> dict[str, str]:
        """Give what is known as texts; lists of names are JSON."""
        known = {}
        if self.feature_names:
            known["feature_names"] = json.dumps(self.feature_names)
        if self.class_names:
            known["class_names"] = json.dumps(self.class_names)
        if self.task is not None:
            known["task"] = self.task
        if self.task == "regression":
            known |= {"target_mean": repr(self.target_mean), "target_std": repr(self.target_std)}
        return known


def _names(given: object) -> tuple[str, ...]:
    return tuple(str(name) for name in given) if isinstance(given, list) else ()
