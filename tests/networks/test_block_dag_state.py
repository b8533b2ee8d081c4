"""`BlockDAG` as a member of the library: its state with the wiring, its arguments, its copies."""

import copy
import io
import json
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nervure import Topology
from nervure.errors import EngineError, ModelFileError, TopologyError
from nervure.networks import (
    BlockDAG,
    ConvBlock,
    MLPBlock,
    blocks,
    count_parameters,
    register_block,
    register_exit,
)
from nervure.networks.block_design import state_shapes
from nervure.rules import ResourceTradeoff
from nervure.training import TrainingOptions, fit
from nervure.training.evaluation import Evaluation

NODES = 7
DENSE = Topology.dense_dag(NODES)
STAGES = [0, 0, 0, 1, 1, 2, 2]


def network(topology=DENSE, seed=0, **options):
    made = BlockDAG(topology, STAGES, 2, outputs=3, seed=seed, **{"node": "mlp"} | options)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        made.edge_weight.normal_(generator=generator)
        for values in made.buffers():
            if values.is_floating_point():
                values.uniform_(0.5, 2, generator=generator)
    return made.double()


def rows(seed=1, conv=False):
    generator = torch.Generator().manual_seed(seed)
    shape = (6, 3, 5, 6) if conv else (6, 3)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def without(*pairs):
    return DENSE.drop(list(pairs))


# -- the wiring in the state -----------------------------------------------------------------------


def test_the_state_says_how_it_is_wired():
    net = network(without([0, 1], [2, 6]))
    state = net.state_dict()
    wiring = {k: v for k, v in state.items() if k.startswith("topology.")}
    assert wiring.keys() == {f"topology.{k}" for k in ("indptr", "sources", "inputs", "outputs")}
    assert all(v.dtype == torch.int32 for v in wiring.values())
    edges = [
        (source, target)
        for target in range(NODES)
        for source in wiring["topology.sources"][
            wiring["topology.indptr"][target] : wiring["topology.indptr"][target + 1]
        ].tolist()
    ]
    assert edges == [tuple(edge) for edge in net.topology.edges.tolist()]
    assert wiring["topology.inputs"].tolist() == [0]
    assert wiring["topology.outputs"].tolist() == [NODES - 1]
    for values in wiring.values():
        values.zero_()
    assert net.topology == without([0, 1], [2, 6])


@st.composite
def wirings(draw):
    """What is left of the dense DAG, with a path; nodes may be dead."""
    middle = draw(st.integers(1, NODES - 2))
    drawn = [draw(st.booleans()) for _ in range(DENSE.num_edges)]
    path = [[0, middle], [middle, NODES - 1]]
    return DENSE.keep([kept or pair in path for kept, pair in zip(drawn, DENSE.edges.tolist())])  # noqa: B905


@settings(max_examples=40, deadline=None)
@given(wirings(), wirings(), st.booleans())
def test_a_state_brings_its_wiring_whichever_was_there(one, two, training):
    source = network(one, seed=1).train(training)
    loaded = network(two, seed=2).train(training)
    parameter = loaded.edge_weight
    before = torch.get_rng_state()
    loaded.load_state_dict(source.state_dict())
    assert torch.equal(torch.get_rng_state(), before)
    assert loaded.edge_weight is parameter
    assert loaded.topology == one
    # In the order of a network that is built with it, in which optimizers number parameters.
    shapes = [(name, p.shape, p.dtype) for name, p in source.named_parameters()]
    assert [(name, p.shape, p.dtype) for name, p in loaded.named_parameters()] == shapes
    assert all(module.training == training for module in loaded.modules())
    assert torch.equal(loaded(rows()), source(rows()))
    loaded(rows()).sum().backward()
    assert parameter.grad.shape == (one.num_edges,)


def test_inside_another_module_too():
    source, loaded = (
        nn.Sequential(network(topology, seed=seed), nn.Linear(3, 2).double())
        for seed, topology in enumerate((without([0, 1], [1, 2]), DENSE))
    )
    loaded.load_state_dict(source.state_dict())
    assert torch.equal(loaded(rows()), source(rows()))


