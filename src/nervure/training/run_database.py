"""What lies under `Run`: the tables of its database and the arrays in them."""

from __future__ import annotations

import math
import platform
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from nervure import _core
from nervure.errors import RunError
from nervure.topology import Topology

SCHEMA_VERSION = 1
DATABASE = "run.sqlite"
# zlib cannot shrink data further than this; a snapshot that claims more is damaged.
_MOST_COMPRESSION = 1032
SCHEMA = f"""
BEGIN;
CREATE TABLE schema (version INTEGER NOT NULL);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE epochs (epoch INTEGER PRIMARY KEY, metrics TEXT NOT NULL);
CREATE TABLE rewirings (
    id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, step INTEGER NOT NULL, gamma REAL,
    pruned BLOB NOT NULL, grown BLOB NOT NULL
);
CREATE INDEX rewirings_by_epoch ON rewirings (epoch);
CREATE TABLE topologies (
    epoch INTEGER PRIMARY KEY, nodes INTEGER NOT NULL, edges INTEGER NOT NULL,
    inputs INTEGER NOT NULL, outputs INTEGER NOT NULL, arrays BLOB NOT NULL
);
INSERT INTO schema VALUES ({SCHEMA_VERSION});
COMMIT;
"""


@dataclass(frozen=True, eq=False)
class RewiringRow:
    """One rewiring as it is kept.

    Attributes
    ----------
    step, epoch : int
        When: optimizer steps since the start, and the epoch they fell in.
    pruned, grown : ndarray of int32, shape (edges, 2)
        Edges that went and came, columns source and target.
    gamma : float
        Magnitude of the weakest edge kept; nan where the rule has none.
    """

    step: int
    epoch: int
    pruned: NDArray[np.int32]
    grown: NDArray[np.int32]
    gamma: float = math.nan


class RewiringCount(NamedTuple):
    """How much was rewired in one epoch: steps that changed an edge, edges pruned and grown."""

    epoch: int
    steps: int
    pruned: int
    grown: int


def environment_versions() -> dict[str, str | int]:
    """Name what results depend on: versions, CPU instruction set and number of threads."""
    # nervure's own __init__ imports this module.
    from nervure import __version__

    return {
        "nervure": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "instruction_set": _core.instruction_set(),
        "threads": torch.get_num_threads(),
    }


@contextmanager
def guarded(folder: Path, what: str) -> Iterator[None]:
    """Turn SQLite's errors into ones that name the folder and the remedy."""
    try:
        yield
    # Python decodes SQLite's messages, which quote what stands in a damaged file.
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if what == "write":
            remedy = (
                "free some space or choose a folder that you may write to; "
                "what was recorded before is kept"
            )
        else:
            remedy = "it is no run, or damaged"
        raise RunError(f"cannot {what} {folder / DATABASE}: {error}; {remedy}") from error


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a database that is never written to, also on a medium that cannot be."""
    uri = path.absolute().as_uri()
    connection = sqlite3.connect(f"{uri}?mode=ro", uri=True)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        # A database in WAL mode needs to make files beside it, which a read-only folder refuses.
        # Without a log there is nothing but the file itself to read.
        if path.with_name(f"{DATABASE}-wal").exists():
            raise
        connection = sqlite3.connect(f"{uri}?immutable=1", uri=True)
    except BaseException:
        connection.close()
        raise
    connection.execute("PRAGMA trusted_schema=OFF")
    return connection


def check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Check that a database has the tables of a run, and nothing in it that SQLite would run.

    Views, triggers and computed columns may come with a file, go on for ever, and ask for memory
    that no file has: the tables must be those that nervure makes, before anything is read.

    Raises
    ------
    RunError
        If they are not, or are of a newer nervure.
    """
    found = {
        name: (kind, sql)
        for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master")
    }
    expected = _tables()
    if found.get("schema") != expected["schema"]:
        raise RunError(f"{path} is a database, but not of a nervure run")
    row = connection.execute("SELECT version FROM schema").fetchone()
    version = row[0] if row else None
    if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        raise RunError(
            f"{path} has schema version {version!r}, this nervure reads up to {SCHEMA_VERSION}; "
            "upgrade nervure to read it"
        )
    other = [name for name, made in expected.items() if found.get(name) != made]
    other += [name for name, (kind, _) in found.items() if kind in ("view", "trigger")]
    if other:
        raise RunError(
            f"{path} is damaged: {', '.join(map(repr, other))} is not as nervure makes it; restore "
            "it from a copy"
        )


@cache
def _tables() -> dict[str, tuple[str, str]]:
    """Give type and definition of each table and index, as SQLite keeps them."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql NOT NULL")
        return {name: (kind, sql) for kind, name, sql in rows}


def connect_to_write(folder: Path) -> sqlite3.Connection:
    """Open or make the database of a folder, durably: a commit is on the disk when it returns."""
    connection = sqlite3.connect(folder / DATABASE)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA trusted_schema=OFF")
        # A checkpoint is on the disk before the next epoch begins; so must be what goes with it.
        connection.execute("PRAGMA synchronous=FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def pack_pairs(pairs: NDArray[np.int32]) -> bytes:
    """Write edges, shape (m, 2), as int32 little-endian."""
    array = np.asarray(pairs)
    if array.size and (array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu"):
        raise RunError(
            "edges of a rewiring: expected integers of shape (m, 2), columns source and target, "
            f"got {array.dtype} of shape {array.shape}"
        )
    return array.astype("<i4").tobytes()


def unpack_pairs(blob: object) -> NDArray[np.int32]:
    """Read what `pack_pairs` wrote; ValueError if it is damaged."""
    if not isinstance(blob, bytes) or len(blob) % 8:
        raise ValueError("a rewiring is no list of edges")
    return np.frombuffer(blob, dtype="<i4").astype(np.int32).reshape(-1, 2)


def pack_topology(topology: Topology) -> tuple[int, int, int, int, bytes]:
    """Give nodes, edges, inputs, outputs, and the arrays: degrees, sources, inputs, outputs."""
    t = topology
    arrays = (t.in_degree, t.sources, t.inputs, t.outputs)
    packed = zlib.compress(b"".join(array.astype("<i4").tobytes() for array in arrays))
    return t.num_nodes, t.num_edges, len(t.inputs), len(t.outputs), packed


def unpack_topology(
    nodes: object, edges: object, inputs: object, outputs: object, packed: object
) -> Topology:
    """Read what `pack_topology` wrote; ValueError if it is damaged."""
    # A column of SQLite takes values of any type.
    counts = [n for n in (nodes, edges, inputs, outputs) if isinstance(n, int) and n >= 0]
    size = 4 * sum(counts)
    if len(counts) < 4 or not isinstance(packed, bytes) or size > _MOST_COMPRESSION * len(packed):
        raise ValueError("counts and data do not fit")
    try:
        raw = zlib.decompressobj().decompress(packed, size + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(raw) != size:
        raise ValueError("counts and data do not fit")
    flat = np.frombuffer(raw, dtype="<i4").astype(np.int32)
    degrees, sources, ins, outs = np.split(flat, np.cumsum(counts[:3]))
    indptr = np.concatenate(([0], np.cumsum(degrees, dtype=np.int64)))
    return Topology(counts[0], indptr, sources, ins, outs)
