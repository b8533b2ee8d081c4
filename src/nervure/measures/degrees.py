"""How many edges nodes have, and how unevenly."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from nervure.measures.live_part import live_part
from nervure.topology import Topology

Direction = Literal["total", "in", "out"]


class DegreeMoments(NamedTuple):
    """The first three moments of a distribution of degrees.

    Attributes
    ----------
    mean : float
    variance : float
        Of all nodes (divided by their number).
    skewness : float
        Third standardised moment: above 0 with a few nodes of very many edges; nan when all
        degrees are equal.
    """

    mean: float
    variance: float
    skewness: float


def mean_degree(topology: Topology) -> float:
    """Compute the mean number of edges from or to a live node.

    Parameters
    ----------
    topology : Topology

    Returns
    -------
    float
        Twice the live edges by the live nodes; nan without live nodes.

    Notes
    -----
    O(nodes + edges). Paper: connectivity-tradeoff, Table 6.

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> mean_degree(dense_dag(60))
    59.0
    """
    live = live_part(topology)
    return 2 * live.num_edges / live.num_nodes if live.num_nodes else math.nan


def degree_moments(topology: Topology, direction: Direction = "total") -> DegreeMoments:
    """Compute mean, variance and skewness of the degrees of live nodes.

    Parameters
    ----------
    topology : Topology
    direction : {"total", "in", "out"}
        Which edges of a node count.

    Returns
    -------
    DegreeMoments
        All nan without live nodes.

    Notes
    -----
    O(nodes + edges).

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> degree_moments(from_edges([(0, 1), (0, 2), (0, 3)]), "out").mean
    0.75
    """
    if direction not in ("total", "in", "out"):
        raise ValueError(f"direction: expected total, in or out, got {direction!r}")
    live = live_part(topology)
    if not live.num_nodes:
        return DegreeMoments(math.nan, math.nan, math.nan)
    degree = np.zeros(live.num_nodes)
    if direction != "out":
        degree += live.in_degree
    if direction != "in":
        degree += live.out_degree
    away = degree - degree.mean()
    variance = float((away**2).mean())
    skewness = float((away**3).mean()) / variance**1.5 if variance else math.nan
    return DegreeMoments(float(degree.mean()), variance, skewness)
