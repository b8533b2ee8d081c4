"""Model files of `BlockDAG`: round trips, and damage that must not ask for memory."""

import copy
import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from nervure import Topology
from nervure.errors import EngineError, ModelFileError
from nervure.networks import BlockDAG, MLPBlock
from nervure.networks.blocks import BLOCKS
from nervure.training import model_kinds
from nervure.training.model_file import load_model, read_metadata, save_model


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def block_dag(conv=False, **options):
    """A DAG of blocks in three stages that has lost some edges, one block and two reductions."""
    net = BlockDAG(
        Topology.dense_dag(6), 3, 2, outputs=4, node="conv" if conv else "mlp", seed=0, **options
    )
    with torch.no_grad():
        net.edge_weight.normal_(generator=torch.Generator().manual_seed(0))
        for values in net.buffers():
            values.add_(3)
    net.rewire_(net.topology.drop([[1, 3], [1, 4], [1, 5], [0, 1], [1, 2]]))
    return net


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (block_dag(), (3,)),
        (block_dag(inputs=5).double(), (5,)),
        (block_dag(conv=True), (3, 8, 8)),
        (block_dag(conv=True, image_shape=(8, 9, 2), recompute=True, entry_stride=2), (144,)),
        (BlockDAG(Topology.dense_dag(5), [0, 0, 1, 1, 1], 2, growth=3, node="mlp"), (3,)),
        (block_dag(conv=True).bfloat16(), None),
    ],
    ids=["features", "double", "images", "rows", "whole", "bfloat16"],
)
def test_a_dag_of_blocks_round_trip(path, net, shape):
    before = copy.deepcopy(net.state_dict())
    random_state = torch.get_rng_state()
    save_model(path, net, metadata={})
    loaded = load_model(path).network
    assert torch.equal(torch.get_rng_state(), random_state)
    assert loaded.topology == net.topology
    assert loaded.config() == net.config()
    for state in (net.state_dict(), loaded.state_dict()):
        assert list(state) == list(before)
        assert all(torch.equal(state[k], before[k]) for k in before)
        assert all(state[k].dtype == before[k].dtype for k in before)
    assert loaded.state_dict()["blocks.0.norm.num_batches_tracked"].dtype == torch.int64
    assert not loaded.training
    if shape is not None:
        x = torch.randn(3, *shape, dtype=net.edge_weight.dtype)
        assert torch.equal(loaded(x), net.eval()(x))


def test_a_dag_of_blocks_without_names_is_not_saved(path):
    net = BlockDAG(Topology.dense_dag(3), node=lambda inputs, outputs, stride: MLPBlock(3, 3))  # noqa: ARG005
    with pytest.raises(EngineError, match=r"node: .*lambda.* has no name .*register_block"):
        save_model(path, net, metadata={})
    assert not path.exists()


# -- damage ---------------------------------------------------------------------------------------


def put(name, value):
    return lambda tensors: tensors.update({name: value})


def poke(name, at, value):
    return lambda tensors: tensors[name].__setitem__(at, value)


def arguments(**changes):
    return lambda metadata: metadata["network"]["arguments"].update(changes)


ARGUMENTS = {
    "channels": (arguments(channels=10**9), "too many in stage"),
    "other channels": (arguments(channels=3), r"shape \(2, 3\), expected \(3, 3\)"),
    "huge channels": (arguments(channels=10**30), "channels: expected less than"),
    "no channels": (arguments(channels=0), "channels: expected at least 1"),
    "growth": (arguments(growth=10**9), "too many in stage"),
    "huge growth": (arguments(growth=10**300), "growth: expected less than"),
    "another growth": (arguments(growth=3), "expected"),
    "far stages": (arguments(stages=[0, 0, 1, 1, 10**9, 10**9]), "too many in stage"),
    "huge stages": (arguments(stages=[10**30] * 6), "stages: expected 6 whole numbers"),
    "another stage": (arguments(stages=[0, 0, 0, 1, 2, 2]), "missing|expected"),
    "falling stages": (arguments(stages=[0, 0, 2, 1, 2, 2]), "leads from stage 2 back to 1"),
    "few stages": (arguments(stages=[0]), "stages: expected 6 whole numbers"),
    "inputs": (arguments(inputs=10**9), r"shape \(2, 3\), expected \(2, 1000000000\)"),
    "huge inputs": (arguments(inputs=10**30), "inputs: expected less than"),
    "outputs": (arguments(outputs=10**9), r"exit\.linear\.weight has shape"),
    "node": (arguments(node="conv"), r"blocks\.0\.conv\.weight is missing"),
    "unknown node": (arguments(node="mine"), "node: expected a callable or one of conv, mlp, got"),
    "node of another type": (arguments(node=["mlp"]), "node: expected a callable"),
    "exit": (arguments(exit_="mlp"), "exit_: expected"),
    "entry stride": (arguments(entry_stride=0), "entry_stride: expected at least 1"),
    "text": (arguments(channels="2"), "'str'"),
    "fraction": (arguments(channels=2.0), "'float'"),
    "image": (arguments(image_shape=[10**9, 10**9]), "inputs: expected 1"),
    "image text": (arguments(image_shape="88"), "'str'"),
    "unknown argument": (arguments(surprise=1), "unexpected keyword"),
    "missing argument": (lambda m: m["network"]["arguments"].pop("stages"), "missing 1 required"),
    "seed": (arguments(seed=1), "unexpected keyword"),
}


