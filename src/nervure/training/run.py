"""`Run`: the folder that keeps what happened in one training run (format: docs/runs.md)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

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
)
from nervure.training.run_folder import (
    CHECKPOINT,
    make_folder,
    remove_checkpoints,
    take_folder,
)
from nervure.training.run_records import RunRecords, Status

# The stage of a run in which the network is trained that it is about.
NETWORK = "network"


class Run(RunRecords):
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
        super().__init__(folder, connection, read_only=lock is None)
        self._lock = lock

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
            reader._refuse_if_finished()
        folder = Path(folder)

        def begin(run: Self) -> None:
            # Its writer may have finished between the reading and the lock.
            run._refuse_if_finished()
            run._execute("DELETE FROM facts WHERE name IN ('reason', 'ended', 'result')")
            run._put(status="running")
            if not any(run.folder.glob(CHECKPOINT.format("*"))):
                run._forget_after(0)

        return cls._to_write(folder, take_folder(folder), begin)

    def _refuse_if_finished(self) -> None:
        if self.status == "finished":
            raise RunError(
                f"the run in {self.folder} has finished, there is nothing left to do; train anew "
                "in another folder"
            )

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

    def _put(self, **facts: str) -> None:
        self._connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())

    def _dump(self, value: Mapping[str, JSON]) -> str:
        try:
            return json_values.dumps(value)
        except TypeError as error:
            raise RunError(f"cannot record this in run {self.folder}: {error}") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


__all__ = ["SCHEMA_VERSION", "RewiringCount", "RewiringRow", "Run", "environment_versions"]
