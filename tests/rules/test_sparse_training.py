"""`SparseTraining`: budgets, optimizer state and saving, whatever its parts are."""

import copy
import io
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from nervure import FreeNet, GraphLayer, SparseMLP, Topology, fit
from nervure.errors import EngineError
from nervure.rules import SET, MagnitudePruning, RigL, Rule, SparseTraining, Static
from nervure.rules.parts import Between, Budget, GradientGrowth, Periodic, UniformGrowth
from nervure.training import TrainingOptions

checked = settings(deadline=None, max_examples=30)


def sgd(network, **options):
    return torch.optim.SGD(network.parameters(), **{"lr": 0.05, "momentum": 0.9, **options})


def adam(network):
    return torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=0.1)


def batch(network, seed):
    generator = torch.Generator().manual_seed(seed)
    dtype = network.core.weight.dtype
    x = torch.randn(12, network.sizes[0], generator=generator, dtype=dtype)
    return x, torch.randint(network.sizes[-1], (12,), generator=generator)


def train(network, optimizer, rule, steps, first=0):
    rewirings = []
    for seed in range(first, first + steps):
        x, y = batch(network, seed)
        optimizer.zero_grad()
        functional.cross_entropy(network(x), y).backward()
        optimizer.step()
        rewirings.append(rule.step())
    return rewirings


def per_pair(network, topology=None):
    topology = topology or network.topology
    layers = network.layer_of(topology.targets)
    assert (network.layer_of(topology.sources) == layers - 1).all()
    return np.bincount(layers, minlength=len(network.widths))[1:].tolist()


def random_drop(strengths, share):
    rng = np.random.default_rng(len(strengths))
    return rng.random(len(strengths)) < share


@st.composite
def cases(draw):
    m = draw(st.sampled_from([1, 2]))
    sizes = [m * draw(st.integers(1, 8)) for _ in range(draw(st.integers(2, 4)))]
    network = SparseMLP(
        sizes, density=draw(st.floats(0.05, 1)), motif_size=m, tied=draw(st.booleans()), seed=1
    )
    keep = draw(st.sampled_from([1.0, 0.8, 0.3]))
    grow = draw(st.sampled_from([None, UniformGrowth(), GradientGrowth()]))
    options = {
        "schedule": draw(st.sampled_from([Periodic(0.4, 1), Periodic(1.0, 2), Between(1, 6, 2)])),
        "drop": draw(st.sampled_from(["sign", "magnitude", random_drop])),
        "grow": grow,
        "budget": Budget(keep, 1, 6),
        "distribution": draw(st.sampled_from(["layer", "erk"])),
        "regrow": draw(st.booleans()),
        "evolve_output": len(sizes) == 2 or draw(st.booleans()),
        "optimizer_state": draw(st.sampled_from(["carry", "reset", "drop"])),
    }
    return network, options


@checked
@given(cases())
def test_the_budget_is_kept_to_the_edge(case):
    network, options = case
    if network.topology.num_edges == 0:
        return
    optimizer = sgd(network)
    rule = SparseTraining(network, optimizer, **options)
    start = per_pair(network)
    evolving = len(start) if options["evolve_output"] else len(start) - 1
    keep, budget = options["budget"].keep, options["budget"]
    finals = [round(keep * count) for count in start]
    for step in range(1, 8):
        train(network, optimizer, rule, 1, first=step)
        if options["schedule"].share(step) is None:
            continue
        counts = per_pair(network)
        assert counts[evolving:] == start[evolving:]
        if options["distribution"] == "erk":
            finals = [*rule.state_dict()["final"], *start[evolving:]]
            assert all(final <= count for final, count in zip(finals, start, strict=True))
            whole = sum(start[:evolving])
            if evolving:
                assert sum(finals[:evolving]) == pytest.approx(
                    keep * whole, abs=evolving / 2 + 0.01
                )
        expected = [
            f + round((s - f) * budget.left(step)) for s, f in zip(start, finals, strict=True)
        ]
        assert counts[:evolving] == expected[:evolving]


