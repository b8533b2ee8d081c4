"""Networks node by node, against their own forward passes."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from nervure import FreeNet, GraphLayer, SparseMLP, Topology
from nervure.errors import EngineError
from nervure.networks import node_topology, node_values, single_nodes


def hand_made():
    """Two inputs, |x0 - x1| of two hidden units, and an output that is above 0 for XOR."""
    topology = Topology.from_edges([(0, 2), (1, 2), (0, 3), (1, 3), (2, 4), (3, 4)])
    net = GraphLayer(topology, activation=["identity"] * 2 + ["relu"] * 2 + ["sigmoid"])
    with torch.no_grad():
        net.weight.copy_(torch.tensor([1.0, -1.0, -1.0, 1.0, 2.0, 2.0]))
        net.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 0.0, -1.0]))
    return net


def test_values_by_hand():
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    expected = [[0, 0, 0, 0, -1], [0, 1, 0, 1, 1], [1, 0, 1, 0, 1], [1, 1, 0, 0, -1]]
    values = node_values(hand_made(), x)
    assert values.dtype == torch.float64
    assert values.tolist() == expected


@pytest.mark.parametrize(
    "make",
    [
        lambda: GraphLayer(Topology.layered([3, 5, 2]), activation="tanh"),
        lambda: GraphLayer(Topology.layered([3, 5, 2]), activation="relu", storage="dense"),
        lambda: GraphLayer(Topology.layered([3, 5, 2]), bias=False, inputs=None),
        lambda: GraphLayer(Topology.layered([2, 3, 2]), block=2, outputs=[10, 12]),
        lambda: SparseMLP([5, 6, 8, 3], motif_size=2, pad=True, density=0.6, seed=1),
        lambda: SparseMLP([4, 6, 8, 3], motif_size=2, tied=True, density=0.6, seed=1),
        lambda: SparseMLP([4, 7, 3], density=0.6, seed=1),
    ],
)
def test_single_nodes_compute_the_same(make):
    net = make()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
    state = torch.get_rng_state()
    single = single_nodes(net)
    assert torch.equal(state, torch.get_rng_state())
    count = net.sizes[0] if isinstance(net, SparseMLP) else net.plan.num_inputs
    assert len(single.topology.inputs) == count
    x = torch.randn(6, count)
    torch.testing.assert_close(single(x), net(x))
    assert single.topology == node_topology(net)


def test_cycles_are_solved():
    net = GraphLayer(Topology.from_edges([(0, 1), (1, 2), (2, 1), (2, 3)]), activation="tanh")
    x = torch.randn(5, 1)
    values = node_values(net, x).float()
    torch.testing.assert_close(torch.tanh(values[:, 3:]), net(x), atol=1e-4, rtol=1e-4)


def test_a_sequence_layer_by_layer():
    net = nn.Sequential(
        nn.Flatten(),
        nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh()),
        nn.Dropout(0.5),
        nn.Linear(4, 2, bias=False),
        nn.Softmax(dim=1),
    )
    net(torch.randn(20, 3))
    prune.l1_unstructured(net[1][0], "weight", amount=0.5)
    twin = copy.deepcopy(net.state_dict())
    x = torch.randn(5, 3)
    values = node_values(net, x)
    assert net.training
    assert all(torch.equal(a, twin[key]) for key, a in net.state_dict().items())
    net.eval()
    hidden = net[1](x)
    expected = torch.cat([x, hidden, net[3](hidden)], dim=1)
    torch.testing.assert_close(values.float(), expected)
    assert values.shape[1] == node_topology(net).num_nodes


def test_what_has_no_nodes_of_its_own_is_refused():
    with pytest.raises(EngineError, match="inputs are those of the data, got FreeNet"):
        node_values(FreeNet(3, 2, neurons=4, seed=0), torch.zeros(1, 3))
    with pytest.raises(EngineError, match="rows of 3 inputs"):
        node_values(nn.Linear(3, 2), torch.zeros(1, 4))


def test_nodes_of_blocks_have_the_edges_of_their_blocks():
    layer = GraphLayer(Topology.from_edges([(0, 1)]), block=2)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(4.0))
    single = single_nodes(layer)
    pairs = dict(
        zip(map(tuple, single.topology.edges.tolist()), single.weight.tolist(), strict=True)
    )
    assert pairs == {(0, 2): 0.0, (1, 2): 1.0, (0, 3): 2.0, (1, 3): 3.0}
    assert np.array_equal(single.topology.inputs, [0, 1])
