"""Weights for which an equilibrium exists and is unique.

If every activation is L_i-Lipschitz and, inside every strongly connected component, the
Perron-Frobenius eigenvalue of the matrix L_i |w_ji| is below 1, the graph equation has exactly one
solution for every input and plain sweeps find it (El Ghaoui, Gu, Travacca, Askari and Tsai 2021,
Implicit Deep Learning, SIAM J. Math. Data Sci. 3(3), Theorem 2.8).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from nervure.engine.activations import ACTIVATIONS, NAMES
from nervure.errors import EngineError
from nervure.topology import Topology

Floats = NDArray[np.float64]

# The bound below is valid after any number of steps; more steps only make it tighter.
_POWER_STEPS = 40


def lipschitz_constants(codes: NDArray[np.int32]) -> Floats:
    """Lipschitz constant of every node's activation, shape (nodes,)."""
    return np.array([a.lipschitz for a in ACTIVATIONS])[codes]


def perron_bounds(topology: Topology, weight: NDArray[np.floating], lipschitz: Floats) -> Floats:
    """Upper bounds on the Perron-Frobenius eigenvalue of every component.

    Parameters
    ----------
    topology : Topology
        What is wired.
    weight : ndarray, shape (edges,)
        In edge order.
    lipschitz : ndarray, shape (nodes,)
        Lipschitz constant of every node's activation.

    Returns
    -------
    ndarray of float64, shape (components,)
        The Collatz-Wielandt bound max_i (M v)_i / v_i with M = L |W|, after power iterations on
        M + I; 0 for components without a cycle.

    Notes
    -----
    O(edges) per power step, all components at once.
    """
    components = topology.components
    inside = components.labels[topology.sources] == components.labels[topology.targets]
    rows, columns = topology.targets[inside], topology.sources[inside]
    values = np.abs(weight[inside].astype(np.float64)) * lipschitz[rows]
    n = topology.num_nodes
    matrix = csr_array((values, (rows, columns)), shape=(n, n))
    v = np.ones(n)
    labels = components.labels
    peak = np.zeros(components.count)
    for _ in range(_POWER_STEPS):
        v = matrix @ v + v
        peak[:] = 0.0
        np.maximum.at(peak, labels, v)
        v /= peak[labels]
        # A node that only feeds tiny weights must not reach zero, or the ratio is undefined.
        np.maximum(v, 1e-200, out=v)
    bounds = np.zeros(components.count)
    np.maximum.at(bounds, labels, (matrix @ v) / v)
    return bounds


def contracted(
    topology: Topology,
    weight: NDArray[np.floating],
    codes: NDArray[np.int32],
    bound: float,
) -> NDArray[np.floating]:
    """Scale the weights inside each component so that its eigenvalue is at most `bound`.

    Parameters
    ----------
    topology : Topology
        What is wired.
    weight : ndarray, shape (edges,)
        In edge order.
    codes : ndarray of int32, shape (nodes,)
        Activation codes.
    bound : float
        Between 0 and 1, both excluded.

    Returns
    -------
    ndarray, as weight
        The same values in components that already satisfy the bound.

    Raises
    ------
    EngineError
        If a node inside a cycle has squared relu, which no constant bounds.
    """
    if not 0 < bound < 1:
        raise EngineError(f"contraction: expected between 0 and 1 (both excluded), got {bound}")
    components = topology.components
    lipschitz = lipschitz_constants(codes)
    in_cycle = components.cyclic[components.labels]
    unbounded = np.flatnonzero(in_cycle & ~np.isfinite(lipschitz))
    if len(unbounded):
        raise EngineError(
            f"contraction: node {unbounded[0]} lies on a cycle and has the activation "
            f"{NAMES[codes[unbounded[0]]]}, whose slope has no bound; use another activation there"
        )
    lipschitz = np.where(np.isfinite(lipschitz), lipschitz, 0.0)
    bounds = perron_bounds(topology, weight, lipschitz)
    factor = np.where(bounds > bound, bound / np.maximum(bounds, bound), 1.0)
    labels = components.labels
    inside = labels[topology.sources] == labels[topology.targets]
    scale = np.where(inside, factor[labels[topology.targets]], 1.0)
    return (weight * scale).astype(weight.dtype)