@pytest.mark.parametrize("distribution", ["layer", "erk", "global"])
@pytest.mark.parametrize("evolve_output", [True, False])
def test_distributions(distribution, evolve_output):
    network = SparseMLP([20, 30, 10], density=1.0, seed=0)
    network.core.weight.data[600:] *= 1e6  # "global" spares the output layer
    optimizer = sgd(network, lr=0.0)
    rule = SparseTraining(
        network, optimizer, schedule=Between(0, 2, 1), budget=Budget(0.5, 0, 2),
        distribution=distribution, evolve_output=evolve_output,
    )  # fmt: skip
    order = network.core.weight.detach().abs()
    train(network, optimizer, rule, 3)
    # 600 : 300 cells; erk in the proportion 50/600 : 40/300 = 5 : 8 per cell.
    unit = 450 / (600 * 5 + 300 * 8)
    expected = {
        ("layer", True): [300, 150], ("layer", False): [300, 300],
        ("erk", True): [round(3000 * unit), round(2400 * unit)], ("erk", False): [300, 300],
        ("global", True): [150, 300], ("global", False): [300, 300],
    }  # fmt: skip
    assert per_pair(network) == expected[distribution, evolve_output]
    if distribution == "global" and evolve_output:
        assert network.core.weight.detach().abs().sort().values.equal(order.sort().values[450:])


def test_erk_gives_more_to_the_others_where_a_pair_starts_below_its_share():
    network = SparseMLP([20, 30, 10], density=0.2, distribution="uniform", seed=0)
    rule = SparseTraining(
        network, sgd(network), schedule=Between(0, 1, 1), budget=Budget(0.9, 0, 1),
        distribution="erk",
    )  # fmt: skip
    # By share the output layer would have 73 of 162; it starts with 60.
    assert rule.state_dict()["final"] == [102, 60]


# -- weights and optimizer state -------------------------------------------------------------------


def masks_of(network):
    starts = network.starts
    whole = network.topology.to_scipy().toarray().astype(bool)  # [target, source]
    parts = [slice(a, b) for a, b in pairwise(starts)]
    return [torch.from_numpy(whole[t, s].copy()) for s, t in pairwise(parts)]


def dense_of(network, values):
    """One value per edge as dense matrices."""
    found = [torch.zeros(m.shape, dtype=values.dtype) for m in masks_of(network)]
    starts = network.starts
    for (source, target), value in zip(network.topology.edges.tolist(), values, strict=True):
        k = int(network.layer_of(np.array([source]))[0])
        found[k][target - starts[k + 1], source - starts[k]] = value
    return found


@pytest.mark.parametrize("make", [sgd, adam, lambda n: sgd(n, weight_decay=0.1, nesterov=True)])
@pytest.mark.parametrize("rule", ["set", "rigl"])
def test_nothing_revives_an_edge(make, rule):
    """Equals dense matrices trained by the same optimizer, masked in weight and state."""
    network = SparseMLP([7, 12, 10, 4], density=0.4, seed=0).double()
    reference = nn.Sequential(
        nn.Linear(7, 12), nn.ReLU(), nn.Linear(12, 10), nn.ReLU(), nn.Linear(10, 4)
    ).double()
    linears = [part for part in reference if isinstance(part, nn.Linear)]
    for linear, weight in zip(
        linears, dense_of(network, network.core.weight.detach()), strict=True
    ):
        linear.weight.data.copy_(weight)
        linear.bias.data.zero_()
    ours, theirs = make(network), make(reference)
    active = (
        SET(network, ours, interval=3) if rule == "set" else RigL(network, ours, interval=3, end=60)
    )
    changed = 0
    for seed in range(40):
        x, y = batch(network, seed)
        masks = masks_of(network)
        for model, optimizer in ((network, ours), (reference, theirs)):
            optimizer.zero_grad()
            functional.cross_entropy(model(x), y).backward()
        for linear, mask in zip(linears, masks, strict=True):
            linear.weight.grad *= mask
        ours.step()
        theirs.step()
        changed += active.step().changed
        for linear, mask, now in zip(linears, masks, masks_of(network), strict=True):
            keep = mask & now
            linear.weight.data *= keep
            for value in theirs.state[linear.weight].values():
                if isinstance(value, torch.Tensor) and value.shape == keep.shape:
                    value *= keep
        torch.testing.assert_close(network(x), reference(x))
    assert changed > 8
    for linear, weight in zip(
        linears, dense_of(network, network.core.weight.detach()), strict=True
    ):
        torch.testing.assert_close(linear.weight.detach(), weight)


