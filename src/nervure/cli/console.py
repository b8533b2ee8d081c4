"""Where commands print their results."""

from __future__ import annotations

import os

from rich.console import Console

# Columns of a table in a file or a pipe, where nothing says how wide it may be.
_WIDE = 200


def result_console() -> Console:
    """Give the console of standard output: as wide as the terminal, or wide where there is none."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDE
    return console
