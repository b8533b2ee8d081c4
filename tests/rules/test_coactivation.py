"""Algorithm 2, Theorem 2 and Claim 4.1 of the FreeNets paper."""

import io
import itertools

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nervure import FreeNet, GraphLayer, SparseMLP, Topology
from nervure.errors import EngineError
from nervure.rules import CoActivation, CoActivationStatistics, Rule, evolved

checked = settings(deadline=None)
epsilons = st.sampled_from([0.05, 0.25, 0.5, 0.6, 0.75, 0.95])


def wired(neurons, edges):
    return Topology.from_edges(edges, neurons, range(neurons), range(neurons))


def edges_of(topology):
    return {tuple(edge) for edge in topology.edges.tolist()}


def pairs_of(neurons):
    return list(itertools.combinations(range(neurons), 2))


def statistics_of(patterns):
    statistics = CoActivationStatistics(patterns.shape[1])
    statistics.add(torch.as_tensor(patterns).float())
    return statistics


@st.composite
def situations(draw):
    """A wiring, what its neurons did on some samples (whole rows repeat), and epsilon."""
    n = draw(st.integers(1, 6))
    pairs = pairs_of(n)
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    rows = draw(hnp.arrays(np.bool_, (draw(st.integers(1, 4)), n)))
    repeats = draw(st.lists(st.integers(1, 5), min_size=len(rows), max_size=len(rows)))
    return wired(n, edges), np.repeat(rows, repeats, axis=0), draw(epsilons)


def follow_the_table(edges, patterns, epsilon):
    """Table 1, pair by pair: rows (0, 0, 1) and (1, 1, 0) change something, the rest nothing."""
    samples, neurons = patterns.shape
    result, wanted, unwanted = set(), set(), set()
    for second in range(neurons):
        for first in range(second):
            connected = (first, second) in edges
            both = sum(bool(row[first] and row[second]) for row in patterns) / samples
            neither = sum(not (row[first] or row[second]) for row in patterns) / samples
            firing, silent = both > 1 - epsilon, neither > 1 - epsilon
            if connected and silent:
                unwanted.add((first, second))
            elif not connected and firing:
                wanted.add((first, second))
                result.add((first, second))
            elif connected:
                result.add((first, second))
    return result, wanted, unwanted


# -- the update -----------------------------------------------------------------------------------


@given(situations())
@checked
def test_update_follows_table_1(situation):
    topology, patterns, epsilon = situation
    expected, wanted, unwanted = follow_the_table(edges_of(topology), patterns, epsilon)
    evolution = evolved(topology, statistics_of(patterns), epsilon)
    assert edges_of(evolution.after) == expected
    assert {(s, t) for t, s in np.argwhere(evolution.augment).tolist()} == wanted
    assert {(s, t) for t, s in np.argwhere(evolution.prune).tolist()} == unwanted


def test_exactly_the_bar_is_not_above_it():
    """At epsilon 1/4, three samples of four."""
    firing, silent = np.array([[1, 1], [1, 1], [1, 1], [0, 1]]), np.zeros((4, 2))
    silent[3] = 1
    assert edges_of(evolved(wired(2, []), statistics_of(firing), 0.25).after) == set()
    assert edges_of(evolved(wired(2, [(0, 1)]), statistics_of(silent), 0.25).after) == {(0, 1)}


def test_both_matrices_are_taken_before_either_acts():
    """With epsilon above 1/2 a pair can fire and be silent together: an edge goes and stays gone,
    a missing one comes and stays."""
    patterns = np.array([[1, 1, 1], [0, 0, 0]])
    after = evolved(wired(3, [(0, 1)]), statistics_of(patterns), 0.6).after
    assert edges_of(after) == {(0, 2), (1, 2)}
    assert edges_of(evolved(after, statistics_of(patterns), 0.6).after) == {(0, 1)}


