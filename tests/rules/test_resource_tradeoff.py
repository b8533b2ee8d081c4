"""A price on every edge: its gradient, its record, and what goes in the end."""

import copy
import io

import numpy as np
import pytest
import torch
from torch import nn

from nervure import FreeNet, GraphLayer, SparseMLP, Topology
from nervure.errors import DisconnectedError, EngineError
from nervure.networks import BlockDAG, MLPBlock
from nervure.rules import Repulsion, ResourceTradeoff, Rule, threshold_, thresholded
from nervure.rules.resource_tradeoff import edge_parameter, edge_strengths, wired_part
from nervure.training import TrainingOptions, fit

DENSE = Topology.dense_dag(6)
LAYERS = Topology.layered([4, 6, 2])


class Wrapped(nn.Module):
    def __init__(self, core):
        super().__init__()
        self.core = core

    def forward(self, x):
        return self.core(x)


def block_dag(seed=0):
    network = BlockDAG(DENSE, 2, 3, inputs=4, outputs=2, node=MLPBlock, seed=seed).double()
    with torch.no_grad():
        network.edge_weight.normal_(generator=torch.Generator().manual_seed(seed))
    return network


def graph_layer(storage="sparse", seed=0):
    generator = torch.Generator().manual_seed(seed)
    return GraphLayer(
        LAYERS, storage=storage, activation="tanh", generator=generator, dtype=torch.float64
    )


MAKERS = {
    "block dag": block_dag,
    "wrapped block dag": lambda: Wrapped(block_dag()),
    "sparse": graph_layer,
    "dense": lambda: graph_layer("dense"),
    "wrapped layer": lambda: Wrapped(graph_layer()),
    "sparse mlp": lambda: SparseMLP([4, 6, 5, 2], density=0.6, seed=0).double(),
    "freenet": lambda: FreeNet(4, 2, neurons=8, seed=0).double(),
}


def strengths_of(network):
    """All edges' strengths, such that autograd sees them."""
    graph = getattr(network, "core", network)
    if isinstance(graph, BlockDAG):
        return torch.tanh(graph.edge_weight).abs()
    if graph.weight.ndim == 1:
        return graph.weight.abs()
    source, target = torch.from_numpy(graph.topology.edges.astype(np.int64)).T
    return graph.weight[target, source].abs()


