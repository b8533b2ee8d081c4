"""The parts a rule of sparse training is made of: when, how many, which go, which come."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from nervure.errors import EngineError
from nervure.topology import FreeCells

Strengths = NDArray[np.floating]
# Scores of consecutive cells, from a first one on.
Scores = Iterable[tuple[int, Strengths]]


# -- when, and what share ------------------------------------------------------------------------


class Schedule(Protocol):
    """Says at which optimizer steps a wiring is updated, and what share of it is exchanged."""

    def share(self, step: int) -> float | None:
        """Give the share of edges to exchange after `step` steps, or None if it is not time."""
        ...


@dataclass(frozen=True)
class Periodic:
    """The same share every `interval` steps, until before step `end`.

    Attributes
    ----------
    exchanged : float
        Share of the edges, 0 to 1.
    interval : int
    end : int, optional
        First step at which nothing happens any more; None for never.
    """

    exchanged: float
    interval: int
    end: int | None = None

    def __post_init__(self) -> None:
        _check_schedule(self.exchanged, self.interval, self.end)

    def share(self, step: int) -> float | None:
        """Give the share after `step` steps, or None."""
        return self.exchanged if _due(step, self.interval, self.end) else None


@dataclass(frozen=True)
class Cosine:
    """A share that falls along half a cosine to zero at step `end`, every `interval` steps.

    References
    ----------
    Evci et al., "Rigging the lottery: making all tickets winners", ICML 2020, section 3.
    """

    exchanged: float
    interval: int
    end: int

    def __post_init__(self) -> None:
        _check_schedule(self.exchanged, self.interval, self.end)

    def share(self, step: int) -> float | None:
        """Give the share after `step` steps, or None."""
        if not _due(step, self.interval, self.end):
            return None
        return self.exchanged / 2 * (1 + math.cos(math.pi * step / self.end))


@dataclass(frozen=True)
class Between:
    """No exchange, but an update every `interval` steps from `begin` on, and one at `end`.

    For budgets that fall.
    """

    begin: int
    end: int
    interval: int

    def __post_init__(self) -> None:
        _check_schedule(0.0, self.interval, self.end)
        _check_span(self.begin, self.end)

    def share(self, step: int) -> float | None:
        """Give 0 at an update, or None."""
        inside = self.begin <= step <= self.end
        due = inside and ((step - self.begin) % self.interval == 0 or step == self.end)
        return 0.0 if due else None


@dataclass(frozen=True)
class Never:
    """No update at all."""

    def share(self, step: int) -> float | None:  # noqa: ARG002 - the protocol's
        """Give None."""
        return None


def _due(step: int, interval: int, end: int | None) -> bool:
    return step % interval == 0 and (end is None or step < end)


def _check_schedule(exchanged: float, interval: int, end: int | None) -> None:
    problems = []
    if not 0 <= exchanged <= 1:
        problems.append(f"share of edges exchanged: expected 0 to 1, got {exchanged}")
    if interval < 1:
        problems.append(f"interval: expected at least 1, got {interval}")
    if end is not None and end < 1:
        problems.append(f"end: expected at least 1, got {end}")
    if problems:
        raise EngineError("; ".join(problems))


def _check_span(begin: int, end: int) -> None:
    if not 0 <= begin < end:
        raise EngineError(f"begin and end: expected 0 <= begin < end, got {begin} and {end}")


# -- how many ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Budget:
    """How many edges there are: all the time as many, or fewer along a cubic curve.

    Attributes
    ----------
    keep : float
        Share of the edges of the start that is there at the end, above 0 and at most 1.
    begin, end : int
        Steps between which it falls, most at first: (1 - t)^3 of what is to go is still there.

    References
    ----------
    Zhu and Gupta, "To prune, or not to prune", 2017 (arXiv:1710.01878), eq. 1.
    """

    keep: float = 1.0
    begin: int = 0
    end: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1:
            raise EngineError(f"keep: expected above 0 and at most 1, got {self.keep}")
        _check_span(self.begin, self.end)

    def left(self, step: int) -> float:
        """Give the share of what is to go that is still there after `step` steps."""
        return (1 - min(1.0, max(0.0, (step - self.begin) / (self.end - self.begin)))) ** 3


# -- which go ------------------------------------------------------------------------------------

# Given strengths and a share, the mask of the edges that go.
Drop = Callable[[Strengths, float], NDArray[np.bool_]]
DropName = Literal["sign", "magnitude"]


def weakest_by_sign(strengths: Strengths, share: float) -> NDArray[np.bool_]:
    """Drop the share of the smallest positive, that of the largest negative, and all zeros.

    Parameters
    ----------
    strengths : ndarray, shape (edges,)
    share : float
        Of the positive and of the negative ones; rounded down, each.

    Returns
    -------
    ndarray of bool, shape (edges,)

    Notes
    -----
    O(edges). Paper: Mocanu et al. 2018; motif-set, section 3.3.
    """
    mask: NDArray[np.bool_] = strengths == 0
    for part in (strengths > 0, strengths < 0):
        members = np.flatnonzero(part)
        mask[members[_smallest(np.abs(strengths[members]), int(share * len(members)))]] = True
    return mask


def weakest(strengths: Strengths, share: float) -> NDArray[np.bool_]:
    """Drop the share with the smallest magnitude, rounded to the nearest number; O(edges)."""
    mask = np.zeros(len(strengths), dtype=np.bool_)
    mask[_smallest(np.abs(strengths), round(share * len(strengths)))] = True
    return mask


DROPS: dict[DropName, Drop] = {"sign": weakest_by_sign, "magnitude": weakest}


def _smallest(values: Strengths, count: int) -> NDArray[np.int64]:
    if count >= len(values):
        return np.arange(len(values))
    return np.argpartition(values, count)[:count]


# -- which come ----------------------------------------------------------------------------------


class Growth(Protocol):
    """Chooses new edges.

    `needs_gradient` says whether it looks at the gradient of absent edges, which then has to be
    computed.
    """

    @property
    def needs_gradient(self) -> bool:
        """Whether scores are wanted."""
        ...

    def choose(
        self, free: FreeCells, count: int, scores: Scores, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Choose `count` of the free cells; scores are |gradients|, if they are needed."""
        ...


@dataclass(frozen=True)
class UniformGrowth:
    """Every free cell is as likely as any other."""

    needs_gradient: bool = False

    def choose(
        self,
        free: FreeCells,
        count: int,
        scores: Scores,  # noqa: ARG002 - the protocol's
        rng: np.random.Generator,
    ) -> NDArray[np.int64]:
        """Draw `count` free cells, O(taken + count log taken)."""
        return free.draw(count, rng)


@dataclass(frozen=True)
class GradientGrowth:
    """The free cells whose weight would have the largest gradient."""

    needs_gradient: bool = True

    def choose(
        self,
        free: FreeCells,
        count: int,
        scores: Scores,
        rng: np.random.Generator,  # noqa: ARG002 - the protocol's
    ) -> NDArray[np.int64]:
        """Choose the `count` best free cells, O(cells); never all of them are kept at once."""
        best, at = np.empty(0), np.empty(0, dtype=np.int64)
        for first, values in scores:
            low, high = np.searchsorted(free.taken, (first, first + len(values)))
            own = values.astype(np.float64)
            own[free.taken[low:high] - first] = -1
            best = np.concatenate((best, own))
            at = np.concatenate((at, first + np.arange(len(values))))
            if len(best) > count:
                kept = np.argpartition(-best, count - 1)[:count]
                best, at = best[kept], at[kept]
        return np.sort(at[best >= 0])
