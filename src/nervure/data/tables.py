"""Read a user's table: CSV, Parquet or NPZ."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from nervure.data.dataset import Task
from nervure.errors import DataError
from nervure.textual import did_you_mean, listed

Kind = Literal["numeric", "categorical"]

# A column of integers with at most so many different values, each seen on average ten times, is
# taken for classes.
MOST_INTEGER_CLASSES = 20
ROWS_PER_CLASS = 10
# A text column with almost as many values as rows names rows; it says nothing about other rows.
IDENTIFIER_SHARE = 0.9


@dataclass(frozen=True, eq=False)
class Column:
    """One column: float64 with NaN where missing, or str objects with None where missing."""

    name: str
    kind: Kind
    values: NDArray[Any]
    integers: bool = False

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Which rows are missing, shape (rows,)."""
        if self.kind == "numeric":
            return np.isnan(self.values.astype(np.float64))
        return np.array([v is None for v in self.values], dtype=bool)


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of equal length."""

    name: str
    columns: dict[str, Column]
    rows: int

    def column(self, name: str) -> Column:
        """Look a column up.

        Raises
        ------
        DataError
            If there is none of that name.
        """
        if name not in self.columns:
            raise DataError(
                f"{self.name} has no column {name!r}{did_you_mean(name, self.columns)}; it has "
                f"{listed(self.columns)}"
            )
        return self.columns[name]

    def take(self, rows: NDArray[np.int64]) -> Table:
        """Give some rows."""
        columns = {
            n: Column(n, c.kind, c.values[rows], c.integers) for n, c in self.columns.items()
        }
        return Table(self.name, columns, len(rows))


def is_table_file(path: str) -> bool:
    """Whether a name is that of a table file, by its ending."""
    return path.lower().endswith((".csv", ".csv.gz", ".parquet", ".pq", ".npz"))


def read_table(path: Path | str) -> Table:
    """Read a table.

    Parameters
    ----------
    path : Path or str
        .csv, .csv.gz, .parquet, or .npz with one array per column or a matrix X (and y).

    Returns
    -------
    Table

    Raises
    ------
    DataError
        If the file is missing, of another kind, malformed, empty, or has two columns of one name.
    """
    path = Path(path)
    if not path.is_file():
        others = path.parent.iterdir() if path.parent.is_dir() else ()
        near = did_you_mean(path.name, [other.name for other in others])
        raise DataError(f"no file {path}{near}; check the path (now in {Path.cwd().name})")
    lower = path.name.lower()
    try:
        if lower.endswith((".csv", ".csv.gz")):
            table = pyarrow.csv.read_csv(
                path,
                convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True),
                # Only a reader on one thread knows the number of the row it fails at.
                read_options=pyarrow.csv.ReadOptions(use_threads=False),
            )
        elif lower.endswith((".parquet", ".pq")):
            table = pyarrow.parquet.read_table(path)
        elif lower.endswith(".npz"):
            return _from_npz(path)
        else:
            raise DataError(f"{path.name}: expected a .csv, .csv.gz, .parquet or .npz file")
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path.name}: {error}") from error
    names = list(table.column_names)
    _check_names(path.name, names, table.num_rows)
    columns = {name: _column(name, table.column(i)) for i, name in enumerate(names)}
    return Table(path.name, columns, table.num_rows)


def _check_names(file: str, names: list[str], rows: int) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{file} has several columns named {listed(twice)}; rename them")
    if not names or not rows:
        raise DataError(f"{file} holds no rows")


def _column(name: str, chunked: Any) -> Column:  # noqa: ANN401
    kind = chunked.type
    if pa.types.is_dictionary(kind):
        chunked, kind = chunked.cast(kind.value_type), kind.value_type
    if pa.types.is_boolean(kind):
        words = {True: "true", False: "false", None: None}
        return _text(name, [words[v] for v in chunked.to_pylist()])
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = chunked.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return Column(
            name, "numeric", np.array(values, dtype=np.float64), pa.types.is_integer(kind)
        )
    if pa.types.is_null(kind):
        return Column(name, "numeric", np.full(len(chunked), np.nan))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _text(name, [None if v is None or not v.strip() else v for v in chunked.to_pylist()])
    if pa.types.is_temporal(kind):
        # Days since 1970: a date is a number that grows.
        stamps = chunked.cast(pa.timestamp("us")).cast(pa.int64())
        days = stamps.cast(pa.float64()).to_numpy(zero_copy_only=False) / 86_400e6
        return Column(name, "numeric", np.array(days, dtype=np.float64))
    raise DataError(f"column {name!r} has type {kind}; expected numbers, text, booleans or dates")


def _text(name: str, values: list[str | None]) -> Column:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return Column(name, "categorical", array)


def _from_npz(path: Path) -> Table:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"cannot read {path.name}: {error}") from error
    columns: dict[str, Column] = {}
    rows: int | None = None
    for key, array in arrays.items():
        if array.ndim == 0:
            raise DataError(f"{path.name}: array {key!r} is a single value, expected one per row")
        if rows is not None and len(array) != rows:
            raise DataError(
                f"{path.name}: arrays differ in length ({key!r} has {len(array)}, expected {rows})"
            )
        rows = len(array)
        flat = array.reshape(rows, -1)
        for j in range(flat.shape[1]):
            name = key if array.ndim == 1 else f"x{j}" if key == "X" else f"{key}{j}"
            if name in columns:
                raise DataError(f"{path.name} has several columns named {name}; rename an array")
            column = flat[:, j]
            if column.dtype.kind in "iuf":
                integers = column.dtype.kind in "iu"
                columns[name] = Column(name, "numeric", column.astype(np.float64), integers)
            elif column.dtype.kind in "Ub":
                columns[name] = _text(name, [str(v).lower() if v in (True, False) else str(v)
                                             for v in column.tolist()])  # fmt: skip
            else:
                raise DataError(f"{path.name}: array {key!r} has dtype {column.dtype}")
    _check_names(path.name, list(columns), rows or 0)
    return Table(path.name, columns, rows or 0)


def detect_task(column: Column) -> tuple[Task, str]:
    """Tell classification from regression, with the reason as a sentence.

    Text and booleans are classes; so are whole numbers with at most 20 different values, each seen
    ten times on average; all other numbers are a regression target.
    """
    present = column.values[~column.missing]
    distinct = len(set(present.tolist()))
    if column.kind == "categorical":
        return "classification", f"classification: {column.name} holds {distinct} different words"
    whole = bool((present == np.round(present)).all())
    if whole and distinct <= MOST_INTEGER_CLASSES and distinct * ROWS_PER_CLASS <= len(present):
        return (
            "classification",
            f"classification: {column.name} holds {distinct} different whole numbers "
            "(--task regression overrides)",
        )
    return (
        "regression",
        f"regression: {column.name} is numeric with {distinct} different values "
        "(--task classification overrides)",
    )