def test_the_same_wiring_keeps_what_is_there():
    net = network()
    net(rows()).sum().backward()
    topology, gradient, schedule = net.topology, net.edge_weight.grad, net._schedule
    modules = list(net.modules())
    net.load_state_dict(network(seed=3).state_dict())
    assert net.topology is topology
    assert net.edge_weight.grad is gradient
    assert net._schedule is schedule
    assert all(a is b for a, b in zip(net.modules(), modules, strict=True))


def test_the_wiring_may_be_missing_where_the_load_is_not_strict():
    state = network(seed=1).state_dict()
    for key in [k for k in state if k.startswith("topology.")]:
        del state[key]
    net = network()
    with pytest.raises(RuntimeError, match=r"Missing key.*topology.indptr.*topology.outputs"):
        net.load_state_dict(state)
    found = net.load_state_dict(state, strict=False)
    assert len(found.missing_keys) == 4
    assert torch.equal(net(rows()), network(seed=1)(rows()))


def test_weights_that_a_partial_state_lacks_stay_with_their_edges():
    net = network(without([0, 1], [2, 5]))
    before = dict(zip(map(tuple, net.topology.edges.tolist()), net.edge_weight.tolist()))  # noqa: B905
    state = {k: v for k, v in network().state_dict().items() if k.startswith("topology.")}
    net.load_state_dict(state, strict=False)
    after = dict(zip(map(tuple, net.topology.edges.tolist()), net.edge_weight.tolist()))  # noqa: B905
    assert after == {(0, 1): 0, (2, 5): 0} | before


def test_strict_loads_still_find_what_is_missing_and_what_is_too_much():
    state = network(without([0, 1])).state_dict()
    del state["blocks.2.main.weight"]
    state["blocks.9.main.weight"] = torch.zeros(2, 2)
    with pytest.raises(RuntimeError, match=r"(?s)blocks.2.main.weight.*blocks.9.main.weight"):
        network().load_state_dict(state)


def changed(**wiring):
    return {f"topology.{key}": torch.tensor(v, dtype=torch.int32) for key, v in wiring.items()}


def wiring_of(topology):
    return changed(**{k: getattr(topology, k).tolist() for k in ("indptr", "sources", "inputs",
                                                                 "outputs")})  # fmt: skip


LOOP = Topology.from_edges([(0, 1), (1, 2), (2, 1), (2, 6)], NODES, inputs=[0], outputs=[6])
BACK = Topology.from_edges([(0, 4), (4, 2), (2, 6)], NODES, inputs=[0], outputs=[6])


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (wiring_of(Topology.dense_dag(6)), ModelFileError, "with other nodes or roles"),
        (wiring_of(DENSE.with_roles([0], [5])), ModelFileError, "with other nodes or roles"),
        (wiring_of(DENSE.with_roles([1], [6])), ModelFileError, "build the BlockDAG with the nod"),
        (wiring_of(without([0, 1])), ModelFileError, r"has 20 edges, and weights of shape \(21,\)"),
        (wiring_of(LOOP) | {"edge_weight": torch.ones(4)}, EngineError, "without cycles"),
        (wiring_of(BACK) | {"edge_weight": torch.ones(3)}, EngineError, "4 -> 2 leads from stage"),
        (wiring_of(DENSE.keep(np.zeros(21, bool))) | {"edge_weight": torch.ones(0)}, EngineError,
         "no path leads"),
        (changed(sources=[9] * 21), TopologyError, "outside"),
        (changed(indptr=[]), TopologyError, "number of nodes"),
        (changed(indptr=0), ModelFileError, "topology.indptr: expected a list, got an array of sh"),
        ({"topology.sources": torch.zeros(21)}, TopologyError, "integers"),
        ({"edge_weight": torch.ones(22)}, ModelFileError, "expected one weight for each"),
    ],
)  # fmt: skip
def test_a_state_that_makes_no_sense_is_refused_and_nothing_changes(state, error, message):
    net = network()
    topology, expected = net.topology, net.eval()(rows())
    with pytest.raises(error, match=message):
        net.load_state_dict(network(seed=1).state_dict() | state)
    assert net.topology is topology
    assert torch.equal(net(rows()), expected)


