"""Units and edges of networks whose core stands between an encoder and a decoder."""

import copy
import io

import numpy as np
import pytest
import torch
from sklearn import datasets
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from nervure import FreeNet, GraphLayer, NeuralModules, Topology
from nervure.engine.contraction import contracted
from nervure.rules import EdgePruning, UnitPruning


def table(name):
    """Standardised features; training and validation part."""
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    train, test, *labels = train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)
    mean, scale = train.mean(0), train.std(0) + 1e-9
    x, test = (torch.tensor((part - mean) / scale, dtype=torch.float32) for part in (train, test))
    return x, torch.tensor(labels[0]), test, torch.tensor(labels[1])


def accuracy(net, x, y):
    with torch.no_grad():
        return float((net(x).argmax(1) == y).double().mean())


def sculpt(rule, net, optimizer, x, y, batch=64, loss=cross_entropy, steps=20_000):
    order, rest = torch.Generator().manual_seed(0), []
    for _ in range(steps):
        if rule.done:
            return
        rest = rest or list(torch.randperm(len(x), generator=order).split(batch))
        rows = rest.pop()
        optimizer.zero_grad()
        loss(net(x[rows]), y[rows]).backward()
        optimizer.step()
        rule.step()
    raise AssertionError("the rule does not end")


def freenet(features, outputs, activation="relu"):
    return FreeNet(features, outputs, neurons=30, activation=activation, seed=0)


def modules(features, outputs, activation="tanh"):
    return NeuralModules(
        features, outputs, nodes=20, activation=activation, contraction=0.9, seed=0
    )


def small(features, outputs, activation="tanh"):
    return modules(features, outputs, activation).compact()


def small_network_of(net, units):
    """The network of some units only, by hand: rows and columns of the rest are not there."""
    number = {int(unit): i for i, unit in enumerate(units)}
    edges = [(number[a], number[b]) for a, b in net.topology.edges.tolist()]
    core = GraphLayer(
        Topology.from_edges(edges, len(units), inputs=range(len(units)), outputs=range(len(units))),
        activation=[net.core.activation[unit] for unit in units],
    )
    assert core.topology.edges.tolist() == [list(edge) for edge in edges]
    rows, encoder, decoder = torch.from_numpy(units), net.encoder, net.decoder
    with torch.no_grad():
        core.weight.copy_(net.core.edge_weight)
        core.bias.copy_(net.core.node_bias[rows])

    def run(x):
        drive = nn.functional.linear(x, encoder.weight[rows], encoder.bias[rows])
        return nn.functional.linear(core(drive), decoder.weight[:, rows], decoder.bias)

    return run


@pytest.mark.parametrize(
    ("make", "name", "threshold", "few"),
    [(freenet, "digits", 0.95, 20), (modules, "wine", 0.96, 6), (small, "wine", 0.96, 6)],
)
def test_units_then_edges_go_and_the_accuracy_is_held(make, name, threshold, few):
    x, y, x_test, y_test = table(name)
    net = make(x.shape[1], len(y.unique()))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=1e-4)
    common = {
        "measure": lambda: accuracy(net, x_test, y_test), "threshold": threshold,
        "check_every": 20,
    }  # fmt: skip
    rule = UnitPruning(
        net, optimizer, data=x, loss=lambda out: cross_entropy(out, y, reduction="none"),
        interval=100, step=0.2, **common,
    )  # fmt: skip
    nodes, start = net.topology.num_nodes, net.topology.num_edges
    np.testing.assert_array_equal(rule.units_left, np.arange(nodes))
    sculpt(rule, net, optimizer, x, y)
    assert accuracy(net, x_test, y_test) >= threshold
    left = rule.units_left
    assert 1 <= len(left) <= few
    assert len(left) == pytest.approx(nodes * (1 - rule.search.pruned), abs=1)
    few_units = small_network_of(net, left)
    with torch.no_grad():
        torch.testing.assert_close(few_units(x_test), net(x_test), rtol=1e-3, atol=1e-3)

    edges, encoder = net.topology.num_edges, net.encoder.weight
    assert edges <= start * (len(left) / nodes)
    rule = EdgePruning(net, optimizer, interval=60, step=0.2, **common)
    sculpt(rule, net, optimizer, x, y)
    assert accuracy(net, x_test, y_test) >= threshold
    assert net.topology.num_edges < edges or edges <= 2
    # Edges are those of the core: the units that are left keep every weight around it.
    assert (encoder != 0).any(1).nonzero().flatten().tolist() == left.tolist()
    assert bool((encoder[torch.from_numpy(left)] != 0).all())


@pytest.mark.parametrize("make", [freenet, modules, small])
def test_a_regression_is_sculpted_too(make):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 4, generator=generator)
    y = torch.stack([x[:, 0] * 2 - x[:, 1], x[:, 2]], 1)
    net = make(4, 2, "tanh")

    def measure():
        with torch.no_grad():
            return -float(mse_loss(net(x), y))

    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    rule = UnitPruning(
        net, optimizer, data=x, loss=lambda out: (out - y).square().mean(1), measure=measure,
        threshold=-0.1, interval=60,
    )  # fmt: skip
    sculpt(rule, net, optimizer, x, y, loss=mse_loss)
    assert measure() >= -0.1
    assert 2 <= len(rule.units_left) <= 10


