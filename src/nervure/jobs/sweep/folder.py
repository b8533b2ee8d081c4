"""The folder of a sweep, which one process at a time has."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from nervure.errors import RunError
from nervure.jobs.sweep.study import DATABASE
from nervure.jobs.sweep.trial import STOP

TRIALS = "trials"
_LOCK = ".sweep.lock"


@contextmanager
def taken(folder: Path, *, force: bool) -> Iterator[Path]:
    """Have the folder of a sweep for oneself.

    Where an error comes before there is a trial, nothing of it is left, and what was there stays.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    force : bool
        Whether a sweep in it makes way.

    Raises
    ------
    RunError
        If another process has it, it holds something else, or it cannot be written.
    """
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise RunError(
            f"the sweep in {folder} is running; wait for it, or choose another folder (--out)"
        ) from error
    except OSError as error:
        raise RunError(
            f"cannot make the sweep's folder {folder}: {error.strerror or error}; choose one that "
            "you may write to (--out)"
        ) from error
    aside = None
    try:
        there = [path for path in folder.iterdir() if not path.name.startswith(".")]
        if there and not (folder / DATABASE).exists():
            raise RunError(f"{folder} is not empty, and no sweep; choose another folder (--out)")
        (folder / STOP).unlink(missing_ok=True)
        if force and there:
            aside = Path(tempfile.mkdtemp(prefix=".replaced-", dir=folder))
            _move(folder, aside)
        yield folder
    except BaseException:
        if aside is not None and not _begun(folder):
            shutil.rmtree(folder / TRIALS, ignore_errors=True)
            (folder / DATABASE).unlink(missing_ok=True)
            _move(aside, folder)
        raise
    finally:
        if aside is not None:
            shutil.rmtree(aside)
        if new and not _begun(folder):
            shutil.rmtree(folder)
        lock.release()


def _begun(folder: Path) -> bool:
    return any((folder / TRIALS).glob("*"))


def _move(source: Path, target: Path) -> None:
    for path in [source / TRIALS, *source.glob(f"{DATABASE}*")]:
        if path.exists():
            path.rename(target / path.name)
