"""SET, RigL, magnitude pruning and static wiring, each as its paper has it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch.nn import functional

from nervure import FreeNet, GraphLayer, SparseMLP, Topology
from nervure.rules import SET, MagnitudePruning, RigL, Static
from nervure.rules.parts import weakest

checked = settings(deadline=None, max_examples=25)


def sgd(network, lr=0.05):
    return torch.optim.SGD(network.parameters(), lr=lr, momentum=0.9)


def one_pass(network, optimizer, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(12, network.sizes[0], generator=generator, dtype=network.core.weight.dtype)
    y = torch.randint(network.sizes[-1], (12,), generator=generator)
    optimizer.zero_grad()
    functional.cross_entropy(network(x), y).backward()
    optimizer.step()


def train(network, optimizer, rule, steps):
    rewirings = []
    for seed in range(steps):
        one_pass(network, optimizer, seed)
        rewirings.append(rule.step())
    return rewirings


def edges(array):
    return {tuple(edge) for edge in array.tolist()}


def by_pair(network, pairs):
    layers = network.layer_of(np.array([target for _, target in pairs], dtype=np.int64))
    return np.bincount(layers, minlength=len(network.widths))[1:].tolist()


def strengths_of(network):
    """Edge -> strength, by a loop: mean |w| with the sign of the sum."""
    m, core, found, at = network.motif_size, network.core, {}, 0
    for source, target in network.topology.edges.tolist():
        count = 1 if target < core.tied else m * m
        own = core.weight.detach()[at : at + count].tolist()
        at += count
        real = network.real_nodes[source] * network.real_nodes[target] if count > 1 else count
        found[source, target] = np.sign(sum(own)) * sum(map(abs, own)) / real
    return found


# -- SET -------------------------------------------------------------------------------------------


def weakest_of_pair(network, strengths, k, zeta):
    """Edges that go by the paper, from a sorted list."""
    own = {e: s for e, s in strengths.items() if network.layer_of(np.array([e[1]]))[0] == k + 1}
    gone = {e for e, s in own.items() if s == 0}
    for sign in (1, -1):
        part = sorted((abs(s), e) for e, s in own.items() if s * sign > 0)
        gone |= {e for _, e in part[: int(zeta * len(part))]}
    return gone


@st.composite
def cases(draw):
    m = draw(st.sampled_from([1, 2, 4]))
    sizes = [m * draw(st.integers(1, 9)) for _ in range(draw(st.integers(1, 3)))]
    network = SparseMLP(
        [*sizes, draw(st.integers(1, 9))], epsilon=draw(st.floats(0.3, 4)), motif_size=m,
        tied=draw(st.booleans()), seed=draw(st.integers(0, 9)),
    )  # fmt: skip
    return network, draw(st.floats(0, 1))


@checked
@given(cases())
def test_each_pair_of_layers_drops_its_weakest_and_keeps_its_number(case):
    network, zeta = case
    if network.topology.num_edges == 0:
        return
    optimizer = sgd(network)
    rule = SET(network, optimizer, interval=2, zeta=zeta)
    start = by_pair(network, edges(network.topology.edges))
    cells = [a * b for a, b in zip(network.widths, network.widths[1:], strict=False)]
    for seed in range(0, 12, 2):
        one_pass(network, optimizer, seed)
        assert not rule.step().changed
        one_pass(network, optimizer, seed + 1)
        strengths, weight = strengths_of(network), network.core.weight.detach().clone()
        rewiring = rule.step()
        pruned, grown = edges(rewiring.pruned), edges(rewiring.grown)
        expected = [weakest_of_pair(network, strengths, k, zeta) for k in range(len(start))]
        for k, (gone, count) in enumerate(zip(expected, start, strict=True)):
            here = {e for e in pruned if network.layer_of(np.array([e[1]]))[0] == k + 1}
            assert here <= gone
            # As many as there is room for: a full pair of layers has nothing to exchange.
            assert len(here) == min(len(gone), cells[k] - count)
            if here and here < gone:
                last = max(abs(strengths[e]) for e in here)
                assert last <= min(abs(strengths[e]) for e in gone - here)
        assert by_pair(network, edges(network.topology.edges)) == start
        assert not grown & edges(rewiring.before.edges)
        # What stays keeps its weights; what comes starts at zero.
        at = rewiring.after.edge_positions_in(rewiring.before)
        old = network.core.layout.carried(weight, layout_of(network, rewiring.before), at)
        assert torch.equal(network.core.weight, old)
        new = network.core.layout.per_edge(at < 0)
        assert (network.core.weight[torch.from_numpy(new)] == 0).all()


def layout_of(network, topology):
    return type(network.core.layout).of(topology, network.motif_size, network.core.tied)


def test_the_interval_and_the_end():
    network = SparseMLP([8, 12, 4], epsilon=2, seed=0)
    optimizer = sgd(network)
    rewirings = train(network, optimizer, SET(network, optimizer, interval=3, end=9), 20)
    assert [step for step, r in enumerate(rewirings, 1) if r.changed] == [3, 6]


def test_full_layers_stay_as_they_are():
    network = SparseMLP([20, 30, 4], epsilon=3.6, seed=0)
    assert by_pair(network, edges(network.topology.edges)) == [180, 120]
    optimizer = sgd(network)
    for rewiring in train(network, optimizer, SET(network, optimizer, interval=1), 5):
        assert by_pair(network, edges(rewiring.grown))[1] == 0
        assert by_pair(network, edges(rewiring.grown))[0] > 40


def test_the_output_layer_may_be_left_alone():
    network = SparseMLP([20, 30, 9], epsilon=2, seed=0)
    optimizer = sgd(network)
    rule = SET(network, optimizer, interval=1, evolve_output=False)
    for rewiring in train(network, optimizer, rule, 5):
        first, last = by_pair(network, edges(rewiring.pruned))
        assert (first > 20, last) == (True, 0)


@pytest.mark.parametrize("regrow", [False, True])
def test_new_edges_are_uniform_over_the_cells_that_are_free(regrow):
    hits, draws = np.zeros((5, 6)), 600
    network = SparseMLP([6, 5], density=0.5, init="normal", seed=1)
    weight, wiring = network.core.weight.detach().clone(), network.topology
    pruned = weakest(weight.numpy(), 0.4)
    for seed in range(draws):
        twin = SparseMLP([6, 5], topology=wiring, seed=0)
        twin.core.weight.data.copy_(weight)
        SET(twin, sgd(twin), interval=1, zeta=0.4, drop="magnitude", regrow=regrow,
            seed=seed).step()  # fmt: skip
        kept = twin.topology.edge_positions_in(wiring.keep(~pruned)) >= 0
        assert kept.sum() == 9
        new = twin.topology.edges[~kept]
        hits[new[:, 1] - 6, new[:, 0]] += 1
    taken = wiring.keep(~pruned) if regrow else wiring
    free = np.ones((5, 6), dtype=bool)
    free[taken.targets - 6, taken.sources] = False
    assert (hits[~free] == 0).all()
    assert free.sum() == (21 if regrow else 15)
    assert chisquare(hits[free]).pvalue > 0.01


def test_an_edge_that_grows_again_at_once_was_never_gone():
    network = SparseMLP([3, 3], density=0.9, seed=0)
    before = dict(zip(edges_in_order(network), network.core.weight.tolist(), strict=True))
    SET(network, sgd(network), interval=1, zeta=1.0, regrow=True).step()
    after = dict(zip(edges_in_order(network), network.core.weight.tolist(), strict=True))
    assert len(after) == 8
    for edge, weight in after.items():
        assert weight == before.get(edge, 0.0)


def edges_in_order(network):
    return [tuple(edge) for edge in network.topology.edges.tolist()]


@pytest.mark.parametrize(
    ("kind", "deviation"),
    [
        ("normal", 0.1),
        ("he_uniform", (6 / 100 / 3) ** 0.5),
        ("glorot_uniform", (6 / 200 / 3) ** 0.5),
        ("fan_in", (2 / 50) ** 0.5),
    ],
)
def test_new_weights_may_be_drawn(kind, deviation):
    network = SparseMLP([100, 100, 100], density=0.5, motif_size=2, init="normal", seed=0)
    before = network.core.weight.detach().clone()
    rewiring = SET(network, sgd(network), interval=1, new_weight=kind).step()
    at = rewiring.after.edge_positions_in(rewiring.before)
    new = torch.from_numpy(network.core.layout.per_edge(at < 0))
    weight = network.core.weight.detach()
    assert weight[new].std().item() == pytest.approx(deviation, rel=0.1)
    assert (weight[new] != 0).all()
    kept = before.view(-1, 4)[torch.from_numpy(at[at >= 0])]
    assert torch.equal(weight[~new].view(-1, 4), kept)


def test_a_seed_fixes_the_evolution():
    def run(seed):
        network = SparseMLP([8, 12, 4], epsilon=2, seed=0)
        optimizer = sgd(network)
        train(network, optimizer, SET(network, optimizer, interval=2, seed=seed), 8)
        return network.topology

    state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    assert run(0) == run(0)
    assert run(0) != run(1)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_motifs_that_are_filled_up_do_not_look_weak():
    """10 outputs in motifs of 4: the last has two real ones, and must not lose its edges first."""
    network = SparseMLP([40, 40, 10], density=0.5, motif_size=4, init="normal", seed=0)
    with torch.no_grad():
        network.core.weight.copy_(network.core.weight != 0)
    assert network.real_nodes[network.starts[2] :].tolist() == [4, 4, 2]
    assert set(strengths_of(network).values()) == {1.0}
    seen = []

    def drop(strengths, share):
        seen.append(strengths)
        return weakest(strengths, share)

    rule = SET(network, sgd(network), interval=1)
    rule.drop = drop
    rule.step()
    assert [set(strengths.tolist()) for strengths in seen] == [{1.0}, {1.0}]


# -- RigL ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "tied"), [(1, False), (2, False), (2, True)])
def test_rigl_grows_where_the_dense_gradient_is_largest(m, tied):
    """The oracle is a network with all edges, absent ones of weight zero, in torch's own layers."""
    network = SparseMLP([8, 12, 12, 6], density=0.3, motif_size=m, tied=tied, seed=0).double()
    optimizer = sgd(network)
    rule = RigL(network, optimizer, interval=4, end=100, alpha=0.4)
    full = SparseMLP([8, 12, 12, 6], density=1.0, motif_size=m, tied=tied, seed=0).double()
    changed = 0
    for step in range(1, 41):
        at = torch.from_numpy(network.topology.edge_positions_in(full.topology))
        positions = full.topology.edge_positions_in(network.topology)
        with torch.no_grad():
            full.core.weight.copy_(
                full.core.layout.carried(network.core.weight, network.core.layout, positions)
            )
            full.core.bias.copy_(network.core.bias)
        still = torch.optim.SGD(full.parameters(), lr=0.0)
        one_pass(full, still, step)
        one_pass(network, optimizer, step)
        strengths = np.abs(list(strengths_of(network).values()))
        gradient = full.core.weight.grad
        rewiring = rule.step()
        if step % 4:
            assert not rewiring.changed
            continue
        changed += rewiring.changed
        share = 0.2 * (1 + np.cos(np.pi * step / 100))
        layout, expected = full.core.layout, set()
        size = 1 if m == 1 else m * m
        scores = torch.cat([
            gradient[: layout.tied].abs(),
            gradient[layout.tied :].view(-1, size).abs().sum(1),
        ]).numpy()  # fmt: skip
        for k in range(3):
            mine = np.flatnonzero(network.layer_of(rewiring.before.targets) == k + 1)
            count = round(share * len(mine))
            gone = mine[np.argsort(strengths[mine])[:count]]
            kept = np.setdiff1d(mine, gone)
            places = np.flatnonzero(network.layer_of(full.topology.targets) == k + 1)
            places = np.setdiff1d(places, at.numpy()[kept])
            best = places[np.argsort(-scores[places])[:count]]
            expected |= edges(rewiring.before.edges[kept]) | edges(full.topology.edges[best])
        assert edges(rewiring.after.edges) == expected
    assert changed > 5