def test_the_price_of_edges_is_asked_after_a_load_too():
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    ResourceTradeoff(net, optimizer, penalty=0.3)
    for topology in (without([0, 1], [2, 4]), DENSE, without([1, 5])):
        source = network(topology, seed=4)
        net.load_state_dict(source.state_dict())
        net.zero_grad()
        net(rows()).square().mean().backward()
        loss = source(rows()).square().mean() + 0.3 * torch.tanh(source.edge_weight).abs().sum()
        loss.backward()
        before = net.edge_weight.detach().clone()
        optimizer.step()
        moved = before - net.edge_weight.detach()
        torch.testing.assert_close(moved, 0.1 * source.edge_weight.grad)


@pytest.mark.parametrize("best", [1, 2, 3])
def test_the_best_epoch_comes_back_with_its_wiring(best, monkeypatch):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(60, 3)).astype(np.float32)
    y = generator.integers(3, size=60)
    net, seen = network().float(), []
    errors = iter([epoch != best for epoch in (1, 2, 3)])
    monkeypatch.setattr(
        "nervure.training.loop.evaluate", lambda *_: Evaluation(0.0, float(next(errors)))
    )

    def remember(metrics):
        del metrics
        seen.append((net.topology, copy.deepcopy(net).eval()(torch.from_numpy(x)).detach()))

    fitted = fit(
        net, x, y, task="classification",
        options=TrainingOptions(epochs=3, batch_size=20, learning_rate=0.1),
        rule=partial(ResourceTradeoff, penalty=0.01, threshold=0.3, prune_at=5),
        validation=(x, y), on_epoch=remember,
    )  # fmt: skip
    assert [topology == DENSE for topology, _ in seen] == [True, False, False]
    assert fitted.best_epoch == best
    topology, outputs = seen[best - 1]
    assert net.topology == topology
    assert torch.equal(net.eval()(torch.from_numpy(x)), outputs)


# -- arguments and names ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"node": MLPBlock, "reduce": "mlp", "entry": MLPBlock, "inputs": 5, "recompute": True},
        {"node": ConvBlock, "growth": 3, "entry_stride": 2, "image_shape": (6, 7)},
        {"node": "conv", "image_shape": [6, 7, 2], "exit_": "pooled_linear"},
    ],
)
def test_the_arguments_rebuild_it(options):
    net = network(without([0, 1], [2, 6]), **options).eval()
    arguments = json.loads(json.dumps(net.config()))
    twin = BlockDAG(DENSE, **arguments, seed=3).double().eval()
    assert twin.config() == net.config() == arguments
    twin.load_state_dict(net.state_dict())
    shape = net.config()["image_shape"] or [net.config()["inputs"]]
    x = torch.randn(4, int(np.prod(shape)), dtype=torch.float64)
    assert torch.equal(twin(x), net(x))


def test_all_arguments():
    net = BlockDAG(
        Topology.dense_dag(4), 2, 5, outputs=7, growth=3, entry_stride=2, image_shape=(9, 8, 2),
        edge_start=0.25, recompute=True, node=ConvBlock, reduce=MLPBlock,
    )  # fmt: skip
    assert net.config() == {
        "stages": [0, 0, 1, 1], "channels": 5, "inputs": 2, "outputs": 7, "growth": 3,
        "edge_start": 0.25, "entry_stride": 2, "image_shape": [9, 8, 2], "recompute": True,
        "node": "conv", "reduce": "mlp", "entry": None, "exit_": "pooled_linear",
    }  # fmt: skip
    assert net.num_parameters == count_parameters(net) == sum(p.numel() for p in net.parameters())


