"""Which units of a network may be pruned, and where they are found in the layers around it."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from torch import nn
from torch.nn.functional import cross_entropy

from nervure import FreeNet, GraphLayer, NeuralModules, SparseMLP, Topology
from nervure.errors import EngineError
from nervure.rules import UnitPruning


def iris():
    x, y = load_iris(return_X_y=True)
    return torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32), torch.tensor(y)


def sculpt(rule, net, optimizer, x, y):
    while not rule.done:
        optimizer.zero_grad()
        cross_entropy(net(x), y).backward()
        optimizer.step()
        rule.step()


def test_only_the_units_asked_for_go():
    x, y = iris()
    net = FreeNet(4, 3, neurons=30, seed=0)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    rule = UnitPruning(
        net, optimizer, data=x, loss=lambda out: cross_entropy(out, y, reduction="none"),
        measure=lambda: 1.0, threshold=0.5, interval=2, step=0.5, units=[7, 3, 12, 5],
    )  # fmt: skip
    sculpt(rule, net, optimizer, x, y)
    assert len(rule.units_left) == 1
    gone = np.setdiff1d([3, 5, 7, 12], rule.units_left)
    assert (net.encoder.weight == 0).all(1).nonzero().flatten().tolist() == gone.tolist()


def hidden_of(network, units=None):
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    features = network.encoder.in_features if hasattr(network, "encoder") else 4
    rule = UnitPruning(
        network, optimizer, data=torch.zeros(2, features), loss=lambda out: out.sum(1),
        measure=lambda: 1.0, threshold=0.5, interval=2, units=units,
    )  # fmt: skip
    return rule._hidden.nodes.tolist()


class Between(nn.Module):
    """A core with an encoder, a decoder, or neither."""

    def __init__(self, core, *, encoder=False, decoder=False):
        super().__init__()
        self.core = core
        if encoder:
            self.encoder = nn.Linear(4, core.plan.num_inputs)
        if decoder:
            self.decoder = nn.Linear(core.plan.num_outputs, 3)

    def forward(self, x):
        values = self.core(self.encoder(x) if hasattr(self, "encoder") else x)
        return self.decoder(values) if hasattr(self, "decoder") else values


def test_what_is_hidden_depends_on_what_is_around_the_core():
    assert hidden_of(SparseMLP([4, 5, 2], seed=0)) == [4, 5, 6, 7, 8]
    assert hidden_of(FreeNet(4, 3, neurons=30, seed=0)) == list(range(30))
    assert hidden_of(NeuralModules(4, 3, nodes=20, seed=0)) == list(range(20))

    def core():
        edges = [(a, b) for a in range(7) for b in range(4, 9) if a != b]  # 4, 5, 6 in loops
        return GraphLayer(Topology.from_edges(edges, 9, inputs=range(4), outputs=[8, 7]))

    assert hidden_of(core()) == [4, 5, 6]
    assert hidden_of(Between(core())) == [4, 5, 6]
    assert hidden_of(Between(core(), encoder=True)) == [0, 1, 2, 3, 4, 5, 6]
    assert hidden_of(Between(core(), decoder=True)) == [4, 5, 6, 7, 8]
    assert hidden_of(Between(core(), encoder=True, decoder=True)) == list(range(9))
    # A linear layer that does not fit the core is not before it.
    odd = Between(core(), decoder=True)
    odd.encoder = nn.Linear(4, 4)
    odd.decoder = nn.Sequential(odd.decoder)
    assert hidden_of(odd) == [0, 1, 2, 3, 4, 5, 6]


def test_a_unit_that_is_not_driven_or_not_read_goes_first():
    # 4 reads nothing, however loud its bias; 5 is read by nobody; 6 is an ordinary unit.
    edges = [(0, 6), (1, 6), (2, 5), (6, 7), (4, 7), (3, 7)]
    net = GraphLayer(
        Topology.from_edges(edges, 8, inputs=range(4), outputs=[7]), activation="identity"
    )
    with torch.no_grad():
        net.weight.fill_(0.1)
        net.bias[4] = 100.0
    x, y = iris()
    rule = UnitPruning(
        net, torch.optim.SGD(net.parameters(), lr=1e-6), data=x,
        loss=lambda out: (out[:, 0] - y).square(), measure=lambda: 1.0, threshold=0.5, interval=1,
        step=0.4,
    )  # fmt: skip
    assert rule.units_left.tolist() == [6]
    rule.step()
    assert net.topology.edges.tolist() == [[0, 6], [1, 6], [3, 7], [6, 7]]

    # Between linear layers, without edges: only nodes that both of them meet.
    core = GraphLayer(Topology.from_edges([], 5, inputs=[4, 0, 2], outputs=[3, 2, 4]))
    net = Between(core, encoder=True, decoder=True)
    rule = UnitPruning(
        net, torch.optim.SGD(net.parameters(), lr=0.1), data=x, loss=lambda out: out.sum(1),
        measure=lambda: 1.0, threshold=0.5, interval=1,
    )  # fmt: skip
    assert rule.units_left.tolist() == [2, 4]


def test_roles_in_another_order_meet_their_own_rows_and_columns():
    edges = [(a, b) for a in range(6) for b in range(6) if a != b]
    core = GraphLayer(
        Topology.from_edges(edges, 6, inputs=[4, 0, 2, 5], outputs=[3, 1, 5, 2]),
        activation="sigmoid", generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    torch.manual_seed(0)
    net = Between(core, encoder=True, decoder=True)
    x, y = iris()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    rule = UnitPruning(
        net, optimizer, data=x, loss=lambda out: cross_entropy(out, y, reduction="none"),
        measure=lambda: 1.0, threshold=0.5, interval=5, step=0.5, units=[2, 5],
    )  # fmt: skip
    sculpt(rule, net, optimizer, x, y)
    (left,) = rule.units_left
    gone = 7 - left
    assert (net.encoder.weight == 0).all(1).tolist() == [node == gone for node in [4, 0, 2, 5]]
    assert (net.decoder.weight == 0).all(0).tolist() == [node == gone for node in [3, 1, 5, 2]]


def test_mistakes_are_named():
    with pytest.raises(EngineError, match="nodes 0 to 29, got 30, -1"):
        hidden_of(FreeNet(4, 3, neurons=30, seed=0), [4, 30, -1])
    with pytest.raises(EngineError, match="features or outputs of the network: 0, 9; leave them"):
        hidden_of(SparseMLP([4, 5, 2], seed=0), [0, 5, 9])
    for units in ([], [0.5], [[1]]):
        with pytest.raises(EngineError, match="expected numbers of nodes, at least one, got"):
            hidden_of(FreeNet(4, 3, neurons=30, seed=0), units)
    with pytest.raises(EngineError, match="none is hidden; prune edges instead"):
        hidden_of(GraphLayer(Topology.complete(4)))
    with pytest.raises(EngineError, match="single nodes, got blocks of 2; build it without"):
        hidden_of(SparseMLP([4, 4, 2], motif_size=2, seed=0))
    net = FreeNet(4, 3, neurons=30, seed=0)
    with pytest.raises(EngineError, match=r"loss: expected one value for each of 2 samples"):
        UnitPruning(
            net, torch.optim.SGD(net.parameters(), lr=0.1), data=torch.zeros(2, 4),
            loss=lambda out: out.sum(), measure=lambda: 1.0, threshold=0.5, interval=2,
        )  # fmt: skip
