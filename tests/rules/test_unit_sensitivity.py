"""How much the loss depends on each unit, for cores of any shape with layers around them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nervure import FreeNet, GraphLayer, NeuralModules, SparseMLP, Topology
from nervure.errors import EngineError
from nervure.rules import unit_sensitivity

FUNCTIONS = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": nn.functional.gelu,
    "identity": lambda z: z,
}


class Wrapped(nn.Module):
    """Any core between linear layers, and a function after them that writes into the outputs."""

    def __init__(self, core, features, outputs):
        super().__init__()
        self.encoder = nn.Linear(features, core.plan.num_inputs, dtype=torch.float64)
        self.core = core
        self.decoder = nn.Linear(core.plan.num_outputs, outputs, dtype=torch.float64)

    def forward(self, x):
        return self.decoder(self.core(self.encoder(x)).mul_(2)).tanh()


def random_network(seed, activation, storage, *, cyclic, density=0.3):
    """Some nodes in both roles, some in one, some in none, in any order; the graph contracts."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    present = rng.random((n, n)) < density
    present = present & ~np.eye(n, dtype=bool) if cyclic else np.tril(present, -1)
    targets, sources = np.nonzero(present)
    inputs, outputs = (rng.permutation(n)[: rng.integers(1, n + 1)] for _ in range(2))
    topology = Topology.from_edges(
        np.stack([sources, targets], 1).reshape(-1, 2), n, inputs=inputs, outputs=outputs
    )
    core = GraphLayer(
        topology, activation=activation, storage=storage, tolerance=1e-13, dtype=torch.float64
    )
    matrix = rng.normal(size=(n, n)) * present
    matrix *= 0.6 / max(0.6, np.abs(matrix).sum(1).max())
    biases = rng.normal(size=n)
    with torch.no_grad():
        if storage == "dense":
            # Absent edges have weights too, of which nothing may be seen.
            stray = np.where(present, matrix, rng.normal(size=(n, n)))
            np.fill_diagonal(stray, biases)
            core.weight.copy_(torch.from_numpy(stray))
        else:
            core.weight.copy_(torch.from_numpy(matrix[topology.targets, topology.sources]))
            core.bias.copy_(torch.from_numpy(biases))
    torch.manual_seed(seed)
    return Wrapped(core, 3, 2)


def settled(net, x, gates, steps=100):
    """The network by hand: nodes read one another, and are read, through their gates."""
    core, topology = net.core, net.core.topology
    matrix = torch.zeros(core.plan.nodes, core.plan.nodes, dtype=x.dtype)
    matrix[topology.targets.astype(int), topology.sources.astype(int)] = core.edge_weight
    function = FUNCTIONS[core.activation[0]]
    drive = torch.zeros_like(gates)
    drive[:, core.plan.inputs.astype(int)] = net.encoder(x).detach()
    values = torch.zeros_like(gates)
    for _ in range(steps):
        values = function(drive + core.node_bias + (gates * values) @ matrix.T)
    return (gates * values)[:, core.plan.outputs.astype(int)]


def samples(rows=5, features=3, outputs=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, features, generator=generator, dtype=torch.float64)
    y = torch.randn(rows, outputs, generator=generator, dtype=torch.float64)
    return x, y


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from(sorted(FUNCTIONS)),
    st.sampled_from(["sparse", "dense"]), st.booleans(),
)  # fmt: skip
def test_it_is_the_slope_along_a_gate_where_the_unit_is_read(seed, activation, storage, cyclic):
    net = random_network(seed, activation, storage, cyclic=cyclic)
    x, y = samples(seed=seed)
    gates = torch.ones(len(x), net.core.plan.nodes, dtype=x.dtype, requires_grad=True)
    read = net.decoder(settled(net, x, gates) * 2).tanh()
    torch.testing.assert_close(read, net(x), rtol=0, atol=1e-11)
    (read - y).square().sum().backward()
    np.testing.assert_allclose(
        unit_sensitivity(net, x, lambda out: (out - y).square().sum(1)),
        gates.grad.abs().mean(0),
        atol=1e-11,
    )


