"""Texts that were meant as numbers or dates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

_NUMBER = re.compile(
    r"[$€£¥]?\s?[-+]?(\d+|\d{1,3}([.,' ]\d{3})+)([.,]\d+)?\s?[$€£¥%]?"  # $5 1,200 3,14 1.200,50 €
)
_DATE = re.compile(r"\d{1,2}([./-])\d{1,2}\1(\d{4}|\d{2})")  # 05.01.2021 1/5/21


def meant_as_numbers(counts: Mapping[str, int]) -> str | None:
    """Tell how texts of which most are numbers or dates are to be written.

    Parameters
    ----------
    counts : mapping of str to int
        How often each text occurs.

    Returns
    -------
    str or None
        Part of a sentence, or None where less than half of the texts look like either, or all
        are digits alone, as ids are.
    """
    kinds: Counter[str] = Counter()
    first: dict[str, str] = {}
    for text, count in counts.items():
        kind = _kind(text.strip())
        kinds[kind] += count
        first.setdefault(kind, text)
    total = kinds.total()
    if 2 * kinds["date"] > total:
        return f"they look like dates, such as {first['date']!r}; write these as 2024-01-31"
    if 2 * (kinds["number"] + kinds["written"]) <= total:
        return None
    if kinds["written"] > kinds["text"]:
        return (
            f"they look like numbers, such as {first['written']!r}; write these with a decimal "
            "point and nothing else, as 1234.5"
        )
    others = [text for kind, text in first.items() if kind != "number"]
    if not others:
        # Whole numbers kept as text are ids and codes.
        if all(text.strip().isdigit() for text in counts):
            return None
        return "all are numbers, stored as text; store them as numbers"
    return (
        f"{kinds['number']} of {total} are numbers, not {others[0]!r}; replace or empty those to "
        "have numbers"
    )


def _kind(text: str) -> str:
    try:
        float(text)
    except ValueError:
        if _DATE.fullmatch(text):
            return "date"
        return "written" if _NUMBER.fullmatch(text) else "text"
    return "number"
