"""`Run`: the folder that keeps what happened in one training run (format: docs/runs.md)."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast, get_args

from filelock import BaseFileLock

from nervure.errors import RunError, StoppedError
from nervure.topology import Topology
from nervure.training import json_values
from nervure.training.json_values import JSON
from nervure.training.run_database import (
    DATABASE,
    SCHEMA,
    SCHEMA_VERSION,
    RewiringCount,
    RewiringRow,
    check_tables,
    connect_to_read,
    connect_to_write,
    environment_versions,
    guarded,
    pack_pairs,
    pack_topology,
    unpack_pairs,
    unpack_topology,
)
from nervure.training.run_folder import (
    CHECKPOINT,
    MODEL,
    REPORT,
    is_taken,
    make_folder,
    remove_checkpoints,
    take_folder,
)

# The stage of a run in which the network is trained that it is about.
NETWORK = "network"

Status = Literal["running", "finished", "failed", "interrupted"]


class Run:
    """A run folder: made with `Run.create`, read with `Run.open`, gone on with by `Run.resume`.

    What an epoch brings is one transaction, committed by `record_epoch`: after a kill the folder
    holds every finished epoch. Other processes can read it meanwhile; a second writer is
    refused. As a context manager it marks the run "failed" or "interrupted" (after Ctrl-C or a
    `StoppedError`) when an exception passes through, "finished" otherwise, and closes it.

    Attributes
    ----------
    folder : Path
    read_only : bool

    Examples
    --------
    >>> import tempfile
    >>> with Run.create(tempfile.mkdtemp(), config={"nodes": 20}) as run:
    ...     run.record_epoch(1, {"train_loss": 0.5})
    ...     run.finish({"test_error": 0.1})
    >>> with Run.open(run.folder) as again:
    ...     again.status, again.result, len(again.epochs())
    ('finished', {'test_error': 0.1}, 1)
    """

    def __init__(
        self, folder: Path, connection: sqlite3.Connection, lock: BaseFileLock | None = None
    ) -> None:
        self.folder = folder
        self.read_only = lock is None
        self._connection = connection
        self._lock = lock

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

    # -- making and opening ----------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        folder: str | Path,
        *,
        config: Mapping[str, JSON],
        request: Mapping[str, JSON] | None = None,
        force: bool = False,
    ) -> Self:
        """Make a run folder and start recording.

        Parameters
        ----------
        folder : path
            Made with its parents. Must be empty or new, unless `force`.
        config : mapping
            Settings of the run, any JSON values.
        request : mapping, optional
            What a command was asked for, which repeats it when the run is gone on with.
        force : bool
            Replace nervure's own files in a folder that is in use; others stay untouched.

        Returns
        -------
        Run

        Raises
        ------
        RunError
            If the folder is in use or cannot be written.
        """
        folder = Path(folder)
        try:
            texts = {"config": json_values.dumps(config), "request": json_values.dumps(request)}
        except TypeError as error:
            raise RunError(f"config of run {folder}: {error}") from error

        def begin(run: Self) -> None:
            run._connection.executescript(SCHEMA)
            versions = json_values.dumps(environment_versions())
            run._put(**texts, versions=versions, started=_now(), status="running")

        return cls._to_write(folder, make_folder(folder, force=force), begin)

    @classmethod
    def resume(cls, folder: str | Path) -> Self:
        """Open a run that has not finished, to go on with it.

        Whoever trains goes on from the checkpoints (`checkpoint_path`), and says with `rewind` up
        to where the records hold.

        Raises
        ------
        RunError
            If there is no run, it has finished, another process writes to it, or it cannot be
            written.
        """
        with cls.open(folder) as reader:
            if reader.status == "finished":
                raise RunError(
                    f"the run in {reader.folder} has finished, there is nothing left to do; train "
                    "anew in another folder"
                )
        folder = Path(folder)

        def begin(run: Self) -> None:
            run._execute("DELETE FROM facts WHERE name IN ('reason', 'ended', 'result')")
            run._put(status="running")
            if not any(run.folder.glob(CHECKPOINT.format("*"))):
                run._forget_after(0)

        return cls._to_write(folder, take_folder(folder), begin)

    @classmethod
    def _to_write(cls, folder: Path, lock: BaseFileLock, begin: Callable[[Self], None]) -> Self:
        try:
            with guarded(folder, "write"):
                run = cls(folder, connect_to_write(folder), lock)
                try:
                    begin(run)
                    run._connection.commit()
                except BaseException:
                    run._connection.close()
                    raise
        except BaseException:
            lock.release()
            raise
        return run

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open a run folder for reading, also while another process writes to it.

        Raises
        ------
        RunError
            If there is no run, or it is damaged or of a newer nervure.
        """
        folder = Path(folder)
        path = folder / DATABASE
        if not folder.is_dir():
            raise RunError(f"there is no run folder {folder}; `nervure train` makes one")
        if not path.is_file():
            raise RunError(f"{folder} is no run folder: it holds no {DATABASE}")
        with guarded(folder, "read"):
            run = cls(folder, connect_to_read(path))
            try:
                check_tables(run._connection, path)
            except BaseException:
                run._connection.close()
                raise
        return run

    def close(self) -> None:
        """Close the database; whatever is uncommitted is written if it can be."""
        try:
            self._connection.commit()
        except sqlite3.Error:
            self._connection.rollback()
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if not self.read_only and self.status == "running":
                if error is None:
                    self.finish({})
                else:
                    interrupted = isinstance(error, KeyboardInterrupt | StoppedError)
                    self.fail(str(error) or type(error).__name__, interrupted=interrupted)
        except RunError:
            # On a full disk the note of the failure fails too; the first error is the one to see.
            if error is None:
                raise
        finally:
            self.close()

    # -- writing ---------------------------------------------------------------------------------

    def record_epoch(self, epoch: int, metrics: Mapping[str, JSON]) -> None:
        """Keep the metrics of an epoch and commit everything recorded so far.

        Parameters
        ----------
        epoch : int
            Recorded again, an epoch replaces what it had.
        metrics : mapping
            Any JSON values; numbers may be nan or infinite.
        """
        text = self._dump(metrics)
        with self._writing():
            self._execute("INSERT OR REPLACE INTO epochs VALUES (?, ?)", (int(epoch), text))

    def record_rewirings(self, rows: Iterable[RewiringRow]) -> None:
        """Keep rewirings; they are committed with their epoch."""
        values = [
            (int(r.epoch), int(r.step), float(r.gamma), pack_pairs(r.pruned), pack_pairs(r.grown))
            for r in rows
        ]
        sql = "INSERT INTO rewirings (epoch, step, gamma, pruned, grown) VALUES (?, ?, ?, ?, ?)"
        with self._writing(commit=False):
            self._connection.executemany(sql, values)

    def record_topology(self, epoch: int, topology: Topology) -> None:
        """Keep a snapshot of the wiring; it is committed with its epoch."""
        row = (int(epoch), *pack_topology(topology))
        with self._writing(commit=False):
            self._execute("INSERT OR REPLACE INTO topologies VALUES (?, ?, ?, ?, ?, ?)", row)

    def rewind(self, epoch: int) -> None:
        """Forget all that was recorded of later epochs, which a resumed run trains again."""
        with self._writing():
            self._forget_after(int(epoch))

    def _forget_after(self, epoch: int) -> None:
        for table in ("epochs", "rewirings", "topologies"):
            self._execute(f"DELETE FROM {table} WHERE epoch > ?", (epoch,))

    def finish(self, result: Mapping[str, JSON], *, interrupted: bool = False) -> None:
        """Mark the run finished (or cut short by its user) and keep its result.

        A finished run needs its checkpoints no more, and they are removed; one that was cut short
        keeps them.
        """
        status: Status = "interrupted" if interrupted else "finished"
        text = self._dump(result)
        with self._writing():
            self._put(status=status, result=text, ended=_now())
        if not interrupted:
            remove_checkpoints(self.folder)

    def fail(self, reason: str, *, interrupted: bool = False) -> None:
        """Mark the run failed (or cut short by its user) and keep the reason."""
        status: Status = "interrupted" if interrupted else "failed"
        with self._writing():
            self._put(status=status, reason=reason, ended=_now())

    # -- reading ---------------------------------------------------------------------------------

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

    # -- underneath ------------------------------------------------------------------------------

    @contextmanager
    def _writing(self, *, commit: bool = True) -> Iterator[None]:
        if self.read_only:
            raise RunError(f"run {self.folder} is open for reading; Run.create makes one to write")
        with guarded(self.folder, "write"):
            try:
                yield
                if commit:
                    self._connection.commit()
            except sqlite3.Error:
                self._connection.rollback()
                raise

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    def _put(self, **facts: str) -> None:
        self._connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())

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

    def _dump(self, value: Mapping[str, JSON]) -> str:
        try:
            return json_values.dumps(value)
        except TypeError as error:
            raise RunError(f"cannot record this in run {self.folder}: {error}") from error

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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


__all__ = ["SCHEMA_VERSION", "RewiringCount", "RewiringRow", "Run", "environment_versions"]
