"""Pruning of units and edges in rounds of training."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from nervure import FreeNet, GraphLayer, Topology
from nervure.errors import EngineError
from nervure.modules import boolean_task, detect_modules
from nervure.rules import EdgePruning, Rule, UnitPruning, unit_sensitivity


def layer_of(sizes, seed=0, activation="relu", dtype=torch.float32, density=1.0):
    hidden = sum(sizes[1:-1])
    return GraphLayer(
        Topology.layered(sizes, density=density, seed=seed),
        activation=["identity"] * sizes[0] + [activation] * hidden + ["identity"] * sizes[-1],
        generator=torch.Generator().manual_seed(seed),
        dtype=dtype,
    )


def samples_of(inputs, outputs, rows=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, inputs, generator=generator, dtype=torch.float64)
    return x, torch.randint(2, (rows, outputs), generator=generator).double()


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(["relu", "tanh", "sigmoid", "identity"]), st.integers(0, 20))
def test_sensitivity_is_the_slope_along_a_gate_on_each_unit(activation, seed):
    sizes = [3, 5, 4, 2]
    layer = layer_of(sizes, seed, activation, torch.float64, density=0.7)
    with torch.no_grad():
        layer.bias.normal_(generator=torch.Generator().manual_seed(seed))
        layer.bias[:3] = 0
    x, y = samples_of(3, 2, seed=seed)

    def loss(output):
        return bce(output, y, reduction="none").mean(1)

    # The same network by hand, every unit times a gate of its own for every sample.
    nodes, topology = sum(sizes), layer.topology
    gates = torch.ones(len(x), nodes, dtype=torch.float64, requires_grad=True)
    function = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}.get(
        activation, lambda z: z
    )
    matrix = torch.zeros(nodes, nodes, dtype=torch.float64)
    matrix[topology.targets.astype(int), topology.sources.astype(int)] = layer.weight.detach()
    values = []
    for i in range(nodes):
        z = (
            x[:, i]
            if i < 3
            else layer.bias[i].detach() + sum(matrix[i, j] * values[j] for j in range(i))
        )
        values.append(gates[:, i] * (z if i < 3 or i >= nodes - 2 else function(z)))
    loss(torch.stack(values[-2:], 1)).sum().backward()
    np.testing.assert_allclose(
        unit_sensitivity(layer, x, loss), gates.grad.abs().mean(0), atol=1e-12
    )


def sculpt(rule, layer, optimizer, x, y, batch=8, seed=0):
    order = torch.Generator().manual_seed(seed)
    for _ in range(2000):
        for rows in torch.randperm(len(x), generator=order).split(batch):
            optimizer.zero_grad()
            bce(layer(x[rows]), y[rows]).backward()
            optimizer.step()
            rule.step()
            if rule.done:
                return
    raise AssertionError("the rule does not end")


def boolean(name):
    x, y = boolean_task(name).truth_table()
    return (torch.from_numpy(np.asarray(values, dtype=np.float32)) for values in (x, y))


def test_units_then_edges_lay_the_two_functions_bare():
    x, y = boolean("input-separable")
    layer = layer_of([4, 24, 24, 4], seed=2)

    def measure():
        with torch.no_grad():
            return float(((layer(x) > 0) == (y > 0.5)).double().mean())

    common = {"measure": measure, "threshold": 1.0, "interval": 40, "check_every": 2}
    start = layer.topology.num_edges
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05, weight_decay=1e-4)
    rule = UnitPruning(
        layer, optimizer, data=x, loss=lambda out: bce(out, y, reduction="none").mean(1),
        step=0.4, **common,
    )  # fmt: skip
    assert isinstance(rule, Rule)
    sculpt(rule, layer, optimizer, x, y)
    assert measure() == 1
    live = layer.topology
    used = (live.in_degree > 0) & (live.out_degree > 0)
    assert 0 < used.sum() <= 20
    rule = EdgePruning(layer, optimizer, step=0.02, edges_of_start=start, **common)
    sculpt(rule, layer, optimizer, x, y)
    assert measure() == 1
    assert layer.topology.num_edges < 50
    assert rule.rounds[0][0] == 0
    shares = [share for share, _, accepted in rule.rounds if accepted]
    assert shares == sorted(shares)
    found = detect_modules(layer.topology)
    assert {tuple(sorted(set(m) & set(range(4)))) for m in found.modules} >= {(0, 1), (2, 3)}


def test_a_round_that_fails_is_taken_back_to_the_bit():
    x, y = boolean("input-separable")
    layer = layer_of([4, 10, 4], seed=1)
    merits = iter([1.0, 1.0, 0.2, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0])
    states = []

    def measure():
        states.append(copy.deepcopy(layer.state_dict()))
        return next(merits)

    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    rule = EdgePruning(layer, optimizer, measure=measure, threshold=0.9, interval=3, step=0.1)
    sculpt(rule, layer, optimizer, x, y)
    assert [accepted for _, _, accepted in rule.rounds[:4]] == [True, True, False, False]
    for name, value in layer.state_dict().items():
        torch.testing.assert_close(value, states[1][name], rtol=0, atol=0)
    assert layer.topology.num_edges == round(80 * 0.9)


def test_the_best_check_of_a_round_is_kept():
    x, y = boolean("input-separable")
    layer = layer_of([4, 6, 4], seed=1)
    seen = []

    def measure():
        seen.append(layer.weight.detach().clone())
        return [0.5, 0.95, 0.6][len(seen) - 1] if len(seen) <= 3 else 0.0

    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    rule = EdgePruning(layer, optimizer, measure=measure, threshold=0.9, interval=6, check_every=2)
    for _ in range(6):
        optimizer.zero_grad()
        bce(layer(x), y).backward()
        optimizer.step()
        rewiring = rule.step()
    assert rule.rounds == [(0.0, 0.95, True)]
    kept = layer.topology.edge_positions_in(rewiring.before)
    torch.testing.assert_close(layer.weight.detach(), seen[1][torch.from_numpy(kept)])
    assert not optimizer.state


def test_a_network_that_never_does_its_job_is_left_alone():
    x, y = boolean("input-separable")
    layer = layer_of([4, 6, 4])
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    rule = EdgePruning(layer, optimizer, measure=lambda: float("nan"), threshold=0.9, interval=2)
    sculpt(rule, layer, optimizer, x, y)
    assert len(rule.rounds) == 1
    assert layer.topology.num_edges == 48


def test_edges_of_a_freenet_are_pruned_too():
    x, y = boolean("input-separable")
    net = FreeNet(4, 4, neurons=16, seed=0)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)

    def measure():
        with torch.no_grad():
            return float(((net(x) > 0) == (y > 0.5)).double().mean())

    rule = EdgePruning(net, optimizer, measure=measure, threshold=1.0, interval=200, step=0.3)
    sculpt(rule, net, optimizer, x, y)
    assert measure() == 1
    assert net.topology.num_edges < 120


def test_mistakes_are_named():
    layer = layer_of([4, 6, 4])
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    common = {"measure": lambda: 1.0, "threshold": 1.0, "interval": 2}
    with pytest.raises(EngineError, match="interval: expected at least 1, got 0"):
        EdgePruning(layer, optimizer, measure=lambda: 1.0, threshold=1.0, interval=0)
    with pytest.raises(EngineError, match="does not hold the weights"):
        EdgePruning(layer_of([4, 6, 4]), optimizer, **common)
    with pytest.raises(EngineError, match="expected a GraphLayer"):
        EdgePruning(torch.nn.Linear(2, 2), optimizer, **common)
    net = GraphLayer(Topology.layered([4, 4]))
    own = torch.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(EngineError, match="none is hidden; prune edges"):
        UnitPruning(net, own, data=torch.zeros(2, 4), loss=lambda out: out.sum(1), **common)


def test_a_resumed_run_goes_on_alike():
    x, y = boolean("input-separable")
    layer = layer_of([4, 10, 4], seed=1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.2)
    merit = {"now": 1.0}
    common = {"measure": lambda: merit["now"], "threshold": 0.9, "interval": 4, "step": 0.2}
    rule = EdgePruning(layer, optimizer, **common)

    def train(layer, optimizer, rule, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            bce(layer(x), y).backward()
            optimizer.step()
            rule.step()

    train(layer, optimizer, rule, 6)
    other = copy.deepcopy(layer)
    second = torch.optim.SGD(other.parameters(), lr=0.2)
    resumed = EdgePruning(other, second, edges_of_start=80, **common)
    resumed.load_state_dict(rule.state_dict())
    merit["now"] = 0.5
    train(layer, optimizer, rule, 10)
    train(other, second, resumed, 10)
    assert rule.rounds == resumed.rounds
    torch.testing.assert_close(other.weight, layer.weight)
    assert other.topology == layer.topology


def test_a_measure_that_fails_once_does_not_settle_the_round():
    x, y = boolean("input-separable")
    layer = layer_of([4, 6, 4])
    merits = iter([float("nan"), 0.5, 0.95, float("nan")])
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    rule = EdgePruning(
        layer, optimizer, measure=lambda: next(merits), threshold=0.9, interval=4, check_every=1
    )
    for _ in range(4):
        optimizer.zero_grad()
        bce(layer(x), y).backward()
        optimizer.step()
        rule.step()
    assert rule.rounds == [(0.0, 0.95, True)]


def test_of_few_edges_that_are_left_never_all_go():
    layer = layer_of([4, 6, 4])
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    common = {"measure": lambda: 1.0, "threshold": 0.5, "interval": 1, "step": 0.1}
    rule = EdgePruning(layer, optimizer, edges_of_start=480, **common)
    # Of 480 edges 48 are left, and 0.9 + 0.1 would be all of them.
    assert (rule.search.pruned, rule.search.step) == pytest.approx((0.9, 0.05))
    for _ in range(4):
        rule.step()
        assert layer.topology.num_edges > 0
        again = EdgePruning(layer, optimizer, edges_of_start=480, **common)
        again.load_state_dict(rule.state_dict())
        assert again.search == rule.search
    assert layer.topology.num_edges < 48


@pytest.mark.parametrize("start", [47, 0])
def test_fewer_edges_at_the_start_than_now_are_refused(start):
    layer = layer_of([4, 6, 4])
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    with pytest.raises(EngineError, match=f"at least the 48 edges present, got {start}"):
        EdgePruning(
            layer, optimizer, measure=lambda: 1.0, threshold=1.0, interval=2, edges_of_start=start
        )