@given(situations())
@checked
def test_theorem_2(situation):
    """At a fixed point, what is wanted and not unwanted is there; here without "and not G" in Aug,
    which would make it empty, and with the claim's converse."""
    topology, patterns, epsilon = situation
    statistics = statistics_of(patterns)
    for _ in range(3):
        evolution = evolved(topology, statistics, epsilon)
        fixed = evolution.after == topology
        firing = np.tril(statistics.ncam.numpy() > 1 - epsilon, -1)
        silent = np.tril(statistics.ncim.numpy() > 1 - epsilon, -1)
        present = edges_of(topology)
        contained = {(s, t) for t, s in np.argwhere(firing & ~silent)} <= present
        without_silent = not {(s, t) for t, s in np.argwhere(silent)} & present
        if fixed:
            assert contained
            assert without_silent
            assert not evolution.augment.any()
        elif epsilon <= 0.5:
            assert not (contained and without_silent)
        topology = evolution.after
    # No pair is mostly active and mostly inactive: the first update has settled everything.
    if epsilon <= 0.5:
        assert fixed


# -- Claim 4.1 ------------------------------------------------------------------------------------


# So far from zero that small weights do not change who is active.
CLEARLY = 100.0


def obedient(neurons, topology=None):
    """A network whose neuron i is active where input i is positive, whatever the others do."""
    network = FreeNet(neurons, 1, neurons=neurons, topology=topology, seed=0)
    with torch.no_grad():
        network.encoder.weight.copy_(torch.eye(neurons))
        network.encoder.bias.zero_()
        network.core.weight.zero_()
    return network


def silencing(neurons, pair):
    """Samples that prune one edge: its neurons never active, the others in every combination."""
    others = [i for i in range(neurons) if i not in pair]
    samples = torch.full((2 ** len(others), neurons), -CLEARLY)
    for row, active in zip(
        samples, itertools.product([-CLEARLY, CLEARLY], repeat=len(others)), strict=True
    ):
        row[others] = torch.tensor(active)
    return samples


@st.composite
def graphs(draw):
    """Acyclic graphs whose numbers say nothing about the order."""
    n = draw(st.integers(2, 6))
    chosen = draw(st.lists(st.sampled_from(pairs_of(n)), unique=True))
    names = draw(st.permutations(range(n)))
    return n, [(names[s], names[t]) for s, t in chosen]


@given(graphs())
@settings(deadline=None, max_examples=30)
def test_claim_4_1_every_acyclic_graph_is_reached(graph):
    n, edges = graph
    directed = nx.DiGraph(edges)
    directed.add_nodes_from(range(n))
    order = list(nx.topological_sort(directed))
    number = {node: i for i, node in enumerate(order)}
    target = {(number[s], number[t]) for s, t in edges}
    assert target <= edges_of(Topology.dense_dag(n))

    network = obedient(n)
    rule = CoActivation(network, None, epsilon=0.25, interval=None)
    for pair in set(pairs_of(n)) - target:
        network(silencing(n, pair))
        assert rule.update().pruned.tolist() == [list(pair)]
    assert edges_of(network.topology) == target

    # And a FreeNet of that wiring computes the graph: here with its own numbers.
    straight = FreeNet(2, 1, neurons=n, topology=wired(n, target), seed=3).double()
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight = dict(
        zip(map(tuple, straight.topology.edges.tolist()), straight.core.weight, strict=True)
    )
    drive = straight.encoder(x)
    values = {}
    while len(values) < n:
        for node in range(n):
            before = [s for s, t in edges if t == node]
            if node not in values and all(s in values for s in before):
                z = drive[:, number[node]]
                z = z + sum(weight[number[s], number[node]] * values[s] for s in before)
                values[node] = torch.relu(z)
    expected = straight.decoder(torch.stack([values[node] for node in order], dim=1))
    torch.testing.assert_close(straight(x), expected, rtol=1e-12, atol=1e-12)


# -- weights and the optimizer's state ------------------------------------------------------------


def weights(network):
    edges = map(tuple, network.topology.edges.tolist())
    return dict(zip(edges, network.core.weight.tolist(), strict=True))


def state(network, optimizer, key):
    edges = map(tuple, network.topology.edges.tolist())
    return dict(zip(edges, optimizer.state[network.core.weight][key].tolist(), strict=True))


