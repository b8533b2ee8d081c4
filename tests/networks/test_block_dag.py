"""`BlockDAG` against a network that stacks all inputs of a node and shares and frees nothing."""

import copy
import io
import pickle
import weakref
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nervure import Topology
from nervure.errors import EngineError
from nervure.networks import BlockDAG, ConvBlock, MLPBlock, count_parameters


def reached(start, steps):
    found, todo = {start}, [start]
    while todo:
        at = todo.pop()
        for a, b in steps:
            if a == at and b not in found:
                found.add(b)
                todo.append(b)
    return found


def live_nodes(topology):
    edges = topology.edges.tolist()
    forward = reached(int(topology.inputs[0]), edges)
    return forward & reached(int(topology.outputs[0]), [(b, a) for a, b in edges])


def naively(network, x):
    """Node by node, on request; every edge is reduced by itself."""
    topology = network.topology
    live, first, last = live_nodes(topology), int(topology.inputs[0]), int(topology.outputs[0])
    weights = dict(zip(map(tuple, topology.edges.tolist()), network.edge_weight, strict=True))
    known = {}

    def given_by(node):
        if node in known:
            return known[node]
        if node == first:
            total = x
        else:
            parts, factors = [], []
            for source, target in sorted(weights):
                if target == node and source in live:
                    part = given_by(source)
                    if network.stages[source] != network.stages[node]:
                        key = f"{source}-{network.stages[node]}"
                        part = network.reductions[key](part)
                    parts.append(part)
                    factors.append(weights[source, target])
            stacked = torch.stack(parts, -1)
            total = (stacked * torch.stack(factors).tanh()).sum(-1)
        known[node] = network.blocks[str(node)](total)
        return known[node]

    return network.exit(given_by(last))


def gradients(network, output):
    along = torch.cos(torch.arange(output.numel(), dtype=output.dtype)).reshape(output.shape)
    names, leaves = zip(*network.named_parameters(), strict=True)
    found = torch.autograd.grad(output, leaves, along)
    return dict(zip(names, found, strict=True))


