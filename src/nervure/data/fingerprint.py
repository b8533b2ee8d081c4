"""Telling whether data is still the same."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nervure.data.prepare import Prepared


def fingerprint(data: Prepared) -> str:
    """Give a hash of all rows that are trained or validated on, and of the test rows.

    Returns
    -------
    str
        The SHA-256 of types, shapes and values, in hexadecimal.
    """
    digest = hashlib.sha256()
    for rows in (
        data.x_train, data.y_train, data.x_validation, data.y_validation, data.x_test, data.y_test,
    ):  # fmt: skip
        parts: list[NDArray[Any]] = (
            [rows.data, rows.indices, rows.indptr] if isinstance(rows, csr_matrix) else [rows]
        )
        digest.update(f"{rows.shape} {[str(part.dtype) for part in parts]}".encode())
        for part in parts:
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