def loss_of(network, seed=1, rows=7):
    x = torch.randn(rows, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (network(x) - 1).square().mean()


def gradients(network):
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


def gradients_of_a_step(network, optimizer):
    """What a step moves by, as a hook after the rule's own sees it; the step is of no length."""
    seen = {}
    hook = optimizer.register_step_pre_hook(
        lambda *_: seen.update({n: g.clone() for n, g in gradients(network).items()})
    )
    rate, optimizer.param_groups[0]["lr"] = optimizer.param_groups[0]["lr"], 0
    optimizer.step()
    optimizer.param_groups[0]["lr"] = rate
    hook.remove()
    return seen


def sgd(network, **options):
    return torch.optim.SGD(network.parameters(), lr=0.1, **options)


def step(network, optimizer, rule, seed=1):
    optimizer.zero_grad()
    loss_of(network, seed).backward()
    optimizer.step()
    return rule.step()


@pytest.mark.parametrize("name", MAKERS)
def test_the_gradient_is_that_of_the_loss_and_the_price(name):
    network = MAKERS[name]()
    twin = copy.deepcopy(network)
    with torch.no_grad():
        edge_parameter(wired_part(network)).flatten()[0] = 0
        edge_parameter(wired_part(twin)).flatten()[0] = 0
    optimizer = sgd(network)
    rule = ResourceTradeoff(network, optimizer, penalty=0.3)
    loss_of(network).backward()
    (loss_of(twin) + 0.3 * strengths_of(twin).sum()).backward()
    ours, theirs = gradients_of_a_step(network, optimizer), gradients(twin)
    assert ours.keys() == theirs.keys()
    torch.testing.assert_close(ours, theirs)
    without = copy.deepcopy(twin)
    without.zero_grad()
    loss_of(without).backward()
    changed = [n for n, g in gradients(without).items() if not torch.equal(g, ours[n])]
    assert [n.removeprefix("core.") for n in changed] in (["weight"], ["edge_weight"])
    assert isinstance(rule, Rule)


@pytest.mark.parametrize("name", MAKERS)
def test_edges_may_learn_faster_and_nothing_else_does(name):
    slow, fast = MAKERS[name](), MAKERS[name]()
    fast.load_state_dict(slow.state_dict())
    moves = []
    for rate, network in ((1.0, slow), (4.0, fast)):
        before = {n: p.detach().clone() for n, p in network.named_parameters()}
        optimizer = sgd(network)
        rule = ResourceTradeoff(network, optimizer, penalty=0.3, edge_rate=rate)
        step(network, optimizer, rule)
        moves.append({n: p.detach() - before[n] for n, p in network.named_parameters()})
    changed = [n for n, move in moves[1].items() if not torch.equal(move, moves[0][n])]
    assert [n.removeprefix("core.") for n in changed] in (["weight"], ["edge_weight"])
    by_one, by_four = (move[changed[0]] for move in moves)
    on_edges = torch.ones_like(by_one, dtype=torch.bool)
    if on_edges.ndim == 2:
        # Biases are on the diagonal, and there is a place for edges that are absent.
        targets_by_sources = wired_part(fast).topology.to_scipy().toarray() != 0
        on_edges = torch.from_numpy(targets_by_sources)
    torch.testing.assert_close(by_four[on_edges], 4 * by_one[on_edges])
    assert torch.equal(by_four[~on_edges], by_one[~on_edges])


@pytest.mark.parametrize("name", MAKERS)
def test_the_price_stays_on_after_edges_went(name):
    network = MAKERS[name]()
    optimizer = sgd(network, momentum=0.9)
    ResourceTradeoff(network, optimizer, penalty=0.3)
    strengths = strengths_of(network).detach()
    threshold_(network, float(strengths.sort().values[2]), optimizer)
    assert strengths_of(network).numel() < strengths.numel()
    twin = copy.deepcopy(network)
    optimizer.zero_grad()
    loss_of(network).backward()
    twin.zero_grad()
    (loss_of(twin) + 0.3 * strengths_of(twin).sum()).backward()
    torch.testing.assert_close(gradients_of_a_step(network, optimizer), gradients(twin))


def test_a_penalty_of_zero_changes_nothing():
    network = block_dag()
    twin = copy.deepcopy(network)
    optimizer = sgd(network)
    ResourceTradeoff(network, optimizer, penalty=0)
    loss_of(network).backward()
    loss_of(twin).backward()
    found = gradients_of_a_step(network, optimizer)
    torch.testing.assert_close(found, gradients(twin), rtol=0, atol=0)


def test_detach_asks_no_price_any_more():
    network = block_dag()
    twin = copy.deepcopy(network)
    optimizer = sgd(network)
    rule = ResourceTradeoff(network, optimizer, penalty=0.3)
    rule.detach()
    rule.detach()
    loss_of(network).backward()
    loss_of(twin).backward()
    found = gradients_of_a_step(network, optimizer)
    torch.testing.assert_close(found, gradients(twin), rtol=0, atol=0)


def plain_steps(network, steps=3, edge_rate=1.0):
    """Train by eq. 1 as it stands, the price in the loss."""
    optimizer = sgd(network, momentum=0.9)
    for seed in range(steps):
        optimizer.zero_grad()
        (loss_of(network, seed) + 0.3 * strengths_of(network).sum()).backward()
        edge_parameter(wired_part(network)).grad *= edge_rate
        optimizer.step()
    return dict(network.named_parameters())


@pytest.mark.parametrize("edge_rate", [1.0, 4.0])
def test_accumulated_passes_are_priced_once(edge_rate):
    network = block_dag()
    expected = plain_steps(copy.deepcopy(network), edge_rate=edge_rate)
    optimizer = sgd(network, momentum=0.9)
    ResourceTradeoff(network, optimizer, penalty=0.3, edge_rate=edge_rate)
    for seed in range(3):
        optimizer.zero_grad()
        for _ in range(4):
            (loss_of(network, seed) / 4).backward()
        optimizer.step()
    torch.testing.assert_close(dict(network.named_parameters()), expected)


# A fused optimizer divides by the scale itself, within its step.
@pytest.mark.parametrize("fused", [False, True])
def test_the_scale_of_a_grad_scaler_does_not_change_the_price(fused):
    network = graph_layer().float()
    expected = plain_steps(graph_layer())
    optimizer = sgd(network, momentum=0.9, fused=fused)
    ResourceTradeoff(network, optimizer, penalty=0.3)
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    for seed in range(3):
        optimizer.zero_grad()
        x = torch.randn(7, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        scaler.scale((network(x.float()) - 1).square().mean()).backward()
        scaler.step(optimizer)
        scaler.update()
    for name, found in network.named_parameters():
        torch.testing.assert_close(found, expected[name].float(), rtol=1e-4, atol=1e-6)


def test_each_call_of_a_closure_is_priced():
    """LBFGS looks along a line, and must see one function all the way."""
    network, twin = graph_layer(), graph_layer()
    ends = []
    for net, price in ((network, 0), (twin, 0.3)):
        options = {"lr": 0.1, "max_iter": 5}
        optimizer = torch.optim.LBFGS(net.parameters(), **options)
        if not price:
            ResourceTradeoff(net, optimizer, penalty=0.3)

        def closure(net=net, price=price, optimizer=optimizer):
            optimizer.zero_grad()
            loss = loss_of(net)
            (loss + price * strengths_of(net).sum()).backward()
            return loss

        optimizer.step(closure)
        ends.append(net.weight.detach())
    torch.testing.assert_close(*ends)


@pytest.mark.parametrize("price_first", [False, True])
def test_beside_repulsion_the_price_is_asked(price_first):
    """Whose own pass over the matrix takes the gradient away from all that come later."""

    class SgdOfAnotherName(torch.optim.SGD):
        pass

    ends = []
    for kind in (torch.optim.SGD, SgdOfAnotherName):
        network = graph_layer("dense")
        optimizer = kind(network.parameters(), lr=0.1, momentum=0.9)
        makers = [
            lambda n, o: Repulsion(n, o, keep=20, alpha=0.01),
            lambda n, o: ResourceTradeoff(n, o, penalty=0.3),
        ]
        for make in reversed(makers) if price_first else makers:
            make(network, optimizer)
        loss_of(network).backward()
        gradient = network.weight.grad
        before = gradient.clone()
        optimizer.step()
        assert network.weight.grad is gradient
        assert torch.equal(gradient, before)
        ends.append((network.weight.detach(), before))
    (ours, gradient), (theirs, _) = ends
    torch.testing.assert_close(ours, theirs)
    alone = graph_layer("dense")
    optimizer = torch.optim.SGD(alone.parameters(), lr=0.1, momentum=0.9)
    Repulsion(alone, optimizer, keep=20, alpha=0.01)
    alone.weight.grad = gradient
    optimizer.step()
    moved = (alone.weight - ours).abs().max()
    assert moved.item() == pytest.approx(0.1 * 0.3)


def test_a_price_makes_edges_weaker():
    sums = []
    for penalty in (0, 0.2):
        network = block_dag()
        optimizer = sgd(network)
        rule = ResourceTradeoff(network, optimizer, penalty=penalty)
        for seed in range(30):
            step(network, optimizer, rule, seed)
        sums.append(edge_strengths(network).sum())
    assert sums[1] < 0.8 * sums[0]


# -- strengths and their record --------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_strengths_in_edge_order(name):
    network = MAKERS[name]()
    found = edge_strengths(network)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, strengths_of(network).detach().numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", MAKERS)
def test_history(name):
    network = MAKERS[name]()
    optimizer = sgd(network)
    rule = ResourceTradeoff(network, optimizer, penalty=0.01, interval=3)
    start, seen = wired_part(network).topology, [edge_strengths(network)]
    assert rule.history.topology is start
    for count in range(1, 8):
        rewiring = step(network, optimizer, rule, count)
        assert not rewiring.changed
        assert rewiring.before is rewiring.after
        if count % 3 == 0:
            seen.append(edge_strengths(network))
    assert rule.history.steps == [0, 3, 6]
    assert np.array_equal(rule.history.strengths, seen)
    assert not np.array_equal(seen[0], seen[1])


@pytest.mark.parametrize("name", ["block dag", "sparse", "dense"])
def test_in_the_history_an_edge_that_is_gone_has_no_strength(name):
    network = MAKERS[name]()
    optimizer = sgd(network)
    rule = ResourceTradeoff(network, optimizer)
    start = wired_part(network).topology
    threshold_(network, float(np.median(edge_strengths(network))), optimizer)
    step(network, optimizer, rule)
    rest = wired_part(network).topology
    assert 0 < rest.num_edges < start.num_edges
    left = {tuple(e): s for e, s in zip(rest.edges.tolist(), edge_strengths(network), strict=True)}
    expected = [left.get(tuple(edge), 0) for edge in start.edges.tolist()]
    assert np.array_equal(rule.history.strengths[1], expected)


def test_edges_that_something_else_grew_are_left_out_of_the_history():
    network = graph_layer()
    optimizer = sgd(network)
    rule = ResourceTradeoff(network, optimizer)
    network.rewire_(LAYERS.grow([[10, 11], [3, 10]]), optimizer)
    step(network, optimizer, rule)
    old = LAYERS.edge_positions_in(network.topology)
    assert np.array_equal(rule.history.strengths[1], edge_strengths(network)[old])


# -- weak edges go ---------------------------------------------------------------------------------


def with_strengths(topology, weak, kind):
    """A network whose edges are strong (0.5) but for the weak ones (0.1)."""
    values = np.full(topology.num_edges, 0.5)
    for edge in weak:
        values[(topology.edges == edge).all(1)] = -0.1
    weight = torch.from_numpy(values)
    if kind == "block dag":
        network = BlockDAG(topology, 1, 3, inputs=4, outputs=2, node=MLPBlock, seed=0).double()
        weight = torch.atanh(weight)
    else:
        network = GraphLayer(topology, storage=kind, dtype=torch.float64)
    with torch.no_grad():
        if kind == "dense":
            source, target = torch.from_numpy(topology.edges.astype(np.int64)).T
            network.weight[target, source] = weight
        else:
            edge_parameter(network).copy_(weight)
    return network


DAG = Topology.from_edges(
    [(0, 1), (1, 5), (0, 2), (2, 3), (3, 5), (2, 4), (4, 5)], 6, inputs=[0], outputs=[5]
)


@pytest.mark.parametrize("kind", ["block dag", "sparse", "dense"])
@pytest.mark.parametrize(
    ("weak", "left"),
    [
        ([], DAG.edges.tolist()),
        # What leads out of 2 goes with the edge into it.
        ([[0, 2]], [[0, 1], [1, 5]]),
        # 0 -> 2 goes with the edges out of 2.
        ([[3, 5], [2, 4]], [[0, 1], [1, 5]]),
        ([[2, 3]], [[0, 1], [0, 2], [2, 4], [1, 5], [4, 5]]),
        ([[0, 1]], [[0, 2], [2, 3], [2, 4], [3, 5], [4, 5]]),
    ],
)
def test_weak_edges_go_and_what_then_leads_nowhere(kind, weak, left):
    network = with_strengths(DAG, weak, kind)
    after = thresholded(network, 0.3)
    assert sorted(after.edges.tolist()) == sorted(left)
    assert network.topology is DAG
    rewiring = threshold_(network, 0.3)
    assert (rewiring.before, rewiring.after) == (DAG, after)
    assert network.topology == after
    assert len(rewiring.pruned) == DAG.num_edges - len(left)
    assert edge_strengths(network) == pytest.approx(np.full(len(left), 0.5))


def test_an_edge_just_at_the_threshold_stays():
    network = with_strengths(DAG, [[2, 3]], "sparse")
    assert thresholded(network, 0.5).num_edges == 5
    with pytest.raises(DisconnectedError):
        thresholded(network, float(np.nextafter(np.float32(0.5), np.float32(1))))


@pytest.mark.parametrize("kind", ["block dag", "sparse", "dense"])
def test_a_network_that_would_fall_apart_stays_as_it_was(kind):
    network = with_strengths(DAG, [[1, 5], [0, 2]], kind)
    optimizer = sgd(network, momentum=0.9)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    with pytest.raises(DisconnectedError, match="no path leads from any input to any output"):
        thresholded(network, 0.3)
    with pytest.raises(DisconnectedError):
        threshold_(network, 0.3, optimizer)
    assert network.topology is DAG
    after = network.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[k], before[k]) for k in before)
    assert len(optimizer.param_groups[0]["params"]) == len(list(network.parameters()))


