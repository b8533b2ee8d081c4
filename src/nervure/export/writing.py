"""Files that an export leaves."""

from __future__ import annotations

from pathlib import Path

from nervure.errors import ExportError
from nervure.folders import write_whole


def write_file(path: Path, data: bytes) -> None:
    """Write a file entirely or not at all.

    Raises
    ------
    ExportError
        If it cannot be written; what was there before is then unchanged.
    """
    try:
        write_whole(path, data)
    except OSError as error:
        raise ExportError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose a folder "
            "that you may write to (a file that was there before is unchanged)"
        ) from error
