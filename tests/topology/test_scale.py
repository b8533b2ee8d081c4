"""One graph of moderate size through everything that must be linear, against SciPy."""

import numpy as np
from scipy.sparse.csgraph import connected_components

from nervure.topology import erdos_renyi, from_edges


def test_a_hundred_thousand_nodes_and_a_million_edges():
    topology = erdos_renyi(100_000, edges=1_000_000, seed=0)
    count, _ = connected_components(topology.to_scipy(), directed=True, connection="strong")
    assert topology.components.count == count
    labels = topology.components.labels
    assert (labels[topology.sources] <= labels[topology.targets]).all()
    between = labels[topology.sources] != labels[topology.targets]
    levels = topology.levels
    assert (levels[topology.sources] < levels[topology.targets])[between].all()
    rng = np.random.default_rng(1)
    mask = rng.random(topology.num_edges) < 0.7
    pruned = topology.keep(mask)
    assert (pruned.edge_positions_in(topology) == np.flatnonzero(mask)).all()
    assert pruned.grow(topology.edges[~mask]) == topology
    assert topology.reversed().reversed() == topology
    order = rng.permutation(topology.num_nodes)
    assert topology.relabelled(order).components.count == count
    assert topology.trimmed(require="none").num_edges <= topology.num_edges


def test_a_path_longer_than_any_recursion():
    n = 300_000
    steps = np.arange(n - 1)
    path = from_edges(np.column_stack((steps, steps + 1)))
    assert path.depth == n - 1
    assert path.live.all()
    ring = path.grow([(n - 1, 0)])
    assert ring.components.count == 1
    assert not ring.is_acyclic
