"""`Dataset`: data known by name, loaded and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nervure.errors import DataError

Task = Literal["classification", "regression"]
Objective = Task | Literal["bits"]
Rows = NDArray[np.float32] | csr_matrix


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows, targets and what a reader must know of them.

    Attributes
    ----------
    name : str
    x : ndarray or csr_matrix of float32, shape (rows, features)
    y : ndarray, shape (rows,)
        Class indices (int64) or targets (float32).
    task : {"classification", "regression"}
    class_names : tuple of str
        Empty for regression.
    feature_names : tuple of str
    groups : mapping of str to ndarray, shape (rows,)
        Rows of one group belong together: splitting inside a group leaks.
    official_test : ndarray of bool, shape (rows,), or None
        Rows of the published test part.
    image_shape : tuple of int, or None
    edges : ndarray of int32, shape (edges, 2), or None
        Between the rows, where they are the nodes of an undirected graph; each pair once.
    subset : str or None
        What part of the published data this is, when it is not all of it.
    citation : str
    """

    name: str
    x: Rows
    y: NDArray[Any]
    task: Task
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    groups: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    official_test: NDArray[np.bool_] | None = None
    image_shape: tuple[int, ...] | None = None
    edges: NDArray[np.int32] | None = None
    subset: str | None = None
    citation: str = ""

    def __post_init__(self) -> None:
        rows = self.x.shape[0]
        problems = []
        if self.y.shape != (rows,):
            problems.append(f"y: expected {rows} targets, got shape {self.y.shape}")
        if len(self.feature_names) != self.x.shape[1]:
            problems.append(
                f"feature_names: expected {self.x.shape[1]}, got {len(self.feature_names)}"
            )
        for name, values in self.groups.items():
            if values.shape != (rows,):
                problems.append(f"group {name}: expected {rows} values, got {values.shape}")
        if self.official_test is not None and self.official_test.shape != (rows,):
            problems.append(f"official_test: expected {rows} values")
        if self.edges is not None and not (
            self.edges.ndim == 2
            and self.edges.shape[1] == 2
            and ((self.edges >= 0) & (self.edges < rows)).all()
        ):
            problems.append(f"edges: expected pairs of rows 0 to {rows - 1}")
        if self.task == "classification" and rows:
            low, high = int(self.y.min()), int(self.y.max())
            if low < 0 or high >= len(self.class_names):
                problems.append(
                    f"y: expected classes 0 to {len(self.class_names) - 1}, got {low} to {high}"
                )
        if problems:
            raise DataError(f"dataset {self.name}: " + "; ".join(problems))
