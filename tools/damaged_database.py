"""Damages that know what the database of a run is made of: rows, arrays, tables."""

from __future__ import annotations

import json
import random
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from damages import damaged_json, flip_bits, spelled, truncate

_COLUMNS = {
    "schema": ("version",),
    "facts": ("name", "value"),
    "epochs": ("epoch", "metrics"),
    "rewirings": ("id", "epoch", "step", "gamma", "pruned", "grown"),
    "topologies": ("epoch", "nodes", "edges", "inputs", "outputs", "arrays"),
}
_ODD: tuple[Any, ...] = (
    None, -1, 0, 1, 2**31, 2**62, -(2**63), 1.5, 1e300, "", "1", "many", "{}", "null", "[1]", b"",
    b"\x00" * 8, b"\xff" * 16, b"\xff\xfe", zlib.compress(bytes(8)), zlib.compress(bytes(10**7)),
)  # fmt: skip
# Reads of such a table would never end, or run what the file says.
_ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)"
_SCHEMAS = (
    f"DROP TABLE epochs; CREATE VIEW epochs AS {_ENDLESS} SELECT n epoch, '{{}}' metrics FROM r",
    f"DROP TABLE facts; CREATE VIEW facts AS {_ENDLESS} SELECT 'x' AS name, n AS value FROM r",
    "DROP TABLE facts; CREATE VIEW facts AS SELECT 'status' AS name, zeroblob(900000000) value",
    "CREATE TRIGGER more AFTER INSERT ON facts BEGIN DELETE FROM epochs; END",
    "DROP TABLE schema; CREATE VIEW schema AS SELECT 1 AS version",
    "DROP TABLE topologies",
    "DROP TABLE rewirings; CREATE TABLE rewirings (id, epoch)",
    "ALTER TABLE epochs RENAME TO old_epochs",
    "CREATE TABLE other (a)",
    "DROP TABLE facts; CREATE TABLE facts (name, value); INSERT INTO facts VALUES ('status', NULL)",
    "DROP TABLE epochs; CREATE TABLE epochs (epoch, metrics)",
    "PRAGMA user_version = 9",
    "PRAGMA encoding = 'UTF-16'",
    "DELETE FROM schema",
    "INSERT INTO schema VALUES (2)",
)


@contextmanager
def _opened(file: bytes) -> Iterator[sqlite3.Connection]:
    """Open the bytes of a database in memory."""
    connection = sqlite3.connect(":memory:")
    try:
        # In memory there is no WAL mode, which the two bytes at 18 stand for.
        # The second damage to a file may meet an endless view that the first has made.
        connection.set_progress_handler(lambda: True, 1_000_000)
        connection.deserialize(file[:18] + b"\x01\x01" + file[20:])
        yield connection
    finally:
        connection.close()


def _changed(file: bytes, statement: str, values: tuple[Any, ...] = ()) -> bytes:
    with _opened(file) as connection:
        try:
            if values:
                connection.execute(statement, values)
            else:
                connection.executescript(statement)
            connection.commit()
            data = connection.serialize()
        except (sqlite3.Error, OverflowError):
            # What SQLite itself does not let into a table is no damage.
            return file
    return data[:18] + file[18:20] + data[20:]


def _any_of(file: bytes, column: str, table: str, chance: random.Random) -> Any:  # noqa: ANN401
    with _opened(file) as connection:
        return chance.choice(connection.execute(f"SELECT {column} FROM {table}").fetchall())[0]


def cell(file: bytes, chance: random.Random) -> bytes:
    """Put something odd into a column, of all rows or of one."""
    table = chance.choice(list(_COLUMNS))
    column = chance.choice(_COLUMNS[table])
    value = chance.choice(_ODD)
    one = chance.choice(("", f" WHERE {column} = (SELECT MAX({column}) FROM {table})"))
    # Types are a matter of habit in SQLite: only rowids are checked.
    return _changed(file, f"UPDATE OR REPLACE {table} SET {column} = ?{one}", (value,))


def json_record(file: bytes, chance: random.Random) -> bytes:
    """Change something in a record that is JSON."""
    table, column = chance.choice((("epochs", "metrics"), ("facts", "value")))
    where = " WHERE value LIKE '{%'" if table == "facts" else ""
    text = _any_of(file, column, f"{table}{where}", chance)
    new = spelled(damaged_json(json.loads(text), chance))
    if chance.random() < 0.2:
        new = new[: chance.randrange(len(new))]
    return _changed(file, f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (new, text))


def arrays(file: bytes, chance: random.Random) -> bytes:
    """Damage what a snapshot of the wiring or a rewiring consists of."""
    if chance.random() < 0.3:
        column = chance.choice(("pruned", "grown"))
        old = _any_of(file, column, f"rewirings WHERE LENGTH({column})", chance)
        new = chance.choice((flip_bits, truncate))(old, chance)
        return _changed(file, f"UPDATE rewirings SET {column} = ? WHERE {column} = ?", (new, old))
    packed = _any_of(file, "arrays", "topologies", chance)
    raw = zlib.decompress(packed)
    new = chance.choice(
        (
            flip_bits(packed, chance),
            truncate(packed, chance),
            packed + b"more",
            zlib.compress(flip_bits(raw, chance)),
            zlib.compress(truncate(raw, chance)),
            zlib.compress(raw + b"\x00" * 4),
        )
    )
    return _changed(file, "UPDATE topologies SET arrays = ? WHERE arrays = ?", (new, packed))


def schema(file: bytes, chance: random.Random) -> bytes:
    """Give the database other tables, or views and triggers in their place."""
    return _changed(file, chance.choice(_SCHEMAS))


DATABASE = (cell, cell, json_record, json_record, arrays, schema)
