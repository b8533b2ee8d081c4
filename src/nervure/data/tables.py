"""Read a user's table: CSV, Parquet or NPZ."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from nervure.data.csv_file import read_csv
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

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SECONDS_OF_DAY = 86_400


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
    """Named columns of equal length, and what a reader should know of how they were read."""

    name: str
    columns: dict[str, Column]
    rows: int
    messages: tuple[str, ...] = ()

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
        return Table(self.name, columns, len(rows), self.messages)


def is_table_file(path: str) -> bool:
    """Whether a name is that of a table file, by its ending."""
    return path.lower().endswith((".csv", ".csv.gz", ".parquet", ".pq", ".npz"))


def read_table(path: Path | str, *, texts: Collection[str] = ()) -> Table:
    """Read a table.

    Parameters
    ----------
    path : Path or str
        .csv, .csv.gz, .parquet, or .npz with one array per column or a matrix X (and y).
    texts : collection of str
        Columns to be read as text where the file leaves that open: those of a CSV, whatever they
        look like, and whole numbers. Other names are ignored.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        If the file is missing, of another kind, malformed, empty, has two columns of one name, or
        one that is neither numbers, text, booleans, dates nor times.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder; expected a .csv, .csv.gz, .parquet or .npz file")
    if not path.is_file():
        others = path.parent.iterdir() if path.parent.is_dir() else ()
        near = did_you_mean(path.name, [other.name for other in others])
        raise DataError(f"no file {path}{near}; check the path (now in {Path.cwd().name})")
    lower = path.name.lower()
    messages: tuple[str, ...] = ()
    try:
        if lower.endswith((".csv", ".csv.gz")):
            read, messages = read_csv(path, texts)
            names, columns = list(read.column_names), read.columns
        elif lower.endswith((".parquet", ".pq")):
            read = pyarrow.parquet.read_table(path)
            names, columns = list(read.column_names), read.columns
        elif lower.endswith(".npz"):
            names, columns = _npz_columns(path)
        else:
            raise DataError(f"{path.name}: expected a .csv, .csv.gz, .parquet or .npz file")
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path.name}: {error}") from error
    rows = len(columns[0]) if columns else 0
    _check_names(path.name, names, rows)
    given = {
        name: _column(name, column, as_text=name in texts)
        for name, column in zip(names, columns, strict=True)
    }
    return Table(path.name, given, rows, messages)


def _check_names(file: str, names: list[str], rows: int) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{file} has several columns named {listed(twice)}; rename them")
    if not names or not rows:
        raise DataError(f"{file} holds no rows")


def _column(name: str, given: Any, *, as_text: bool) -> Column:  # noqa: ANN401
    try:
        return _converted(name, given, as_text=as_text)
    except (pa.ArrowException, UnicodeDecodeError, OverflowError) as error:
        raise DataError(f"cannot read column {name!r} ({given.type}): {error}") from error


def _converted(name: str, given: Any, *, as_text: bool) -> Column:  # noqa: ANN401
    kind = given.type
    if pa.types.is_dictionary(kind):
        given, kind = given.cast(kind.value_type), kind.value_type
    if pa.types.is_boolean(kind):
        words = {True: "true", False: "false", None: None}
        return _text(name, [words[v] for v in given.to_pylist()])
    if pa.types.is_integer(kind):
        if as_text or _beyond_double(given):
            return _text(name, given.cast(pa.string()).to_pylist())
        return _numbers(name, given, integers=True)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _numbers(name, given)
    if pa.types.is_null(kind):
        return Column(name, "numeric", np.full(len(given), np.nan))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _text(name, [None if v is None or not v.strip() else v for v in given.to_pylist()])
    # Days since 1970, days, or seconds of the day: numbers that grow.
    if pa.types.is_date32(kind):
        return _numbers(name, given.cast(pa.int32()))
    if pa.types.is_date64(kind):
        return _numbers(name, given.cast(pa.int64()), _PER_SECOND["ms"] * _SECONDS_OF_DAY)
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return _numbers(name, given.cast(pa.int64()), _PER_SECOND[kind.unit] * _SECONDS_OF_DAY)
    if pa.types.is_time(kind):
        whole = pa.int32() if pa.types.is_time32(kind) else pa.int64()
        return _numbers(name, given.cast(whole), _PER_SECOND[kind.unit])
    raise DataError(
        f"column {name!r} has type {kind}; expected numbers, text, booleans, dates or times"
    )


def _beyond_double(whole: Any) -> bool:  # noqa: ANN401
    """Whether whole numbers reach beyond 2^53, where doubles tell neighbours no longer apart.

    Such numbers are names of rows, customers or machines: taken for text, each stays what it is.
    """
    try:
        whole.cast(pa.float64())
    except pa.ArrowInvalid:
        return True
    return False


def _numbers(name: str, given: Any, per: int = 1, *, integers: bool = False) -> Column:  # noqa: ANN401
    values = given.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return Column(name, "numeric", np.array(values, dtype=np.float64) / per, integers)


def _text(name: str, values: list[str | None]) -> Column:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return Column(name, "categorical", array)


def _npz_columns(path: Path) -> tuple[list[str], list[Any]]:
    names, columns = [], []
    rows: int | None = None
    for key, array in _npz_arrays(path).items():
        if array.ndim == 0:
            raise DataError(f"{path.name}: array {key!r} is a single value, expected one per row")
        if rows is not None and len(array) != rows:
            raise DataError(
                f"{path.name}: arrays differ in length ({key!r} has {len(array)}, expected {rows})"
            )
        rows = len(array)
        if not array.size:
            raise DataError(f"{path.name}: array {key!r} of shape {array.shape} holds no values")
        flat = array.reshape(rows, -1)
        if flat.dtype.kind in "iuf":
            # Arrow takes neither foreign byte orders nor long doubles.
            number = flat.dtype.newbyteorder("=") if flat.dtype.kind in "iu" else np.float64
            flat = flat.astype(number, copy=False)
        for j in range(flat.shape[1]):
            names.append(key if array.ndim == 1 else f"x{j}" if key == "X" else f"{key}{j}")
            try:
                columns.append(pa.array(flat[:, j]))
            except pa.ArrowException as error:
                raise DataError(
                    f"{path.name}: array {key!r} has dtype {array.dtype}; expected numbers, text, "
                    "booleans, dates or times"
                ) from error
    return names, columns


def _npz_arrays(path: Path) -> dict[str, NDArray[Any]]:
    if not zipfile.is_zipfile(path):
        raise DataError(f"cannot read {path.name}: it is no NPZ file (numpy.savez writes one)")
    arrays = {}
    key = ""
    try:
        # NumPy leaves a file open that it opened itself and cannot read.
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            for key in file.files:
                arrays[key] = file[key]
                if not isinstance(arrays[key], np.ndarray):
                    raise ValueError("not an array")
    except ValueError as error:
        # NumPy names an argument of its own here, which the owner of the file never gave.
        raise DataError(
            f"cannot read {path.name}: {key!r} is a damaged array, none, or one of Python objects; "
            "expected numbers, text or booleans (array.astype(str) makes text of objects)"
        ) from error
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"cannot read {path.name}: {error}") from error
    return arrays


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
