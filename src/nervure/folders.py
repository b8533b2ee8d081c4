"""Where things of the user's are kept, and how they are written."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def cache_folder() -> Path:
    """Give the folder of downloads and measurements.

    Returns
    -------
    Path
        ``$XDG_CACHE_HOME/nervure``, or ``~/.cache/nervure``.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "nervure"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file entirely or not at all, through a temporary one beside it.

    What was there before stays until the new bytes are on the disk; a process that is killed leaves
    the one or the other.

    Raises
    ------
    OSError
        If it cannot be written; then what was there before is unchanged.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
