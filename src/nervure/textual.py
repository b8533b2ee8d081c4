"""Small helpers for messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give ' (did you mean X?)' for the nearest known word, or nothing."""
    close = get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def listed(names: Iterable[str], most: int = 10) -> str:
    """Join names with commas, at most so many."""
    names = list(names)
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def not_among(what: str, unknown: Sequence[str], known: Iterable[str]) -> str:
    """Say what was expected in the place of words that are not known, one at least."""
    known = list(known)
    return (
        f"{what}: expected among {', '.join(known)}, got {', '.join(unknown)}"
        f"{did_you_mean(unknown[0], known)}"
    )
