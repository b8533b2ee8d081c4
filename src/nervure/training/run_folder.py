"""The folder of a run: its files, and that one writer at a time has it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from nervure.errors import RunError
from nervure.training.run_database import DATABASE

MODEL = "model.safetensors"
REPORT = "report.html"
CHECKPOINT = "checkpoint-{}.safetensors"

_LOCK = ".run.lock"
# Who asks whether a folder is taken holds its lock for a moment; a writer waits that long.
_PATIENCE = 0.3
# What SQLite may leave beside the database, and what `force` may therefore replace.
_OWN_FILES = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal", MODEL, REPORT)
# What `write_whole` leaves behind where a process is killed while it writes.
_UNFINISHED = [f".{name}.*.tmp" for name in (MODEL, REPORT, CHECKPOINT.format("*"))]


def make_folder(folder: Path, *, force: bool) -> BaseFileLock:
    """Make a folder, or empty one of the files of a run, and take it for writing.

    Returns
    -------
    BaseFileLock
        Held until it is released, or the process ends in any way.

    Raises
    ------
    RunError
        If it is in use, and there is no `force` or another writer has it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not force:
            # Before a lock is left in a folder that is somebody else's.
            _refuse_if_in_use(folder)
        lock = _locked(folder, _PATIENCE)
        try:
            if not force:
                # Another writer may have come and gone before the lock was ours.
                _refuse_if_in_use(folder)
            _remove(folder, (*_OWN_FILES, CHECKPOINT.format("*"), *_UNFINISHED))
        except BaseException:
            lock.release()
            raise
    except OSError as error:
        raise RunError(
            f"cannot make run folder {folder}: {error.strerror or error}; choose a folder "
            "that you may write to"
        ) from error
    return lock


def _refuse_if_in_use(folder: Path) -> None:
    if any(path.name != _LOCK for path in folder.iterdir()):
        raise RunError(
            f"run folder {folder} is not empty; choose another, or pass force (--force) to replace "
            "the run in it"
        )


def take_folder(folder: Path) -> BaseFileLock:
    """Take a folder for writing as it is.

    Raises
    ------
    RunError
        If another writer has it, here or in another process, or it cannot be written.
    """
    try:
        lock = _locked(folder, _PATIENCE)
        _remove(folder, _UNFINISHED)
        return lock
    except OSError as error:
        raise RunError(
            f"cannot go on in run folder {folder}: {error.strerror or error}; it must be one "
            "that you may write to"
        ) from error


def is_taken(folder: Path) -> bool:
    """Tell whether somebody writes to a folder; False as well where that cannot be found out."""
    if not (folder / _LOCK).exists():
        return False
    try:
        _locked(folder, 0.0).release()
    except RunError:
        return True
    except (OSError, NotImplementedError):
        return False
    return False


def remove_checkpoints(folder: Path) -> None:
    """Remove what a run goes on from."""
    _remove(folder, [CHECKPOINT.format("*")])


def _remove(folder: Path, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def _locked(folder: Path, patience: float) -> BaseFileLock:
    """Take the lock of a folder, within so many seconds."""
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=patience, poll_interval=0.01)
    except Timeout as error:
        raise RunError(
            f"run folder {folder} is being written by another process; wait for it, stop it, or "
            "choose another folder"
        ) from error
    return lock
