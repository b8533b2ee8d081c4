import ast
import copy
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

import nervure.topology
from nervure.topology import Topology, complete, dense_dag, from_edges

from .strategies import checked, oracle, topologies

ARRAYS = (
    "indptr",
    "sources",
    "inputs",
    "outputs",
    "targets",
    "interior",
    "levels",
    "live",
    "in_degree",
    "out_degree",
)


@checked
@given(topologies())
def test_degrees_density_and_targets_agree_with_networkx(topology):
    graph = oracle(topology)
    assert topology.in_degree.tolist() == [graph.in_degree(v) for v in graph]
    assert topology.out_degree.tolist() == [graph.out_degree(v) for v in graph]
    assert np.bincount(topology.targets, minlength=len(graph)).tolist() == list(topology.in_degree)
    n = len(graph)
    expected = graph.number_of_edges() / (n * (n - 1)) if n > 1 else 0.0
    assert topology.density == pytest.approx(expected)


@checked
@given(topologies())
def test_out_adjacency_lists_the_same_edges(topology):
    indptr, targets, edges = topology.out_adjacency
    sources = np.repeat(np.arange(topology.num_nodes), np.diff(indptr))
    assert topology.edges[edges].tolist() == np.column_stack((sources, targets)).tolist()


@checked
@given(topologies(min_nodes=0))
def test_copies_are_equal(topology):
    other = pickle.loads(pickle.dumps(topology))
    assert other == topology
    assert hash(other) == hash(topology)
    assert not other.indptr.flags.writeable
    assert copy.copy(topology) is topology
    assert copy.deepcopy([topology])[0] is topology


def test_every_field_counts_for_equality():
    fields = {
        "num_nodes": 3,
        "indptr": [0, 0, 1, 2],
        "sources": [0, 1],
        "inputs": [0, 1],
        "outputs": [2],
    }
    base = Topology(**fields)
    assert base == Topology(**fields)
    changes = {
        "sources": [0, 0],
        "indptr": [0, 0, 0, 2],
        "inputs": [1, 0],
        "outputs": [1],
    }
    variants = [
        Topology(**{**fields, name: value}) for name, value in changes.items() if name != "indptr"
    ]
    variants.append(Topology(3, [0, 0, 0, 2], [0, 1], [0, 1], [2]))
    variants.append(Topology(4, [0, 0, 1, 2, 2], [0, 1], [0, 1], [2]))
    # The same numbers on the other side of the border between two roles.
    variants.append(Topology(3, [0, 0, 1, 2], [0, 1], [0], [1, 2]))
    assert len({base, *variants}) == 1 + len(variants)
    assert base not in variants
    assert base != "topology"


def test_hash_is_the_same_in_another_process():
    code = "from nervure.topology import dense_dag; print(hash(dense_dag(5)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert int(answer.stdout) == hash(dense_dag(5))


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_are_read_only(name):
    with pytest.raises(ValueError, match="read-only"):
        getattr(dense_dag(4), name)[0] = 1


def test_attributes_cannot_be_set_or_deleted():
    topology = complete(3)
    with pytest.raises(AttributeError, match="cannot set num_nodes: a Topology is immutable"):
        topology.num_nodes = 4
    with pytest.raises(AttributeError, match="cannot set weights"):
        topology.weights = 1
    with pytest.raises(AttributeError, match="cannot delete sources"):
        del topology.sources


def test_the_arrays_passed_in_stay_the_callers():
    sources = np.array([0, 1], dtype=np.int32)
    topology = Topology(3, np.array([0, 0, 1, 2], np.int32), sources, [0], [2])
    sources[0] = 2
    assert topology.sources.tolist() == [0, 1]


def test_analysis_is_done_once():
    topology = complete(4)
    for name in ("components", "levels", "live", "targets", "out_adjacency", "interior"):
        assert getattr(topology, name) is getattr(topology, name)


def test_repr_says_the_essentials():
    assert repr(dense_dag(3)) == (
        "Topology(nodes=3, edges=3, density=0.5, inputs=1, outputs=1, acyclic)"
    )
    looped = from_edges([(0, 1), (1, 0), (1, 2)])
    assert repr(looped).endswith("outputs=1, modules=1, largest=2)")


def test_a_topology_may_be_empty():
    empty = from_edges([], 0)
    assert (empty.num_edges, empty.depth, empty.density) == (0, 0, 0.0)
    assert empty.is_acyclic
    assert empty.union(empty).reversed().subgraph([]).live.size == 0


def test_topology_imports_nothing_that_stands_above_it():
    imported = set()
    for file in Path(nervure.topology.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {tuple(name.split(".")[:2]) for name in imported if name.startswith("nervure")}
    assert ours == {("nervure", part) for part in ("_core", "errors", "topology")}
    assert not any(name.startswith("torch") for name in imported)


@pytest.mark.parametrize(
    "name",
    [
        "complete",
        "dense_dag",
        "layered",
        "erdos_renyi",
        "from_edges",
        "from_mask",
        "from_scipy",
        "from_networkx",
        "from_graphml",
    ],
)
def test_constructors_are_offered_twice(name):
    assert getattr(Topology, name) is getattr(nervure.topology, name)