def test_by_default_the_papers_threshold():
    network = with_strengths(DAG, [], "sparse")
    with torch.no_grad():
        network.weight[0], network.weight[1] = 0.0059, 0.0061
    gone = DAG.edges[0].tolist()
    assert threshold_(network).pruned.tolist()[0] == gone
    assert network.weight.abs().min() == 0.0061


@pytest.mark.parametrize("name", MAKERS)
def test_at_prune_at_weak_edges_go_and_the_price_too(name):
    network = MAKERS[name]()
    optimizer = sgd(network, momentum=0.9)
    threshold = float(np.quantile(edge_strengths(network), 0.3))
    rule = ResourceTradeoff(
        network, optimizer, penalty=0.01, threshold=threshold, prune_at=3, interval=2
    )
    for _ in range(2):
        assert not step(network, optimizer, rule).changed
    graph = wired_part(network)
    start = graph.topology
    rewiring = step(network, optimizer, rule)
    assert rewiring.before is start
    assert rewiring.after is graph.topology
    assert len(rewiring.pruned) == start.num_edges - graph.topology.num_edges > 0
    assert edge_strengths(network).min() >= threshold * (1 - 1e-6)
    # The optimizer goes on, without the price.
    twin = copy.deepcopy(network)
    optimizer.zero_grad()
    twin.zero_grad()
    loss_of(network).backward()
    loss_of(twin).backward()
    found = gradients_of_a_step(network, optimizer)
    torch.testing.assert_close(found, gradients(twin), rtol=0, atol=0)
    rule.step()
    for _ in range(3):
        assert not step(network, optimizer, rule).changed
    assert rule.history.steps == [0, 2, 4, 6]
    gone = start.edge_positions_in(graph.topology) < 0
    assert (rule.history.strengths[-1][gone] == 0).all()
    assert (rule.history.strengths[1][gone] > 0).all()


