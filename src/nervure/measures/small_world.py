"""`SmallWorld`: clustering and mean distance of a graph, and what random graphs have of both."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from nervure.measures.live_part import hops, live_part, undirected
from nervure.measures.structure import average_clustering
from nervure.topology import Topology, erdos_renyi


@dataclass(frozen=True)
class SmallWorld:
    """How far a graph is a small world, measured here or published elsewhere.

    Attributes
    ----------
    nodes : int
        Of the graph that was measured: the largest piece, or what an author took.
    clustering, path_length : float
        Mean over nodes of the share of pairs of neighbours that are joined; mean distance. nan
        where a source does not print it, as below.
    random_clustering, random_path_length : float
        The same of random graphs.
    printed : float
        Small-worldness as a source prints it.
    directed : bool
        Whether directions counted. Only figures that agree in this can be compared.
    source : str
        Where the figures stand, and which random graphs they are; empty for a graph of your own.
    """

    nodes: int
    clustering: float = math.nan
    path_length: float = math.nan
    random_clustering: float = math.nan
    random_path_length: float = math.nan
    printed: float = math.nan
    directed: bool = False
    source: str = ""

    @property
    def small_worldness(self) -> float:
        """(C / C_random) / (L / L_random), as printed where it is; nan if random graphs have C = 0.

        References
        ----------
        M. D. Humphries and K. Gurney, "Network 'small-world-ness'", PLoS ONE 3 (2008): their S
        with the clustering of Watts and Strogatz. `nervure.measures.small_worldness` is their S
        with the transitivity.
        """
        if not math.isnan(self.printed):
            return self.printed
        if not self.random_clustering > 0:
            return math.nan
        return self.clustering / self.random_clustering * self.random_path_length / self.path_length


def small_world(topology: Topology, *, seed: int, samples: int = 10) -> SmallWorld:
    """Measure clustering and mean distance as Watts and Strogatz did for C. elegans.

    Directions and weights do not count. Nodes outside the largest piece of the live part are left
    out, since there is no distance to them.

    Parameters
    ----------
    topology : Topology
    seed : int
        Of the random graphs.
    samples : int
        How many random graphs with as many nodes and undirected edges are averaged; where one falls
        into pieces, its mean distance is that over the pairs that have a path.

    Returns
    -------
    SmallWorld
        All nan below three nodes.

    Notes
    -----
    `samples` times O(nodes * edges) time, and O(nodes^2) memory.

    References
    ----------
    D. J. Watts and S. H. Strogatz, "Collective dynamics of 'small-world' networks", Nature 393
    (1998).

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> small_world(dense_dag(6), seed=0).small_worldness
    1.0
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1, not {samples}")
    piece = _largest_piece(live_part(topology))
    n = piece.num_nodes
    if n < 3:
        return SmallWorld(n)
    edges = int(undirected(piece).nnz) // 2
    every = np.arange(n)  # as inputs and outputs: no node of a random graph counts as dead
    generator = np.random.default_rng(seed)
    clustering, distance = np.zeros(samples), np.zeros(samples)
    for i in range(samples):
        random = erdos_renyi(
            n, edges=edges, acyclic=True, seed=generator, inputs=every, outputs=every
        )
        clustering[i] = average_clustering(random)
        distance[i] = _mean_distance(random)
    return SmallWorld(
        n, average_clustering(piece), _mean_distance(piece), float(clustering.mean()),
        float(distance.mean()),
    )  # fmt: skip


def _largest_piece(live: Topology) -> Topology:
    if not live.num_nodes:
        return live
    _, labels = sp.csgraph.connected_components(live.to_scipy(), directed=False)
    return live.subgraph(np.flatnonzero(labels == np.bincount(labels).argmax()))


def _mean_distance(topology: Topology) -> float:
    """Average over the pairs that have a path; there is one where there is an edge."""
    distance = hops(topology)
    return float(distance[np.isfinite(distance) & (distance > 0)].mean())
