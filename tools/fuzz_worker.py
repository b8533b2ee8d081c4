"""Load damaged files in a process of their own, which may crash, hang or ask for too much."""

from __future__ import annotations

import resource
import shutil
import sys
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

import torch

from fuzzed_kinds import Kind, plain

OUTCOMES = ("refused", "same", "other sound", "failed")
# Up to here what is asked for is given, so that it is measured; more is refused by the system.
_MOST = 2**30
_TOO_MUCH = (
    "MemoryError",
    "DefaultCPUAllocator",
    "can't allocate",
    "Unable to allocate",
    "out of memory",
)


@dataclass(frozen=True)
class Case:
    """A damaged file.

    Attributes
    ----------
    number : int
    kind : Kind
    damage : str
    data : bytes
    unchanged : bool
        Whether the damage came to nothing.
    """

    number: int
    kind: Kind
    damage: str
    data: bytes
    unchanged: bool


@dataclass(frozen=True)
class Limits:
    """What a file may take: seconds, and bytes of memory."""

    seconds: float
    nbytes: int


class Worker:
    """A process that loads one file after another, and is begun anew when it is lost.

    Parameters
    ----------
    known : sequence of (Kind, bytes)
        All kinds, each with a sound file.
    folder : Path
        For the files.
    limits : Limits
    """

    def __init__(self, known: Sequence[tuple[Kind, bytes]], folder: Path, limits: Limits) -> None:
        self._kinds = {kind.name: (kind, data) for kind, data in known}
        self._folder, self._limits = folder, limits
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def tried(self, case: Case) -> tuple[str, str]:
        """Load a file; give the outcome, one of OUTCOMES, and what there is to say of it."""
        self._pipe.send((case.kind.name, _written(self._folder, case.kind, case.data)))
        try:
            if self._pipe.poll(self._limits.seconds):
                outcome, text, usable = self._pipe.recv()
            else:
                outcome, usable = "failed", False
                text = f"it took more than {self._limits.seconds:g} seconds"
        except (EOFError, ConnectionResetError):
            self._process.join()
            outcome, usable = "failed", False
            text = f"the process ended with {self._process.exitcode}"
        if not usable:
            self._end()
            self._begin()
        if case.unchanged and outcome != "same":
            return "failed", f"an undamaged file: {outcome}\n{text}"
        return outcome, text

    def _begin(self) -> None:
        context = get_context("fork")
        self._pipe, other = context.Pipe()
        self._process = context.Process(
            target=_load_all, args=(other, self._kinds, self._folder, self._limits), daemon=True
        )
        self._process.start()
        other.close()
        # Not before it is ready does the time of a file begin.
        self._pipe.recv()

    def _end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _written(folder: Path, kind: Kind, data: bytes) -> Path:
    """Write a file into a folder of its own, in which nothing of the last one is left."""
    own = folder / "file"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    path = own / kind.file
    path.write_bytes(data)
    return path


def _load_all(
    pipe: Connection, known: dict[str, tuple[Kind, bytes]], folder: Path, limits: Limits
) -> None:
    # Threads reserve memory of their own, and do not come along into a process that is forked.
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    lost: list[str] = []
    sys.unraisablehook = lambda raised: lost.append(repr(raised.exc_value))
    # What is loaded first takes memory that stays.
    sound = {
        name: plain(kind.load(_written(folder, kind, data))) for name, (kind, data) in known.items()
    }
    most = _memory("VmSize") + max(_MOST, 2 * limits.nbytes)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    pipe.send(None)
    while True:
        name, path = pipe.recv()
        kind, _ = known[name]
        before = _memory("VmSize")
        outcome, text = _loaded(kind, path, sound[name])
        if lost:
            outcome, text = "failed", f"{text}\nraised where nobody sees it: {lost.pop()}"
            lost.clear()
        taken = _memory("VmPeak") - before
        usable = taken <= limits.nbytes
        if not usable:
            outcome, text = "failed", f"it took {taken / 2**20:.0f} MB of memory ({text})"
        pipe.send((outcome, text, usable))


def _loaded(kind: Kind, path: Path, sound: object) -> tuple[str, str]:
    try:
        same = plain(kind.load(path)) == sound
    except Exception as error:
        text = traceback.format_exc()
        if any(words in text for words in _TOO_MUCH) or not isinstance(error, kind.refusal):
            return "failed", text
        try:
            str(error).encode()
        except UnicodeError:
            return "failed", f"its message cannot be printed\n{text}"
        return "refused", text
    return ("same" if same else "other sound"), ""


def _memory(name: str) -> int:
    """Give a number of bytes from what Linux says of this process."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {name}")
