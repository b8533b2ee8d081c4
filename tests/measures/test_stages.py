import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervure.errors import TopologyError
from nervure.measures import density, num_nodes, sparsity, stage_nodes, stage_sparsity
from nervure.topology import complete, dense_dag, from_edges, layered

from .graphs import checked, cut, dags, live_graph

STAGES = np.repeat([0, 1, 2], 20)


@checked
@given(dags(), st.data())
def test_stages_are_counted_edge_by_edge(topology, data):
    n = topology.num_nodes
    stages = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    graph = live_graph(topology)
    nodes, sparse = stage_nodes(topology, stages), stage_sparsity(topology, stages)
    assert len(nodes) == len(sparse) == max(stages) + 1
    for k in range(max(stages) + 1):
        members = [node for node in range(n) if stages[node] == k]
        assert nodes[k] == sum(node in graph for node in members)
        possible = len(members) * (len(members) - 1) / 2
        left = sum(stages[a] == stages[b] == k for a, b in graph.edges)
        assert sparse[k] == pytest.approx(
            1 - left / possible if possible else math.nan, nan_ok=True
        )
    if n > 1:
        assert sparsity(topology) == pytest.approx(1 - graph.number_of_edges() / (n * (n - 1) / 2))
    assert num_nodes(topology) == len(graph)


def test_the_paper_starts_from_nothing_missing():
    dag = dense_dag(60)
    assert stage_sparsity(dag, STAGES).tolist() == [0, 0, 0]
    assert stage_nodes(dag, STAGES).tolist() == [20, 20, 20]
    inside = STAGES[dag.sources] == STAGES[dag.targets]
    assert sparsity(dag.keep(inside), start=dag) == 1  # no path from input to output is left
    assert stage_sparsity(dag.keep(~inside), STAGES).tolist() == [1, 1, 1]


def test_possible_edges_are_those_of_the_start():
    start = layered([2, 3, 2])
    pruned = start.keep([True] * 11 + [False])
    assert sparsity(pruned, start) == pytest.approx(1 / 12)
    assert sparsity(pruned) == pytest.approx(1 - 11 / 21)
    assert sparsity(complete(4)) == 0
    assert stage_sparsity(pruned, [0, 0, 0, 0, 0, 1, 1], start)[0] == 0
    with pytest.raises(TopologyError, match="every edge"):
        sparsity(start, pruned)


def test_density_is_that_of_live_nodes():
    assert density(from_edges([(0, 1), (2, 1)], inputs=[0], outputs=[1])) == 0.5
    assert math.isnan(density(cut()))
    assert sparsity(cut()) == 1
    assert math.isnan(sparsity(from_edges([], 1)))


@pytest.mark.parametrize(
    ("stages", "message"),
    [([0, 1], "shape"), ([0, -1, 0], "numbered from 0"), ([0.5, 0, 0], "integers")],
)
def test_stages_are_checked(stages, message):
    with pytest.raises(TopologyError, match=message):
        stage_nodes(dense_dag(3), stages)
