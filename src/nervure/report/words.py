"""Numbers as words, and words as HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_PAGE_LONGEST = 300  # characters of one value in a table


def number(value: object, digits: int = 4) -> str:
    """Write a number for reading: ``12,345``, ``0.01234``; a dash where there is none."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else str(value).replace("inf", "infinite")
    if value.is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.{digits}g}"


def percent(value: float) -> str:
    """Write a share as a percentage with two decimals; its space does not break."""
    return f"{100 * value:.2f}\N{NO-BREAK SPACE}%"


def duration(seconds: float) -> str:
    """Write a time in the largest fitting units: ``1.4 s``, ``3 min 5 s``, ``2 h 4 min``."""
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun: ``1 module``, ``1,200 modules``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def finite(value: object) -> float | None:
    """Give a finite number as a float, and None for everything else."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


def escape(value: object) -> str:
    """Make text safe inside HTML."""
    return html.escape(str(value), quote=True)


def facts_table(rows: Mapping[str, object], *, caption: str) -> str:
    """Make a table of names and values."""
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(_shown(value))}</td></tr>'
        for name, value in rows.items()
    )
    return f'<table class="facts"><caption>{escape(caption)}</caption><tbody>{body}</tbody></table>'


def metrics_table(
    rows: Sequence[Mapping[str, Any]], columns: Iterable[tuple[str, str]], *, caption: str = ""
) -> str:
    """Make a table of metrics, one row per epoch, say; columns are (key, heading)."""
    present = [(key, head) for key, head in columns if any(key in row for row in rows)]
    head = "".join(f'<th scope="col">{escape(text)}</th>' for _, text in present)
    lines = (
        "<tr>" + "".join(f"<td>{escape(number(row.get(key)))}</td>" for key, _ in present) + "</tr>"
        for row in rows
    )
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide"><table class="numbers">{above}<thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        text = ", ".join(f"{key}: {_shown(item)}" for key, item in value.items())
    elif isinstance(value, list | tuple):
        text = ", ".join(_shown(item) for item in value)
    else:
        text = number(value, 6)
    return text if len(text) <= _PAGE_LONGEST else f"{text[:_PAGE_LONGEST]} …"
