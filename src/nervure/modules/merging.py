"""Clusters of different layers become one module where they are joined by most of their edges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nervure.errors import TopologyError

Ints = NDArray[np.int64]

BOOLEAN_SHARE = 0.9
MNIST_SHARE = 0.6


@dataclass(frozen=True)
class ClusterLink:
    """The edges from one cluster to another.

    Attributes
    ----------
    source, target : int
        The clusters.
    edges : int
        Edges from the one to the other.
    outgoing : float
        Their share of the edges that leave the source.
    incoming : float
        Their share of the edges that enter the target; where that is a single output, the share of
        all edges from the source's module.
    merged : bool
        Whether they made the two clusters one.
    """

    source: int
    target: int
    edges: int
    outgoing: float
    incoming: float
    merged: bool


def link_clusters(
    sources: Ints, targets: Ints, counts: Ints, final: NDArray[np.bool_], *, share: float
) -> tuple[tuple[ClusterLink, ...], Ints]:
    """Find which clusters are one module.

    Two clusters are, when the edges between them are more than `share` of those that leave the
    first, and of those that enter the second. Then each cluster that feeds nothing, a single
    output, joins the module from which more than `share` of the edges into it come; a module may
    give many outputs.

    Parameters
    ----------
    sources, targets, counts : ndarray of int
        Edges: from which cluster to which, and how many.
    final : ndarray of bool
        For each cluster, whether it feeds nothing.
    share : float
        0.9 in the paper for Boolean functions, 0.6 for images of digits; from 0.5 on, no cluster
        can be joined to two.

    Returns
    -------
    tuple of ClusterLink
        Every pair of clusters with edges, merged or not.
    ndarray of int64
        Module of each cluster, numbered by their first clusters.

    Raises
    ------
    TopologyError
        When the share is not at least 0.5 and below 1.

    Notes
    -----
    O(edges log edges + pairs * clusters), pairs of clusters with edges. Paper: neural-sculpting,
    section 4, merging. There edges lead to the next layer only, so that an output's module is one
    of the layer before; where edges skip layers, all of them count.
    """
    if not 0.5 <= share < 1:
        raise TopologyError(
            f"merge_share: expected at least 0.5 and below 1, got {share}; below 0.5 a cluster "
            "could belong to several modules"
        )
    size = len(final)
    leaving = np.bincount(sources, weights=counts, minlength=size)
    entering = np.bincount(targets, weights=counts, minlength=size)
    pairs = list(_pairs(sources, targets, counts, size))
    module = np.arange(size)
    links = []
    for source, target, edges in pairs:
        outgoing, incoming = float(edges / leaving[source]), float(edges / entering[target])
        merged = not final[target] and outgoing > share and incoming > share
        if merged:
            module[module == module[target]] = module[source]
        links.append(ClusterLink(source, target, edges, outgoing, incoming, merged))
    hidden = module.tolist()
    given: Counter[tuple[int, int]] = Counter()
    for source, target, edges in pairs:
        given[hidden[source], target] += edges
    for i, link in enumerate(links):
        if final[link.target]:
            edges = given[hidden[link.source], link.target]
            incoming = float(edges / entering[link.target])
            links[i] = replace(link, incoming=incoming, merged=incoming > share)
            if incoming > share:
                module[link.target] = module[link.source]
    _, first, inverse = np.unique(module, return_index=True, return_inverse=True)
    return tuple(links), np.asarray(np.argsort(np.argsort(first))[inverse], dtype=np.int64)


def _pairs(sources: Ints, targets: Ints, counts: Ints, size: int) -> Iterator[tuple[int, int, int]]:
    """Sum edges by the clusters they join."""
    keys, place = np.unique(sources * size + targets, return_inverse=True)
    sums = np.bincount(place, weights=counts, minlength=len(keys)).astype(np.int64)
    for key, edges in zip(keys.tolist(), sums.tolist(), strict=True):
        yield key // size, key % size, edges
