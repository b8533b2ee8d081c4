"""How stretched the drawing of a graph is, and the family of graphs that this defines."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import numpy.typing as npt

from nervure.measures.cuts import edge_connectivity
from nervure.measures.live_part import check_in_one_piece, hops, live_part, undirected
from nervure.topology import Topology


def spring_positions(topology: Topology) -> npt.NDArray[np.float64]:
    """Place nodes in the plane so that their distances are those in the graph (Kamada-Kawai).

    Parameters
    ----------
    topology : Topology
        Its live part must be in one piece when directions are forgotten.

    Returns
    -------
    ndarray of float64, shape (num_nodes, 2)
        Within -1 .. 1; nan for dead nodes.

    Raises
    ------
    UndefinedMeasureError
        When the live part falls into pieces.

    Notes
    -----
    ``networkx.kamada_kawai_layout`` on the undirected graph, started from a circle in the order of
    the node numbers: no chance is involved, but the minimum found is a local one. O(nodes *
    edges) for the distances, then O(nodes^2) per step: seconds for some hundred nodes.
    Its search stops at a tolerance: positions are good to about two digits.

    References
    ----------
    T. Kamada and S. Kawai, "An algorithm for drawing general undirected graphs", Inf. Process.
    Lett. 31 (1989).

    Examples
    --------
    >>> from nervure.topology import from_edges
    >>> xy = spring_positions(from_edges([(0, 1), (1, 2)]))
    >>> bool(np.allclose(xy[1], (xy[0] + xy[2]) / 2, atol=0.02))
    True
    """
    live = live_part(topology)
    check_in_one_piece(live, "spring_positions")
    xy = np.full((topology.num_nodes, 2), np.nan)
    if live.num_nodes:
        distance = dict(enumerate(dict(enumerate(row)) for row in hops(live).tolist()))
        placed = nx.kamada_kawai_layout(nx.from_scipy_sparse_array(undirected(live)), distance)
        xy[topology.live] = [placed[node] for node in range(live.num_nodes)]
    return xy


def pca_elongation(topology: Topology) -> float:
    """Measure how far the drawing of a graph is stretched along one axis.

    Twice what the first principal component explains of the node positions (`spring_positions`)
    beyond one half: 0 for a round drawing, such as that of a complete DAG, 1 for a line.

    Parameters
    ----------
    topology : Topology
        Its live part must be in one piece when directions are forgotten.

    Returns
    -------
    float
        2 (share - 0.5), as the authors' code has it; Table 6 prints 2 share - 0.5, which would be
        0.5 for the complete DAG that the text says has 0. nan below two live nodes.

    Raises
    ------
    UndefinedMeasureError
        When the live part falls into pieces.

    Notes
    -----
    As `spring_positions`. Paper: connectivity-tradeoff, Table 6.

    Examples
    --------
    >>> from nervure.topology import dense_dag, from_edges
    >>> f"{abs(pca_elongation(dense_dag(10))):.3f}"
    '0.000'
    >>> f"{pca_elongation(from_edges([(i, i + 1) for i in range(9)])):.3f}"
    '1.000'
    """
    xy = spring_positions(topology)[topology.live]
    if len(xy) < 2:
        return math.nan
    low, high = np.linalg.eigvalsh(np.cov(xy.T))
    return float(2 * (high / (low + high) - 0.5))


def is_quasi_one_dimensional(
    topology: Topology, *, elongation: float = 0.25, connectivity: int = 1
) -> bool:
    """Test the Q1D criterion: a stretched graph that no single edge holds together.

    Parameters
    ----------
    topology : Topology
    elongation, connectivity : float, int
        `pca_elongation` and `edge_connectivity` must lie above these.

    Returns
    -------
    bool
        False for a graph without live path.

    Notes
    -----
    As `pca_elongation`. Paper: connectivity-tradeoff, section 4, after R. A. Janik and A. Nowak,
    "Neural networks on random graphs" (2020).

    Examples
    --------
    >>> from nervure.topology import dense_dag, layered
    >>> is_quasi_one_dimensional(layered([1, 3, 3, 3, 3, 1]))
    True
    >>> is_quasi_one_dimensional(dense_dag(9))
    False
    """
    return bool(
        edge_connectivity(topology) > connectivity and pca_elongation(topology) > elongation
    )
