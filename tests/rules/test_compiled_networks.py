"""Rules at work on compiled networks: what is computed is always the wiring of the moment."""

import copy

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from nervure import FreeNet, NeuralModules, SparseMLP, Topology
from nervure.errors import EngineError
from nervure.networks import BlockDAG
from nervure.rules import SET, CoActivation, Repulsion, ResourceTradeoff, RigL

# Torch looks at the gradients of what it goes on with after a break.
pytestmark = pytest.mark.filterwarnings("ignore:.*not a leaf Tensor:UserWarning")

GENERATOR = torch.Generator().manual_seed(0)
X, Y = torch.randn(32, 4, generator=GENERATOR), torch.randn(32, 3, generator=GENERATOR)


def modules():
    return NeuralModules(4, 3, nodes=12, seed=0)


def sparse():
    return SparseMLP((4, 20, 20, 3), epsilon=3, seed=0)


def free():
    return FreeNet(4, 3, neurons=15, seed=0)


def blocks():
    return BlockDAG(Topology.dense_dag(5), channels=4, inputs=4, outputs=3, node="mlp", seed=0)


def prune_early(network, optimizer):
    return ResourceTradeoff(network, optimizer, penalty=0.1, threshold=0.49, prune_at=2)


WHOLE = {
    "Repulsion": (modules, lambda net, opt: Repulsion(net, opt, keep=30)),
    "SET": (sparse, lambda net, opt: SET(net, opt, interval=1)),
    "CoActivation": (
        free,
        lambda net, opt: CoActivation(net, opt, epsilon=0.5, interval=1, data=X),
    ),
    "ResourceTradeoff": (blocks, prune_early),
}
IN_PIECES = {
    "RigL": (sparse, lambda net, opt: RigL(net, opt, interval=1, end=100)),
    "CoActivation": (free, lambda net, opt: CoActivation(net, opt, epsilon=0.5, interval=1)),
}


def train(network, make_rule, *, fullgraph=None, steps=5):
    """Train by plain SGD; gives outputs, wirings and the counter of compilations."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    rule = make_rule(network, optimizer)
    counter = CompileCounterWithBackend("aot_eager")
    run = network
    if fullgraph is not None:
        torch._dynamo.reset()
        run = torch.compile(network, backend=counter, fullgraph=fullgraph)
    seen, changed = [], 0
    for _ in range(steps):
        optimizer.zero_grad()
        out = run(X)
        torch.nn.functional.mse_loss(out, Y).backward()
        optimizer.step()
        changed += rule.step().changed
        seen.append((out.detach(), network.topology))
    return seen, changed, counter


def assert_alike(make, make_rule, fullgraph):
    network = make()
    plain, changed, _ = train(copy.deepcopy(network), make_rule)
    found, _, counter = train(network, make_rule, fullgraph=fullgraph)
    assert changed
    assert counter.frame_count >= 1
    for (out, topology), (expected, wanted) in zip(found, plain, strict=True):
        assert topology == wanted
        torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("make", "make_rule"), WHOLE.values(), ids=WHOLE)
def test_compiled_whole_it_computes_each_new_wiring(make, make_rule):
    assert_alike(make, make_rule, fullgraph=True)


@pytest.mark.parametrize(("make", "make_rule"), IN_PIECES.values(), ids=IN_PIECES)
def test_rules_that_watch_passes_work_on_a_network_compiled_in_pieces(make, make_rule):
    assert_alike(make, make_rule, fullgraph=False)


@pytest.mark.parametrize(("make", "make_rule"), IN_PIECES.values(), ids=IN_PIECES)
def test_rules_that_watch_passes_are_refused_by_fullgraph(make, make_rule):
    with pytest.raises(torch._dynamo.exc.Unsupported, match=r"torch\.compiler\.disable"):
        train(make(), make_rule, fullgraph=True)


@pytest.mark.parametrize(("make", "make_rule"), IN_PIECES.values(), ids=IN_PIECES)
def test_a_rule_made_after_the_first_compiled_pass_sees_none_and_says_so(make, make_rule):
    network = make()
    torch._dynamo.reset()
    run = torch.compile(network, backend="aot_eager")
    run(X)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    rule = make_rule(network, optimizer)
    for _ in range(3):
        run(X).square().mean().backward()
        optimizer.step()
    with pytest.raises(EngineError, match=r"no (pass|samples)"):
        rule.step()


def test_as_many_edges_as_before_need_no_new_compilation():
    network = NeuralModules(4, 3, nodes=12, contraction=0.9, seed=0)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    rule = Repulsion(network, optimizer, keep=30)
    rule.step()
    counter = CompileCounterWithBackend("aot_eager")
    torch._dynamo.reset()
    run = torch.compile(network, backend=counter, fullgraph=True)
    wirings = set()
    for _ in range(8):
        optimizer.zero_grad()
        out = run(X)
        torch.testing.assert_close(out, network(X))
        (10 * torch.nn.functional.mse_loss(out, Y)).backward()
        optimizer.step()
        rule.step()
        wirings.add(network.topology)
    assert len(wirings) > 2
    assert counter.frame_count == 1
