"""How many edges must go before inputs and outputs are cut apart."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from nervure.errors import UndefinedMeasureError
from nervure.measures.live_part import live_part
from nervure.topology import Topology


def edge_connectivity(topology: Topology) -> int:
    """Count the fewest edges whose removal leaves no path from any input to any output.

    Parameters
    ----------
    topology : Topology
        Any graph, with or without cycles.

    Returns
    -------
    int
        Also the most paths from inputs to outputs that share no edge. 0 when no path is left.

    Raises
    ------
    UndefinedMeasureError
        When a node is input and output at once: no removal of edges cuts it off.

    Notes
    -----
    A maximum flow with capacity 1 per edge (Dinic: O(edges^1.5) for unit capacities). Several
    inputs hang on one source and several outputs on one sink by edges that are never cut. Paper:
    connectivity-tradeoff, Table 6, where there is one of each.

    Examples
    --------
    >>> from nervure.topology import dense_dag
    >>> edge_connectivity(dense_dag(5))
    4
    """
    live = live_part(topology)
    both = np.intersect1d(live.inputs, live.outputs)
    if len(both):
        raise UndefinedMeasureError(
            f"edge_connectivity: {len(both)} nodes are input and output at once, which no removal "
            "of edges cuts apart; give the graph other roles (with_roles)"
        )
    if not live.num_nodes:
        return 0
    n = live.num_nodes
    source, sink = n, n + 1
    endless = live.num_edges + 1
    rows = np.concatenate((live.sources, np.full(len(live.inputs), source), live.outputs))
    columns = np.concatenate((live.targets, live.inputs, np.full(len(live.outputs), sink)))
    capacity = np.full(len(rows), endless, dtype=np.int32)
    capacity[: live.num_edges] = 1
    graph = sp.csr_array((capacity, (rows, columns)), shape=(n + 2, n + 2))
    return int(sp.csgraph.maximum_flow(graph, source, sink).flow_value)
