"""From a name or a file to arrays ready for training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nervure.data.catalogue import find_entry
from nervure.data.dataset import Dataset, Objective, Rows, Task
from nervure.data.encoding import ArrayEncoder, Encoder, TableEncoder, mean_and_std
from nervure.data.number_texts import meant_as_numbers
from nervure.data.registry import load
from nervure.data.splits import TEST_SHARE, Split, split_rows
from nervure.data.tables import (
    MOST_INTEGER_CLASSES,
    Column,
    Table,
    detect_task,
    is_table_file,
    read_table,
)
from nervure.errors import DataError
from nervure.textual import listed


@dataclass(frozen=True, eq=False)
class TableSource:
    """A user's table with its target."""

    table: Table
    target: str
    task: Task
    messages: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Prepared:
    """Data split and encoded; everything is fitted on the training rows alone.

    Attributes
    ----------
    name : str
    task : {"classification", "regression", "bits"}
    class_names : tuple of str
        Of bits, what each of them says; none for regression.
    feature_names : tuple of str
    x_train, x_validation, x_test : ndarray or csr_matrix of float32, shape (rows, features)
    y_train, y_validation, y_test : ndarray, shape (rows,), or (rows, bits)
        Class indices (int64), standardised targets (float32), or bits (float32).
    target_mean, target_std : float
        Of the training targets; 0 and 1 but for regression.
    encoder : TableEncoder or ArrayEncoder
    messages : tuple of str
        Sentences a reader should see.
    image_shape : tuple of int, or None
        (rows, columns) or (rows, columns, colours) where the features are the pixels of an image,
        in that order.
    """

    name: str
    task: Objective
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    x_train: Rows
    y_train: NDArray[Any]
    x_validation: Rows
    y_validation: NDArray[Any]
    x_test: Rows
    y_test: NDArray[Any]
    target_mean: float
    target_std: float
    encoder: Encoder
    messages: tuple[str, ...]
    image_shape: tuple[int, ...] | None = None


def open_source(
    data: str,
    *,
    target: str | None = None,
    task: str | None = None,
    others: Iterable[str] = (),
) -> Dataset | TableSource:
    """Open a dataset by name, or a table file.

    Parameters
    ----------
    data : str
        Name, or path ending in .csv, .csv.gz, .parquet or .npz.
    target : str, optional
        Column to predict; required for files (an .npz with a ``y`` needs none).
    task : {"classification", "regression"}, optional
        Detected if None.
    others : iterable of str
        Names of what else the caller takes, for the error where `data` is misspelt.

    Returns
    -------
    Dataset or TableSource

    Raises
    ------
    DataError
    """
    if task not in (None, "classification", "regression"):
        raise DataError(f"task: expected classification or regression, got {task!r}")
    if not is_table_file(data):
        find_entry(data, others)
        if target is not None:
            raise DataError(f"--target is for files; {data} knows its own target")
        if task == "regression":
            raise DataError(f"{data} is a classification dataset")
        return load(data)
    table = read_table(Path(data))
    if target is None:
        if "y" in table.columns and data.endswith(".npz"):
            target = "y"
        else:
            raise DataError(
                f"which column of {table.name} is to be predicted? pass --target with one of "
                f"{listed(table.columns)}"
            )
    column = table.column(target)
    messages = list(table.messages)
    missing = column.missing
    if missing.all():
        raise DataError(f"the target column {target} is empty")
    if missing.any():
        table = table.take(np.flatnonzero(~missing))
        column = table.column(target)
        messages.append(f"{int(missing.sum())} rows left out: their {target} is missing")
    detected, reason = detect_task(column)
    chosen: Task = (
        detected if task is None else ("regression" if task == "regression" else "classification")
    )
    messages.append(reason if task is None else f"{chosen}, as asked")
    meant = meant_as_numbers(Counter(column.values)) if column.kind == "categorical" else None
    if chosen == "regression":
        if column.kind != "numeric":
            raise DataError(
                f"the target column {target} holds text; regression needs numbers"
                f"{f' ({meant})' if meant else ''}"
            )
        if not np.isfinite(column.values).all():
            raise DataError(f"the target column {target} holds infinite values")
    distinct = len(set(column.values.tolist()))
    if distinct < 2:
        raise DataError(f"the target column {target} holds one single value; nothing to learn")
    if meant and task is None and distinct > MOST_INTEGER_CLASSES:
        messages.append(f"{target} is text: {meant}")
    return TableSource(table, target, chosen, tuple(messages))


