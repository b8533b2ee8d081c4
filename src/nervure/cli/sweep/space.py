"""The space of a sweep, from ``--search`` and from a TOML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from nervure.cli.train.method import Method
from nervure.cli.train.settings_file import option_value, read_toml
from nervure.errors import SettingsError
from nervure.jobs.sweep import Between, OneOf, Range
from nervure.jobs.sweep.space import text_of

# With these, trials would be judged on other rows, and could not be compared.
_FIXED = (
    "data", "target", "task", "split_by", "train_rows", "validation_rows", "rows", "seed",
    "baseline",
)  # fmt: skip
# What is of the sweep and not of its trials.
_OWN = "search", "space", "trials", "jobs", "prune", "engine", "out", "force", "as_json"
_HOW = "learning-rate=0.01:1:log, nodes=50:200 or nodes=50,100,200"


def space_of(
    method: Method,
    context: typer.Context,
    asked: Mapping[str, Any],
    search: Sequence[str],
    path: Path | None,
) -> dict[str, Range]:
    """Give the space, checked against the options of the method.

    Parameters
    ----------
    method : Method
    context : typer.Context
        Of the command, with the options of the method.
    asked : mapping
        Their values.
    search : sequence of str
        As ``name=low:high``, ``name=low:high:log`` or ``name=value,value,...``.
    path : Path, optional
        A TOML file of the same as texts, of lists, or of tables with low, high and log.

    Returns
    -------
    dict
        By the names of parameters.

    Raises
    ------
    SettingsError
        Naming the setting, what was expected, and what came.
    """
    given: list[tuple[str, str, Any]] = []
    if path is not None:
        given += [(f"{path}: ", key, value) for key, value in read_toml(path).items()]
    for text in search:
        key, sign, value = text.partition("=")
        if not sign or not value:
            raise SettingsError(f"--search {text}: expected a setting and where it may be: {_HOW}")
        given.append(("--search ", key.strip(), value))
    space: dict[str, Range] = {}
    for where, key, value in given:
        try:
            name, found = _range(method, context, asked, key, value)
            if name in space:
                raise SettingsError(f"{key}: given twice")
        except SettingsError as error:
            raise SettingsError(f"{where}{error}") from error
        space[name] = found
    if not space:
        raise SettingsError(f"nothing to search: pass --search {_HOW}; or --space with a TOML file")
    return space


def _range(
    method: Method, context: typer.Context, asked: Mapping[str, Any], key: str, value: object
) -> tuple[str, Range]:
    bounds = _bounds(key, value)
    if bounds is None:
        texts = value.split(",") if isinstance(value, str) else value
        if not isinstance(texts, list):
            raise SettingsError(f"{key}: expected a list of values, or low and high, got {value!r}")
        checked = [_checked(context, key, one) for one in texts]
        name = checked[0][0] if checked else key
        made = [
            getattr(method.ask(**{**asked, name: option}), name, option) for _, option in checked
        ]
        _refuse(context, key, name)
        return name, OneOf(tuple(made), tuple(text_of(option) for _, option in checked))
    (name, low), (_, high) = (_checked(context, key, end) for end in bounds[:2])
    _refuse(context, key, name)
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high)):
        raise SettingsError(f"{key}: takes no numbers; give its values, as {key}=a,b")
    try:
        return name, Between(low, high, bounds[2])
    except SettingsError as error:
        raise SettingsError(f"{key}: {error}") from error


def _bounds(key: str, value: object) -> tuple[Any, Any, bool] | None:
    """Give low, high and whether the scale is logarithmic; None for a list of values."""
    if isinstance(value, Mapping):
        strange = value.keys() - {"low", "high", "log"}
        log = value.get("log", False)
        if strange or not {"low", "high"} <= value.keys() or not isinstance(log, bool):
            raise SettingsError(
                f"{key}: expected low, high and perhaps log = true, got {dict(value)}"
            )
        return value["low"], value["high"], log
    if not isinstance(value, str) or ":" not in value:
        return None
    low, high, *rest = value.split(":")
    if rest not in ([], ["log"]):
        raise SettingsError(f"{key}: expected low:high or low:high:log, got {value!r}")
    return low, high, bool(rest)


def _checked(context: typer.Context, key: str, value: Any) -> tuple[str, Any]:  # noqa: ANN401
    """Check a value, which a text holds as the command line does."""
    typed = isinstance(value, str)
    return option_value(context, key, value, as_typed=typed, unwanted=(*_FIXED, *_OWN))


def _refuse(context: typer.Context, key: str, name: str) -> None:
    if name in _FIXED:
        raise SettingsError(f"{key}: all trials of a sweep have the same")
    if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE":
        raise SettingsError(f"{key}: searched, and given as an option; leave one of them out")
