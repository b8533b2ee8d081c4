"""`OptNet`: its dual beside the program itself, by qpth and by SciPy."""

import copy
import pickle
import sys

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from nervure.baselines import OptNet
from nervure.errors import EngineError, MissingDependencyError
from nervure.training import TrainingOptions, fit


@pytest.fixture
def qpth():
    return pytest.importorskip("qpth.qp")


def rows(count, inputs, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, inputs, generator=generator, dtype=torch.float64)


def trained(nodes=8, constraints=5, seed=0, **options):
    """Give a network in float64 with a program as training may leave it."""
    network = OptNet(4, 3, nodes=nodes, constraints=constraints, seed=seed, **options).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in (network.factor, network.point, network.slack):
            parameter += 0.2 * torch.randn(
                parameter.shape, generator=generator, dtype=torch.float64
            )
        # Tight enough that constraints hold back a good share of the samples.
        network.slack -= 2
    return network


def primal(qpth, network, linear_term):
    """Hand the program as it stands to qpth."""
    batch = len(linear_term)
    curvature, normals, bound = network.program()
    none = torch.empty(0, dtype=torch.float64)
    return qpth.QPFunction(verbose=-1)(
        curvature.expand(batch, -1, -1), linear_term, normals.expand(batch, -1, -1),
        bound.expand(batch, -1), none, none,
    )  # fmt: skip


def test_values_and_gradients_are_those_of_the_program_itself(qpth):
    network = trained()
    linear_term = rows(12, 8).requires_grad_()
    scale = rows(12, 8, seed=1)
    wanted = [linear_term, network.factor, network.normals, network.point, network.slack]
    results = []
    for solve in (network.minimiser, lambda p: primal(qpth, network, p)):
        values = solve(linear_term)
        results.append([values, *torch.autograd.grad((values * scale).sum(), wanted)])
    _, normals, bound = network.program()
    tight = (results[0][0] @ normals.t() - bound).abs() < 1e-6
    assert 0.1 < tight.double().mean() < 0.9
    for found, expected in zip(*results, strict=True):
        assert expected.abs().max() > 0.1
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert network.solves.samples == 12
    assert network.solves.unsolved == 0


@pytest.mark.usefixtures("qpth")
def test_values_are_those_of_scipy():
    network = trained(seed=1)
    linear_term = rows(4, 8, seed=2)
    found = network.minimiser(linear_term).detach().numpy()
    curvature, normals, bound = (t.detach().numpy() for t in network.program())
    for p, z in zip(linear_term.numpy(), found, strict=True):
        expected = minimize(
            lambda z, p=p: 0.5 * z @ curvature @ z + p @ z,
            network.point.detach().numpy(),
            jac=lambda z, p=p: curvature @ z + p,
            constraints={
                "type": "ineq", "fun": lambda z: bound - normals @ z, "jac": lambda _: -normals,
            },
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 300},
        )  # fmt: skip
        assert expected.success
        np.testing.assert_allclose(z, expected.x, atol=1e-5)


@pytest.mark.usefixtures("qpth")
def test_gradients_are_those_of_finite_differences():
    network = trained(nodes=3, constraints=2)
    x = rows(3, 4).requires_grad_()
    assert torch.autograd.gradcheck(network, (x,), eps=1e-4, atol=1e-4, rtol=1e-3)
    for name in ("factor", "normals", "point", "slack"):
        value = network.get_parameter(name).detach().clone().requires_grad_()

        def of_parameter(value, name=name):
            return torch.func.functional_call(network, {name: value}, (x.detach(),))

        assert torch.autograd.gradcheck(of_parameter, (value,), eps=1e-4, atol=1e-4, rtol=1e-3)


@pytest.mark.usefixtures("qpth")
@pytest.mark.parametrize(("nodes", "constraints"), [(3, 8), (6, 1), (1, 1)])
@pytest.mark.parametrize("batch", [1, 7])
def test_no_constraint_is_broken_however_many_there_are(nodes, constraints, batch):
    network = OptNet(4, 2, nodes=nodes, constraints=constraints, seed=0)
    p = 3 * rows(batch, nodes).float()
    z = network.minimiser(p)
    _, normals, bound = network.program()
    assert z.dtype == torch.float32
    assert (z.double() @ normals.t() <= bound + 1e-4).all()
    assert network.solves.share == 0
    z.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in (network.factor, network.normals))


