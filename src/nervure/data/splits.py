"""One split protocol for everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from nervure.errors import DataError

Indices = NDArray[np.int64]
TEST_SHARE = 0.2


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers of the three parts."""

    train: Indices
    validation: Indices
    test: Indices


def split_rows(
    y: NDArray[Any],
    *,
    seed: int,
    classes: bool,
    test: float = TEST_SHARE,
    validation: float = 0.1,
    official_test: NDArray[np.bool_] | None = None,
    groups: NDArray[Any] | None = None,
) -> Split:
    """Split rows into training, validation and test parts.

    Parameters
    ----------
    y : ndarray, shape (rows,)
    seed : int
        The same seed gives the same split.
    classes : bool
        Whether to keep the shares of the classes in every part; classes with too few rows for
        that stay in the training part.
    test, validation : float
        Shares of all rows (of the rows left, where `official_test` is given).
    official_test : ndarray of bool, optional
        The published test part, used as it is.
    groups : ndarray, shape (rows,), optional
        Rows of one group stay on one side; overrides `official_test`.

    Returns
    -------
    Split

    Raises
    ------
    DataError
        If there are too few rows or groups, no class has two rows, or the shares leave nothing.
    """
    rows = np.arange(len(y), dtype=np.int64)
    if not (0 < test < 1 and 0 < validation < 1 and test + validation < 1):
        raise DataError(
            f"expected shares above 0 that leave rows to train on, got test {test} and validation "
            f"{validation}"
        )
    if len(rows) < 5:
        raise DataError(f"expected at least 5 rows to train, validate and test on, got {len(rows)}")
    if groups is not None:
        count = len(np.unique(groups))
        if count < 3:
            raise DataError(
                f"expected at least 3 groups to train, validate and test on, got {count}"
            )
        rest, held = _by_group(rows, groups, test, seed)
        train, checked = _by_group(rest, groups[rest], validation / (1 - test), seed)
        return Split(np.sort(train), np.sort(checked), np.sort(held))
    if official_test is not None:
        rest, held = rows[~official_test], rows[official_test]
        share = validation
    else:
        rest, held = _stratified(rows, y, test, seed, classes)
        share = validation / (1 - test)
    train, checked = _stratified(rest, y[rest], share, seed, classes)
    return Split(np.sort(train), np.sort(checked), np.sort(held))


def _by_group(
    rows: Indices, groups: NDArray[Any], share: float, seed: int
) -> tuple[Indices, Indices]:
    count = max(1, round(share * len(np.unique(groups))))
    splitter = GroupShuffleSplit(n_splits=1, test_size=count, random_state=seed)
    kept, held = next(splitter.split(rows, groups=groups))
    return rows[kept], rows[held]


def _stratified(
    rows: Indices, y: NDArray[Any], share: float, seed: int, classes: bool
) -> tuple[Indices, Indices]:
    if not classes:
        kept, held = train_test_split(rows, test_size=share, random_state=seed)
        return kept, held
    counts = np.unique(y, return_inverse=True, return_counts=True)
    common = counts[2][counts[1]] >= 2
    size = max(1, round(share * len(rows)))
    if common.sum() <= size:
        raise DataError(
            f"cannot hold {size} of {len(rows)} rows out: the {len(counts[0])} classes have hardly "
            "more than one row each; is the target a name or a measurement? (task regression)"
        )
    kinds = len(np.unique(y[common]))
    # Too few rows to give every class a place on both sides: leave the shares to chance.
    stratify = y[common] if kinds and size >= kinds and common.sum() - size >= kinds else None
    kept, held = train_test_split(
        rows[common], test_size=size, random_state=seed, stratify=stratify
    )
    return np.concatenate([kept, rows[~common]]), held
