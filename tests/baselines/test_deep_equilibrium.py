"""`DeepEquilibrium` beside this library's own equilibria with the same weights."""

import copy
import pickle
import sys

import numpy as np
import pytest
import torch

from nervure import NeuralModules
from nervure.baselines import DeepEquilibrium
from nervure.baselines.solve_count import SolveCount
from nervure.errors import EngineError, MissingDependencyError
from nervure.training import TrainingOptions, fit

SOLVERS = ["fixed_point_iter", "anderson", "broyden"]


@pytest.fixture
def torchdeq():
    return pytest.importorskip("torchdeq")


def rows(count, inputs=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, inputs, generator=generator, dtype=torch.float64)


@pytest.mark.usefixtures("torchdeq")
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_equals_neural_modules_on_the_complete_digraph(solver, activation):
    options = {"nodes": 12, "activation": activation, "seed": 3}
    network = DeepEquilibrium(
        6, 3, solver=solver, tolerance=1e-9, max_iterations=200, **options
    ).double()
    ours = NeuralModules(6, 3, tolerance=1e-12, **options).double()
    with torch.no_grad():
        network.weight.fill_diagonal_(0)
        ours.core.weight.copy_(network.weight)
    ours.encoder.load_state_dict(network.encoder.state_dict())
    ours.decoder.load_state_dict(network.decoder.state_dict())
    x = rows(9)
    found, expected = network(x), ours(x)
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-7)

    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    for output in (found, expected):
        (output * weights).sum().backward()
    # The diagonal is weights there, biases here.
    apart = ~torch.eye(12, dtype=torch.bool)
    for a, b in (
        (network.weight.grad[apart], ours.core.weight.grad[apart]),
        (network.encoder.weight.grad, ours.encoder.weight.grad),
        (network.encoder.bias.grad, ours.encoder.bias.grad),
    ):
        assert b.abs().max() > 1e-3
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)
    assert network.forward_solves.unsolved == network.backward_solves.unsolved == 0
    assert network.forward_solves.samples == network.backward_solves.samples == 9


@pytest.mark.usefixtures("torchdeq")
def test_gradients_are_those_of_finite_differences_in_evaluation_mode_too():
    network = DeepEquilibrium(2, 2, nodes=3, tolerance=1e-11, max_iterations=200, seed=0)
    network = network.double().eval()
    x = rows(2, inputs=2).requires_grad_()
    assert torch.autograd.gradcheck(network, (x,))

    def of_weight(weight):
        return torch.func.functional_call(network, {"weight": weight}, (x.detach(),))

    assert torch.autograd.gradcheck(of_weight, (network.weight.detach().requires_grad_(),))


@pytest.mark.usefixtures("torchdeq")
@pytest.mark.parametrize("nodes", [20, 500])
def test_starts_where_plain_iteration_converges(nodes):
    network = DeepEquilibrium(6, 2, nodes=nodes, max_iterations=25, seed=1)
    x = rows(16).float()
    network(x).sum().backward()
    assert network.forward_solves.share == network.backward_solves.share == 0
    # The residual that is asked for, taken by hand.
    with torch.no_grad():
        z = network.equilibrium(x)
        again = torch.tanh(z @ network.weight.t() + network.encoder(x))
        assert ((again - z).norm(dim=1) / again.norm(dim=1)).max() < network.tolerance


@pytest.mark.usefixtures("torchdeq")
def test_unsolved_samples_are_counted():
    network = DeepEquilibrium(6, 2, nodes=10, seed=0)
    with torch.no_grad():
        # z = tanh(-4 z) swings between two values, unless its drive saturates it.
        network.weight.copy_(-4 * torch.eye(10))
        network.encoder.weight.zero_()
        network.encoder.weight[:, 0] = 100
        network.encoder.bias.fill_(0.1)
    x = torch.zeros(4, 6)
    x[3, 0] = 1
    assert network(x).isfinite().all()
    solves = network.forward_solves
    assert (solves.samples, solves.unsolved, solves.share) == (4, 3, 0.75)
    assert solves.residual > 0.1
    network(x[3:])
    assert (solves.samples, solves.unsolved) == (5, 3)
    assert solves.residual < network.tolerance


def test_a_count_begins_with_nothing_and_takes_nan_for_unsolved():
    solves = SolveCount()
    assert solves.share == 0
    solves.add(torch.empty(0), 0.1)
    assert solves == SolveCount()
    solves.add(torch.tensor([0.05, float("nan"), 0.1, 0.2]), 0.1)
    assert (solves.samples, solves.unsolved) == (4, 2)


@pytest.mark.usefixtures("torchdeq")
def test_a_network_of_the_same_shape_takes_its_state():
    network = DeepEquilibrium(
        6, 2, nodes=7, activation="sigmoid", solver="broyden", max_iterations=20,
        tolerance=1e-3, seed=0,
    )  # fmt: skip
    x = rows(5).float()
    expected = network(x)
    other = DeepEquilibrium(**network.config())
    other.load_state_dict(network.state_dict())
    copies = [other, copy.deepcopy(network), pickle.loads(pickle.dumps(network))]
    again = DeepEquilibrium(**network.config(), seed=0)
    for twin in [*copies, again]:
        assert twin.config() == network.config()
        torch.testing.assert_close(twin(x), expected, rtol=0, atol=0)


@pytest.mark.usefixtures("torchdeq")
def test_learns_what_no_linear_map_can():
    x = np.random.default_rng(0).standard_normal((120, 2)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    network = DeepEquilibrium(2, 2, nodes=20, tolerance=1e-2, seed=0)
    options = TrainingOptions(epochs=10, learning_rate=0.5, batch_size=12)
    fitted = fit(network, x, y, task="classification", options=options, validation=(x, y))
    assert fitted.history[-1]["validation_error"] < 0.25


@pytest.mark.parametrize(("options", "text"), [
    ({"activation": "swish"}, "unknown activation swish"),
    ({"inputs": 0}, "inputs: expected at least 1, got 0"),
    ({"outputs": 0}, "outputs: expected at least 1, got 0"),
    ({"nodes": 0}, "nodes: expected at least 1, got 0"),
    ({"solver": "newton"}, "expected one of fixed_point_iter, anderson, broyden, got 'newton'"),
    ({"max_iterations": 2}, "max_iterations: expected at least 3, got 2"),
    ({"tolerance": 0.0}, "tolerance: expected between 0 and 1, got 0.0"),
])  # fmt: skip
def test_mistakes_are_named(options, text):
    with pytest.raises(EngineError, match=text):
        DeepEquilibrium(**{"inputs": 4, "outputs": 2, **options})


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchdeq", None)
    with pytest.raises(MissingDependencyError, match=r'torchdeq: pip install "nervure\[reprod'):
        DeepEquilibrium(4, 2)
