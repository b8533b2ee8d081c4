"""Settings in a TOML file, in the place of options; and options as such a file."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from nervure.errors import SettingsError
from nervure.textual import did_you_mean

# Not settings of a training: where it goes, and what the command itself does.
_NOT_IN_FILES = ("config", "resume", "print_config", "help")
_ELSEWHERE = (*_NOT_IN_FILES, "out", "force", "as_json", "tensorboard")

_EXPECTED = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def take_settings(context: typer.Context, path: Path | None) -> Path | None:
    """Let the settings in a file stand where no option is given.

    The callback of ``--config``, which must be eager: other options look for their values later.

    Raises
    ------
    SettingsError
        Naming file, key, what was expected, and all that is wrong at once.
    """
    if path is not None and not context.resilient_parsing:
        context.default_map = {**(context.default_map or {}), **_settings(context, path)}
    return path


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    SettingsError
        If it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML file: {error}") from error


def settings_text(context: typer.Context) -> str:
    """Write the options of a command, given or not, as a file that repeats them."""
    command = _words(context)
    lines, unset = [], []
    for key, parameter in _parameters(context):
        if parameter.name in _ELSEWHERE or (value := context.params.get(parameter.name)) is None:
            unset += [] if parameter.name in _ELSEWHERE else [key]
            continue
        # A JSON text is a TOML text, and so are numbers, true and false.
        lines.append(f"{key} = {_written(value)}")
    head = [f"# nervure {command} --config FILE"]
    if unset:
        head.append(f"# Not given, so that the method chooses: {', '.join(unset)}.")
    return "\n".join([*head, *lines]) + "\n"


def option_value(
    context: typer.Context,
    key: str,
    value: Any,  # noqa: ANN401
    *,
    as_typed: bool = False,
    unwanted: Collection[str] = (),
) -> tuple[str, Any]:
    """Check a value for an option, as strictly as a file can be that says what type it is.

    Parameters
    ----------
    context : typer.Context
    key : str
        As after the dashes; - and _ are the same.
    value
        A TOML value; a list stands for texts with commas.
    as_typed : bool
        Whether it is a text as it is typed, which may be a number too.
    unwanted : collection of str
        Parameters that are not offered where the key is none.

    Returns
    -------
    str
        The parameter's name.
    value
        As the option takes it.

    Raises
    ------
    SettingsError
        If there is no such option, or it does not take the value.
    """
    known = dict(_parameters(context))
    name = key.replace("_", "-")
    if name not in known or known[name].name in _NOT_IN_FILES:
        others = [k for k, p in known.items() if p.name not in (*_NOT_IN_FILES, *unwanted)]
        near = did_you_mean(name, others) or f"; expected one of {', '.join(others)}"
        raise SettingsError(f"{key}: no option of nervure {_words(context)}{near}")
    parameter = known[name]
    plain = value
    if isinstance(value, list) and not getattr(parameter, "multiple", False):
        # What the command line takes with commas may be a list here.
        plain = ",".join(map(str, value))
    try:
        found = parameter.process_value(context, plain)
    except typer.BadParameter as error:
        raise SettingsError(f"{key}: {_expected(error.message)}, got {_written(value)}") from error
    if not as_typed and not _same_type(plain, found):
        expected = _EXPECTED.get(type(found), type(found).__name__)
        raise SettingsError(f"{key}: expected {expected}, got {_written(value)}")
    return str(parameter.name), found


def _settings(context: typer.Context, path: Path) -> dict[str, Any]:
    document = read_toml(path)
    method = str(context.info_name)
    tables = {key: value for key, value in document.items() if isinstance(value, Mapping)}
    methods = _methods(context)
    problems = [
        f"[{table}]: no method{did_you_mean(table, methods)}; expected one of {', '.join(methods)}"
        for table in tables
        if table.replace("_", "-") not in methods
    ]
    plain = {key: value for key, value in document.items() if key not in tables}
    own = next((t for name, t in tables.items() if name.replace("_", "-") == method), {})
    found: dict[str, Any] = {}
    for where, pairs in (("", plain), (f"[{method}] ", own)):
        seen: set[str] = set()
        for key, value in pairs.items():
            try:
                name, taken = option_value(context, key, value)
            except SettingsError as error:
                problems.append(f"{where}{error}")
                continue
            if name in seen:
                problems.append(f"{where}{key}: given twice, with - and with _")
            seen.add(name)
            found[name] = taken
    if problems:
        raise SettingsError("\n".join(f"{path}: {problem}" for problem in problems))
    return found


def _parameters(context: typer.Context) -> Iterator[tuple[str, Any]]:
    """Go through the options of a command, by the name that stands after the dashes."""
    for parameter in context.command.params:
        names = [name[2:] for name in parameter.opts if name.startswith("--")]
        if names:
            yield names[0], parameter


def _methods(context: typer.Context) -> list[str]:
    group = context.parent
    return list(getattr(group.command, "commands", {})) if group is not None else []


def _words(context: typer.Context) -> str:
    """Give the command as it is typed, without the program's name."""
    group = context.parent
    before = f"{group.info_name} " if group is not None and group.parent is not None else ""
    return f"{before}{context.info_name}"


def _same_type(given: object, found: object) -> bool:
    """Whether nothing but what is meant was converted: no "3" to 3, no 3.5 to 3, no yes to true."""
    if isinstance(found, Path):
        return isinstance(given, str)
    if isinstance(found, float) and not isinstance(given, bool):
        return isinstance(given, int | float)
    return type(given) is type(found)


def _expected(message: str) -> str:
    """Give what the command line expects of a value, in the words of other errors."""
    for end in (", unable", ", got"):
        message = message.split(end)[0]
    message = re.sub(r"^(Value error, )?.* is not (?=one of)", "expected ", message)
    return message.rstrip(".").replace("\n", " ").replace("Input should be", "expected")


def _written(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)
