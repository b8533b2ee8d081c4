"""Where things of the user's are kept."""

from __future__ import annotations

import os
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
