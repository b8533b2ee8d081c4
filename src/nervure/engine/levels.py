"""How an acyclic topology falls into levels: the index tensors of the level-by-level backends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nervure import _core
from nervure.errors import EngineError

Kind = Literal["dense", "csr"]
_Ints = NDArray[np.int32]
_Positions = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a tensor; `index` is None where they form a range, which is viewed, not copied."""

    start: int
    length: int
    index: Tensor | None

    @staticmethod
    def at(rows: _Positions, device: torch.device) -> Rows:
        """Note these rows for tensors on a device."""
        start, length = (int(rows[0]), len(rows)) if len(rows) else (0, 0)
        if np.array_equal(rows, np.arange(start, start + length)):
            return Rows(start, length, None)
        return Rows(start, length, torch.from_numpy(rows).to(device))

    def of(self, x: Tensor) -> Tensor:
        """Give the rows, shape (length, ...); a view where they form a range."""
        if self.index is None:
            return x.narrow(0, self.start, self.length)
        return x.index_select(0, self.index)

    def write(self, x: Tensor, values: Tensor) -> None:
        """Replace the rows."""
        if self.index is None:
            x.narrow(0, self.start, self.length).copy_(values)
        else:
            x.index_copy_(0, self.index, values)


@dataclass(frozen=True, eq=False)
class DenseEdges:
    """Incoming edges of a level as a matrix, [target, source]."""

    sources: Rows
    edges: Rows
    cells: Rows
    shape: tuple[int, int]

    def matrix(self, weight: Tensor) -> Tensor:
        """Fill the matrix from the weights of all edges; a view where no edge is absent."""
        flat = self.edges.of(weight)
        count = self.shape[0] * self.shape[1]
        if self.cells.index is None and self.cells.length == count:
            return flat.view(self.shape)
        matrix = weight.new_zeros(count)
        self.cells.write(matrix, flat)
        return matrix.view(self.shape)


@dataclass(frozen=True, eq=False)
class CsrEdges:
    """Edges that enter (or leave) the nodes of a level; columns are nodes."""

    pointers: Tensor
    columns: Tensor
    edges: Rows
    shape: tuple[int, int]

    def matrix(self, weight: Tensor) -> Tensor:
        """Give the sparse matrix with the weights of its edges."""
        values = self.edges.of(weight)
        return torch.sparse_csr_tensor(self.pointers, self.columns, values, self.shape)


@dataclass(frozen=True, eq=False)
class Level:
    """Nodes of one depth, their activations by code (rows within the level), and their edges."""

    nodes: Rows
    groups: tuple[tuple[int, Rows], ...]
    dense: DenseEdges | None
    entering: CsrEdges | None
    leaving: CsrEdges | None


@dataclass(frozen=True, eq=False)
class LevelIndices:
    """All index tensors of one kind on one device."""

    levels: tuple[Level, ...]
    groups: tuple[tuple[int, Rows], ...]
    inputs: Tensor
    outputs: Tensor
    whole: CsrEdges | None


@dataclass(frozen=True, eq=False)
class Levels:
    """An acyclic topology cut into levels; index tensors are made at first use, per device.

    Attributes
    ----------
    indptr, sources : ndarray of int32, shapes (nodes + 1,) and (edges,)
        Incoming edges in CSR form.
    inputs, outputs : ndarray of int32
    codes, level : ndarray of int32, shape (nodes,)
        Activation code and depth of every node.
    """

    indptr: _Ints
    sources: _Ints
    inputs: _Ints
    outputs: _Ints
    codes: _Ints
    level: _Ints
    _moved: dict[tuple[str, torch.device], LevelIndices] = field(default_factory=dict, repr=False)

    def on(self, device: torch.device, kind: Kind) -> LevelIndices:
        """Index tensors on a device."""
        if (kind, device) not in self._moved:
            self._moved[kind, device] = _indices(self, device, kind)
        return self._moved[kind, device]