def gone_after_one_round(make, activation, optimizer_of, steps=12):
    """A network after a round of training that follows the first pruning."""
    x, y, *_ = table("iris")
    net = make(4, 3, activation)
    optimizer = optimizer_of(net.parameters())
    rule = UnitPruning(
        net, optimizer, data=x, loss=lambda out: cross_entropy(out, y, reduction="none"),
        measure=lambda: 1.0, threshold=0.5, interval=steps, step=0.3,
    )  # fmt: skip
    for _ in range(2 * steps - 1):
        optimizer.zero_grad()
        cross_entropy(net(x), y).backward()
        optimizer.step()
        rule.step()
    every = np.arange(net.topology.num_nodes)
    return net, optimizer, rule, np.setdiff1d(every, rule.units_left), (x, y)


@pytest.mark.parametrize("make", [freenet, modules, small])
@pytest.mark.parametrize("activation", ["sigmoid", "gelu", "tanh"])
@pytest.mark.parametrize(
    "optimizer_of",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
        lambda p: torch.optim.AdamW(p, lr=0.05),
    ],
)
def test_a_pruned_unit_is_zero_and_never_comes_back(make, activation, optimizer_of):
    net, optimizer, rule, gone, (x, y) = gone_after_one_round(make, activation, optimizer_of)
    assert len(gone) == round(0.3 * net.topology.num_nodes)
    # Another rule and training without one know nothing of the pruned units.
    edges = EdgePruning(net, optimizer, measure=lambda: 1.0, threshold=0.5, interval=10, step=0.1)
    for _ in range(25):
        optimizer.zero_grad()
        cross_entropy(net(x), y).backward()
        optimizer.step()
        edges.step()
    assert len(edges.rounds) == 2
    rows = torch.from_numpy(gone)
    assert not net.encoder.weight[rows].any()
    assert not net.encoder.bias[rows].any()
    assert not net.decoder.weight[:, rows].any()
    assert not net.core.node_bias[rows].any()
    with torch.no_grad():
        assert not net.core(net.encoder(x))[:, rows].any()
    topology = net.topology
    assert not topology.in_degree[gone].any()
    assert not topology.out_degree[gone].any()
    if net.core.storage == "dense":
        assert not net.core.weight[rows].any()
        assert not net.core.weight[:, rows].any()
    every = np.arange(topology.num_nodes)
    np.testing.assert_array_equal(rule.units_left, np.setdiff1d(every, gone))


@pytest.mark.parametrize("make", [freenet, modules, small])
def test_a_round_that_fails_is_taken_back_to_the_bit(make):
    x, y, *_ = table("iris")
    net = make(4, 3, "sigmoid")
    merits, states = iter([1.0, 1.0]), []

    def measure():
        states.append(copy.deepcopy(net.state_dict()))
        return next(merits, 0.0)

    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    rule = UnitPruning(
        net, optimizer, data=x, loss=lambda out: cross_entropy(out, y, reduction="none"),
        measure=measure, threshold=0.9, interval=3, step=0.3,
    )  # fmt: skip
    sculpt(rule, net, optimizer, x, y)
    assert [accepted for *_, accepted in rule.rounds[:3]] == [True, True, False]
    assert states[1].keys() == net.state_dict().keys()
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, states[1][name], rtol=0, atol=0)
    assert len(rule.units_left) == round(0.7 * net.topology.num_nodes)
    assert net.core.activation.count("identity") == net.topology.num_nodes - len(rule.units_left)


@pytest.mark.parametrize("make", [freenet, modules, small])
def test_a_resumed_run_goes_on_alike(make):
    x, y, *_ = table("iris")

    def ruled(net):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        rule = UnitPruning(
            net, optimizer, data=x, loss=lambda out: cross_entropy(out, y, reduction="none"),
            measure=lambda: merit, threshold=0.9, interval=4, step=0.2,
        )  # fmt: skip
        return net, optimizer, rule

    def train(net, optimizer, rule, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            cross_entropy(net(x), y).backward()
            optimizer.step()
            rule.step()

    merit = 1.0
    one = ruled(make(4, 3, "sigmoid"))
    train(*one, 6)
    file = io.BytesIO()
    torch.save({"net": one[0].state_dict(), "rule": one[2].state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=False)
    other = ruled(make(4, 3, "sigmoid"))
    other[0].load_state_dict(saved["net"])
    other[2].load_state_dict(saved["rule"])
    with torch.no_grad():
        torch.testing.assert_close(other[0](x), one[0](x), rtol=0, atol=0)
    np.testing.assert_array_equal(other[2].units_left, one[2].units_left)
    merit = 0.5
    train(*one, 10)
    train(*other, 10)
    assert one[2].rounds == other[2].rounds
    assert len(one[2].rounds) == 4
    assert one[2].state_dict().keys() == other[2].state_dict().keys()
    for name, value in one[0].state_dict().items():
        torch.testing.assert_close(value, other[0].state_dict()[name], rtol=0, atol=0)


def test_components_stay_contractions():
    net, _, _, _, _ = gone_after_one_round(
        small, "tanh", lambda p: torch.optim.SGD(p, lr=5.0, momentum=0.9)
    )
    core = net.core
    weights = core.edge_weight.numpy()
    scaled = contracted(core.topology, weights, core._codes, 0.9)
    np.testing.assert_allclose(weights, scaled, rtol=1e-5)
