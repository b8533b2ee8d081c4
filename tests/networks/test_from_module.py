from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from nervure import Topology
from nervure.errors import TopologyError
from nervure.modules import detect_modules, path_products
from nervure.networks import edge_weights_of_module, topology_of_module


def pruned(sizes, keep, seed):
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for a, b in pairwise(sizes):
        linear = nn.Linear(a, b)
        with torch.no_grad():
            linear.weight.copy_(torch.randn(b, a, generator=generator))
            linear.weight *= torch.rand(b, a, generator=generator) < keep
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


@given(st.integers(0, 10**6), st.floats(0.0, 1.0))
@settings(max_examples=30, deadline=None)
def test_an_edge_for_every_weight_that_is_not_zero(seed, keep):
    net = pruned([3, 5, 4, 2], keep, seed)
    topology, weights = topology_of_module(net), edge_weights_of_module(net)
    assert topology.inputs.tolist() == [0, 1, 2]
    assert topology.outputs.tolist() == [12, 13]
    whole = np.zeros((14, 14))
    first = 0
    for linear in net[::2]:
        target = first + linear.in_features
        block = linear.weight.detach().numpy()
        whole[target : target + len(block), first:target] = block
        first = target
    assert topology == Topology.from_mask(whole != 0, inputs=range(3), outputs=[12, 13])
    assert np.array_equal(topology.to_scipy(weights).toarray(), whole)


def test_path_products_are_those_of_the_weights():
    net = pruned([3, 5, 2], 0.7, 0)
    products = path_products(topology_of_module(net), edge_weights_of_module(net))
    first, second = (abs(net[i].weight.detach().double()) for i in (0, 2))
    assert np.allclose(products, (second @ first).T)


def test_what_treats_units_alone_may_stand_between():
    inner = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.GELU(), nn.Dropout(0.1))
    net = nn.Sequential(nn.Flatten(), inner, nn.Identity(), nn.Linear(3, 2), nn.Softmax(dim=1))
    assert topology_of_module(net).num_edges == 18
    assert topology_of_module(nn.Linear(2, 3)).num_edges == 6


def test_masks_of_torch_count():
    net = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2))
    prune.l1_unstructured(net[0], "weight", amount=0.5)
    assert topology_of_module(net).num_edges == 18 + 12


def test_a_layer_used_twice_counts_twice():
    shared = nn.Linear(3, 3)
    assert topology_of_module(nn.Sequential(shared, nn.ReLU(), shared)).num_nodes == 9


def test_what_cannot_be_read_says_why():
    with pytest.raises(TopologyError, match=r"Sequential\[1\] \(LayerNorm\) is neither"):
        topology_of_module(nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Linear(3, 1)))
    with pytest.raises(TopologyError, match=r"Sequential\[1\]\[0\] \(Conv1d\) is neither"):
        topology_of_module(nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Conv1d(1, 1, 1))))
    with pytest.raises(TopologyError, match=r"Softmax.* stands before"):
        topology_of_module(nn.Sequential(nn.Linear(2, 3), nn.Softmax(dim=1), nn.Linear(3, 1)))
    with pytest.raises(TopologyError, match=r"reads 4 units, but .* gives 3"):
        topology_of_module(nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 1)))
    with pytest.raises(TopologyError, match="nothing is wired"):
        topology_of_module(nn.Sequential(nn.ReLU()))

    class Residual(nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

    with pytest.raises(TopologyError, match="Residual is neither"):
        topology_of_module(Residual(nn.Linear(2, 2)))


def test_modules_of_a_torch_network():
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    with torch.no_grad():
        for linear in net[::2]:
            linear.weight *= torch.block_diag(torch.ones(2, 2), torch.ones(2, 2))
    found = detect_modules(topology_of_module(net))
    assert [nodes.tolist() for nodes in found.modules] == [
        [0, 1, 4, 5, 8, 9],
        [2, 3, 6, 7, 10, 11],
    ]
    with pytest.raises(TopologyError, match="topology_of_module"):
        detect_modules(net)