def randomised(network, seed=0):
    """Weights of edges and normalisations that no wrong order would leave unseen."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        network.edge_weight.normal_(generator=generator)
        for module in network.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                for values in (module.weight, module.bias, module.running_mean):
                    values.normal_(generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
    return network.double()


def rows_for(conv, count=6, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shape = (count, 3, 5, 6) if conv else (count, 3)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@st.composite
def staged_dags(draw, most=7):
    """A DAG with any numbering, dead nodes too, a path, and stages that do not fall."""
    n = draw(st.integers(2, most))
    name = draw(st.permutations(range(n)))
    end = draw(st.integers(1, n - 1))
    pairs = [(i, j) for j in range(1, n) for i in range(j)]
    chosen = {pair for pair in pairs if draw(st.booleans())}
    path = sorted({0, end, *draw(st.sets(st.integers(0, end), max_size=3))})
    chosen |= set(pairwise(path))
    stages = np.empty(n, dtype=np.int64)
    stages[list(name)] = sorted(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    edges = [(name[i], name[j]) for i, j in sorted(chosen)]
    topology = Topology.from_edges(edges, n, inputs=[name[0]], outputs=[name[end]])
    return topology, stages


def compare(topology, stages, node, seed, training):
    network = BlockDAG(topology, stages, channels=2, outputs=3, node=node, seed=seed)
    randomised(network, seed).train(training)
    x = rows_for(node is ConvBlock)
    twin = copy.deepcopy(network)
    ours, theirs = network(x), naively(twin, x)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(gradients(network, ours), gradients(twin, theirs))
    with torch.no_grad():
        torch.testing.assert_close(network(x), theirs.detach())


@settings(max_examples=60, deadline=None)
@given(staged_dags(), st.integers(0, 3), st.booleans())
def test_value_and_gradients_are_those_of_the_naive_network(dag, seed, training):
    compare(*dag, MLPBlock, seed, training)


@settings(max_examples=12, deadline=None)
@given(staged_dags(5), st.integers(0, 3), st.booleans())
def test_the_same_with_images(dag, seed, training):
    compare(*dag, ConvBlock, seed, training)


@settings(max_examples=30, deadline=None)
@given(staged_dags())
def test_what_is_dead_has_no_modules_and_changes_nothing(dag):
    topology, stages = dag
    network = randomised(BlockDAG(topology, stages, channels=2, node=MLPBlock, seed=0))
    live = live_nodes(topology)
    assert set(network.blocks) == {str(i) for i in live}
    jumps = {
        f"{a}-{stages[b]}"
        for a, b in topology.edges.tolist()
        if a in live and b in live and stages[a] < stages[b]
    }
    assert set(network.reductions) == jumps
    kept = [a in live and b in live for a, b in topology.edges.tolist()]
    bare = BlockDAG(topology.keep(kept), stages, channels=2, node=MLPBlock, seed=0).double()
    wiring = {k: v for k, v in bare.state_dict().items() if k.startswith("topology.")}
    state = network.state_dict() | wiring
    state["edge_weight"] = state["edge_weight"][torch.tensor(kept, dtype=torch.bool)]
    bare.load_state_dict(state)
    x = rows_for(conv=False)
    assert torch.equal(network(x), bare(x))


def test_the_papers_network_has_863300_parameters():
    network = BlockDAG(Topology.dense_dag(60), stages=3, channels=11)

    def block(inputs, outputs):
        return 9 * inputs * outputs + inputs * outputs + 4 * outputs

    nodes = [network.blocks[str(i)] for i in range(60)]
    assert [count_parameters(n) for n in nodes[1:20]] == [block(11, 11)] * 19
    assert [count_parameters(n) for n in nodes[20:40]] == [block(22, 22)] * 20
    assert [count_parameters(n) for n in nodes[40:]] == [block(44, 44)] * 20
    into = {1: Counter(), 2: Counter()}
    for key, reduction in network.reductions.items():
        into[int(key[-1])][count_parameters(reduction)] += 1
    assert into == {
        1: {block(11, 22): 20},
        2: {block(11, 44): 20, block(22, 44): 20},
    }
    table = {
        "59 node blocks": (sum(map(count_parameters, nodes[1:])), 513_106),
        "entry": (count_parameters(nodes[0]), block(3, 11)),
        "60 reductions": (count_parameters(network.reductions), 347_600),
        "exit": (count_parameters(network.exit), 44 * 10 + 10),
        "1,770 edges": (network.edge_weight.numel(), 1_770),
    }
    assert {part: found for part, (found, _) in table.items()} == {
        part: expected for part, (_, expected) in table.items()
    }
    assert len(network.reductions) == 60
    assert count_parameters(network) == sum(expected for _, expected in table.values()) == 863_300


def test_all_edges_start_at_the_same_strength():
    network = BlockDAG(Topology.dense_dag(5), edge_start=-0.25)
    torch.testing.assert_close(network.edge_weight.tanh(), torch.full((10,), -0.25))
    assert network.strengths == pytest.approx(np.full(10, 0.25))
    assert network.strengths.dtype == np.float64


def test_feature_maps_are_let_go_after_their_last_reader():
    topology = Topology.from_edges(
        [(0, 1), (1, 2), (0, 2), (2, 3), (1, 3), (3, 4), (0, 4), (4, 5), (1, 5), (4, 6), (5, 6)],
        7, inputs=[0], outputs=[6],
    )  # fmt: skip
    stages = [0, 0, 0, 1, 1, 2, 2]
    network = BlockDAG(topology, stages, channels=2, node=MLPBlock, seed=0)
    last = {}
    for source, target in topology.edges.tolist():
        part = source, stages[target]
        last[part] = max(last.get(part, 0), target)
    given, seen = {}, []

    def remember(part):
        def hook(module, inputs, output):  # noqa: ARG001
            given[part] = weakref.ref(output)

        return hook

    def look(node):
        def hook(module, inputs):  # noqa: ARG001
            alive = {part for part, output in given.items() if output() is not None}
            seen.append((node, alive, {p for p in given if last.get(p, -1) >= node}))

        return hook

    for key, block in network.blocks.items():
        block.register_forward_pre_hook(look(int(key)))
        block.register_forward_hook(remember((int(key), stages[int(key)])))
    for key, reduction in network.reductions.items():
        source, stage = map(int, key.split("-"))
        reduction.register_forward_hook(remember((source, stage)))
    with torch.no_grad():
        network(torch.randn(4, 3))
    assert [node for node, _, _ in seen] == list(range(7))
    for _, alive, needed in seen:
        assert alive == needed
    assert set(given) == {(i, s) for i, s in enumerate(stages)} | set(last)
    assert all(output() is None for output in given.values())


def test_each_block_and_reduction_runs_once():
    network = BlockDAG(Topology.dense_dag(9), stages=3, channels=2, node=MLPBlock)
    calls = Counter()
    for name, module in network.named_modules():
        if name.count(".") == 1:
            module.register_forward_hook(lambda *_, name=name: calls.update([name]))
    network(torch.randn(4, 3))
    names = [f"blocks.{i}" for i in range(9)]
    names += [f"reductions.{i}-{s}" for i in range(6) for s in (1, 2) if s > i // 3]
    names += ["exit.linear"]
    assert calls == dict.fromkeys(names, 1)


# -- taking edges out ------------------------------------------------------------------------------

DENSE = Topology.dense_dag(7)
# Node 2 is read by nobody, node 3 has no edges at all, and 4 and 6 lose a single one.
WEAK = [[2, 3], [2, 4], [2, 5], [2, 6], [0, 3], [1, 3], [3, 4], [3, 5], [3, 6], [0, 4], [1, 6]]


def weakened(conv=False):
    network = BlockDAG(DENSE, 3, channels=2, node=ConvBlock if conv else MLPBlock, seed=0)
    randomised(network)
    weak = np.isin(DENSE.edges @ [7, 1], np.array(WEAK) @ [7, 1])
    assert weak.sum() == len(WEAK)
    with torch.no_grad():
        network.edge_weight[torch.from_numpy(weak)] = 0
    return network


@pytest.mark.parametrize("conv", [False, True])
@pytest.mark.parametrize("trimmed", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_taking_out_edges_of_weight_zero_keeps_the_outputs(conv, trimmed, training):
    network = weakened(conv).train(training)
    x = rows_for(conv)
    before = copy.deepcopy(network)(x)
    rest = DENSE.drop(WEAK)
    rest = rest.trimmed() if trimmed else rest
    positions = network.rewire_(rest)
    assert np.array_equal(DENSE.edges[positions], rest.edges)
    assert network.topology is rest
    assert network.edge_weight.shape == (rest.num_edges,)
    assert set(network.blocks) == set("01456")
    assert set(network.reductions) == {"0-2", "1-1", "1-2", "4-2"}
    torch.testing.assert_close(network(x), before)
    torch.testing.assert_close(naively(network, x), before)


def state_by_edge(network, values):
    return dict(zip(map(tuple, network.topology.edges.tolist()), values.tolist(), strict=True))


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: torch.optim.Adam(p, lr=0.1, amsgrad=True),
    ],
)
def test_rewiring_carries_the_state_of_edges_and_drops_that_of_blocks(make):
    network = weakened()
    optimizer = make(network.parameters())
    for seed in range(3):
        optimizer.zero_grad()
        network(rows_for(conv=False, seed=seed)).square().sum().backward()
        optimizer.step()
    state = optimizer.state[network.edge_weight]
    per_edge = [k for k, v in state.items() if isinstance(v, torch.Tensor) and v.ndim == 1]
    assert per_edge
    before = {k: state_by_edge(network, state[k]) for k in per_edge}
    before["weight"] = state_by_edge(network, network.edge_weight)
    steps = state["step"].clone() if "step" in state else None
    kept = {id(p): copy.deepcopy(optimizer.state[p]) for p in network.blocks["4"].parameters()}

    network.rewire_(DENSE.drop(WEAK), optimizer)

    state = optimizer.state[network.edge_weight]
    after = {k: state_by_edge(network, state[k]) for k in per_edge}
    after["weight"] = state_by_edge(network, network.edge_weight)
    for name, values in after.items():
        assert values == {edge: before[name][edge] for edge in values}
        assert len(values) == DENSE.num_edges - len(WEAK)
    assert steps is None or state["step"] == steps
    left = {id(p) for p in network.parameters()}
    assert {id(p) for g in optimizer.param_groups for p in g["params"]} == left
    assert {id(p) for p in optimizer.state} == left
    for p in network.blocks["4"].parameters():
        torch.testing.assert_close(dict(optimizer.state[p]), dict(kept[id(p)]))
    optimizer.zero_grad()
    network(rows_for(conv=False)).sum().backward()
    optimizer.step()
    assert {id(p) for p in optimizer.state} == left


def test_rewiring_without_an_optimizer_and_in_steps():
    network = weakened()
    x = rows_for(conv=False)
    before = copy.deepcopy(network)(x)
    for count in range(len(WEAK) + 1):
        network.rewire_(DENSE.drop(WEAK[:count]))
    torch.testing.assert_close(network(x), before)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (DENSE.drop([[0, 1], [0, 2]]), "expected edges of .* build a new BlockDAG"),
        (Topology.dense_dag(6), "with the same nodes and roles"),
        (DENSE.drop([[0, 1]]).with_roles([1], [6]), "with the same nodes and roles"),
        (DENSE.drop([[0, 1]]).with_roles([0], [5]), "with the same nodes and roles"),
        (DENSE.keep(np.zeros(21, dtype=bool)), "no path leads from the input to the output"),
    ],
)
def test_a_wiring_that_does_not_fit_is_refused_and_nothing_changes(other, message):
    network = weakened()
    network.rewire_(DENSE.drop([[0, 1]]))
    x = rows_for(conv=False)
    topology, before = network.topology, copy.deepcopy(network)
    if "expected edges" in message:
        other = other.grow([[0, 1]])
    with pytest.raises(EngineError, match=message):
        network.rewire_(other)
    assert network.topology is topology
    assert network.state_dict().keys() == before.state_dict().keys()
    assert torch.equal(network(x), before(x))


# -- copies, seeds, blocks of one's own ------------------------------------------------------------


def test_copies_and_saved_networks_are_equal():
    network = weakened(conv=True)
    network.rewire_(DENSE.drop(WEAK))
    network.eval()
    x = rows_for(conv=True)
    expected = network(x)
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    buffer.seek(0)
    other = BlockDAG(network.topology, network.stages, channels=2, seed=5).double().eval()
    assert not torch.equal(other(x), expected)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network)), other):
        assert torch.equal(twin(x), expected)
        twin.rewire_(twin.topology.drop([[0, 1]]))
        twin(x).sum().backward()
    assert torch.equal(network(x), expected)


def test_a_seed_is_reproducible_and_leaves_torchs_generator():
    def make(seed):
        network = BlockDAG(Topology.dense_dag(4), 2, channels=2, node=MLPBlock, seed=seed)
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    before = torch.get_rng_state()
    one, two, three = make(1), make(1), make(2)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, two)
    assert not torch.equal(one, three)
    torch.manual_seed(3)
    first, second = make(None), make(None)
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    assert torch.equal(make(None), first)
    assert torch.equal(make(3), first)


def test_blocks_of_ones_own():
    asked = []

    def maker(name):
        def make(inputs, outputs, stride=None):
            asked.append((name, inputs, outputs, stride))
            return nn.Linear(inputs, outputs)

        return make

    network = BlockDAG(
        Topology.dense_dag(3), [0, 1, 3], channels=2, inputs=4, outputs=5, growth=3,
        node=maker("node"), reduce=maker("reduce"), entry=maker("entry"), exit_=maker("exit"),
    )  # fmt: skip
    assert asked == [
        ("entry", 4, 2, 1), ("node", 6, 6, 1), ("node", 54, 54, 1),
        ("reduce", 2, 6, 3), ("reduce", 2, 54, 27), ("reduce", 6, 54, 9), ("exit", 54, 5, None),
    ]  # fmt: skip
    assert network(torch.randn(2, 4)).shape == (2, 5)
    asked.clear()
    BlockDAG(Topology.dense_dag(2), [0, 1], channels=2, node=maker("node"), entry_stride=5)
    assert asked == [("node", 3, 2, 5), ("node", 4, 4, 1), ("node", 2, 4, 2)]


def test_a_single_node_may_be_input_and_output():
    network = BlockDAG(Topology.from_edges([], 1, inputs=[0], outputs=[0]), node=MLPBlock)
    assert network(torch.randn(4, 3)).shape == (4, 10)


@pytest.mark.parametrize(
    ("stages", "expected"),
    [(1, [0] * 5), (2, [0, 0, 0, 1, 1]), (np.int64(2), [0, 0, 0, 1, 1]), (5, [0, 1, 2, 3, 4]),
     ([0, 0, 1, 1, 3], [0, 0, 1, 1, 3]), (np.array([0, 2, 2, 2, 2], np.int8), [0, 2, 2, 2, 2])],
)  # fmt: skip
def test_stages(stages, expected):
    network = BlockDAG(Topology.dense_dag(5), stages, channels=1, node=MLPBlock)
    assert network.stages.tolist() == expected
    assert [network.width(i) for i in range(3)] == [1, 2, 4]


def test_stages_follow_the_order_of_the_graph_not_the_numbers():
    topology = Topology.from_edges([(3, 1), (1, 2), (2, 0)], 4, inputs=[3], outputs=[0])
    assert BlockDAG(topology, 2, 1, node=MLPBlock).stages.tolist() == [1, 0, 1, 0]


CHAIN = Topology.from_edges([(0, 1), (1, 2)], 3, inputs=[0], outputs=[2])


@pytest.mark.parametrize(
    ("topology", "options", "message"),
    [
        (Topology.from_edges([(0, 1), (1, 0)], 2, inputs=[0], outputs=[1]), {}, "without cycles"),
        (CHAIN.with_roles([0, 1], [2]), {}, "expected one input and one output, got 2 and 1; give"),
        (CHAIN.with_roles([0], []), {}, "expected one input and one output, got 1 and 0; give"),
        (CHAIN.drop([[0, 1]]), {}, "no path leads from the input to the output"),
        (CHAIN.with_roles([1], [2]), {}, "expected no edge into the input"),
        (CHAIN, {"channels": 0}, "channels: expected at least 1, got 0"),
        (CHAIN, {"growth": 0}, "growth: expected at least 1, got 0"),
        (CHAIN, {"edge_start": 1}, "edge_start: expected between -1 and 1, got 1"),
        (CHAIN, {"edge_start": float("nan")}, "edge_start: expected between -1 and 1, got nan"),
        (CHAIN, {"channels": 0, "growth": 0}, "channels: .*; growth: "),
        (CHAIN, {"inputs": 0}, "inputs: expected at least 1, got 0"),
        (CHAIN, {"outputs": 0}, "outputs: expected at least 1, got 0"),
        (CHAIN, {"growth": 2**31}, "growth: expected less than 2147483648, got 2147483648"),
        (CHAIN, {"entry_stride": 0}, "entry_stride: expected at least 1, got 0"),
        (CHAIN, {"image_shape": (4,)}, r"image_shape: expected \(height, width\) or .* got \(4,\)"),
        (CHAIN, {"image_shape": (4, 4, 3, 1)}, "image_shape: expected"),
        (CHAIN, {"image_shape": (4, 0)}, "image_shape: expected"),
        (CHAIN, {"image_shape": (4, 4), "inputs": 3}, "inputs: expected 1, the colours of image_"),
        (CHAIN, {"image_shape": (4, 4, 2), "inputs": 3}, "inputs: expected 2, the colours"),
        (CHAIN, {"stages": [0, 0, 31]}, "grow by 2 with each stage are too many in stage 31"),
        (CHAIN, {"stages": [0, 0, 2**31], "growth": 2**30}, "are too many in stage"),
        (CHAIN, {"stages": np.array([0, 0, 2**64 - 1], np.uint64)}, "stages: expected 3 whole"),
        (CHAIN, {"node": "cnv"}, "node: expected a callable or one of conv, mlp, got 'cnv'; make"),
        (CHAIN, {"reduce": "x"}, "reduce: expected a callable .*register_block"),
        (CHAIN, {"entry": 3}, "entry: expected a callable"),
        (CHAIN, {"exit_": "x"}, "exit_: expected a callable or one of pooled_linear, .*_exit"),
        (CHAIN, {"stages": 0}, "stages: expected 1 to 3, got 0"),
        (CHAIN, {"stages": 4}, "stages: expected 1 to 3, got 4"),
        (CHAIN, {"stages": [0, 1]}, r"stages: expected 3 whole numbers of at least 0, got \[0, 1"),
        (CHAIN, {"stages": [-1, 0, 1]}, "stages: expected 3 whole numbers of at least 0"),
        (CHAIN, {"stages": [0, 0.5, 1]}, "stages: expected 3 whole numbers of at least 0"),
        (CHAIN, {"stages": [0, 2, 1]}, "edge 1 -> 2 leads from stage 2 back to 1; feature maps"),
    ],
)
def test_what_does_not_fit_is_refused(topology, options, message):
    with pytest.raises(EngineError, match=message):
        BlockDAG(topology, **options)
