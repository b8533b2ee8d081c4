"""How dense each layer of a sparse network is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from nervure.errors import TopologyError
from nervure.topology.edges import as_integers

Distribution = Literal["uniform", "er", "erk"]


def erdos_renyi_densities(sizes: Sequence[int], epsilon: float) -> list[float]:
    """Give each pair of layers of n and m nodes the density epsilon (n + m) / (n m), at most 1.

    Parameters
    ----------
    sizes : sequence of int
        Nodes of each layer, at least two layers.
    epsilon : float
        Above 0: about so many edges per node of the two layers together.

    Returns
    -------
    list of float
        One density per pair of neighbouring layers.

    References
    ----------
    Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse
    connectivity inspired by network science", Nature Communications 9 (2018), eq. 1.

    Examples
    --------
    >>> from nervure.topology import erdos_renyi_densities
    >>> erdos_renyi_densities([100, 300, 10], epsilon=3)
    [0.04, 0.31]
    """
    if not 0 < epsilon < math.inf:
        raise TopologyError(f"epsilon: expected above 0, got {epsilon}")
    return [min(1.0, epsilon * (n + m) / (n * m)) for n, m in pairwise(_widths(sizes))]


def shared_densities(
    shapes: Sequence[Sequence[int]],
    density: float,
    distribution: Distribution = "erk",
    *,
    most: Sequence[float] | None = None,
) -> list[float]:
    """Share out a density of the whole over its layers.

    Parameters
    ----------
    shapes : sequence of sequence of int
        Of each layer's weights: (n, m), or (n, m, height, width) of a convolution.
    density : float
        Of all weights together, from 0 to 1.
    distribution : {"uniform", "er", "erk"}
        Every layer alike; in proportion to (n + m) / (n m); or to the sum of all sides over their
        product, which for layers without kernels is the same.
    most : sequence of float, optional
        Highest density of each layer; 1 by default.

    Returns
    -------
    list of float
        One density per layer. What a layer at its highest cannot take goes to the others, so that
        the whole has the density asked for, or as much of it as there is room for.

    References
    ----------
    Evci et al., "Rigging the lottery: making all tickets winners", ICML 2020.

    Examples
    --------
    >>> from nervure.topology import shared_densities
    >>> [round(d, 3) for d in shared_densities([(784, 300), (300, 10)], 0.1)]
    [0.089, 1.0]
    """
    if not 0 <= density <= 1:
        raise TopologyError(f"density must lie in 0..1, not {density!r}")
    if distribution not in ("uniform", "er", "erk"):
        raise TopologyError(f"distribution: expected uniform, er or erk, got {distribution!r}")
    sides = [_widths(shape) for shape in shapes]
    if distribution == "uniform" and most is None:
        return [float(density)] * len(sides)
    cells = np.array([math.prod(shape) for shape in sides], dtype=np.float64)
    bound = np.ones(len(sides)) if most is None else np.asarray(most, dtype=np.float64)
    if bound.shape != cells.shape or not ((bound >= 0) & (bound <= 1)).all():
        raise TopologyError(f"most: expected {len(sides)} densities in 0..1, got {most!r}")
    used = [shape[:2] if distribution == "er" else shape for shape in sides]
    flat = distribution == "uniform"
    raw = np.array([1.0 if flat else sum(shape) / math.prod(shape) for shape in used])
    full = np.zeros(len(sides), dtype=np.bool_)
    while True:
        left = density * cells.sum() - (bound * cells)[full].sum()
        open_cells = (raw * cells)[~full].sum()
        found = np.where(full, bound, raw * (left / open_cells if open_cells else 0.0))
        over = (found > bound) & ~full
        if not over.any():
            return [float(value) for value in found]
        full |= over


def _widths(sizes: Sequence[int]) -> list[int]:
    widths = as_integers(sizes, "sizes")
    if widths.ndim != 1 or len(widths) < 2 or widths.min() < 1:
        raise TopologyError(f"expected at least two sizes of at least 1, not {sizes!r}")
    return [int(width) for width in widths]
