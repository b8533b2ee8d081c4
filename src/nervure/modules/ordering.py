"""An order of units that does not depend on how nodes are numbered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nervure.modules.live_units import Ints, LiveUnits


def unit_ranks(units: LiveUnits) -> Ints:
    """Rank units by their place in the wiring, however they are numbered.

    Where distances tie, which they often do between zeros and ones, average linkage joins what
    comes first. Given in this order, units are joined alike under every numbering; what is left
    to chance is the choice between units of one rank, which the wiring hardly tells apart.

    Parameters
    ----------
    units : LiveUnits

    Returns
    -------
    ndarray of int64
        Rank of each unit; units of one rank have equally ranked sources and targets.

    Notes
    -----
    Colour refinement (B. Weisfeiler and A. Lehman, "The reduction of a graph to canonical form",
    1968), which starts from layers and from the places of inputs and outputs in their roles.
    O((units + edges) log edges) a round, at most as many rounds as units, few in practice.
    """
    size = len(units.nodes)
    roles: list[list[tuple[int, int]]] = [[] for _ in range(size)]
    for role, nodes in enumerate((units.topology.inputs, units.topology.outputs)):
        for position, unit in enumerate(units.unit_of[nodes].tolist()):
            if unit >= 0:
                roles[unit].append((role, position))
    ranks = _ranked([(layer, *r) for layer, r in zip(units.layers.tolist(), roles, strict=True)])
    edges = np.column_stack((units.sources, units.targets, units.counts)).tolist()
    while True:
        beside: list[list[tuple[int, int, int]]] = [[] for _ in range(size)]
        for source, target, count in edges:
            beside[target].append((0, ranks[source], count))
            beside[source].append((1, ranks[target], count))
        finer = _ranked([(rank, *sorted(b)) for rank, b in zip(ranks, beside, strict=True)])
        if max(finer, default=0) == max(ranks, default=0):
            return np.array(finer, dtype=np.int64)
        ranks = finer


def _ranked(keys: Sequence[tuple[int | tuple[int, ...], ...]]) -> list[int]:
    """Replace keys by their places among the different ones."""
    # The layer or the old rank, a number, comes first in each key: only tuples meet after it.
    place = {key: i for i, key in enumerate(sorted(set(keys)))}
    return [place[key] for key in keys]
