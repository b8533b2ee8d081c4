"""Networks of independent modules."""

import networkx as nx
import numpy as np
import pytest
import torch

from nervure.reproduce.neural_modules.independent_modules import (
    acyclic_part,
    layer_of,
    random_module,
    seconds_by_threads,
    step_of,
)
from nervure.topology import Topology


@pytest.mark.parametrize(("size", "degree"), [(5, 4), (2, 1), (30, 1), (40, 4)])
def test_a_module_is_one_component_and_every_node_reads_from_as_many(size, degree):
    module = random_module(size, degree, np.random.default_rng(0))
    assert set(module.in_degree) == {degree}
    assert nx.is_strongly_connected(module.to_networkx())
    other = random_module(size, degree, np.random.default_rng(1))
    assert size == 2 or degree == size - 1 or other != module


def test_a_part_without_cycles_has_as_many_edges_where_it_can():
    part = acyclic_part(12, 4, np.random.default_rng(0))
    assert nx.is_directed_acyclic_graph(part.to_networkx())
    assert part.in_degree.tolist() == [min(4, node) for node in range(12)]


def test_a_layer_has_no_edge_between_modules():
    generator = np.random.default_rng(0)
    layer = layer_of([random_module(size, 2, generator) for size in (3, 7, 5)], seed=0)
    found = nx.strongly_connected_components(layer.topology.to_networkx())
    assert sorted(sorted(nodes) for nodes in found) == [
        list(range(3)), list(range(3, 10)), list(range(10, 15)),
    ]  # fmt: skip
    assert nx.number_weakly_connected_components(layer.topology.to_networkx()) == 3


def test_a_step_is_forward_and_backward(monkeypatch):
    layer = layer_of([Topology.complete(3)] * 2, seed=0)
    asked = []
    grad = torch.autograd.grad

    def recorded(output, wanted, gradient):
        asked.append((output.shape, [w.shape for w in wanted], gradient.shape))
        return grad(output, wanted, gradient)

    monkeypatch.setattr(torch.autograd, "grad", recorded)
    step_of(layer, 5, seed=0)()
    assert asked == [((5, 6), [(5, 6), (12,), (6,)], (5, 6))]


def test_timing_puts_the_threads_back():
    before = torch.get_num_threads()
    seen = []

    def step():
        seen.append(torch.get_num_threads())

    seconds = seconds_by_threads(step, {"one": 1, "two": 2}, repeats=1)
    assert torch.get_num_threads() == before
    assert set(seen) == {1, 2}
    assert all(0 < value < 1 for value in seconds.values())


def test_a_failing_step_puts_the_threads_back_too():
    before = torch.get_num_threads()

    def step():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        seconds_by_threads(step, {"one": before + 1}, repeats=1)
    assert torch.get_num_threads() == before