@pytest.mark.parametrize("how", ["carry", "reset", "drop"])
def test_optimizer_state_after_an_update(how):
    network = SparseMLP([6, 9, 4], density=0.5, seed=0)
    optimizer = adam(network)
    rule = SET(network, optimizer, interval=4, optimizer_state=how)
    train(network, optimizer, Static(network, optimizer), 3)
    x, y = batch(network, 3)
    optimizer.zero_grad()
    functional.cross_entropy(network(x), y).backward()
    optimizer.step()
    bias = optimizer.state[network.core.bias]["exp_avg"].clone()
    before = {k: v.clone() for k, v in optimizer.state[network.core.weight].items()}
    rewiring = rule.update(0.3)
    assert torch.equal(optimizer.state[network.core.bias]["exp_avg"], bias)
    after = optimizer.state.get(network.core.weight)
    if how == "drop":
        assert after is None
        return
    at = torch.from_numpy(rewiring.after.edge_positions_in(rewiring.before))
    assert (at < 0).any()
    assert after["step"] == before["step"] == 4
    for name in ("exp_avg", "exp_avg_sq"):
        expected = torch.where(at >= 0, before[name][at.clamp(min=0)], 0.0)
        assert torch.equal(after[name], expected if how == "carry" else torch.zeros(len(at)))


@pytest.mark.parametrize("how", ["carry", "reset", "drop"])
@pytest.mark.parametrize("make", [sgd, adam, lambda n: torch.optim.RMSprop(n.parameters())])
def test_training_goes_on_with_any_state(how, make):
    network = SparseMLP([6, 8, 4], density=0.5, motif_size=2, seed=0)
    optimizer = make(network)
    train(network, optimizer, SET(network, optimizer, interval=1, optimizer_state=how), 6)
    assert network.core.weight.isfinite().all()


# -- saving ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["set", "rigl"])
def test_a_resumed_run_goes_on_the_same(kind):
    def build(seed=0):
        network = SparseMLP([8, 12, 12, 4], density=0.3, motif_size=2, tied=True, seed=seed)
        optimizer = adam(network)
        if kind == "set":
            rule = SET(network, optimizer, interval=2, new_weight="normal", seed=seed)
        else:
            rule = RigL(network, optimizer, interval=2, end=30, seed=seed)
        return network, optimizer, rule

    parts = build()
    train(*parts, 7)
    buffer = io.BytesIO()
    torch.save([part.state_dict() for part in parts], buffer)
    buffer.seek(0)
    others = build(seed=5)
    for part, state in zip(others, torch.load(buffer, weights_only=True), strict=True):
        part.load_state_dict(state)
    there, here = train(*others, 8, first=7), train(*parts, 8, first=7)
    assert sum(rewiring.changed for rewiring in here) >= 3
    assert [r.after for r in there] == [r.after for r in here]
    assert torch.equal(others[0].core.weight, parts[0].core.weight)


def test_a_copy_with_its_own_rule_goes_its_own_way():
    network = SparseMLP([8, 12, 4], density=0.3, seed=0)
    optimizer = sgd(network)
    rule = RigL(network, optimizer, interval=2, end=30)
    train(network, optimizer, rule, 5)
    twin = copy.deepcopy(network)
    wiring = twin.topology
    train(network, optimizer, rule, 5)
    assert network.topology != wiring
    assert twin.topology == wiring
    other = sgd(twin)
    train(twin, other, RigL(twin, other, interval=2, end=30), 4)
    assert twin.topology != wiring


def test_works_in_fit():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 8)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(np.int64)
    network = SparseMLP([8, 20, 20, 2], epsilon=2, seed=0)
    edges, seen = network.topology.num_edges, []
    fitted = fit(
        network, x, y, task="classification",
        options=TrainingOptions(epochs=6, batch_size=20, learning_rate=0.1),
        rule=lambda net, optimizer: SET(net, optimizer, interval=10, end=40),
        on_rewiring=lambda step, _, rewiring, __: seen.append((step, rewiring)),
    )  # fmt: skip
    assert [step for step, _ in seen] == [10, 20, 30]
    for epoch, metrics in enumerate(fitted.history):
        rewiring = seen[epoch][1] if epoch < 3 else None
        count = 0 if rewiring is None else len(rewiring.pruned)
        assert metrics["pruned"] == metrics["grown"] == count
        assert metrics["edges"] == edges
        if rewiring is not None:
            assert count > 0.2 * edges
    assert fitted.history[-1]["train_loss"] < fitted.history[0]["train_loss"]


