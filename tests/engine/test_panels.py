"""Graphs whose nodes share sources: loaded once, and still the reference's numbers."""

import numpy as np
import pytest
import torch

from nervure import Topology, engine

from .graphs import assert_same, case_on, solved


def partly_shared(n=60, *, acyclic, seed=0):
    """Lists that begin alike for different lengths, then go on with nodes near by."""
    rng = np.random.default_rng(seed)
    pairs = []
    for target in range(12, n):
        common = range(int(rng.choice([7, 8, 9, 11, 12])))
        rest = range(12, target) if acyclic else [i for i in range(12, n) if i != target]
        own = rng.choice(rest, size=min(len(rest), int(rng.integers(0, 9))), replace=False)
        pairs += [(s, target) for s in (*common, *own.tolist())]
    return Topology.from_edges(pairs, num_nodes=n)


GRAPHS = {
    "dense_dag": lambda: Topology.dense_dag(37),
    "complete": lambda: Topology.complete(23),
    "layered": lambda: Topology.layered([12, 17, 10, 5]),
    "shared_acyclic": lambda: partly_shared(acyclic=True),
    "shared_cyclic": lambda: partly_shared(acyclic=False),
    "reversed": lambda: partly_shared(acyclic=True).reversed(),
}


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [3, 41])
def test_equals_the_reference(graph, dtype, batch):
    topology = GRAPHS[graph]()
    every = np.arange(topology.num_nodes)
    case = case_on(topology, inputs=every, outputs=every[::-1], dtype=dtype, batch=batch)
    tight = {"tolerance": 1e-6 if dtype == torch.float32 else 1e-12}
    assert_same(
        solved(case, backend="native", **tight), solved(case, backend="reference", **tight), dtype
    )


@pytest.mark.parametrize("graph", GRAPHS)
def test_backwards_numbering_changes_nothing(graph):
    """Turned round, no two nodes that follow each other need share anything."""
    topology = GRAPHS[graph]()
    n = topology.num_nodes
    every = np.arange(n)
    case = case_on(topology, activation="tanh", inputs=every, outputs=every)
    turned = topology.relabelled(every[::-1].astype(np.int32))
    place = {edge: k for k, edge in enumerate(map(tuple, topology.edges.tolist()))}
    order = [place[n - 1 - s, n - 1 - t] for s, t in turned.edges.tolist()]
    found = engine.sweep(
        engine.plan(turned, "tanh", inputs=every[::-1], outputs=every[::-1]),
        case.weight[order], case.drive, case.bias.flip(0), backend="native", tolerance=1e-12,
    )  # fmt: skip
    expected = case.sweep(backend="native", tolerance=1e-12)
    torch.testing.assert_close(found.output, expected.output, rtol=1e-9, atol=1e-9)


def counted(topology):
    """Edges in panels of two rows or more, by the rule: up to 8 nodes in a row, which share at
    least 8 sources, none of them costing the others more than a quarter of what they shared."""
    lists = np.split(topology.sources, topology.indptr[1:-1])
    total = at = 0
    while at < len(lists):
        rows, shared = 1, len(lists[at])
        while rows < 8 and at + rows < len(lists):
            alike = 0
            for a, b in zip(lists[at][:shared], lists[at + rows], strict=False):
                if a != b:
                    break
                alike += 1
            if alike < 8 or alike < shared - shared // 4:
                break
            rows, shared = rows + 1, alike
        total += rows * shared if rows > 1 else 0
        at += rows
    return total


# Every edge of these leads to a higher number, so the walk is in the order of the numbers.
@pytest.mark.parametrize("graph", ["dense_dag", "layered", "shared_acyclic"])
def test_shared_edges_are_those_counted_by_hand(graph):
    topology = GRAPHS[graph]()
    found = engine.plan(topology, "tanh").program.shared_edges
    assert found == counted(topology) > 0


def test_what_is_shared_in_simple_cases():
    def shared(topology, **options):
        return engine.plan(topology, "tanh", **options).program.shared_edges

    assert shared(Topology.layered([8, 4])) == 32
    assert shared(Topology.layered([8, 9])) == 64  # the ninth row has nobody to share with
    assert shared(Topology.layered([8, 10])) == 80
    assert shared(Topology.layered([7, 4])) == 0  # too few to be worth it
    assert shared(Topology.layered([8, 1, 8])) == 0
    assert shared(Topology.layered([8, 4]), block=2) == 0  # blocks share within themselves