@pytest.mark.usefixtures("qpth")
def test_without_a_binding_constraint_it_is_linear():
    network = trained(constraints=2)
    with torch.no_grad():
        network.slack.fill_(100.0)
    linear_term = rows(5, 8)
    expected = -torch.linalg.solve(network.program()[0], linear_term.t()).t()
    torch.testing.assert_close(network.minimiser(linear_term), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.usefixtures("qpth")
def test_the_point_is_feasible_whatever_the_slack():
    network = trained()
    with torch.no_grad():
        network.slack.fill_(-50.0)
    _, normals, bound = network.program()
    assert (normals @ network.point <= bound).all()


@pytest.mark.usefixtures("qpth")
def test_the_objective_is_convex_whatever_the_factor():
    network = trained()
    above = torch.ones(8, 8, dtype=torch.bool).triu(1)
    network.minimiser(rows(5, 8)).sum().backward()
    assert (network.factor.grad[above] == 0).all()
    assert network.factor.grad[~above].abs().max() > 0
    with torch.no_grad():
        network.factor[~above] = 0
    expected = 1e-4 * torch.eye(8, dtype=torch.float64)
    torch.testing.assert_close(network.program()[0], expected, rtol=0, atol=0)
    assert network.minimiser(rows(5, 8)).isfinite().all()


@pytest.mark.usefixtures("qpth")
def test_the_activation_is_that_of_the_encoder():
    network = trained(activation="relu")
    x = rows(5, 4)
    expected = network.decoder(network.minimiser(torch.relu(network.encoder(x))))
    torch.testing.assert_close(network(x), expected, rtol=0, atol=0)


def test_unsolved_samples_are_counted(qpth, monkeypatch):
    network = trained()
    original = qpth.QPFunction
    monkeypatch.setattr(qpth, "QPFunction", lambda **kw: original(**{**kw, "maxIter": 1}))
    network.minimiser(rows(6, 8))
    assert network.solves.samples == 6
    assert network.solves.share > 0.5
    assert network.solves.residual > 1e-3


@pytest.mark.usefixtures("qpth")
def test_a_network_of_the_same_shape_takes_its_state():
    network = OptNet(4, 3, nodes=6, constraints=2, activation="tanh", seed=0)
    x = rows(5, 4).float()
    expected = network(x)
    other = OptNet(**network.config())
    other.load_state_dict(network.state_dict())
    again = OptNet(**network.config(), seed=0)
    for twin in (other, again, copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert twin.config() == network.config()
        torch.testing.assert_close(twin(x), expected, rtol=0, atol=0)


@pytest.mark.usefixtures("qpth")
def test_learns_what_no_linear_map_can():
    x = np.random.default_rng(0).standard_normal((120, 2)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    network = OptNet(2, 2, nodes=10, constraints=10, seed=0)
    options = TrainingOptions(epochs=6, learning_rate=0.5, batch_size=12)
    fitted = fit(network, x, y, task="classification", options=options, validation=(x, y))
    assert fitted.history[-1]["validation_error"] < 0.25


@pytest.mark.parametrize(("options", "text"), [
    ({"activation": "swish"}, "unknown activation swish"),
    ({"inputs": 0}, "inputs: expected at least 1, got 0"),
    ({"outputs": 0}, "outputs: expected at least 1, got 0"),
    ({"nodes": 0}, "nodes: expected at least 1, got 0"),
    ({"constraints": 0}, "constraints: expected at least 1, got 0"),
])  # fmt: skip
def test_mistakes_are_named(options, text):
    with pytest.raises(EngineError, match=text):
        OptNet(**{"inputs": 4, "outputs": 2, **options})


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "qpth.qp", None)
    with pytest.raises(MissingDependencyError, match=r"pip install --no-deps \"qpth>=0.0.18\""):
        OptNet(4, 2)
