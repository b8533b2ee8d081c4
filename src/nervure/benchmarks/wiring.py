"""Graphs that several benchmarks run on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nervure.topology import Topology


def one_component(nodes: int, density: float, seed: int) -> Topology:
    """Draw a random digraph and close a random ring through all nodes, so that all are cyclic.

    Every node is an input and an output. The ring adds at most `nodes` edges to the drawn ones, of
    which there are so many fewer.
    """
    every = np.arange(nodes)
    generator = np.random.default_rng(seed)
    order = generator.permutation(nodes)
    ring = order * nodes + np.roll(order, -1)
    wanted = round(density * nodes * (nodes - 1))
    drawn = Topology.erdos_renyi(nodes, edges=max(0, wanted - nodes), seed=generator)
    keys = np.union1d(ring, drawn.edges.astype(np.int64) @ np.array([nodes, 1]))
    return Topology.from_edges(np.stack(np.divmod(keys, nodes), axis=1), nodes, every, every)


def modular(nodes: int, size: int) -> Topology:
    """Lay out complete modules of `size` consecutive nodes, all of them inputs and outputs."""
    every = np.arange(nodes)
    first = every - every % size
    others = np.arange(size - 1)
    # Sources of node i: its module without i itself, in rising order.
    sources = first[:, None] + others + (others >= (every % size)[:, None])
    indptr = (size - 1) * np.arange(nodes + 1)
    return Topology(nodes, indptr, sources.ravel(), every, every)


def module_weights(nodes: int, size: int, generator: torch.Generator) -> Tensor:
    """Draw weights of `modular`, each module scaled to a 2-norm of 0.95, shape (edges,).

    Below 1 so that every module has one equilibrium, whatever the drive.
    """
    blocks = torch.randn(nodes // size, size, size, generator=generator)
    edges = ~torch.eye(size, dtype=torch.bool)
    blocks *= edges
    blocks *= 0.95 / torch.linalg.matrix_norm(blocks, ord=2, dim=(-2, -1), keepdim=True)
    return blocks[:, edges].flatten()


def window_dag(nodes: int, fan_in: int, window: int | None, seed: int) -> Topology:
    """Let every neuron read from `fan_in` random ones among the `window` before it.

    The first `fan_in` nodes are inputs, the last ten outputs. The window is cut into `fan_in`
    strips of equal length, of which each gives one source: this makes them distinct and sorted
    without a search. None is a window over everything before.
    """
    generator = torch.Generator().manual_seed(seed)
    sources = np.empty((nodes - fan_in, fan_in), dtype=np.int32)
    rows = 1 << 16
    for begin in range(fan_in, nodes, rows):
        node = np.arange(begin, min(begin + rows, nodes), dtype=np.int64)
        first = np.zeros_like(node) if window is None else np.maximum(0, node - window)
        cuts = np.arange(fan_in + 1) * (node - first)[:, None] // fan_in
        drawn: npt.NDArray[np.float32] = torch.rand(
            (len(node), fan_in), generator=generator
        ).numpy()
        within = (drawn * np.diff(cuts)).astype(np.int64)
        # A float32 product may round up to the length itself.
        np.minimum(within, np.diff(cuts) - 1, out=within)
        sources[node - fan_in] = first[:, None] + cuts[:, :-1] + within
    indptr = np.zeros(nodes + 1, dtype=np.int32)
    indptr[fan_in:] = fan_in * np.arange(nodes - fan_in + 1)
    return Topology(nodes, indptr, sources.ravel(), np.arange(fan_in), np.arange(nodes - 10, nodes))