def test_a_core_that_must_contract_does_after_each_step():
    """The contract of `GraphLayer`: rule steps scale the weights inside components."""
    topology = Topology.from_edges([(0, 1), (1, 2), (2, 1), (2, 3)], 4, inputs=[0], outputs=[3])
    layer = GraphLayer(topology, activation="tanh", contraction=0.5, dtype=torch.float64)
    optimizer = sgd(layer)
    rule = ResourceTradeoff(layer, optimizer)
    with torch.no_grad():
        layer.weight.fill_(3)
    rule.step()
    twin = copy.deepcopy(layer)
    twin.project_()
    assert torch.equal(layer.weight, twin.weight)
    assert layer.weight.min() < 3 == layer.weight.max()


# -- state -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [2, 5])
@pytest.mark.parametrize("kind", ["block dag", "sparse"])
def test_a_resumed_run_goes_on_as_the_one_that_was_not_stopped(kind, stop):
    """Stopped before and after weak edges went."""
    options = {"penalty": 0.01, "threshold": 0.3, "prune_at": 4, "interval": 2}
    network = block_dag() if kind == "block dag" else graph_layer()
    optimizer = sgd(network, momentum=0.9)
    rule = ResourceTradeoff(network, optimizer, **options)
    start = rule.history.topology
    for seed in range(stop):
        step(network, optimizer, rule, seed)
    buffer = io.BytesIO()
    torch.save([network.state_dict(), optimizer.state_dict(), rule.state_dict()], buffer)
    buffer.seek(0)
    saved = torch.load(buffer, weights_only=True)

    rest = wired_part(network).topology
    assert (rest.num_edges < start.num_edges) == (stop > 4)
    if kind == "block dag":
        other = BlockDAG(rest, network.stages, 3, inputs=4, outputs=2, node=MLPBlock).double()
    else:
        other = GraphLayer(rest, activation="tanh", dtype=torch.float64)
    other.load_state_dict(saved[0])
    resumed = sgd(other, momentum=0.9)
    again = ResourceTradeoff(other, resumed, **options)
    resumed.load_state_dict(saved[1])
    again.load_state_dict(saved[2])
    for seed in range(stop, 8):
        step(network, optimizer, rule, seed)
        step(other, resumed, again, seed)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(other.state_dict()[key], value, rtol=0, atol=0)
    assert other.topology == network.topology
    assert again.history.topology == start
    assert again.history.steps == rule.history.steps == [0, 2, 4, 6, 8]
    assert np.array_equal(again.history.strengths, rule.history.strengths)


