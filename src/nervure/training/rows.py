"""Rows of data, dense or sparse, as tensors that a network takes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix
from torch import Tensor, nn

Rows = NDArray[np.floating] | csr_array | csr_matrix

# Rows evaluated at once: large enough to be fast, small enough for wide inputs, of which networks
# make maps that are wider still.
_EVALUATION_BATCH = 1024
_EVALUATION_VALUES = 2**20


def dtype_of(network: nn.Module) -> torch.dtype:
    """Give the precision of a network's weights."""
    return next(network.parameters()).dtype


def device_of(network: nn.Module) -> torch.device:
    """Give the device that a network's weights are on."""
    return next(network.parameters()).device


def rows_to_tensor(x: Rows, rows: NDArray[np.int64] | slice, dtype: torch.dtype) -> Tensor:
    """Take rows of dense or sparse data as a dense tensor."""
    part = x[rows]
    dense = part if isinstance(part, np.ndarray) else part.toarray()
    return torch.from_numpy(np.ascontiguousarray(dense)).to(dtype)


def evaluation_batches(x: Rows, dtype: torch.dtype) -> Iterator[Tensor]:
    """Go through all rows of dense or sparse data in order, in batches that fit into memory."""
    size = _EVALUATION_BATCH
    if isinstance(x, np.ndarray):
        width = max(1, x[:1].size)
        size = min(size, max(1, _EVALUATION_VALUES // width))
    for i in range(0, x.shape[0], size):
        yield rows_to_tensor(x, slice(i, i + size), dtype)