def train(network, optimizer, steps=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    network.eval()  # the rule does not look
    for _ in range(steps):
        optimizer.zero_grad()
        x = torch.rand(20, network.encoder.in_features, generator=generator)
        network(x).square().sum().backward()
        optimizer.step()
    network.train()


OPTIMIZERS = {
    "momentum": (lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9), ["momentum_buffer"]),
    "adam": (lambda p: torch.optim.Adam(p, lr=1e-3), ["exp_avg", "exp_avg_sq"]),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_stays_with_survivors_and_is_zero_for_the_regrown(name):
    make, keys = OPTIMIZERS[name]
    network = obedient(4)
    optimizer = make(network.parameters())
    rule = CoActivation(network, optimizer, interval=None, data=silencing(4, (0, 2)))
    train(network, optimizer)
    before, states = weights(network), [state(network, optimizer, key) for key in keys]
    assert rule.update().pruned.tolist() == [[0, 2]]
    assert weights(network) == {e: w for e, w in before.items() if e != (0, 2)}
    for key, old in zip(keys, states, strict=True):
        assert all(old.values())
        assert state(network, optimizer, key) == {e: v for e, v in old.items() if e != (0, 2)}

    train(network, optimizer, steps=2, seed=1)  # the optimizer goes on over the edges left
    now, states = weights(network), [state(network, optimizer, key) for key in keys]
    rule.data = torch.full((3, 4), CLEARLY)
    assert rule.update().grown.tolist() == [[0, 2]]
    assert weights(network) == {**now, (0, 2): before[0, 2]}
    for key, old in zip(keys, states, strict=True):
        assert state(network, optimizer, key) == {**old, (0, 2): 0.0}
    train(network, optimizer, steps=2, seed=2)
    assert weights(network)[0, 2] != before[0, 2]


def test_weights_of_pruned_edges_come_back_as_they_last_were():
    network = obedient(3)
    rule = CoActivation(network, None, interval=None)
    for value in (0.25, 0.75):
        with torch.no_grad():
            network.core.weight.fill_(value)
        rule.data = torch.zeros(2, 3)
        assert len(rule.update().pruned) == 3
        assert network.core.weight.numel() == 0
        rule.data = torch.ones(2, 3)
        assert len(rule.update().grown) == 3
        assert network.core.weight.tolist() == [value] * 3


def test_edges_that_never_were_start_from_zero():
    network = obedient(3, topology=wired(3, [(0, 1)]))
    with torch.no_grad():
        network.core.weight.fill_(2.0)
    rule = CoActivation(network, None, interval=None, data=torch.ones(2, 3))
    rule.update()
    assert weights(network) == {(0, 1): 2.0, (0, 2): 0.0, (1, 2): 0.0}


# -- when, and over what --------------------------------------------------------------------------


def test_is_a_rule_that_updates_every_interval():
    network = obedient(3)
    rule = CoActivation(network, None, interval=3, data=torch.zeros(2, 3))
    assert isinstance(rule, Rule)
    changed = []
    for _ in range(6):
        changed.append(rule.step().changed)
        if changed[-1]:
            rule.data = torch.ones(2, 3)
    assert changed == [False, False, True, False, False, True]
    assert network.topology == wired(3, pairs_of(3))


def test_without_an_interval_a_step_does_nothing():
    network = obedient(3)
    rule = CoActivation(network, None, interval=None, data=torch.zeros(2, 3))
    before = network.topology
    for _ in range(5):
        rewiring = rule.step()
        assert rewiring.before is rewiring.after is before


def test_an_update_that_changes_nothing_keeps_the_topology():
    network = obedient(3)
    rule = CoActivation(network, None, data=torch.ones(2, 3))
    before = network.topology
    rewiring = rule.update()
    assert rewiring.before is rewiring.after is network.topology is before


@pytest.mark.parametrize("parts", [1, 7, 40])
def test_data_as_tensor_and_in_batches_are_the_same(parts):
    data = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
    results = []
    for given_data in (data, lambda: data.split(parts)):
        network = FreeNet(5, 2, neurons=12, seed=1)
        rule = CoActivation(network, None, epsilon=0.7, data=given_data)
        rule.update()
        rule.update()  # a callable is asked anew
        assert rule.statistics.samples == 40
        results.append((network.topology, rule.statistics.ncam))
    assert results[0][0] == results[1][0]
    assert results[0][0] != Topology.dense_dag(12, range(12), range(12))
    assert torch.equal(results[0][1], results[1][1])


def test_data_longer_than_a_pass_is_seen_whole():
    data = torch.randn(2500, 2, generator=torch.Generator().manual_seed(0))
    network = FreeNet(2, 1, neurons=4, seed=1)
    rule = CoActivation(network, None, data=data)
    rule.update()
    expected = statistics_of((FreeNet(2, 1, neurons=4, seed=1).activations(data) > 0).numpy())
    assert rule.statistics.samples == 2500
    assert torch.equal(rule.statistics.ncam, expected.ncam)


def test_given_data_is_looked_at_in_evaluation_mode_and_nothing_else_is():
    seen = []
    network = obedient(3)
    network.core.register_forward_hook(lambda layer, *_: seen.append(layer.training))
    rule = CoActivation(network, None, data=torch.zeros(2, 3))
    network(torch.ones(50, 3))
    rule.update()
    assert seen == [True, False]
    assert network.training
    assert rule.statistics.samples == 2
    network.eval()
    rule.update()
    assert not network.training


def test_without_data_training_batches_count_and_others_do_not():
    network = obedient(3)
    rule = CoActivation(network, None, interval=2)
    network(torch.zeros(5, 3))
    network(torch.zeros(4, 3))
    assert rule.statistics.samples == 9
    with torch.no_grad():
        network(torch.ones(100, 3))
    network.eval()
    network(torch.ones(100, 3))
    network.train()
    assert rule.statistics.samples == 9
    assert len(rule.update().pruned) == 3
    assert rule.statistics.samples == 9  # those of the update stay to be read
    network(torch.ones(2, 3))
    assert rule.statistics.samples == 2  # and then it starts anew
    network(torch.ones(1, 3))
    assert rule.statistics.samples == 3
    assert len(rule.update().grown) == 3
    rule.detach()
    network(torch.zeros(7, 3))
    assert rule.statistics.samples == 3


def test_a_graph_layer_alone_will_do():
    layer = GraphLayer(wired(3, pairs_of(3)), generator=torch.Generator().manual_seed(0))
    rule = CoActivation(layer, None, data=-torch.ones(4, 3))
    with torch.no_grad():
        layer.bias.zero_()
    assert len(rule.update().pruned) == 3


# -- saving ---------------------------------------------------------------------------------------


def saved(*things):
    buffer = io.BytesIO()
    torch.save([thing.state_dict() for thing in things], buffer)
    buffer.seek(0)
    return torch.load(buffer)


@pytest.mark.parametrize("after", [1, 4, 5])
def test_a_resumed_run_is_the_same_run(after):
    """Cut inside an interval, just after an update, and after edges have gone."""

    def start(seed):
        network = FreeNet(3, 2, neurons=8, seed=seed)
        optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
        return network, optimizer, CoActivation(network, optimizer, epsilon=0.6, interval=2)

    def go(network, optimizer, rule, steps):
        changes = 0
        for step in steps:
            x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
            optimizer.zero_grad()
            network(x).square().mean().backward()
            optimizer.step()
            changes += len(rule.step().pruned)
        return changes

    whole = start(0)
    assert go(*whole, range(after)) + go(*whole, range(after, 9)) > 0
    first = start(0)
    go(*first, range(after))
    second = start(1)
    network_state, optimizer_state, rule_state = saved(*first)
    go(*first, range(50, 54))  # what was saved is a copy
    second[0].load_state_dict(network_state)
    second[1].load_state_dict(optimizer_state)
    second[2].load_state_dict(rule_state)
    go(*second, range(after, 9))
    assert second[0].topology == whole[0].topology
    for a, b in zip(whole[0].parameters(), second[0].parameters(), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(whole[2].statistics.ncam, second[2].statistics.ncam)


def test_weights_of_pruned_edges_are_saved():
    network = obedient(3)
    with torch.no_grad():
        network.core.weight.fill_(0.5)
    rule = CoActivation(network, None, data=torch.zeros(2, 3))
    rule.update()
    network_state, rule_state = saved(network, rule)
    fresh = FreeNet(3, 1, neurons=3, seed=8)
    resumed = CoActivation(fresh, None, epsilon=0.9, interval=7, data=torch.ones(2, 3))
    fresh.load_state_dict(network_state)
    resumed.load_state_dict(rule_state)
    assert (resumed.epsilon, resumed.interval) == (0.25, 100)
    resumed.update()
    assert fresh.core.weight.tolist() == [0.5] * 3


# -- mistakes -------------------------------------------------------------------------------------


def layer_of(topology, **options):
    return GraphLayer(topology, generator=torch.Generator().manual_seed(0), **options)


@pytest.mark.parametrize(
    ("network", "options", "word"),
    [
        (obedient(3), {"epsilon": 0.0}, "epsilon: expected between 0 and 1, got 0.0"),
        (obedient(3), {"epsilon": 1.0}, "epsilon"),
        (obedient(3), {"epsilon": float("nan")}, "epsilon"),
        (obedient(3), {"interval": 0}, "interval: expected at least 1, got 0"),
        (layer_of(Topology.dense_dag(3)), {}, "every node to be an output"),
        (layer_of(Topology.dense_dag(3, [0, 1, 2], [2, 1, 0])), {}, "in their order"),
        (layer_of(wired(3, [(2, 0)])), {}, "lower to a higher"),
        (layer_of(wired(3, [(0, 1)]), storage="dense"), {}, "sparse storage"),
        (layer_of(wired(3, [(0, 1)]), block=2), {}, "without blocks"),
    ],
)
def test_bad_arguments_are_refused(network, options, word):
    with pytest.raises(EngineError, match=word):
        CoActivation(network, None, **options)


def test_an_optimizer_of_something_else_is_refused():
    other = torch.optim.SGD(obedient(3).parameters(), lr=0.1)
    with pytest.raises(EngineError, match="optimizer: does not hold"):
        CoActivation(obedient(3), other)


def test_all_problems_are_said_at_once():
    with pytest.raises(EngineError, match=r"epsilon.*interval"):
        CoActivation(obedient(3), None, epsilon=2, interval=-1)


@pytest.mark.parametrize("data", [None, torch.zeros(0, 3), list])
def test_an_update_over_nothing_is_refused(data):
    network = obedient(3)
    rule = CoActivation(network, None, data=data)
    with pytest.raises(EngineError, match="no samples"):
        rule.update()
    assert network.topology.num_edges == 3
    assert network.training


def test_without_an_interval_the_state_is_taken_up_too():
    rules = []
    for epsilon in (0.5, 0.6):
        net = FreeNet(4, 2, neurons=8, seed=0)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        rules.append(CoActivation(net, optimizer, epsilon=epsilon, interval=None))
    rules[1].load_state_dict(rules[0].state_dict())
    assert (rules[1].epsilon, rules[1].interval) == (0.5, None)
    with pytest.raises(EngineError, match="an interval of 0"):
        rules[1].load_state_dict(rules[0].state_dict() | {"interval": 0})


def test_any_network_with_a_core_that_fits_will_do():
    class Wrapped(torch.nn.Module):
        def __init__(self, core):
            super().__init__()
            self.core = core

    net = Wrapped(FreeNet(4, 2, neurons=8, seed=0).core)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    assert CoActivation(net, optimizer).layer is net.core
    mlp = SparseMLP([4, 6, 2], density=0.5, seed=0)
    with pytest.raises(EngineError, match="expected every node to be an output"):
        CoActivation(mlp, torch.optim.SGD(mlp.parameters(), lr=0.1))
    with pytest.raises(EngineError, match="expected a GraphLayer or a network with one"):
        CoActivation(torch.nn.Linear(2, 2), optimizer)
