"""The gradient of edges that do not exist: which of them would help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure.engine.tracing import not_traced
from nervure.networks import GraphLayer
from nervure.networks.probing import values_and_deltas
from nervure.rules.before_step import before_step
from nervure.rules.total import Total, of_one, share_of_rows

# Cells of the dense gradient that are in memory at once.
_CELLS = 1 << 22


class AbsentGradient:
    """Watches a layer's passes, and gives the gradient of any pair of nodes.

    Parameters
    ----------
    layer : GraphLayer
        Sparse and acyclic.
    optimizer : torch.optim.Optimizer
        Before its step values and deltas are worked out, by the weights the gradient was taken at.
    due : callable
        Whether the gradient of the coming step is wanted.
    real : ndarray of int64, shape (motifs,), optional
        Nodes of each motif that do not only fill it up; the rest have no gradient.

    Attributes
    ----------
    total : callable
        Sums over all processes that train together, each of which watches passes of its own.

    Notes
    -----
    One more sweep and adjoint per watched pass.
    """

    def __init__(
        self,
        layer: GraphLayer,
        optimizer: torch.optim.Optimizer,
        due: Callable[[], bool],
        real: NDArray[np.int64] | None = None,
    ) -> None:
        self.layer = layer
        self.total: Total = of_one
        self._real = np.full(layer.topology.num_nodes, layer.block) if real is None else real
        self._due = due
        self._passes: list[tuple[Tensor, Tensor]] = []  # drive, gradient of the output
        self._values: Tensor | None = None
        self._deltas: Tensor | None = None
        self._hooks = (
            layer.register_forward_hook(self),
            before_step(optimizer, self._before_step),
        )

    def detach(self) -> None:
        """Stop watching."""
        for hook in self._hooks:
            hook.remove()

    @property
    def ready(self) -> bool:
        """Whether a pass was seen since the last `clear`."""
        return self._values is not None

    def clear(self) -> None:
        """Forget what was seen."""
        self._passes, self._values, self._deltas = [], None, None

    def __reduce__(self) -> tuple[Any, ...]:
        # The layer has it as a hook: copies and pickles of the layer are not watched.
        return _no_watch, ()

    @not_traced
    def __call__(self, layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Take note of a forward pass."""
        if not (layer.training and output.requires_grad and self._due()):
            return
        drive = inputs[0].detach().reshape(-1, inputs[0].shape[-1])

        def keep(gradient: Tensor) -> None:
            self._passes.append((drive, gradient.detach().reshape(-1, gradient.shape[-1])))

        output.register_hook(keep)

    @torch.no_grad()
    def _before_step(self, *_: object) -> None:
        if not self._passes:
            return
        parts = [values_and_deltas(self.layer, *one) for one in self._passes]
        self._passes = []
        self._values = torch.cat([values for values, _ in parts])
        # Each process has the gradient of a mean over its own rows.
        shares = [share_of_rows(len(values), self.total) for values, _ in parts]
        self._deltas = torch.cat(
            [share * deltas for share, (_, deltas) in zip(shares, parts, strict=True)]
        )

    def scores(self, sources: range, targets: range) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Give |gradient| of all pairs of motifs from one layer to another, row by row.

        Parameters
        ----------
        sources, targets : range
            Motifs.

        Yields
        ------
        first : int
            Number of the first cell, counting target by target.
        scores : ndarray
            Of consecutive cells: mean over the motif's weights of |gradient|, and where they are
            tied |gradient| of the one weight, divided by their number. Fill does not count.
        """
        assert self._values is not None
        assert self._deltas is not None
        m = self.layer.block
        values = self._values[:, sources.start * m : sources.stop * m]
        real = torch.from_numpy(self._real).to(values)
        rows = max(1, _CELLS // (len(sources) * m * m))
        for first in range(targets.start, targets.stop, rows):
            last = min(first + rows, targets.stop)
            dense = self.total(self._deltas[:, first * m : last * m].T @ values)
            blocks = dense.view(last - first, m, len(sources), m)
            tied = min(max(self.layer.tied - first, 0), last - first)
            cells = torch.cat([blocks[:tied].sum((1, 3)).abs(), blocks[tied:].abs_().sum((1, 3))])
            cells /= real[first:last, None] * real[sources.start : sources.stop]
            yield (first - targets.start) * len(sources), as_array(cells.reshape(-1))


def as_array(values: Tensor) -> NDArray[Any]:
    """Give a tensor as an array, in single precision where numpy has no such type."""
    known = values.dtype in (torch.float32, torch.float64)
    return (values if known else values.float()).cpu().numpy()


def _no_watch() -> Callable[..., None]:
    return _nothing


def _nothing(*_: object) -> None:
    pass
