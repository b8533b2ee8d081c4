"""Layered and Erdős-Rényi topologies; both are static methods of `Topology` too."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from nervure.errors import TopologyError
from nervure.topology.building import build
from nervure.topology.edges import (
    Int64s,
    as_integers,
    check_edge_count,
    csr_of_keys,
    offsets_of,
)
from nervure.topology.sampling import as_generator, draw_distinct
from nervure.topology.validation import checked_count, checked_num_nodes

if TYPE_CHECKING:
    from nervure.topology.graph import Topology

Draw = Literal["exact", "bernoulli", "replacement"]


def layered(
    sizes: Sequence[int],
    *,
    density: float | Sequence[float] = 1.0,
    motif: int = 1,
    draw: Draw = "exact",
    seed: int | np.random.Generator | None = None,
) -> Topology:
    """Lay nodes out in layers and join each layer to the next.

    Parameters
    ----------
    sizes : sequence of int
        Nodes of each layer, from inputs to outputs; at least two layers. Nodes are numbered
        layer by layer.
    density : float or sequence of float
        Fraction of the possible edges of each pair of layers, or one fraction per pair. Exactly
        ``round(density * n * m)`` edges are drawn, uniformly without replacement, unless `draw`
        says otherwise.
    motif : int
        Side of the square blocks in which edges are drawn: nodes stand in groups of `motif`, and
        two groups are joined fully or not at all. The count is then rounded in blocks.
    draw : {"exact", "bernoulli", "replacement"}
        "bernoulli" decides for each possible edge apart, so that the number varies; "replacement"
        draws the count with replacement, so that repeated edges are missing from it. A density of 1
        gives every edge all the same.
    seed : int or numpy.random.Generator
        Required when a density is neither 0 nor 1.

    Returns
    -------
    Topology
        Its inputs are the first layer and its outputs the last.

    Notes
    -----
    O(e log e) in the edges of the result.

    References
    ----------
    D. C. Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse
    connectivity inspired by network science", Nature Communications 9 (2018), for random sparse
    layers; X. Chen et al., "A topological improvement of the overall performance of sparse
    evolutionary training", for motifs.

    Examples
    --------
    >>> from nervure.topology import layered
    >>> layered([4, 6, 2], density=[0.5, 1.0], motif=2, seed=0)
    Topology(nodes=12, edges=24, density=0.182, inputs=4, outputs=2, acyclic)
    """
    widths = _checked_sizes(sizes, motif)
    densities = _checked_densities(density, len(widths) - 1)
    starts = np.concatenate(([0], np.cumsum(widths)))
    num_nodes = checked_num_nodes(int(starts[-1]))
    possible = [(n // motif) * (m // motif) for n, m in pairwise(widths)]
    counts = [round(fraction * p) for fraction, p in zip(densities, possible, strict=True)]
    check_edge_count(sum(counts) * motif**2)
    if draw not in ("exact", "bernoulli", "replacement"):
        raise TopologyError(f"draw: expected exact, bernoulli or replacement, got {draw!r}")
    # A full layer and an empty one draw nothing, so that any generator does.
    drawing = any(0 < fraction < 1 for fraction in densities)
    rng = as_generator(seed, "density < 1") if drawing else np.random.default_rng(0)
    keys = []
    for layer, width in enumerate(widths[:-1]):
        drawn = _drawn(draw, possible[layer], counts[layer], densities[layer], rng)
        rows, columns = np.divmod(drawn, width // motif)
        targets = starts[layer + 1] + rows * motif
        sources = starts[layer] + columns * motif
        keys.append(_block_keys(targets, sources, motif, num_nodes))
    nodes = np.arange(num_nodes)
    csr = csr_of_keys(np.concatenate(keys), num_nodes)
    return build(num_nodes, *csr, nodes[: widths[0]], nodes[starts[-2] :])


def _drawn(
    draw: Draw, possible: int, count: int, density: float, rng: np.random.Generator
) -> Int64s:
    if density in (0, 1) or draw == "exact":
        return draw_distinct(possible, count, rng)
    if draw == "bernoulli":
        return draw_distinct(possible, int(rng.binomial(possible, density)), rng)
    return np.unique(rng.integers(possible, size=count))


def _block_keys(targets: Int64s, sources: Int64s, side: int, num_nodes: int) -> Int64s:
    """Sorted keys of square blocks given by their first corner."""
    if side == 1:
        return targets * num_nodes + sources
    within = np.arange(side)
    all_targets = targets[:, np.newaxis, np.newaxis] + within[:, np.newaxis]
    all_sources = sources[:, np.newaxis, np.newaxis] + within
    return np.sort((all_targets * num_nodes + all_sources).ravel())


def _checked_sizes(sizes: Sequence[int], motif: int) -> list[int]:
    widths = as_integers(sizes, "sizes")
    if widths.ndim != 1 or len(widths) < 2 or widths.min() < 1:
        raise TopologyError(
            f"sizes must name at least two layers of at least one node, not {sizes!r}"
        )
    if not isinstance(motif, int | np.integer) or motif < 1:
        raise TopologyError(f"motif must be a positive integer, not {motif!r}")
    odd = [f"layer {k} has {width}" for k, width in enumerate(widths.tolist()) if width % motif]
    if odd:
        raise TopologyError(
            f"every layer must be a multiple of motif={motif}: {', '.join(odd)}; "
            "pad these layers or choose a common divisor"
        )
    return [int(width) for width in widths]


def _checked_densities(density: float | Sequence[float], pairs: int) -> list[float]:
    try:
        values = np.asarray(density, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TopologyError(f"density must be a number or a sequence of them: {error}") from error
    if values.ndim > 1 or (values.ndim == 1 and len(values) != pairs):
        raise TopologyError(
            f"density must be one number or {pairs}, one per pair of layers, not {density!r}"
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise TopologyError(f"density must lie in 0..1, not {density!r}")
    return [float(value) for value in np.broadcast_to(values, pairs)]


def erdos_renyi(
    n: int,
    *,
    seed: int | np.random.Generator,
    density: float | None = None,
    edges: int | None = None,
    acyclic: bool = False,
    inputs: npt.ArrayLike | None = None,
    outputs: npt.ArrayLike | None = None,
) -> Topology:
    """Draw an exact number of edges uniformly, without replacement.

    Parameters
    ----------
    n : int
        Number of nodes.
    seed : int or numpy.random.Generator
        Where the randomness comes from; the global state is never used.
    density, edges : float, int
        One of the two: the fraction of the possible edges, or their number.
    acyclic : bool
        Only edges from a lower to a higher number are possible.
    inputs, outputs : array_like of int, optional
        Roles. By default the nodes without incoming and those without outgoing edges.

    Returns
    -------
    Topology
        Every graph with these edges is equally likely.

    Notes
    -----
    O(e log e) time and O(n + e) memory; nothing of size ``n^2`` is made.

    References
    ----------
    P. Erdős and A. Rényi, "On random graphs I", Publ. Math. Debrecen 6 (1959).

    Examples
    --------
    >>> from nervure.topology import erdos_renyi
    >>> topology = erdos_renyi(1000, edges=5000, acyclic=True, seed=0)
    >>> topology.num_edges, topology.is_acyclic
    (5000, True)
    """
    n = checked_num_nodes(n)
    possible = n * (n - 1) // (2 if acyclic else 1)
    count = _checked_count(density, edges, possible)
    drawn = draw_distinct(possible, count, as_generator(seed, "erdos_renyi"))
    targets, sources = _lower_triangle(drawn) if acyclic else _off_diagonal(drawn, n)
    indptr = offsets_of(np.bincount(targets, minlength=n))
    return build(n, indptr, sources.astype(np.int32), inputs, outputs)


def _checked_count(density: float | None, edges: int | None, possible: int) -> int:
    if edges is None and density is not None:
        if not 0 <= density <= 1:
            raise TopologyError(f"density must lie in 0..1, not {density!r}")
        count = round(density * possible)
    elif edges is not None and density is None:
        count = checked_count(edges, "edges")
    else:
        raise TopologyError("pass either one of density and edges")
    check_edge_count(count)
    if count > possible:
        raise TopologyError(f"{count} edges asked for, but only {possible} are possible")
    return count


def _off_diagonal(index: Int64s, n: int) -> tuple[Int64s, Int64s]:
    """Row and column of the entries of an n x n matrix without its diagonal, row by row."""
    rows, columns = np.divmod(index, max(n - 1, 1))
    columns += columns >= rows
    return rows, columns


def _lower_triangle(index: Int64s) -> tuple[Int64s, Int64s]:
    """Row and column of the entries strictly below the diagonal, row by row."""
    # The exact row is the floor of (1 + sqrt(1 + 8 index)) / 2. Half a row is added, so that the
    # rounded root can only land one row too far, and never short.
    rows = (1 + np.sqrt(1 + 8 * index.astype(np.float64)) / 2).astype(np.int64)
    rows -= rows * (rows - 1) // 2 > index
    return rows, index - rows * (rows - 1) // 2
