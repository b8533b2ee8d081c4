"""`SparseProduct`: a sparse matrix of fixed pattern times a dense one, both ways fast."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array, csr_matrix
from torch import Tensor, nn

# Entries whose gradient is taken at once: two gathered rows each, some megabytes together.
_ENTRIES_AT_ONCE = 2**14


class SparseProduct(nn.Module):
    """Multiply by a sparse matrix, whose entries may have a gradient too.

    Parameters
    ----------
    matrix : csr_matrix or csr_array, shape (rows, columns)

    Attributes
    ----------
    values : Tensor, shape (entries,), buffer
        Row by row; no part of the state dict, like all that is known of the matrix.
    sources, targets : Tensor of int64, shape (entries,)
        Column and row of each entry.

    Notes
    -----
    O(entries x columns of the dense matrix), forward and backward. The transposed pattern is kept:
    torch sorts it out again in every backward pass, which takes longer than the product itself.
    """

    values: Tensor
    sources: Tensor

    def __init__(self, matrix: csr_matrix | csr_array) -> None:
        super().__init__()
        matrix = csr_array(matrix, copy=True)
        matrix.sum_duplicates()
        places = csr_array((np.arange(matrix.nnz), matrix.indices, matrix.indptr), matrix.shape)
        turned = csr_array(places.T)
        self.shape = tuple(int(n) for n in matrix.shape)
        for name, array in (
            ("starts", matrix.indptr),
            ("sources", matrix.indices),
            ("turned_starts", turned.indptr),
            ("turned_sources", turned.indices),
            ("turned_order", turned.data),
        ):
            indices = torch.from_numpy(array.astype(np.int64))
            self.register_buffer(name, indices, persistent=False)
        values = torch.from_numpy(matrix.data.astype(np.float32))
        self.register_buffer("values", values, persistent=False)

    @property
    def targets(self) -> Tensor:
        """Row of each entry."""
        starts = self.get_buffer("starts")
        return torch.repeat_interleave(starts.diff(), output_size=len(self.sources))

    def forward(self, dense: Tensor, values: Tensor | None = None) -> Tensor:
        """Give the matrix times `dense`.

        Parameters
        ----------
        dense : Tensor, shape (columns, n)
        values : Tensor, shape (entries,), optional
            Entries instead of the matrix's own.

        Returns
        -------
        Tensor, shape (rows, n)
        """
        entries = self.values if values is None else values
        out: Tensor = _Product.apply(entries, dense, self)  # type: ignore[no-untyped-call]
        return out

    def times(self, values: Tensor, dense: Tensor) -> Tensor:
        """Multiply, without a gradient."""
        starts = self.get_buffer("starts")
        return _csr(starts, self.sources, values, self.shape) @ dense

    def times_transposed(self, values: Tensor, dense: Tensor) -> Tensor:
        """Multiply by the transposed matrix, without a gradient."""
        starts, sources = self.get_buffer("turned_starts"), self.get_buffer("turned_sources")
        turned = values[self.get_buffer("turned_order")]
        return _csr(starts, sources, turned, self.shape[::-1]) @ dense

    def at_entries(self, left: Tensor, right: Tensor) -> Tensor:
        """Give left @ right.T where the matrix has entries, without a gradient."""
        chunks = zip(
            self.targets.split(_ENTRIES_AT_ONCE), self.sources.split(_ENTRIES_AT_ONCE), strict=True
        )
        return torch.cat([(left[rows] * right[columns]).sum(dim=1) for rows, columns in chunks])


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, dense: Tensor, matrix: SparseProduct) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(values, dense)
        ctx.matrix = matrix
        return matrix.times(values, dense)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # noqa: ANN401
        values, dense = ctx.saved_tensors
        of_values, of_dense, _ = ctx.needs_input_grad
        return (
            ctx.matrix.at_entries(gradient, dense) if of_values else None,
            ctx.matrix.times_transposed(values, gradient) if of_dense else None,
            None,
        )


def _csr(starts: Tensor, sources: Tensor, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    with warnings.catch_warnings():
        # That this layout is young: once a process, and nothing a user could act on.
        warnings.filterwarnings("ignore", "Sparse CSR", UserWarning)
        return torch.sparse_csr_tensor(starts, sources, values, shape, check_invariants=False)
