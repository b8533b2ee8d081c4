"""Counts and lists in plain words."""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN = 8  # of a longer list the ends are named


def counted(count: int, noun: str) -> str:
    """Write a count with its noun: ``1 module``, ``1,200 modules``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(names: Sequence[str], shown: int = _SHOWN) -> str:
    """Write names with commas; of a long list the first ones, the last and how many.

    Examples
    --------
    >>> listed(["x0", "x1"]), listed([f"x{i}" for i in range(100)], 4)
    ('x0, x1', 'x0, x1, x2, ..., x99 (100)')
    """
    if len(names) <= shown:
        return ", ".join(names)
    return f"{', '.join(names[: shown - 1])}, ..., {names[-1]} ({len(names):,})"
