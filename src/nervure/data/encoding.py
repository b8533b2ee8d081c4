"""From raw rows to what a network reads; fitted on training rows, stored as JSON."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nervure.data.dataset import Rows
from nervure.data.number_texts import meant_as_numbers
from nervure.data.tables import IDENTIFIER_SHARE, Column, Table
from nervure.errors import DataError
from nervure.textual import did_you_mean, listed

MOST_CATEGORIES = 50
CLIP = 10.0
_AT_ONCE = 4096  # rows
_MISSING, _OTHER = "(missing)", "(other)"
# Spellings of booleans in a CSV, which are kept where one column holds another word too.
_TRUTHS = {"true": "true", "1": "true", "false": "false", "0": "false"}


class Encoder(Protocol):
    """Turns rows into features."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features given."""
        ...

    def transform(self, rows: Any) -> Rows:  # noqa: ANN401
        """Encode rows, shape (rows, features)."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Everything needed to do it again, as JSON values."""
        ...


@dataclass(frozen=True)
class NumericColumn:
    """How a numeric column is encoded: (value or median - mean) / std, and a flag if missing."""

    name: str
    median: float
    mean: float
    std: float
    indicator: bool


@dataclass(frozen=True)
class CategoricalColumn:
    """How a text column is encoded: one feature per category."""

    name: str
    categories: tuple[str, ...]


