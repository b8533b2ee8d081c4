"""Packages that only extras install: imported when they are first needed."""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType
from typing import Any

from nervure.errors import MissingDependencyError


def install(extra: str) -> str:
    """Give the command that installs an extra of nervure."""
    return f'pip install "nervure[{extra}]"'


def require(module: str, what: str, how: str, *, package: str | None = None) -> Any:  # noqa: ANN401
    """Import a module, or say who needs it and how it is installed.

    Parameters
    ----------
    module : str
    what : str
        What needs it, such as "a sweep".
    how : str
        The command that installs it, such as `install` gives, and what else is to be said.
    package : str, optional
        What it is called where it is installed, if not as the module is.

    Returns
    -------
    module
        Untyped: few of these packages carry types.

    Raises
    ------
    MissingDependencyError
        When it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(f"{what} needs {package or module}: {how}") from error


def find(module: str) -> ModuleType | None:
    """Import a module, or give None where it is missing or does not load."""
    try:
        with warnings.catch_warnings():
            # What a package deprecates in its own imports is no matter of the user's.
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except (ImportError, OSError):
        return None