def prepare(
    source: Dataset | TableSource,
    *,
    seed: int,
    split_by: str | None = None,
    test: float = TEST_SHARE,
) -> Prepared:
    """Split and encode.

    Parameters
    ----------
    source : Dataset or TableSource
        From `open_source`.
    seed : int
        Of the split: 70 % training, 10 % validation, 20 % test, stratified by class; or the
        published test part.
    split_by : str, optional
        Group of a dataset (``subject``, ``batch``) or column of a table whose rows stay on one
        side.
    test : float
        Share of the rows to test on, where there is no published test part.

    Returns
    -------
    Prepared

    Raises
    ------
    DataError
    """
    if isinstance(source, Dataset):
        return _prepare_dataset(source, seed, split_by, test)
    return _prepare_table(source, seed, split_by, test)


def _prepare_dataset(data: Dataset, seed: int, split_by: str | None, test: float) -> Prepared:
    groups = None
    if split_by is not None:
        if split_by not in data.groups:
            raise DataError(
                f"{data.name} has no group {split_by!r}; it has {listed(data.groups) or 'none'}"
            )
        groups = data.groups[split_by]
    split = split_rows(
        data.y, seed=seed, classes=True, test=test, official_test=data.official_test, groups=groups
    )
    encoder = ArrayEncoder.fit(data.x[split.train], data.feature_names)
    how = "random, stratified"
    if split_by is not None:
        how = f"by {split_by}"
    elif data.official_test is not None and data.subset is not None:
        how = "the fixed test part of this subset, not the published one"
    elif data.official_test is not None:
        how = "the published test part"
    messages = [_split_message(split, how)]
    if data.subset is not None:
        messages.insert(0, f"{data.name} is {data.subset}")
    if data.groups and split_by is None:
        group = next(iter(data.groups))
        messages.append(
            f"rows of one {group} resemble each other, so this random split flatters the error; "
            f"--split-by {group} measures what happens on new ones"
        )
    return Prepared(
        name=data.name,
        task=data.task,
        class_names=data.class_names,
        feature_names=data.feature_names,
        x_train=encoder.transform(data.x[split.train]),
        y_train=data.y[split.train],
        x_validation=encoder.transform(data.x[split.validation]),
        y_validation=data.y[split.validation],
        x_test=encoder.transform(data.x[split.test]),
        y_test=data.y[split.test],
        target_mean=0.0,
        target_std=1.0,
        encoder=encoder,
        messages=tuple(messages),
        # Arrays keep all their columns in order, constant ones as zeros.
        image_shape=data.image_shape,
    )


def _prepare_table(source: TableSource, seed: int, split_by: str | None, test: float) -> Prepared:
    table, column = source.table, source.table.column(source.target)
    classes, codes = _targets(column, source.task)
    groups = None
    if split_by == source.target:
        raise DataError(f"cannot split by {split_by}: it is the target")
    if split_by is not None:
        values = table.column(split_by).values
        groups = np.unique(np.array([str(v) for v in values.tolist()]), return_inverse=True)[1]
    split = split_rows(
        codes, seed=seed, classes=source.task == "classification", test=test, groups=groups
    )
    train = table.take(split.train)
    encoder = TableEncoder.fit(train, exclude=source.target, group=split_by)
    mean, std = 0.0, 1.0
    y = codes
    if source.task == "regression":
        mean, std = mean_and_std(codes[split.train], f"the target column {source.target}")
        std = std if std > 0 else 1.0
        y = ((codes - mean) / std).astype(np.float32)
    chance = "random, stratified" if source.task == "classification" else "random"
    how = chance if split_by is None else f"by {split_by}"
    messages = [*source.messages, *encoder.notes, _split_message(split, how)]
    return Prepared(
        name=Path(table.name).name.split(".")[0],
        task=source.task,
        class_names=classes,
        feature_names=encoder.feature_names,
        x_train=encoder.transform(train),
        y_train=y[split.train],
        x_validation=encoder.transform(table.take(split.validation)),
        y_validation=y[split.validation],
        x_test=encoder.transform(table.take(split.test)),
        y_test=y[split.test],
        target_mean=mean,
        target_std=std,
        encoder=encoder,
        messages=tuple(messages),
    )


def _targets(column: Column, task: Task) -> tuple[tuple[str, ...], NDArray[Any]]:
    if task == "regression":
        return (), column.values.astype(np.float64)
    labels, codes = np.unique(column.values.astype(str) if column.kind == "categorical"
                              else column.values, return_inverse=True)  # fmt: skip
    names = tuple(
        str(v) if column.kind == "categorical" else _number_name(v) for v in labels.tolist()
    )
    return names, codes.astype(np.int64)


def _number_name(value: float) -> str:
    # Every digit: two different labels must not get one name.
    return str(int(value)) if value.is_integer() else repr(value)


def _split_message(split: Split, how: str) -> str:
    return (
        f"split ({how}): {len(split.train):,} training, {len(split.validation):,} validation, "
        f"{len(split.test):,} test rows"
    )
