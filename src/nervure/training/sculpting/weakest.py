"""Which units and edges go when a share of those of the start is pruned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nervure.rules.percentile import percentile_with_zeros
from nervure.training.sculpting.state import NetworkState


def without_weakest_edges(state: NetworkState, share: float, edges: int) -> NetworkState:
    """Take out the edges of smallest weight.

    Parameters
    ----------
    state : NetworkState
    share : float
        Of the edges of the start that are to be gone, those pruned before included.
    edges : int
        Of the start.

    Returns
    -------
    NetworkState
        With what is strictly above the percentile.
    """
    strength = np.abs(state.weight).astype(np.float64)
    return state.with_edges(strength > percentile_with_zeros(strength, edges, 100 * share))


def without_weakest_units(
    state: NetworkState, scores: NDArray[np.float64], share: float, units: int
) -> NetworkState:
    """Take out the hidden units of lowest score, with their edges.

    Parameters
    ----------
    state : NetworkState
    scores : ndarray of float64, shape (nodes,)
    share : float
        Of the hidden units of the start that are to be gone, those pruned before included.
    units : int
        Hidden ones of the start.

    Returns
    -------
    NetworkState
        With what is strictly above the percentile.
    """
    hidden = state.topology.interior
    found = scores[hidden]
    # A unit that reads nothing is the same for every row, whatever its activation.
    found[state.topology.in_degree[hidden] == 0] = 0
    gone = np.zeros(state.topology.num_nodes, dtype=np.bool_)
    gone[hidden] = found <= percentile_with_zeros(found, units, 100 * share)
    return state.without_nodes(gone)
