"""Write the list of public names, docs/reference/names.md: `python tools/public_names.py`."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "names.md"
PACKAGES = (
    "nervure", "nervure.topology", "nervure.networks", "nervure.rules", "nervure.training",
    "nervure.estimators", "nervure.modules", "nervure.measures", "nervure.export", "nervure.data",
    "nervure.baselines", "nervure.engine", "nervure.errors",
)  # fmt: skip
_BEGINNING = """# Public names

What is listed here is what nervure promises to keep, with the arguments that its docstrings name.
A name that has to go stays for at least one minor version and warns (`DeprecationWarning`) of
what takes its place. All else is for nervure itself: other modules, and names that begin with an
underscore, can change with any version.

Run folders and model files are part of the promise too: they carry a version, and a newer nervure
reads what an older one wrote, or says what to do.
"""


def names_of(package: str) -> list[str]:
    """Give the public names of a package, sorted."""
    module = importlib.import_module(package)
    names = getattr(module, "__all__", None)
    if names is None:
        names = [name for name, _ in inspect.getmembers(module, inspect.isclass)]
        names = [name for name in names if getattr(module, name).__module__ == package]
    return sorted(names)


def page() -> str:
    """Give the page as text."""
    sections = [
        f"## {package}\n\n" + ", ".join(f"`{name}`" for name in names_of(package))
        for package in PACKAGES
    ]
    return "\n".join([_BEGINNING, "\n\n".join(sections), ""])


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE}")
