"""Rebuild encoders from JSON that may come from anywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nervure.data.encoding import ArrayEncoder, CategoricalColumn, NumericColumn, TableEncoder
from nervure.errors import DataError


def encoder_from_json(state: Mapping[str, Any]) -> TableEncoder | ArrayEncoder:
    """Rebuild an encoder from `to_json`.

    Parameters
    ----------
    state : mapping
        JSON values, not trusted: every type is checked, no value is converted to fit.

    Returns
    -------
    TableEncoder or ArrayEncoder

    Raises
    ------
    DataError
        If the values are not those of an encoder.
    """
    try:
        if state["kind"] == "array":
            return _array(state)
        if state["kind"] == "table":
            return TableEncoder(
                [_numeric(*entry) for entry in _list(state["numeric"])],
                [_categorical(*entry) for entry in _list(state["categorical"])],
            )
        raise ValueError(f"unknown kind {state['kind']!r}")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"the stored encoding of the data is damaged: {error}") from error


def _array(state: Mapping[str, Any]) -> ArrayEncoder:
    names = tuple(_text(name) for name in _list(state["names"]))
    mean = _numbers(state["mean"])
    # An infinite deviation (constant feature) is stored as null: JSON has no infinity.
    std = np.array([math.inf if s is None else _positive(s) for s in _list(state["std"])])
    if mean.shape != (len(names),) or std.shape != mean.shape:
        raise ValueError("names, means and deviations do not fit each other")
    return ArrayEncoder(names, mean, std, _truth(state["sparse"]))


def _numeric(
    name: object, median: object, mean: object, std: object, indicator: object
) -> NumericColumn:
    return NumericColumn(
        _text(name), _number(median), _number(mean), _positive(std), _truth(indicator)
    )


def _categorical(name: object, categories: object) -> CategoricalColumn:
    return CategoricalColumn(_text(name), tuple(_text(c) for c in _list(categories)))


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, got {type(value).__name__}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {type(value).__name__}")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"expected true or false, got {type(value).__name__}")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, got {type(value).__name__}")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"expected a finite number, got {number}")
    return number


def _positive(value: object) -> float:
    number = _number(value)
    if number <= 0:
        raise ValueError(f"expected a deviation above 0, got {number}")
    return number


def _numbers(value: object) -> NDArray[np.float64]:
    return np.array([_number(v) for v in _list(value)], dtype=np.float64)