def build_levels(
    indptr: _Ints, sources: _Ints, inputs: _Ints, outputs: _Ints, codes: _Ints, level: _Ints
) -> Levels:
    """Take an acyclic topology apart into levels; O(nodes + edges).

    Parameters
    ----------
    indptr, sources : ndarray of int32, shapes (nodes + 1,) and (edges,)
        Incoming edges in CSR form, sources sorted within a target.
    inputs, outputs : ndarray of int32
        Node indices, each at most once.
    codes : ndarray of int32, shape (nodes,)
        Activation codes.
    level : ndarray of int32, shape (nodes,)
        Depths; those of all sources of a node are smaller than its own.

    Raises
    ------
    EngineError
        If an edge does not lead to a higher level.
    """
    if not np.all(level[sources] < np.repeat(level, np.diff(indptr))):
        raise EngineError("levels need an acyclic graph whose edges all lead to a higher level")
    return Levels(indptr, sources, inputs, outputs, codes, level)


def _slots(pointers: _Ints, rows: _Positions) -> _Positions:
    """Positions of all entries of some rows of a CSR structure, row by row."""
    lengths = (pointers[rows + 1] - pointers[rows]).astype(np.int64)
    ends = np.cumsum(lengths)
    return np.arange(lengths.sum()) + np.repeat(pointers[rows] - ends + lengths, lengths)


def _groups(codes: _Ints, device: torch.device) -> tuple[tuple[int, Rows], ...]:
    return tuple(
        (int(code), Rows.at(np.flatnonzero(codes == code), device)) for code in np.unique(codes)
    )


def _csr(
    pointers: _Ints,
    columns: _Ints,
    order: _Ints | None,
    rows: _Positions,
    device: torch.device,
) -> CsrEdges | None:
    """Select rows of a CSR structure; `order` is the edge of every entry (None: its position)."""
    slots = _slots(pointers, rows)
    if not len(slots):
        return None
    offsets = np.concatenate(([0], np.cumsum(pointers[rows + 1] - pointers[rows])))
    return CsrEdges(
        torch.from_numpy(offsets.astype(np.int32)).to(device),
        torch.from_numpy(columns[slots]).to(device),
        Rows.at(slots if order is None else order[slots].astype(np.int64), device),
        (len(rows), len(pointers) - 1),
    )


def _indices(levels: Levels, device: torch.device, kind: Kind) -> LevelIndices:
    indptr, sources = levels.indptr, levels.sources
    nodes = len(indptr) - 1
    by_depth = np.argsort(levels.level, kind="stable")
    cuts = np.flatnonzero(np.diff(levels.level[by_depth])) + 1
    out_pointers, out_targets, out_edges = _core.transpose(indptr, sources)
    position = np.empty(nodes, dtype=np.int64)
    made = []
    for rows in np.split(by_depth, cuts) if nodes else []:
        dense = entering = leaving = None
        if kind == "csr":
            entering = _csr(indptr, sources, None, rows, device)
            leaving = _csr(out_pointers, out_targets, out_edges, rows, device)
        elif len(slots := _slots(indptr, rows)):
            distinct = np.unique(sources[slots]).astype(np.int64)
            position[distinct] = np.arange(len(distinct))
            row = np.repeat(np.arange(len(rows)), indptr[rows + 1] - indptr[rows])
            cells = row * len(distinct) + position[sources[slots]]
            dense = DenseEdges(
                Rows.at(distinct, device),
                Rows.at(slots, device),
                Rows.at(cells, device),
                (len(rows), len(distinct)),
            )
        groups = _groups(levels.codes[rows], device)
        made.append(Level(Rows.at(rows, device), groups, dense, entering, leaving))
    return LevelIndices(
        tuple(made),
        _groups(levels.codes, device),
        torch.from_numpy(levels.inputs.astype(np.int64)).to(device),
        torch.from_numpy(levels.outputs.astype(np.int64)).to(device),
        _csr(indptr, sources, None, np.arange(nodes), device) if kind == "csr" else None,
    )