def test_it_agrees_with_silencing_a_little_of_each_unit():
    net = NeuralModules(3, 2, nodes=6, tolerance=1e-13, contraction=0.7, seed=0).double()
    net.core.project_()
    x, y = samples()

    @torch.no_grad()
    def loss(gates):
        return (net.decoder(settled(net, x, gates)) - y).square().sum(1)

    expected, tiny = [], 1e-6
    for i in range(6):
        more, less = (torch.ones(len(x), 6, dtype=x.dtype) for _ in range(2))
        more[:, i] += tiny
        less[:, i] -= tiny
        expected.append(float(((loss(more) - loss(less)) / (2 * tiny)).abs().mean()))
    found = unit_sensitivity(net, x, lambda out: (out - y).square().sum(1))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert min(expected) > 1e-3


def test_a_network_is_scored_as_it_predicts_and_left_as_it_was():
    net = FreeNet(3, 2, neurons=8, seed=0).double()
    net.decoder = nn.Sequential(nn.Dropout(0.5), net.decoder)
    x, y = samples()
    first, second = (
        unit_sensitivity(net, x, lambda out: (out - y).square().sum(1)) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert net.training
    assert net.decoder[0].training
    assert all(parameter.grad is None for parameter in net.parameters())


def test_samples_without_an_equilibrium_are_left_out():
    # Two squares that feed each other run away for large drives.
    core = GraphLayer(
        Topology.from_edges([(0, 1), (1, 0)], inputs=[0, 1], outputs=[0, 1]),
        activation="squared_relu", on_failure="flag", dtype=torch.float64,
    )  # fmt: skip
    with torch.no_grad():
        core.weight.fill_(1.0)
    x = torch.tensor([[0.1, 0.1], [9.0, 9.0], [0.05, 0.0]], dtype=torch.float64)
    assert core(x) is not None
    assert core.status.converged.tolist() == [True, False, True]
    found = unit_sensitivity(core, x, lambda out: out.sum(1))
    np.testing.assert_allclose(found, unit_sensitivity(core, x[[0, 2]], lambda out: out.sum(1)))
    with pytest.raises(EngineError, match="an equilibrium for some of the data, found none"):
        unit_sensitivity(core, x[[1]], lambda out: out.sum(1))


class Twice(Wrapped):
    def forward(self, x):
        return super().forward(x) + super().forward(x)


def test_mistakes_are_named():
    net = FreeNet(3, 2, neurons=4, seed=0)
    x = torch.zeros(5, 3)
    with pytest.raises(EngineError, match=r"each of 5 samples, shape \(5,\), got \(\).*reduction"):
        unit_sensitivity(net, x, lambda out: out.mean())
    with pytest.raises(EngineError, match=r"got \(5, 2\)"):
        unit_sensitivity(net, x, lambda out: out)
    with pytest.raises(EngineError, match=r"got a constant; take out detach"):
        unit_sensitivity(net, x, lambda out: out.argmax(1).double())
    with pytest.raises(EngineError, match=r"shape \(samples, 4\), got \(5, 7, 4\)"):
        unit_sensitivity(net, torch.zeros(5, 7, 3), lambda out: out.sum((1, 2)))
    with pytest.raises(EngineError, match="single nodes, got blocks of 2"):
        unit_sensitivity(SparseMLP([4, 4, 2], motif_size=2, seed=0), x, lambda out: out.sum(1))
    with pytest.raises(EngineError, match="expected a GraphLayer or a network with one"):
        unit_sensitivity(nn.Linear(3, 2), x, lambda out: out.sum(1))
    core = GraphLayer(Topology.complete(3), dtype=torch.float64)
    with pytest.raises(EngineError, match="one pass of its core, got 2"):
        unit_sensitivity(Twice(core, 3, 2), x.double(), lambda out: out.sum(1))
