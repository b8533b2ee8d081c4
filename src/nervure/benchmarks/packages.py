"""Optional packages that peers come from."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable
from types import ModuleType

INSTALL = 'pip install "nervure[bench]"'


def package(name: str) -> ModuleType | None:
    """Import an optional package, or give None where it is missing or does not load."""
    try:
        with warnings.catch_warnings():
            # What a peer deprecates in its own imports is no matter of the user's.
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except (ImportError, OSError):
        return None


def skipped(names: Iterable[str]) -> dict[str, str]:
    """Name the packages that cannot be imported, with the command that installs them."""
    return {name: INSTALL for name in names if package(name) is None}
