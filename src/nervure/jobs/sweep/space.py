"""What is searched: settings, and where each of them may be."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nervure.errors import SettingsError


@dataclass(frozen=True)
class Between:
    """Numbers from `low` to `high`, both included.

    Attributes
    ----------
    low, high : int or float
        Whole numbers where both are.
    log : bool
        Whether each factor is as likely as any other: for rates and sizes.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise SettingsError(f"expected low < high, got {self.low:g} and {self.high:g}")
        if self.log and self.low <= 0:
            raise SettingsError(f"on a log scale: expected low > 0, got {self.low:g}")

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return {"low": self.low, "high": self.high, "log": self.log}


@dataclass(frozen=True)
class OneOf:
    """One of some values.

    Attributes
    ----------
    values : tuple
        Numbers, texts, None, or tuples of numbers, as the request has them.
    texts : tuple of str
        The same as they are written; made from the values if there are none.
    """

    values: tuple[Any, ...]
    texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.texts:
            object.__setattr__(self, "texts", tuple(map(text_of, self.values)))
        if not self.values or len(set(self.texts)) < len(self.values):
            raise SettingsError(f"expected different values, got {', '.join(self.texts) or 'none'}")

    def to_json(self) -> list[Any]:
        """Give it as JSON has it."""
        return [list(value) if isinstance(value, tuple) else value for value in self.values]


Range = Between | OneOf


def text_of(value: object) -> str:
    """Write a value as the command takes it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def combinations(space: Mapping[str, Range]) -> int | None:
    """Count the points of a space; None where it has a range of numbers."""
    if any(isinstance(where, Between) for where in space.values()):
        return None
    return math.prod(len(where.values) for where in space.values() if isinstance(where, OneOf))


def every_combination(space: Mapping[str, Range]) -> Iterator[dict[str, str]]:
    """Go through the points of a space of values alone, as texts."""
    choices = [where.texts for where in space.values() if isinstance(where, OneOf)]
    for point in itertools.product(*choices):
        yield dict(zip(space, point, strict=True))
