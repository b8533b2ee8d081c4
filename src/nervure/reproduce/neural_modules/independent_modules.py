"""Networks of independent modules, and what a step on them takes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

import numpy as np
import torch

from nervure.networks import GraphLayer
from nervure.topology import Topology

# Calls shorter than this are repeated, so that the clock's own cost vanishes.
_SHORTEST_SAMPLE = 0.02


def random_module(size: int, degree: int, generator: np.random.Generator) -> Topology:
    """Draw a module in which every node reads from equally many others.

    Parameters
    ----------
    size : int
        Nodes, more than `degree`.
    degree : int
        Edges into every node, at least 1. One of them closes a random ring through all nodes, so
        that they are one strongly connected component; the others are drawn without replacement.
    generator : numpy.random.Generator

    Returns
    -------
    Topology
        Every node is input and output.
    """
    ring = generator.permutation(size)
    before = np.empty(size, dtype=np.int64)
    before[ring] = np.roll(ring, 1)
    pairs = [
        (source, node)
        for node in range(size)
        for source in (before[node], *_others(size, {node, int(before[node])}, degree, generator))
    ]
    every = np.arange(size)
    return Topology.from_edges(pairs, size, every, every)


def acyclic_part(size: int, degree: int, generator: np.random.Generator) -> Topology:
    """Draw a graph without cycles in which nodes read from `degree` earlier ones, if there are."""
    pairs = [
        (source, node)
        for node in range(1, size)
        for source in generator.choice(node, min(degree, node), replace=False)
    ]
    every = np.arange(size)
    return Topology.from_edges(pairs, size, every, every)


def layer_of(modules: Sequence[Topology], seed: int) -> GraphLayer:
    """Make a tanh layer of modules side by side, with no edge between them.

    Parameters
    ----------
    modules : sequence of Topology
    seed : int
        Of the weights, which are as the library draws them.

    Returns
    -------
    GraphLayer
        Sparse storage, float32.
    """
    return GraphLayer(
        modules[0].union(*modules[1:]),
        activation="tanh",
        generator=torch.Generator().manual_seed(seed),
    )


def step_of(layer: GraphLayer, batch: int, seed: int) -> Callable[[], None]:
    """Prepare a step: forward, and the gradients of drive, weights and biases.

    Parameters
    ----------
    layer : GraphLayer
    batch, seed : int
        Of a drive drawn from N(0, 1).

    Returns
    -------
    callable
    """
    generator = torch.Generator().manual_seed(seed)
    drive = torch.randn(batch, layer.plan.num_inputs, generator=generator, requires_grad=True)
    gradient = torch.randn(batch, layer.plan.num_outputs, generator=generator)
    wanted = [drive, *layer.parameters()]

    def step() -> None:
        torch.autograd.grad(layer(drive), wanted, gradient)

    return step


def seconds_by_threads(
    step: Callable[[], None], threads: Mapping[str, int], repeats: int
) -> dict[str, float]:
    """Time a call with different numbers of threads, in turns.

    Parameters
    ----------
    step : callable
    threads : mapping of str to int
        Number of threads by name; as it was before is put back in the end.
    repeats : int
        Samples of each, of which the median is taken.

    Returns
    -------
    dict of str to float
        Seconds of a call.
    """
    samples: dict[str, list[float]] = {name: [] for name in threads}
    before = torch.get_num_threads()
    try:
        for _ in range(repeats):
            for name, count in threads.items():
                torch.set_num_threads(count)
                first = _seconds(step, 1)  # wakes the threads, too
                calls = math.ceil(_SHORTEST_SAMPLE / max(first, 1e-6))
                samples[name].append(_seconds(step, calls))
    finally:
        torch.set_num_threads(before)
    return {name: median(values) for name, values in samples.items()}


def _others(size: int, without: set[int], degree: int, generator: np.random.Generator) -> list[int]:
    """Draw the sources of a node beside the one on the ring."""
    allowed = [node for node in range(size) if node not in without]
    return [int(node) for node in generator.choice(allowed, degree - 1, replace=False)]


def _seconds(step: Callable[[], None], calls: int) -> float:
    begin = time.perf_counter()
    for _ in range(calls):
        step()
    return (time.perf_counter() - begin) / calls