@dataclass
class TableEncoder:
    """Encodes tables.

    Numbers: missing ones become the training median, with an indicator feature if training had
    any; then zero mean and unit variance. Text: one feature per category; missing is a category of
    its own; beyond the 50 most frequent they share one; unknown ones give zeros and a warning.

    Attributes
    ----------
    numeric : list of NumericColumn
    categorical : list of CategoricalColumn
    notes : list of str
        Columns left out, and why.
    warnings : list of str
        What the last `transform` met.
    """

    numeric: list[NumericColumn] = field(default_factory=list)
    categorical: list[CategoricalColumn] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def fit(cls, table: Table, *, exclude: str, group: str | None = None) -> TableEncoder:
        """Learn the encoding from training rows.

        Parameters
        ----------
        table : Table
            Training rows.
        exclude : str
            The target.
        group : str, optional
            Column the rows were split by. It is left out too: it takes values in the other parts
            that training never sees.

        Raises
        ------
        DataError
            If no usable column is left.
        """
        encoder = cls()
        for name, column in table.columns.items():
            if name == exclude:
                continue
            missing = column.missing
            if name == group:
                encoder.notes.append(f"column {name} left out: the rows are split by it")
            elif missing.all():
                encoder.notes.append(f"column {name} left out: it is empty in the training rows")
            elif column.kind == "numeric":
                encoder._fit_numeric(name, column.values, missing)
            else:
                encoder._fit_categorical(name, column.values, missing)
        if len(table.columns) == 1:
            raise DataError(
                f"{table.name}: {exclude} is its only column; expected at least one other to "
                "predict it from"
            )
        if not encoder.feature_names:
            raise DataError(
                f"{table.name}: no usable feature column besides {exclude}. "
                + " ".join(encoder.notes)
            )
        return encoder

    def _fit_numeric(
        self, name: str, values: NDArray[np.float64], missing: NDArray[np.bool_]
    ) -> None:
        if not np.isfinite(values[~missing]).all():
            raise DataError(f"column {name} holds infinite values; replace or remove them")
        median = float(np.median(values[~missing]))
        filled = np.where(missing, median, values)
        mean, std = mean_and_std(filled, f"column {name}")
        if std <= 1e-12 * max(1.0, abs(mean)):
            if not missing.any():
                self.notes.append(f"column {name} left out: it is constant in the training rows")
                return
            std = 1.0
        self.numeric.append(NumericColumn(name, median, mean, std, bool(missing.any())))

    def _fit_categorical(self, name: str, values: NDArray[Any], missing: NDArray[np.bool_]) -> None:
        reserved = {_MISSING, _OTHER} & set(values[~missing].tolist())
        if reserved:
            raise DataError(
                f"column {name} holds the text {listed(sorted(reserved))}, which names missing or "
                "rare categories here; leave such cells empty or write another word"
            )
        counts = Counter(values[~missing].tolist())
        rows = int((~missing).sum())
        if rows > MOST_CATEGORIES and len(counts) > IDENTIFIER_SHARE * rows:
            reason = meant_as_numbers(counts) or "they only name the rows"
            self.notes.append(
                f"column {name} left out: it holds {len(counts)} different texts; {reason}"
            )
            return
        # Most frequent first; names decide ties, so that the order of rows does not matter.
        ranked = sorted(counts, key=lambda c: (-counts[c], c))
        categories = sorted(ranked[:MOST_CATEGORIES])
        if missing.any():
            categories.append(_MISSING)
        if len(ranked) > MOST_CATEGORIES:
            categories.append(_OTHER)
            meant = meant_as_numbers(counts)
            self.notes.append(
                f"column {name}: the {len(ranked) - MOST_CATEGORIES} rarest of {len(ranked)} "
                f"categories are taken together{f'; {meant}' if meant else ''}"
            )
        if len(categories) == 1:
            self.notes.append(f"column {name} left out: it is constant in the training rows")
            return
        self.categorical.append(CategoricalColumn(name, tuple(categories)))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features given."""
        names = []
        for column in self.numeric:
            names.append(column.name)
            if column.indicator:
                names.append(f"{column.name} {_MISSING}")
        for group in self.categorical:
            names += [f"{group.name}={category}" for category in group.categories]
        return tuple(names)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Names of the columns that are read as text."""
        return tuple(column.name for column in self.categorical)

    def transform(self, rows: Table) -> NDArray[np.float32]:
        """Encode a table; columns that are not needed are ignored.

        Raises
        ------
        DataError
            Listing every column that is missing or of another kind.
        """
        problems = []
        for name, kind in [
            *((c.name, "numeric") for c in self.numeric),
            *((c.name, "categorical") for c in self.categorical),
        ]:
            if name not in rows.columns:
                problems.append(f"column {name} is missing{did_you_mean(name, rows.columns)}")
            elif rows.columns[name].kind != kind and not rows.columns[name].missing.all():
                problems.append(_other_kind(rows.columns[name]))
        if problems:
            raise DataError(f"{rows.name}: " + "; ".join(problems))
        self.warnings = []
        parts: list[NDArray[np.float64]] = []
        for column in self.numeric:
            given = rows.columns[column.name]
            missing = given.missing
            values = (
                given.values if given.kind == "numeric" else np.full(rows.rows, np.nan)
            ).astype(np.float64)
            parts.append((np.where(missing, column.median, values) - column.mean) / column.std)
            if column.indicator:
                parts.append(missing.astype(np.float64))
        for group in self.categorical:
            parts += self._one_hot(group, rows)
        with np.errstate(over="ignore"):
            encoded = np.ascontiguousarray(np.stack(parts, axis=1), dtype=np.float32)
        if not np.isfinite(encoded).all():
            raise DataError(
                f"{rows.name} holds values that are infinite, or too large for single precision; "
                "replace or remove them"
            )
        return encoded

    def _one_hot(self, group: CategoricalColumn, rows: Table) -> list[NDArray[np.float64]]:
        given = rows.columns[group.name]
        known = set(group.categories)
        truths = known - {_MISSING} <= set(_TRUTHS.values())
        unknown: Counter[str] = Counter()
        words: list[str | None] = []
        for value, missing in zip(given.values.tolist(), given.missing, strict=True):
            word = _MISSING if missing else value
            if truths and not missing:
                word = _TRUTHS.get(word.strip().lower(), word)
            if word not in known:
                if not missing:
                    unknown[word] += 1
                word = _OTHER if _OTHER in known and not missing else None
            words.append(word)
        if unknown and _OTHER not in known:
            self.warnings.append(
                f"column {group.name}: {sum(unknown.values())} rows hold categories training had "
                f"not seen ({listed(sorted(unknown), 5)})"
            )
        array = np.array(words, dtype=object)
        return [(array == category).astype(np.float64) for category in group.categories]

    def to_json(self) -> dict[str, Any]:
        """Everything needed to do it again, as JSON values."""
        return {
            "kind": "table",
            "numeric": [[c.name, c.median, c.mean, c.std, c.indicator] for c in self.numeric],
            "categorical": [[c.name, list(c.categories)] for c in self.categorical],
        }


