"""`Ledger`: results of long experiments, cell by cell, so that nothing is computed twice."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nervure.errors import RunError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
    experiment TEXT NOT NULL, cell TEXT NOT NULL, result TEXT NOT NULL, seconds REAL NOT NULL,
    version TEXT NOT NULL, written TEXT NOT NULL, PRIMARY KEY (experiment, cell)
)
"""

Cell = Mapping[str, Any]


class Ledger:
    """A SQLite file of results, each under its experiment and the settings that made it.

    Parameters
    ----------
    path : Path
        Made if missing, with its folder.

    Raises
    ------
    RunError
        If the file cannot be opened or is no ledger.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as file, file:
                file.execute("PRAGMA journal_mode=WAL")
                file.execute(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise RunError(
                f"cannot use the ledger {path}: {error}; give another folder by --out"
            ) from error

    def get(self, experiment: str, cell: Cell) -> dict[str, Any] | None:
        """Give the result of a cell, or None."""
        with closing(self._open()) as file:
            found = file.execute(
                "SELECT result FROM results WHERE experiment = ? AND cell = ?",
                (experiment, _key(cell)),
            ).fetchone()
        return None if found is None else dict(json.loads(found[0]))

    def put(self, experiment: str, cell: Cell, result: Mapping[str, Any], seconds: float) -> None:
        """Write the result of a cell; what stood there is replaced."""
        from nervure import __version__

        row = (
            experiment,
            _key(cell),
            json.dumps(result, allow_nan=False),
            seconds,
            __version__,
            datetime.now(UTC).isoformat(timespec="seconds"),
        )
        with closing(self._open()) as file, file:
            file.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?)", row)

    def results(self, experiment: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Give every (cell, result) of an experiment, in the order of writing."""
        with closing(self._open()) as file:
            rows = file.execute(
                "SELECT cell, result FROM results WHERE experiment = ? ORDER BY rowid",
                (experiment,),
            ).fetchall()
        for cell, result in rows:
            yield json.loads(cell), json.loads(result)

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=60)


def _key(cell: Cell) -> str:
    return json.dumps(cell, sort_keys=True, allow_nan=False)
