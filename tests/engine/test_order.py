"""`sweep_order` is the order of the native sweep: values after a few sweeps tell it."""

import numpy as np
import pytest
import torch

from nervure import Topology, engine
from nervure.engine.native import LANES
from nervure.engine.order import sweep_order
from nervure.engine.plan import sections


def cyclic(nodes, edges, seed):
    """One component: a cycle through all nodes in a random order, and edges besides."""
    rng = np.random.default_rng(seed)
    tour = rng.permutation(nodes)
    pairs = {*zip(tour.tolist(), np.roll(tour, -1).tolist(), strict=True)}
    while len(pairs) < edges:
        source, target = rng.integers(nodes, size=2).tolist()
        if source != target:
            pairs.add((source, target))
    every = np.arange(nodes)
    return Topology.from_edges(sorted(pairs), nodes, inputs=every, outputs=every)


def after(plan, weight, drive, sweeps):
    """Values of all nodes after so many native sweeps from zero, settled or not."""
    batch, lanes = len(drive), LANES[drive.dtype]
    assert batch <= lanes
    state = torch.empty(1, plan.nodes, lanes, dtype=drive.dtype)
    output = torch.empty(batch, plan.num_outputs, dtype=drive.dtype)
    residual = torch.empty(batch, dtype=drive.dtype)
    counts, failed = torch.empty(2, batch, dtype=torch.int32)
    recovered = torch.empty(batch, dtype=torch.uint8)
    pointers = [t.data_ptr() for t in (drive, weight)]
    rest = [t.data_ptr() for t in (output, residual, counts, failed, recovered)]
    plan.program.forward64(batch, *pointers, 0, state.data_ptr(), 0, *rest, 1e-300, sweeps, 0.01, 1)
    return state[0].T[:batch]


@pytest.mark.parametrize(
    ("block", "nodes", "edges"), [(1, 9, 14), (1, 9, 60), (2, 6, 9), (3, 5, 18)]
)
def test_the_native_sweep_visits_nodes_in_this_order(block, nodes, edges):
    topology = cyclic(nodes, edges, seed=nodes + edges)
    plan = engine.plan(topology, "tanh", block=block)
    generator = torch.Generator().manual_seed(0)
    options = {"generator": generator, "dtype": torch.float64}
    weight = torch.randn(plan.weights, **options)
    drive = torch.randn(4, plan.nodes, **options)
    s = sections(plan)
    dense = torch.zeros(plan.nodes, plan.nodes, dtype=torch.float64)
    dense[s.targets, s.sources] = weight
    a = torch.zeros_like(drive)
    order = sweep_order(topology, block)
    assert sorted(order.tolist()) == list(range(plan.nodes))
    for _ in range(3):
        for i in order.tolist():
            a[:, i] = torch.tanh(drive[:, i] + a @ dense[i])
    torch.testing.assert_close(after(plan, weight, drive, 3), a)


def test_sources_come_first_without_cycles():
    topology = Topology.erdos_renyi(30, edges=80, acyclic=True, seed=1)
    place = np.argsort(sweep_order(topology))
    assert (place[topology.sources] < place[topology.targets]).all()
