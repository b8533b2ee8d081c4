"""Standard measures of network science, on the live part without directions."""

from __future__ import annotations

import math
from typing import Literal

import networkx as nx
import numpy as np
import numpy.typing as npt

from nervure.measures.live_part import check_in_one_piece, hops, live_part, undirected
from nervure.topology import Topology, erdos_renyi


def transitivity(topology: Topology) -> float:
    """Compute the share of connected triples of nodes that are triangles.

    Returns
    -------
    float
        0 where no node has two neighbours, as in NetworkX; nan without live nodes.

    Notes
    -----
    O(sum of the squared degrees). Directions do not count.

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> transitivity(dense_dag(5))
    1.0
    """
    closed, triples = _triangles(live_part(topology))
    if not len(triples):
        return math.nan
    return float(closed.sum() / triples.sum()) if triples.any() else 0.0


def average_clustering(topology: Topology) -> float:
    """Average over the nodes the share of pairs of neighbours that are neighbours themselves.

    Returns
    -------
    float
        A node with fewer than two neighbours counts 0, as in NetworkX; nan without live nodes.

    Notes
    -----
    O(sum of the squared degrees). Directions do not count.

    References
    ----------
    D. J. Watts and S. H. Strogatz, "Collective dynamics of 'small-world' networks", Nature 393
    (1998).

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> average_clustering(from_edges([(0, 1), (0, 2), (1, 2)]))
    1.0
    """
    closed, triples = _triangles(live_part(topology))
    if not len(triples):
        return math.nan
    return float((closed / np.maximum(triples, 1)).mean())


def betweenness(topology: Topology, *, directed: bool = True) -> npt.NDArray[np.float64]:
    """Compute for each node the share of shortest paths between others that lead through it.

    Parameters
    ----------
    topology : Topology
    directed : bool
        Whether paths follow the directions.

    Returns
    -------
    ndarray of float64, shape (num_nodes,)
        Divided by the number of pairs of other live nodes; nan for dead nodes.

    Notes
    -----
    ``networkx.betweenness_centrality``: O(nodes * edges) at the speed of Python.

    References
    ----------
    U. Brandes, "A faster algorithm for betweenness centrality", J. Math. Sociol. 25 (2001).

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> betweenness(from_edges([(0, 1), (1, 2)])).tolist()
    [0.0, 0.5, 0.0]
    """
    live = live_part(topology)
    graph = live.to_networkx() if directed else nx.from_scipy_sparse_array(undirected(live))
    found = nx.betweenness_centrality(graph)
    shares = np.full(topology.num_nodes, np.nan)
    shares[topology.live] = [found[node] for node in range(live.num_nodes)]
    return shares


def mean_betweenness(topology: Topology) -> float:
    """Average `betweenness` over the live nodes; nan without any.

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> round(mean_betweenness(from_edges([(0, 1), (1, 2)])), 6)
    0.166667
    """
    shares = betweenness(topology)[topology.live]
    return float(shares.mean()) if len(shares) else math.nan


def max_betweenness(topology: Topology) -> float:
    """Find the `betweenness` of the node that most shortest paths need; nan without live nodes.

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> max_betweenness(from_edges([(0, 1), (1, 2)]))
    0.5
    """
    shares = betweenness(topology)[topology.live]
    return float(shares.max()) if len(shares) else math.nan


def global_efficiency(topology: Topology) -> float:
    """Average the inverse distance over all pairs of live nodes.

    Returns
    -------
    float
        Pairs without a path count 0; nan below two live nodes.

    Notes
    -----
    O(nodes * edges) time and O(nodes^2) memory. Directions do not count.

    References
    ----------
    V. Latora and M. Marchiori, "Efficient behavior of small-world networks", Phys. Rev. Lett. 87
    (2001).

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> global_efficiency(dense_dag(5))
    1.0
    """
    distance = _between_pairs(hops(live_part(topology)))
    return float((1 / distance).mean()) if len(distance) else math.nan