def test_state_is_a_copy_and_remembers_whether_a_price_is_asked():
    network = graph_layer()
    optimizer = sgd(network)
    rule = ResourceTradeoff(network, optimizer, penalty=0.3)
    asking = rule.state_dict()
    rule.detach()
    silent = rule.state_dict()
    found = []
    for state in (asking, silent, asking):
        rule.load_state_dict(state)
        network.zero_grad()
        loss_of(network).backward()
        found.append(gradients_of_a_step(network, optimizer)["weight"])
    price = 0.3 * network.weight.detach().sign()
    torch.testing.assert_close(found[0], found[1] + price)
    assert torch.equal(found[0], found[2])
    step(network, optimizer, rule)
    assert len(asking["recorded"]) == len(asking["strengths"]) == 1


# -- in the training loop --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["block dag", "sparse mlp"])
def test_in_fit(name):
    network = MAKERS[name]()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    made, rewirings = [], []

    def rule(network, optimizer):
        made.append(
            ResourceTradeoff(
                network, optimizer, penalty=0.05, threshold=0.3, interval=3, prune_at=30
            )
        )
        return made[0]

    fitted = fit(
        network,
        x,
        y,
        task="classification",
        options=TrainingOptions(epochs=12, batch_size=20, learning_rate=0.1, seed=0),
        rule=rule,
        on_rewiring=lambda at, *rest: rewirings.append((at, rest[1])),
    )
    assert fitted.history[-1]["train_loss"] < fitted.history[0]["train_loss"]
    assert [at for at, _ in rewirings] == [30]
    graph = wired_part(network)
    assert rewirings[0][1].after is graph.topology
    assert made[0].history.steps == list(range(0, 37, 3))
    assert graph.topology.num_edges < made[0].history.topology.num_edges


