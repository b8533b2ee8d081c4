"""Choosing the strongest edges of a dense weight matrix."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nervure import _core
from nervure.engine import native
from nervure.errors import EngineError


class Selection(NamedTuple):
    """Chosen entries as incoming edges.

    Attributes
    ----------
    indptr, sources : ndarray of int32
        In CSR form, targets as rows.
    threshold : float
        Smallest |w| chosen, infinity if none was.
    """

    indptr: NDArray[np.int32]
    sources: NDArray[np.int32]
    threshold: float


def select_largest(matrix: Tensor, keep: int, *, hint: float = 0.0) -> Selection:
    """Choose the `keep` off-diagonal entries of a square matrix that are largest in size.

    Parameters
    ----------
    matrix : Tensor, shape (nodes, nodes)
        [target, source]; on another device or in another dtype it is copied.
    keep : int
        Ties at the threshold go by position.
    hint : float
        A guess somewhat below the threshold: with a good one a single pass over the matrix
        suffices. 0 means none.

    Raises
    ------
    EngineError
        If the matrix is not square or holds NaN, or `keep` is out of range.
    """
    if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) > 2**31 - 1:
        raise EngineError(f"matrix: expected (nodes, nodes), got {tuple(matrix.shape)}")
    matrix = matrix.detach()
    if not native.supports(matrix):
        matrix = matrix.double().cpu()
    matrix = matrix.contiguous()
    try:
        return Selection(
            *_core.select_largest(
                matrix.dtype == torch.float64, matrix.data_ptr(), len(matrix), keep, hint,
                torch.get_num_threads(),
            )
        )  # fmt: skip
    except ValueError as error:
        raise EngineError(f"cannot choose edges: {error}") from error