def average_shortest_path(topology: Topology) -> float:
    """Average the distance over all pairs of live nodes.

    Returns
    -------
    float
        nan below two live nodes.

    Raises
    ------
    UndefinedMeasureError
        When the live part falls into pieces; `global_efficiency` has a value there too.

    Notes
    -----
    O(nodes * edges) time and O(nodes^2) memory. Directions do not count.

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> round(average_shortest_path(from_edges([(0, 1), (1, 2)])), 6)
    1.333333
    """
    live = live_part(topology)
    check_in_one_piece(live, "average_shortest_path")
    distance = _between_pairs(hops(live))
    return float(distance.mean()) if len(distance) else math.nan


def modularity(
    topology: Topology, *, seed: int, method: Literal["louvain", "greedy"] = "louvain"
) -> float:
    """Find communities and compute how many more edges lie inside them than chance would put there.

    Parameters
    ----------
    topology : Topology
    seed : int
        Of Louvain's order of nodes; without meaning for "greedy".
    method : {"louvain", "greedy"}
        Both only find a good partition, not the best.

    Returns
    -------
    float
        nan without live edges.

    Notes
    -----
    Louvain takes about O(edges log nodes), greedy about O(nodes log^2 nodes) on sparse graphs,
    both at the speed of Python. Directions do not count. These communities are no modules: a
    module is a strongly connected component (`nervure.module_statistics`).

    References
    ----------
    V. D. Blondel et al., "Fast unfolding of communities in large networks", J. Stat. Mech. (2008);
    A. Clauset et al., "Finding community structure in very large networks", Phys. Rev. E 70 (2004).

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> two = dense_dag(4).union(dense_dag(4))
    >>> modularity(two, seed=0)
    0.5
    """
    if method not in ("louvain", "greedy"):
        raise ValueError(f"method: expected louvain or greedy, got {method!r}")
    graph = nx.from_scipy_sparse_array(undirected(live_part(topology)))
    if not graph.number_of_edges():
        return math.nan
    if method == "louvain":
        parts = nx.community.louvain_communities(graph, seed=seed)
    else:
        parts = nx.community.greedy_modularity_communities(graph)
    return float(nx.community.modularity(graph, parts))


def small_worldness(topology: Topology, *, seed: int, samples: int = 10) -> float:
    """Compare clustering and distances with those of random graphs of the same size.

    Parameters
    ----------
    topology : Topology
        Its live part must be in one piece when directions are forgotten.
    seed : int
        Of the random graphs.
    samples : int
        How many random graphs with as many nodes and edges are averaged.

    Returns
    -------
    float
        (C / C_random) / (L / L_random) with the transitivity C and the mean distance L; well above
        1 in a small world. In random graphs that fall into pieces L is the mean over the pairs that
        have a path. nan when the random graphs have no triangles, and
        below three live nodes.

    Raises
    ------
    UndefinedMeasureError
        When the live part falls into pieces.

    Notes
    -----
    `samples` times O(nodes * edges).

    References
    ----------
    M. D. Humphries and K. Gurney, "Network 'small-world-ness'", PLoS ONE 3 (2008).

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> small_worldness(dense_dag(6), seed=0)
    1.0
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1, not {samples}")
    live = live_part(topology)
    n = live.num_nodes
    if n < 3:
        return math.nan
    edges = int(undirected(live).nnz) // 2
    distance = average_shortest_path(live)
    rng = np.random.default_rng(seed)
    closed, far = np.zeros(samples), np.zeros(samples)
    for i in range(samples):
        every = np.arange(n)  # as inputs and outputs: no node of a random graph counts as dead
        random = erdos_renyi(n, edges=edges, acyclic=True, seed=rng, inputs=every, outputs=every)
        closed[i] = transitivity(random)
        pairs = _between_pairs(hops(random))
        reached = pairs[np.isfinite(pairs)]
        far[i] = reached.mean() if len(reached) else np.nan
    if not closed.mean() > 0:
        return math.nan
    return float(transitivity(live) / closed.mean() / (distance / far.mean()))


def _triangles(live: Topology) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """For each node the pairs of neighbours that are joined, and all pairs of neighbours."""
    matrix = undirected(live)
    degree = np.diff(matrix.indptr).astype(np.float64)
    closed = (matrix @ matrix).multiply(matrix).sum(axis=1) / 2
    return np.asarray(closed, dtype=np.float64).reshape(-1), degree * (degree - 1) / 2


def _between_pairs(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Take the distances between different nodes."""
    return distance[~np.eye(len(distance), dtype=np.bool_)]