# -- magnitude pruning -----------------------------------------------------------------------------


def test_pruning_follows_the_cubic_curve():
    network = SparseMLP([20, 30, 10], density=1.0, seed=0)
    optimizer = sgd(network)
    rule = MagnitudePruning(network, optimizer, keep=0.1, begin=4, end=20, interval=5)
    for step in range(1, 25):
        one_pass(network, optimizer, step)
        before = strengths_of(network)
        rewiring = rule.step()
        if rewiring.changed:
            stay = edges(rewiring.after.edges)
            for k in (1, 2):
                own = [e for e in before if network.layer_of(np.array([e[1]]))[0] == k]
                gone = [abs(before[e]) for e in own if e not in stay]
                assert max(gone) <= min(abs(before[e]) for e in own if e in stay)
        # Updates at 4 (nothing yet), 9, 14, 19 and 20.
        seen = max([t for t in (4, 9, 14, 19, 20) if t <= step], default=4)
        left = (1 - (seen - 4) / 16) ** 3
        expected = [60 + round(540 * left), 30 + round(270 * left)]
        assert by_pair(network, edges(network.topology.edges)) == expected
        assert len(rewiring.grown) == 0
    assert network.num_parameters == 90 + 60


@pytest.mark.parametrize("distribution", ["layer", "global"])
def test_pruning_a_freenet_and_any_graph(distribution):
    """Without layers both are one group: the weakest go wherever they are."""
    dag = Topology.erdos_renyi(15, density=0.6, acyclic=True, seed=0)
    every = range(12)
    cyclic = Topology.erdos_renyi(12, density=0.3, seed=0, inputs=every, outputs=every)
    for network in (
        FreeNet(4, 3, neurons=12, seed=0),
        GraphLayer(dag, generator=torch.Generator().manual_seed(0)),
        GraphLayer(cyclic, activation="tanh", generator=torch.Generator().manual_seed(0)),
    ):
        core = getattr(network, "core", network)
        optimizer = sgd(network, lr=0.0)
        rule = MagnitudePruning(
            network, optimizer, keep=0.25, end=6, interval=2, distribution=distribution
        )
        weight, start = core.weight.detach().clone(), core.topology
        for _ in range(8):
            width = 4 if isinstance(network, FreeNet) else len(core.topology.inputs)
            optimizer.zero_grad()
            network(torch.ones(3, width)).sum().backward()
            optimizer.step()
            rule.step()
        count = round(0.25 * start.num_edges)
        strongest = np.sort(np.argsort(-weight.abs().numpy())[:count])
        assert core.topology == start.keep(np.isin(np.arange(start.num_edges), strongest))
        assert torch.equal(core.weight, weight[torch.from_numpy(strongest)])


def test_a_layered_graph_layer_prunes_by_layers_if_it_is_told_them():
    layer = GraphLayer(Topology.layered([10, 10, 10]))
    with torch.no_grad():
        layer.weight[:100] *= 100
    MagnitudePruning(layer, sgd(layer), keep=0.5, end=1, sizes=[10, 10, 10]).step()
    assert np.bincount(layer.topology.targets // 10).tolist() == [0, 50, 50]


# -- static ----------------------------------------------------------------------------------------


def test_static_wiring_never_changes():
    network = SparseMLP([8, 12, 4], epsilon=2, seed=0)
    optimizer, wiring = sgd(network), network.topology
    for rewiring in train(network, optimizer, Static(network, optimizer), 20):
        assert rewiring.before is rewiring.after is wiring
        assert not rewiring.changed
    assert network.topology is wiring
