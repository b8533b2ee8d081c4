"""Algorithms 1 to 3 and Theorems 3.1 and 3.2 of the neural-modules paper."""

import networkx as nx
import numpy as np
import pytest
import torch
from torch.nn import functional

from nervure import GraphLayer, NeuralModules, SparseMLP, Topology
from nervure.errors import EngineError
from nervure.rules import Repulsion, Rule


def make(keep=60, alpha=0.0, nodes=20, lr=0.1, momentum=0.0, **options):
    network = NeuralModules(5, 3, nodes=nodes, seed=0, tolerance=1e-10).double()
    optimizer = torch.optim.SGD(network.parameters(), lr=lr, momentum=momentum)
    return network, optimizer, Repulsion(network, optimizer, keep=keep, alpha=alpha, **options)


def backward(network, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(16, 5, generator=generator, dtype=torch.float64)
    y = torch.randint(3, (16,), generator=generator)
    loss = functional.cross_entropy(network(x), y)
    loss.backward()
    return loss


def off_diagonal_magnitudes(network):
    weight = network.core.weight.detach().abs().numpy().copy()
    np.fill_diagonal(weight, -1)
    return weight


def test_is_a_rule():
    assert isinstance(make()[2], Rule)


def test_keeps_exactly_the_largest_weights():
    network, optimizer, rule = make(keep=60)
    for seed in range(5):
        backward(network, seed)
        optimizer.step()
        rewiring = rule.step()
        optimizer.zero_grad()
        weight = off_diagonal_magnitudes(network)
        order = np.sort(weight.ravel())[::-1]
        expected = {(s, t) for t, s in np.argwhere(weight >= order[59])}
        assert {tuple(e) for e in network.topology.edges.tolist()} == expected
        assert rule.gamma == pytest.approx(order[59], rel=0, abs=0)
        assert network.gamma.item() == rule.gamma
        assert rewiring.after is network.topology
        assert len(rewiring.pruned) == len(rewiring.grown)


def test_gradient_at_the_sparse_point_moves_every_dense_weight():
    network, optimizer, _ = make(keep=30)
    before = network.core.weight.detach().clone()
    backward(network)
    optimizer.step()
    moved = (network.core.weight.detach() != before).sum().item()
    assert moved > 0.95 * 20 * 20


def test_absent_edge_with_a_large_gradient_comes_back():
    network, optimizer, rule = make(keep=30)
    absent = off_diagonal_magnitudes(network)
    absent[network.topology.targets, network.topology.sources] = -1
    target, source = np.unravel_index(absent.argmax(), absent.shape)
    network.core.weight.grad = torch.zeros_like(network.core.weight)
    network.core.weight.grad[target, source] = -100.0
    optimizer.step()
    rewiring = rule.step()
    assert [source, target] in rewiring.grown.tolist()
    assert len(rewiring.pruned) == 1


def test_ties_do_not_change_the_budget():
    network, _, rule = make(keep=37)
    with torch.no_grad():
        network.core.weight.fill_(0.25)
    rule.step()
    assert network.topology.num_edges == 37


@pytest.mark.parametrize("scale", ["none", "mean"])
def test_theorem_3_1_to_the_letter(scale):
    """w <- w (1 - eta alpha r) - eta dJ/dw, with r of eq. 9 and 10 computed by networkx."""
    eta, alpha = 0.1, 1e-4
    network, optimizer, _ = make(keep=80, alpha=alpha, lr=eta, form="exact", scale=scale)
    weight = network.core.weight.detach().clone()
    topology = network.topology
    size = np.zeros(20)
    graph = topology.to_networkx()
    for component in nx.strongly_connected_components(graph):
        size[list(component)] = len(component)
    if scale == "mean":
        size /= size.mean()
    normal = np.zeros((20, 20))
    kept = weight.abs().numpy()[topology.targets, topology.sources]
    normal[topology.targets, topology.sources] = kept / kept.max()
    distance = np.exp(-normal)
    r = size[:, None] * size[None, :] / distance
    np.fill_diagonal(r, 0.0)
    assert eta * alpha * r.max() < 1
    backward(network)
    gradient = network.core.weight.grad.clone()
    optimizer.step()
    expected = weight * (1 - eta * alpha * torch.from_numpy(r)) - eta * gradient
    torch.testing.assert_close(network.core.weight.detach(), expected, rtol=1e-12, atol=1e-14)


def test_theorem_3_1_is_gradient_descent_on_the_regularised_objective():
    """Eq. 17: the decay is the gradient of alpha/2 sum r w^2 with r held fixed (autograd)."""
    eta, alpha = 0.05, 1e-4
    network, optimizer, rule = make(keep=80, alpha=alpha, lr=eta, form="exact", scale="none")
    r = rule.repulsion()
    weight = network.core.weight
    loss = backward(network)
    penalty_gradient = torch.autograd.grad(0.5 * alpha * (r * weight**2).sum(), weight)[0]
    expected = weight.detach() - eta * (weight.grad + penalty_gradient)
    optimizer.step()
    assert loss.isfinite()
    torch.testing.assert_close(weight.detach(), expected, rtol=1e-12, atol=1e-14)


def test_theorem_3_2_posterior_of_the_linear_model():
    """Mean and covariance of eq. 13 against the grid-free Gaussian identity and MAP descent.

    The oracle builds the joint Gaussian of weights and targets and conditions it, which uses
    neither the normal equations nor the theorem.
    """
    generator = np.random.default_rng(0)
    samples, features, delta, tau = 30, 4, 0.3, 0.7
    X = generator.normal(size=(samples, features))
    r = generator.uniform(0.5, 4.0, size=features)
    y = X @ generator.normal(size=features) + delta * generator.normal(size=samples)

    prior = np.diag(tau**2 / r)
    cross = prior @ X.T
    gain = cross @ np.linalg.inv(X @ cross + delta**2 * np.eye(samples))
    mean, covariance = gain @ y, prior - gain @ cross.T

    lam = delta**2 / tau**2
    precision = np.linalg.inv(X.T @ X + lam * np.diag(r))
    np.testing.assert_allclose(precision @ X.T @ y, mean, rtol=1e-9)
    np.testing.assert_allclose(delta**2 * precision, covariance, rtol=1e-7, atol=1e-12)

    # And the NM-regularised objective (eq. 21) descends to that mean.
    w = torch.zeros(features, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([w], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-15)
    X_, y_, r_ = (torch.from_numpy(v) for v in (X, y, r))

    def objective():
        optimizer.zero_grad()
        value = ((y_ - X_ @ w) ** 2).sum() + lam * (r_ * w**2).sum()
        value.backward()
        return value

    optimizer.step(objective)
    np.testing.assert_allclose(w.detach().numpy(), mean, rtol=1e-6)


def test_larger_repulsion_pulls_the_posterior_to_zero_and_narrows_it():
    """The reading of Theorem 3.2 in the paper, for one weight among independent ones."""
    x = np.random.default_rng(1).normal(size=50)
    means, variances = [], []
    for r in (0.1, 1.0, 10.0, 100.0):
        precision = x @ x + r
        means.append(abs(x @ (2 * x) / precision))
        variances.append(1 / precision)
    assert means == sorted(means, reverse=True)
    assert variances == sorted(variances, reverse=True)


@pytest.mark.parametrize("form", ["implicit", "clamped"])
def test_bounded_forms_never_flip_a_sign(form):
    network, optimizer, _ = make(keep=300, alpha=1e3, form=form, scale="none")
    before = network.core.weight.detach().clone()
    network.core.weight.grad = torch.zeros_like(before)
    optimizer.step()
    after = network.core.weight.detach()
    assert (after * before >= 0).all()
    assert (after.abs() <= before.abs()).all()
    assert torch.equal(after.diagonal(), before.diagonal())


def test_exact_form_flips_signs_beyond_its_range():
    network, optimizer, _ = make(keep=300, alpha=1e3, form="exact", scale="none")
    before = network.core.weight.detach().clone()
    network.core.weight.grad = torch.zeros_like(before)
    optimizer.step()
    assert (network.core.weight.detach() * before < 0).any()


def test_l2_shrinks_all_edges_alike_and_spares_biases():
    network, optimizer, _ = make(keep=60, alpha=0.5, penalty="l2", form="exact")
    with torch.no_grad():
        network.core.weight.diagonal().fill_(0.3)
    before = network.core.weight.detach().clone()
    network.core.weight.grad = torch.zeros_like(before)
    optimizer.step()
    ratio = network.core.weight.detach() / before
    assert torch.allclose(ratio.diagonal(), torch.ones(20, dtype=torch.float64))
    off = ratio[~torch.eye(20, dtype=torch.bool)]
    assert torch.allclose(off, torch.full_like(off, 1 - 0.1 * 0.5))


def test_no_penalty_leaves_the_weights_to_the_optimizer():
    network, optimizer, _ = make(alpha=10.0, penalty="none")
    before = network.core.weight.detach().clone()
    network.core.weight.grad = torch.zeros_like(before)
    optimizer.step()
    assert torch.equal(network.core.weight.detach(), before)


def test_strong_repulsion_breaks_a_giant_module_apart():
    def largest(alpha):
        network, optimizer, rule = make(keep=60, alpha=alpha, nodes=30, lr=0.1)
        for seed in range(150):
            backward(network, seed)
            optimizer.step()
            rule.step()
            optimizer.zero_grad()
        return max(network.topology.components.sizes)

    assert largest(0.3) < largest(0.0)


def test_detach_takes_the_decay_off():
    network, optimizer, rule = make(alpha=1.0)
    rule.detach()
    before = network.core.weight.detach().clone()
    network.core.weight.grad = torch.zeros_like(before)
    optimizer.step()
    assert torch.equal(network.core.weight.detach(), before)


def test_state_dict_round_trip():
    _, _, rule = make(keep=60, alpha=0.1)
    _, _, other = make(keep=50, alpha=0.0)
    other.load_state_dict(rule.state_dict())
    assert (other.keep, other.alpha, other.gamma) == (60, 0.1, rule.gamma)


def test_works_on_a_bare_layer():
    layer = GraphLayer(Topology.complete(6), storage="dense", activation="tanh")
    rule = Repulsion(layer, torch.optim.SGD(layer.parameters(), lr=0.1), keep=4)
    assert layer.topology.num_edges == 4
    assert rule.step().after.num_edges == 4


def test_all_problems_are_reported_at_once():
    layer = GraphLayer(Topology.complete(4))
    stranger = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    with pytest.raises(EngineError) as caught:
        Repulsion(layer, stranger, keep=99, alpha=-1.0, penalty="wrong")
    for word in ("dense storage", "keep: expected 1 to 12", "alpha", "penalty", "optimizer"):
        assert word in str(caught.value)


def test_nan_weights_are_named_with_a_remedy():
    network, _, rule = make()
    with torch.no_grad():
        network.core.weight[0, 1] = float("nan")
    with pytest.raises(EngineError, match=r"NaN.*lower the learning rate"):
        rule.step()


# -- closures --------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer_class", [torch.optim.SGD, torch.optim.Adam])
def test_a_closure_trains_as_the_plain_loop(optimizer_class):
    """The other decays by hand: w / (1 + lr alpha), once the gradient is there."""
    ours, theirs = (NeuralModules(5, 3, nodes=20, seed=0).double() for _ in range(2))
    optimizer = optimizer_class(ours.parameters(), lr=0.05)
    rule = Repulsion(ours, optimizer, keep=60, alpha=0.5, penalty="l2")
    plain = optimizer_class(theirs.parameters(), lr=0.05)
    choice = Repulsion(theirs, plain, keep=60, alpha=0)
    off_diagonal = ~torch.eye(20, dtype=torch.bool)
    for seed in range(4):

        def closure(seed=seed):
            optimizer.zero_grad()
            return backward(ours, seed)

        assert optimizer.step(closure) > 0
        plain.zero_grad()
        backward(theirs, seed)
        with torch.no_grad():
            theirs.core.weight[off_diagonal] /= 1 + 0.05 * 0.5
        plain.step()
        assert rule.step().after == choice.step().after
    torch.testing.assert_close(ours.core.weight, theirs.core.weight)
    torch.testing.assert_close(ours.core.weight.grad, theirs.core.weight.grad)


def test_a_step_that_calls_its_closure_often_decays_once():
    class Looks(torch.optim.Optimizer):
        def step(self, closure):
            for _ in range(3):
                closure()

    network, _, _ = make()
    optimizer = Looks(network.parameters(), {"lr": 0.1})
    Repulsion(network, optimizer, keep=60, alpha=1.0, penalty="l2", form="exact")
    before = off_diagonal_magnitudes(network)
    optimizer.step(lambda: backward(network))
    np.fill_diagonal(before, -1 / 0.9)
    np.testing.assert_allclose(off_diagonal_magnitudes(network), 0.9 * before)


@pytest.mark.parametrize("scaled", [False, True])
def test_a_fused_optimizer_divides_by_the_scale_of_a_grad_scaler(scaled):
    network = NeuralModules(5, 3, nodes=20, seed=0)
    expected = NeuralModules(5, 3, nodes=20, seed=0)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, fused=True)
    second = torch.optim.SGD(expected.parameters(), lr=0.1)
    Repulsion(network, optimizer, keep=60, alpha=0)
    Repulsion(expected, second, keep=60, alpha=0)
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0, enabled=scaled)
    x = torch.randn(16, 5, generator=torch.Generator().manual_seed(0))
    scaler.scale(network(x).square().mean()).backward()
    scaler.step(optimizer)
    expected(x).square().mean().backward()
    second.step()
    torch.testing.assert_close(network.core.weight, expected.core.weight)


def test_a_network_without_dense_storage_is_refused_in_words():
    network = SparseMLP([4, 6, 2], density=0.5, seed=0)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    with pytest.raises(EngineError, match="network: expected dense storage"):
        Repulsion(network, optimizer, keep=5)
    with pytest.raises(EngineError, match="expected a GraphLayer or a network with one"):
        Repulsion(torch.nn.Linear(2, 2), optimizer, keep=5)