@pytest.fixture
def registries(monkeypatch):
    for registry in (blocks.BLOCKS, blocks.EXITS):
        monkeypatch.setattr(registry, "_makers", dict(registry._makers))


class Plain(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        del stride
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.linear(x).tanh()


@pytest.mark.usefixtures("registries")
def test_blocks_of_ones_own_by_name():
    for part, register in (("node", register_block), ("reduce", register_block),
                           ("entry", register_block), ("exit_", register_exit)):  # fmt: skip
        own = type("Plain", (Plain,), {})
        net = network(**{part: own})
        with pytest.raises(EngineError, match=f"{part}: .*Plain.* has no name .*register"):
            net.config()
        with pytest.raises(EngineError, match=f"{part}: expected .* got 'plain {part}'; make oth"):
            network(**{part: f"plain {part}"})
        register(f"plain {part}", own)
        named = network(**{part: f"plain {part}"})
        assert torch.equal(named(rows()), net(rows()))
        assert named.config()[part] == f"plain {part}"
        assert net.config() == named.config()


@pytest.mark.usefixtures("registries")
def test_only_names_that_are_not_nervures_own():
    for name in ("conv", "mlp"):
        with pytest.raises(EngineError, match=f"'{name}' is nervure's own block; take another"):
            register_block(name, Plain)
    with pytest.raises(EngineError, match="'pooled_linear' is nervure's own exit"):
        register_exit("pooled_linear", Plain)
    register_block("mine", Plain)
    register_block("mine", MLPBlock)
    assert isinstance(network(node="mine").blocks["1"], MLPBlock)


def test_shapes_of_a_state_are_known_without_making_each_block():
    asked = []

    def make(inputs, outputs, stride):
        asked.append((inputs, outputs, stride))
        return MLPBlock(inputs, outputs)

    net = network(without([0, 1], [2, 6]), node=make)
    assert len(asked) == len(net.blocks) + len(net.reductions)
    asked.clear()
    found = {k: v for shapes in state_shapes(net.topology, net._design) for k, v in shapes.items()}
    # The entry; nodes of three stages; reductions from 0 to 1 and 2, and from 1 to 2.
    assert sorted(asked) == [
        (2, 2, 1), (2, 4, 2), (2, 8, 4), (3, 2, 1), (4, 4, 1), (4, 8, 2), (8, 8, 1),
    ]  # fmt: skip
    expected = {k: tuple(v.shape) for k, v in net.state_dict().items() if "topology" not in k}
    assert found == expected


# -- copies ----------------------------------------------------------------------------------------


def stored(net):
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n)), stored])
@pytest.mark.parametrize("node", ["conv", ConvBlock, partial(ConvBlock)])
def test_copies_can_be_rewired_and_loaded(copied, node):
    net = network(without([0, 1]), node=node, recompute=True, image_shape=(5, 6, 3))
    x = rows(conv=True)
    twin = copied(net)
    assert twin.recompute
    assert torch.equal(twin(x), net(x))
    expected = net.eval()(x)
    twin.eval().load_state_dict(network(seed=2, node="conv").state_dict())
    assert torch.equal(twin(x), network(seed=2, node="conv").eval()(x))
    assert torch.equal(net(x), expected)


def test_compact_leaves_out_what_leads_nowhere():
    net = network(without([2, 3], [2, 4], [2, 5], [2, 6])).eval()
    hook = net.edge_weight.register_hook(lambda gradient: gradient * 0)
    before = net.topology
    small = net.compact()
    assert small.topology == before.drop([[0, 2], [1, 2]])
    assert torch.equal(small(rows()), net(rows()))
    assert net.topology is before
    assert not small.training
    small(rows()).sum().backward()
    assert small.edge_weight.grad.abs().sum() > 0
    assert {id(p) for p in small.parameters()}.isdisjoint(id(p) for p in net.parameters())
    hook.remove()