def mean_and_std(values: NDArray[np.float64], said: str) -> tuple[float, float]:
    """Give mean and standard deviation of a column, which `said` names in an error.

    Raises
    ------
    DataError
        If they are not finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(values.mean()), float(values.std())
    if not math.isfinite(std):
        raise DataError(
            f"{said} holds values too large to be squared (up to {np.abs(values).max():.3g}); "
            "rescale or remove them"
        )
    return mean, std


def _other_kind(column: Column) -> str:
    if column.kind == "numeric":
        return f"column {column.name}: expected text, got numbers"
    meant = meant_as_numbers(Counter(column.values[~column.missing].tolist()))
    return f"column {column.name}: expected numbers, got text{f' ({meant})' if meant else ''}"


@dataclass
class ArrayEncoder:
    """Encodes arrays: zero mean and unit variance, constant features left at zero, clipped at 10.

    The clipping tames features that are nearly always at one value, as pixels at the border of an
    image are: a rare other value would stand hundreds of deviations away. Sparse rows are only
    divided, so that they stay sparse. A table is encoded too if its columns have the names of the
    features.
    """

    names: tuple[str, ...]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    sparse: bool

    @classmethod
    def fit(cls, x: Rows | NDArray[np.uint8], names: tuple[str, ...]) -> ArrayEncoder:
        """Learn mean and standard deviation from training rows."""
        if isinstance(x, np.ndarray):
            mean = x.mean(axis=0, dtype=np.float64)
            std = x.std(axis=0, dtype=np.float64)
            floor = 1e-6 * np.maximum(1.0, np.abs(mean))
            return cls(names, mean, np.where(std > floor, std, np.inf), False)
        square = np.asarray(x.multiply(x).mean(axis=0), dtype=np.float64).ravel()
        average = np.asarray(x.mean(axis=0), dtype=np.float64).ravel()
        std = np.sqrt(np.maximum(square - average**2, 0.0))
        # Rare features would be blown up by their tiny deviation; 0.1 keeps them within ten.
        return cls(names, np.zeros(len(names)), np.maximum(std, 0.1), True)

    @classmethod
    def unchanged(cls, names: tuple[str, ...]) -> ArrayEncoder:
        """Make one that leaves values as they are, but for those beyond 10."""
        return cls(names, np.zeros(len(names)), np.ones(len(names)), False)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features given."""
        return self.names

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Names of the columns that are read as text: none."""
        return ()

    def transform(self, rows: Table | Rows | NDArray[np.uint8]) -> Rows:
        """Encode an array, a sparse matrix or a table."""
        if isinstance(rows, Table):
            lacking = [n for n in self.names if n not in rows.columns]
            wrong = [
                n for n in self.names if n in rows.columns and rows.columns[n].kind != "numeric"
            ]
            if lacking or wrong:
                raise DataError(
                    f"{rows.name}: expected the {len(self.names)} numeric columns "
                    f"{listed(self.names, 3)}; missing: {listed(lacking, 5) or 'none'}; not "
                    f"numeric: {listed(wrong, 5) or 'none'}"
                )
            values = np.stack([rows.columns[n].values for n in self.names], axis=1)
            if not np.isfinite(values).all():
                raise DataError(f"{rows.name} holds missing or infinite values; fill them first")
            rows = values.astype(np.float32)
        if rows.shape[1] != len(self.names):
            raise DataError(f"expected {len(self.names)} features, got {rows.shape[1]}")
        if isinstance(rows, np.ndarray):
            encoded = np.empty(rows.shape, dtype=np.float32)
            # In parts: the numbers in between have twice the precision, and take twice the memory.
            for i in range(0, len(rows), _AT_ONCE):
                scaled = (rows[i : i + _AT_ONCE] - self.mean) / self.std
                encoded[i : i + _AT_ONCE] = np.clip(scaled, -CLIP, CLIP)
            return encoded
        return csr_matrix(rows.multiply(1.0 / self.std), dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        """Everything needed to do it again, as JSON values."""
        return {
            "kind": "array",
            "names": list(self.names),
            "mean": self.mean.tolist(),
            "std": [None if math.isinf(s) else s for s in self.std.tolist()],
            "sparse": self.sparse,
        }
