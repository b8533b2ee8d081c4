"""What the shell may put in the place of a word that has been begun."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nervure.data import COLOUR_IMAGES, list_datasets
from nervure.jobs.bit_tasks import IMAGE_TASKS
from nervure.training.run_database import DATABASE

_BOOLEAN_TASKS = tuple(
    f"boolean:{name}" for name in ("input-separable", "reused", "both", "single", "levels")
)
_DEFAULT = Path("runs")


def datasets(incomplete: str) -> list[str]:
    """Give the datasets whose names begin so; with none, the shell goes on to files."""
    return _beginning((info.name for info in list_datasets()), incomplete)


def tradeoff_tasks(incomplete: str) -> list[str]:
    """Give datasets and tasks of colour images."""
    return [*datasets(incomplete), *_beginning(COLOUR_IMAGES, incomplete)]


def sculpting_tasks(incomplete: str) -> list[str]:
    """Give datasets, Boolean tasks and those of pairs of images."""
    return [*datasets(incomplete), *_beginning((*IMAGE_TASKS, *_BOOLEAN_TASKS), incomplete)]


def runs(incomplete: str) -> list[str]:
    """Give the run folders, and folders that may hold some, whose paths begin so."""
    begun = Path(incomplete)
    parent = begun if incomplete.endswith("/") else begun.parent
    if not incomplete and _DEFAULT.is_dir():
        parent = _DEFAULT
    try:
        folders = sorted(path for path in parent.iterdir() if path.is_dir())
    except OSError:
        return []
    found = [str(p) if (p / DATABASE).is_file() else f"{p}/" for p in folders]
    return _beginning((text for text in found if not Path(text).name.startswith(".")), incomplete)


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