def rewritten(path, change_tensors=None, change_metadata=None):
    save_model(path, block_dag(), metadata={})
    tensors, metadata = load_file(path), read_metadata(path)
    if change_tensors is not None:
        change_tensors(tensors)
    if change_metadata is not None:
        change_metadata(metadata)
    save_file(tensors, path, {"nervure": json.dumps(metadata)})


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_of_blocks_that_do_not_fit_build_nothing(path, name, monkeypatch):
    change, complaint = ARGUMENTS[name]
    rewritten(path, change_metadata=change)
    monkeypatch.setattr(model_kinds, "BlockDAG", None)
    with pytest.raises(ModelFileError, match=complaint) as caught:
        load_model(path)
    assert "NoneType" not in str(caught.value)


TENSORS = {
    "edges": (put("edge_weight", torch.zeros(11)), r"\(11,\), expected \(10,\)"),
    "block missing": (lambda t: t.pop("blocks.3.main.weight"), r"blocks\.3\.main\.weight is mis"),
    "block shape": (put("blocks.3.main.weight", torch.zeros(4, 5)), r"\(4, 5\), expected \(4, 4\)"),
    "no reduction": (lambda t: t.pop("reductions.0-2.norm.bias"), "reductions.0-2.norm.bias is mi"),
    "statistics": (put("blocks.0.norm.running_var", torch.zeros(3)), r"expected \(2,\)"),
    "counter": (put("blocks.0.norm.num_batches_tracked", torch.zeros(1).long()), r"expected \(\)"),
    "wiring": (lambda t: t.pop("topology.outputs"), r"topology\.outputs is missing"),
    "node out of range": (poke("topology.sources", 0, 6), r"6 outside 0\.\.5"),
    "roles": (put("topology.outputs", torch.tensor([4, 5]).int()), "one input and one output"),
    "no path": (put("topology.outputs", torch.tensor([1]).int()), "no path leads"),
}
LATER = {
    "surplus": (put("blocks.1.main.weight", torch.zeros(2, 2)), r"unknown: blocks\.1\.main\.wei"),
    "negative variance": (
        poke("blocks.0.norm.running_var", 0, -0.5), r"norm\.running_var holds a negative variance",
    ),
    "small counter": (
        put("blocks.0.norm.num_batches_tracked", torch.tensor(3).int()),
        r"num_batches_tracked: expected torch\.int64, got torch\.int32",
    ),
    "float counter": (
        put("blocks.0.norm.num_batches_tracked", torch.tensor(3.0)), "expected torch.int64"
    ),
    "whole weights": (put("edge_weight", torch.zeros(10).int()), "expected torch.float32, got"),
    "logical weights": (put("edge_weight", torch.zeros(10).bool()), "expected torch.float32, got"),
}  # fmt: skip


@pytest.mark.parametrize("name", [*TENSORS, *LATER])
def test_tensors_of_blocks_that_do_not_fit(path, name, monkeypatch):
    change, complaint = (TENSORS | LATER)[name]
    rewritten(path, change_tensors=change)
    if name in TENSORS:
        monkeypatch.setattr(model_kinds, "BlockDAG", None)
    with pytest.raises(ModelFileError, match=complaint):
        load_model(path)


def test_a_long_wiring_without_blocks_builds_none(path, monkeypatch):
    nodes = 300_000
    chain = {
        "edge_weight": torch.zeros(nodes - 1),
        "topology.indptr": torch.arange(-1, nodes).clamp_(0).int(),
        "topology.sources": torch.arange(nodes - 1).int(),
        "topology.inputs": torch.tensor([0]).int(),
        "topology.outputs": torch.tensor([nodes - 1]).int(),
    }

    def change(tensors):
        tensors.clear()
        tensors.update(chain)

    rewritten(path, change, arguments(stages=[0] * nodes))
    made = []

    def make(inputs, outputs, stride):
        made.append((inputs, outputs, stride))
        return MLPBlock(inputs, outputs)

    monkeypatch.setitem(BLOCKS._makers, "mlp", make)
    with pytest.raises(ModelFileError, match=r"blocks\.0\.main\.weight is missing"):
        load_model(path)
    assert made == [(3, 2, 1)]
