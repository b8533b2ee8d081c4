"""How wide a pruned DAG of blocks may be for a given number of parameters."""

from __future__ import annotations

from dataclasses import replace

from nervure.errors import EngineError
from nervure.networks.block_dag import BlockDAG
from nervure.networks.block_design import num_parameters


def fitted_channels(network: BlockDAG, parameters: int) -> int:
    """Find the channels with which a network of the same wiring comes closest to a size.

    Parameters
    ----------
    network : BlockDAG
        Not changed.
    parameters : int
        As `BlockDAG.num_parameters` counts them.

    Returns
    -------
    int
        Channels for `BlockDAG.renewed`; at least 1, and of two that come as close the fewer.

    Raises
    ------
    EngineError
        If parameters are below 1.

    Notes
    -----
    O(log(parameters) * (nodes + edges)); no network is built. Paper: connectivity-tradeoff,
    appendix B.

    Examples
    --------
    >>> from nervure import Topology
    >>> from nervure.networks import BlockDAG, fitted_channels
    >>> sparse = BlockDAG(Topology.dense_dag(60, reach=1), stages=3, channels=11)
    >>> channels = fitted_channels(sparse, 863_300)
    >>> channels, sparse.renewed(channels=channels).num_parameters
    (14, 850065)
    """
    if parameters < 1:
        raise EngineError(f"parameters: expected at least 1, got {parameters}")

    def size(channels: int) -> int:
        return num_parameters(network.topology, replace(network.design, channels=channels))

    # Above the number that was asked for; a channel has at least one parameter.
    high = 1
    while size(high) < parameters:
        high *= 2
    low = max(1, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) < parameters else (low, middle)
    return min((low, high), key=lambda channels: abs(size(channels) - parameters))