def test_after_fit_no_price_is_asked():
    network = block_dag()
    x, y = np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % 2
    options = TrainingOptions(epochs=2, batch_size=10, learning_rate=0.1)
    optimizers = []

    def rule(network, optimizer):
        optimizers.append(optimizer)
        return ResourceTradeoff(network, optimizer, penalty=5)

    fit(
        network, x, y, task="classification", options=options, validation=(x, y), rule=rule
    )  # fmt: skip
    twin = copy.deepcopy(network)
    network.zero_grad()
    loss_of(network).backward()
    twin.zero_grad()
    loss_of(twin).backward()
    found = gradients_of_a_step(network, optimizers[0])
    torch.testing.assert_close(found, gradients(twin), rtol=0, atol=0)


# -- what does not fit -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty": -1}, "penalty: expected at least 0, got -1"),
        ({"penalty": float("inf")}, "penalty: expected at least 0, got inf"),
        ({"penalty": float("nan")}, "penalty: expected at least 0, got nan"),
        ({"threshold": -0.1}, r"threshold: expected at least 0, got -0\.1"),
        ({"interval": 0}, "interval: expected at least 1, got 0"),
        ({"edge_rate": 0}, "edge_rate: expected above 0, got 0"),
        ({"prune_at": 0}, "prune_at: expected at least 1, got 0"),
        ({"penalty": -1, "interval": 0}, "penalty: .*; interval: "),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    network = graph_layer()
    with pytest.raises(EngineError, match=message):
        ResourceTradeoff(network, sgd(network), **options)


def test_the_optimizer_must_hold_the_edges():
    with pytest.raises(EngineError, match="optimizer: does not hold the edge weights of this net"):
        ResourceTradeoff(graph_layer(), sgd(graph_layer()))


@pytest.mark.parametrize("network", [nn.Linear(2, 2), Wrapped(nn.Linear(2, 2))])
def test_networks_without_edges_are_refused(network):
    with pytest.raises(
        EngineError, match="network: expected a BlockDAG, a GraphLayer or a network"
    ):
        ResourceTradeoff(network, sgd(network))


def test_cores_with_blocks_of_nodes_are_refused():
    network = SparseMLP([4, 8, 4], density=1, motif_size=2, seed=0)
    for use in (lambda: ResourceTradeoff(network, sgd(network)), lambda: edge_strengths(network)):
        with pytest.raises(EngineError, match=r"expected one weight per edge, .* blocks of 2 n"):
            use()