# -- errors ----------------------------------------------------------------------------------------


def test_all_problems_are_reported_at_once():
    layer = GraphLayer(Topology.complete(4), storage="dense", activation="tanh")
    stranger = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    with pytest.raises(EngineError) as caught:
        SparseTraining(
            layer, stranger, schedule=Periodic(0.1, 1), drop="x", grow=UniformGrowth(),
            distribution="y", optimizer_state="z", new_weight="w", evolve_output=False,
        )  # fmt: skip
    for text in (
        "expected sparse storage; compact() gives it",
        "optimizer: does not hold the weights of this network",
        "drop: expected sign or magnitude or a callable, got 'x'",
        "distribution: expected one of layer, erk, global, got 'y'",
        "optimizer_state: expected one of carry, reset, drop, got 'z'",
        "new_weight: expected one of zero, fan_in",
        "growing needs layers: a SparseMLP, or sizes= of a layered GraphLayer",
        "evolve_output=False needs layers",
    ):
        assert text in str(caught.value)


LAYERED = Topology.layered([3, 4, 2], density=0.5, seed=0)


@pytest.mark.parametrize(
    ("network", "options", "text"),
    [
        (
            nn.Linear(3, 2),
            {},
            "expected a GraphLayer or a network with one as its core, got Linear",
        ),
        (GraphLayer(LAYERED), {"sizes": [3, 4, 3]}, r"layers of 9 nodes, .*, got \[3, 4, 3\]"),
        (GraphLayer(LAYERED), {"sizes": [4, 3, 2]}, r"each wired to the next, got \[4, 3, 2\]"),
        (SparseMLP([3, 4, 2]), {"sizes": [3, 4, 2]}, "sizes: a SparseMLP knows its own"),
        (GraphLayer(LAYERED), {"sizes": [3, 4, 2], "new_weight": "normal"}, "needs a SparseMLP"),
        (SparseMLP([3, 2]), {"evolve_output": False}, "nothing to rewire: there is one pair only"),
        (SparseMLP([3, 4, 2]), {"distribution": "global"}, "choose 'layer' or 'erk'"),
        (FreeNet(2, 2, neurons=4), {"grow": None, "distribution": "erk"}, "'erk' needs layers"),
    ],
)
def test_what_does_not_fit_is_refused(network, options, text):
    options = {"schedule": Periodic(0.1, 1), "grow": UniformGrowth(), **options}
    with pytest.raises(EngineError, match=text):
        SparseTraining(network, sgd(network), **options)


def test_weights_that_are_not_finite_are_named_with_a_remedy():
    network = SparseMLP([3, 4, 2], seed=0)
    rule = SET(network, sgd(network), interval=1)
    network.core.weight.data[3] = float("nan")
    with pytest.raises(EngineError, match=r"not finite any more; lower the learning rate"):
        rule.step()


def test_growth_by_gradient_wants_a_pass():
    network = SparseMLP([3, 4, 2], density=0.5, seed=0)
    rule = RigL(network, sgd(network), interval=1, end=5)
    with pytest.raises(EngineError, match=r"no pass was watched .* training mode .* call step\(\)"):
        rule.step()


def test_is_a_rule():
    network = SparseMLP([3, 4, 2], seed=0)
    assert isinstance(Static(network, sgd(network)), Rule)


@pytest.mark.parametrize("interval", [1, 5])
def test_a_core_that_must_contract_does_after_each_step(interval):
    """Whether the step prunes or only counts; the bound is the sum of |w| of a row of the cycle."""
    edges = [(0, 1), (1, 2), (2, 1), (2, 3), (0, 3)]
    topology = Topology.from_edges(edges, 4, inputs=[0], outputs=[3])
    layer = GraphLayer(topology, activation="tanh", contraction=0.5, dtype=torch.float64)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    rule = MagnitudePruning(layer, optimizer, keep=0.8, begin=0, end=interval, interval=interval)
    with torch.no_grad():
        layer.weight.fill_(3)
        layer.weight[topology.edges.tolist().index([0, 3])] = 0.01
    assert len(rule.step().pruned) == (interval == 1)
    within = [
        abs(w)
        for (s, t), w in zip(layer.topology.edges.tolist(), layer.weight.tolist(), strict=True)
        if {s, t} == {1, 2}
    ]
    assert len(within) == 2
    assert max(within) <= 0.5 + 1e-12
    assert layer.weight.max() == 3
