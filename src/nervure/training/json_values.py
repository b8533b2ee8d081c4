"""JSON text that keeps what plain JSON loses: nan, the infinities, and NumPy numbers."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

import numpy as np

JSON: TypeAlias = (
    bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"] | np.generic | None
)

_TAG = "float"
_SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_SURROGATE = re.compile(r"\\ud[89a-f]", re.IGNORECASE)


def dumps(value: JSON) -> str:
    """Write a value as strict JSON.

    Parameters
    ----------
    value : JSON
        None, bool, int, float, str, NumPy numbers, and sequences and mappings of them. Numbers
        that are not finite become ``{"float": "nan"}``, ``{"float": "inf"}`` or
        ``{"float": "-inf"}``, which every JSON reader understands.

    Returns
    -------
    str

    Raises
    ------
    TypeError
        If something else is in the value.

    Examples
    --------
    >>> dumps({"loss": float("nan"), "sizes": (3, 2)})
    '{"loss": {"float": "nan"}, "sizes": [3, 2]}'
    """
    return json.dumps(_plain(value), allow_nan=False, ensure_ascii=False)


def loads(text: str) -> Any:  # noqa: ANN401
    """Read what `dumps` wrote.

    Raises
    ------
    ValueError
        If the text is no strict JSON, holds text that is no Unicode, or is nested beyond reason.
    """
    try:
        value = json.loads(text, object_hook=_special, parse_constant=_refused)
        if _SURROGATE.search(text):
            # Half a pair could be neither printed nor written again; a whole one is fine.
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _plain(value: JSON) -> Any:  # noqa: ANN401
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {_TAG: str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        wrong = [key for key in value if not isinstance(key, str)]
        if wrong:
            raise TypeError(f"expected names as strings, got {wrong[0]!r}")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(item) for item in value]
    raise TypeError(f"expected a number, text, list or mapping, got {type(value).__name__}")


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _special(item: dict[str, Any]) -> Any:  # noqa: ANN401
    tag = item.get(_TAG)
    return _SPECIAL[tag] if len(item) == 1 and isinstance(tag, str) and tag in _SPECIAL else item
