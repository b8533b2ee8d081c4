"""`RunRecords`: what a run folder has recorded, to be read."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args

from nervure.errors import RunError
from nervure.topology import Topology
from nervure.training import json_values
from nervure.training.run_database import (
    DATABASE,
    RewiringCount,
    RewiringRow,
    guarded,
    unpack_pairs,
    unpack_topology,
)
from nervure.training.run_folder import CHECKPOINT, MODEL, REPORT, is_taken

Status = Literal["running", "finished", "failed", "interrupted"]


class RunRecords:
    """The records of a run folder, whose values are checked as they are read."""

    folder: Path
    read_only: bool

    def __init__(self, folder: Path, connection: sqlite3.Connection, *, read_only: bool) -> None:
        self.folder = folder
        self.read_only = read_only
        self._connection = connection

    @property
    def database_path(self) -> Path:
        """Where metrics and rewirings are."""
        return self.folder / DATABASE

    @property
    def model_path(self) -> Path:
        """Where the trained network belongs."""
        return self.folder / MODEL

    @property
    def report_path(self) -> Path:
        """Where the report belongs."""
        return self.folder / REPORT

    def checkpoint_path(self, stage: str) -> Path:
        """Where a stage of the run, such as "network", keeps what it goes on from."""
        return self.folder / CHECKPOINT.format(stage)

    @property
    def config(self) -> dict[str, Any]:
        """Settings given to `create`."""
        return self._load(self._fact("config") or "{}")

    @property
    def request(self) -> dict[str, Any] | None:
        """What the command was asked for, or None for runs that no command made."""
        text = self._fact("request")
        return None if text in (None, "null") else self._load(text)

    @property
    def versions(self) -> dict[str, Any]:
        """What the run was made with; see `environment_versions`."""
        return self._load(self._fact("versions") or "{}")

    @property
    def status(self) -> Status:
        """How the run stands. A run that was killed stays "running"; see `abandoned`."""
        status = self._fact("status") or "running"
        if status not in get_args(Status):
            raise self._damaged(f"its status is {status!r}")
        return cast(Status, status)

    @property
    def abandoned(self) -> bool:
        """Whether it says that it is running, and nobody writes to it: it was killed."""
        return self.read_only and self.status == "running" and not is_taken(self.folder)

    @property
    def reason(self) -> str | None:
        """Why it failed, if it did."""
        return self._fact("reason")

    @property
    def started(self) -> str | None:
        """When it began, in UTC, as ISO 8601."""
        return self._fact("started")

    @property
    def ended(self) -> str | None:
        """When it ended, or None."""
        return self._fact("ended")

    @property
    def result(self) -> dict[str, Any] | None:
        """What `finish` was given, or None."""
        text = self._fact("result")
        return None if text is None else self._load(text)

    def epochs(self) -> list[dict[str, Any]]:
        """Metrics of all recorded epochs, in order; each has its number under "epoch"."""
        rows = self._rows("SELECT epoch, metrics FROM epochs ORDER BY epoch")
        return [{**self._load(text), "epoch": epoch} for epoch, text in rows]

    def rewirings(self, epoch: int | None = None) -> Iterator[RewiringRow]:
        """Go through the rewirings of an epoch, or of all, in the order of their steps."""
        sql = "SELECT step, epoch, pruned, grown, gamma FROM rewirings"
        where, values = ("", ()) if epoch is None else (" WHERE epoch = ?", (epoch,))
        for step, number, pruned, grown, gamma in self._rows(f"{sql}{where} ORDER BY id", values):
            try:
                edges = unpack_pairs(pruned), unpack_pairs(grown)
                if type(step) is not int or type(number) is not int:
                    raise ValueError(f"a rewiring at step {step!r} of epoch {number!r}")
                if gamma is not None and type(gamma) is not float:
                    raise ValueError(f"gamma of step {step} is no number")
            except ValueError as error:
                raise self._damaged(str(error)) from error
            yield RewiringRow(step, number, *edges, math.nan if gamma is None else gamma)

    def rewiring_counts(self) -> list[RewiringCount]:
        """Count the rewired edges of each epoch that had any."""
        sql = (
            "SELECT epoch, COUNT(*), SUM(LENGTH(pruned)) / 8, SUM(LENGTH(grown)) / 8 "
            "FROM rewirings GROUP BY epoch ORDER BY epoch"
        )
        counts = [RewiringCount(*row) for row in self._rows(sql)]
        if any(type(number) is not int for count in counts for number in count):
            raise self._damaged("a rewiring is no list of edges")
        return counts

    def topologies(self) -> Iterator[tuple[int, Topology]]:
        """Go through the snapshots as (epoch, topology)."""
        sql = "SELECT epoch, nodes, edges, inputs, outputs, arrays FROM topologies ORDER BY epoch"
        for epoch, *packed in self._rows(sql):
            try:
                topology = unpack_topology(*packed)
            except ValueError as error:
                raise self._damaged(f"the wiring of epoch {epoch}: {error}") from error
            yield epoch, topology

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    def _one(self, sql: str, values: Sequence[Any] = ()) -> Any:  # noqa: ANN401
        return self._execute(sql, values).fetchone()

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        with guarded(self.folder, "read"):
            # Not from the cursor itself: a generator that is given up would close it, perhaps after
            # the database has been closed.
            yield from iter(self._execute(sql, values).fetchone, None)

    def _fact(self, name: str) -> str | None:
        with guarded(self.folder, "read"):
            row = self._one("SELECT value FROM facts WHERE name = ?", (name,))
        if row is not None and not isinstance(row[0], str):
            raise self._damaged(f"{name} is no text")
        return None if row is None else cast(str, row[0])

    def _load(self, text: object) -> dict[str, Any]:
        try:
            value = json_values.loads(cast(str, text))
        except (ValueError, TypeError) as error:
            raise self._damaged(f"a record is no JSON ({error})") from error
        if not isinstance(value, dict):
            raise self._damaged("a record is no JSON object")
        return value

    def _damaged(self, what: str) -> RunError:
        return RunError(f"{self.database_path} is damaged: {what}; restore it from a copy")
