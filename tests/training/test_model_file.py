import copy
import json
import random
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from nervure import NeuralModules, Topology, folders
from nervure.baselines import PlainNetwork
from nervure.errors import ModelFileError
from nervure.networks import GraphLinear, SparseMLP
from nervure.rules import Repulsion
from nervure.training import model_kinds
from nervure.training.model_file import load_model, read_metadata, save_model


def network(nodes=8, keep=20, activation="tanh", kind=NeuralModules):
    net = kind(4, 2, nodes=nodes, activation=activation, seed=0)
    Repulsion(net, torch.optim.SGD(net.parameters(), lr=0.1), keep=keep)
    return net


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize(
    "net",
    [
        network(),
        network(activation=["relu", "tanh"] * 4),
        network().compact(),
        network().compact().double(),
        network().bfloat16(),
        PlainNetwork(4, 2, nodes=5, activation="relu", seed=1),
        network(kind=GraphLinear),
        network(activation="relu", kind=GraphLinear).compact(),
    ],
    ids=["dense", "mixed", "sparse", "double", "bfloat16", "plain", "linear", "linear-sparse"],
)
def test_round_trip(path, net):
    before = copy.deepcopy(net.state_dict())
    random_state = torch.get_rng_state()
    save_model(path, net, metadata={"data": {"mean": [0.5, float("inf")]}})
    loaded = load_model(path)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert loaded.metadata["data"] == {"mean": [0.5, float("inf")]}
    assert loaded.metadata == read_metadata(path)
    for state in (net.state_dict(), loaded.network.state_dict()):
        assert state.keys() == before.keys()
        assert all(torch.equal(state[k], before[k]) for k in before)
        assert all(state[k].dtype == before[k].dtype for k in before)
    if net.decoder.weight.dtype != torch.bfloat16:
        x = torch.randn(3, 4, dtype=net.decoder.weight.dtype)
        assert torch.equal(loaded.network(x), net(x))
    assert not loaded.network.training
    assert type(loaded.network) is type(net)


def test_saving_changes_nothing_and_is_repeatable(path):
    net = network()
    net.train()
    save_model(path, net, metadata={})
    first = path.read_bytes()
    save_model(path, net, metadata={})
    assert net.training
    assert path.read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_shared_parameters_can_be_saved(path):
    net = PlainNetwork(3, 3, nodes=3, seed=0)
    net.decoder.weight = net.hidden.weight
    save_model(path, net, metadata={})
    assert torch.equal(load_model(path).network.decoder.weight, net.hidden.weight)


@pytest.mark.parametrize("kind", [NeuralModules, GraphLinear])
def test_a_compact_network_loads_without_nodes_times_nodes(path, monkeypatch, kind):
    nodes = 20_000  # a matrix would take 1.6 GB, the complete digraph more
    pairs = np.column_stack((np.arange(nodes), (np.arange(nodes) + 1) % nodes))
    everything = range(nodes)
    ring = Topology.from_edges(pairs, num_nodes=nodes, inputs=everything, outputs=everything)
    net = kind(2, 2, nodes=nodes, topology=ring, storage="sparse", seed=0)
    save_model(path, net, metadata={})
    monkeypatch.setattr(Topology, "complete", None)
    loaded = load_model(path).network
    assert loaded.topology == ring
    assert max(p.numel() for p in loaded.parameters()) == 2 * nodes


def test_a_failed_write_leaves_the_old_model(path, monkeypatch):
    save_model(path, network(), metadata={"n": 1})

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders.os, "fsync", full)
    with pytest.raises(ModelFileError, match="No space left on device; free"):
        save_model(path, network(), metadata={"n": 2})
    assert read_metadata(path)["n"] == 1
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_what_cannot_be_saved_is_refused(path):
    with pytest.raises(ModelFileError, match="register_network"):
        save_model(path, nn.Linear(2, 2), metadata={})
    with pytest.raises(ModelFileError, match="version is taken"):
        save_model(path, network(), metadata={"version": 2})
    with pytest.raises(ModelFileError, match="is no JSON"):
        save_model(path, network(), metadata={"x": object()})
    net = network()
    with torch.no_grad():
        net.core.weight[1, 2] = float("nan")
    with pytest.raises(ModelFileError, match=r"core\.weight is not finite"):
        save_model(path, net, metadata={})
    with pytest.raises(ModelFileError, match="cannot write"):
        save_model(path.parent / "nowhere" / "m", network(), metadata={})
    assert not path.exists()


class Tiny(nn.Linear):
    def config(self):
        return {"in_features": self.in_features, "out_features": self.out_features}


def test_new_kinds_can_be_registered(path, monkeypatch):
    monkeypatch.delitem(model_kinds.BUILDERS, "Tiny", raising=False)
    model_kinds.register_network("Tiny", lambda arguments, _: Tiny(**arguments))
    net = Tiny(3, 2)
    save_model(path, net, metadata={})
    assert torch.equal(load_model(path).network.weight, net.weight)
    del model_kinds.BUILDERS["Tiny"]
    with pytest.raises(ModelFileError, match="kind 'Tiny'"):
        load_model(path)


# -- damage ---------------------------------------------------------------------------------------


def test_files_that_are_none(path):
    with pytest.raises(ModelFileError, match="does not exist"):
        load_model(path)
    with pytest.raises(ModelFileError, match="is a folder"):
        load_model(path.parent)
    for data in (b"", b"\x00" * 8, random.Random(0).randbytes(5000)):
        path.write_bytes(data)
        for read in (load_model, read_metadata):
            with pytest.raises(ModelFileError, match="empty, truncated, damaged or no safetensors"):
                read(path)


@pytest.mark.parametrize("claim", [2**63 - 1, 2**40, 10**8])
def test_a_header_that_claims_terabytes(path, claim):
    path.write_bytes(struct.pack("<Q", claim) + b"{}")
    with pytest.raises(ModelFileError):
        load_model(path)
    header = json.dumps(
        {"x": {"dtype": "F32", "shape": [claim], "data_offsets": [0, 4 * claim]}}
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(ModelFileError):
        load_model(path)


def rewritten(path, change_tensors=None, change_metadata=None, text=None):
    """Save a small model, change it, and write it back as a sound safetensors file."""
    save_model(path, network().compact(), metadata={})
    tensors, metadata = load_file(path), read_metadata(path)
    if change_tensors is not None:
        change_tensors(tensors)
    if change_metadata is not None:
        change_metadata(metadata)
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, path, {"nervure": json.dumps(metadata) if text is None else text})


def put(name, value):
    return lambda tensors: tensors.update({name: value})


def poke(name, at, value):
    return lambda tensors: tensors[name].__setitem__(at, value)


TENSORS = {
    "missing weights": (lambda t: t.pop("core.weight"), r"core\.weight is missing"),
    "missing bias": (lambda t: t.pop("core.bias"), r"missing: core\.bias"),
    "missing wiring": (lambda t: t.pop("core.topology.sources"), "sources is missing"),
    "surplus": (put("extra", torch.zeros(2)), "unknown: extra"),
    "index out of range": (poke("core.topology.sources", 3, 99), r"99 outside 0\.\.7"),
    "negative index": (poke("core.topology.outputs", 0, -1), r"-1 outside 0\.\.7"),
    "offsets": (poke("core.topology.indptr", 4, 10**9), "indptr must rise"),
    "activation": (poke("core.topology.activation", 0, 77), "activation codes"),
    "short activation": (put("core.topology.activation", torch.zeros(3).int()), "activation"),
    "nan": (poke("encoder.weight", (0, 0), float("nan")), r"encoder\.weight is not finite"),
    "infinite": (poke("core.weight", 0, float("inf")), r"core\.weight is not finite"),
    "shape": (put("encoder.weight", torch.zeros(8, 5)), r"shape \(8, 5\), expected \(8, 4\)"),
    "bias shape": (put("decoder.bias", torch.zeros(3)), r"decoder\.bias has shape \(3,\)"),
    "edge count": (put("core.weight", torch.zeros(19)), r"\(19,\), expected \(20,\)"),
    "integer weights": (put("core.weight", torch.zeros(20).int()), "expected torch.float32"),
    "byte weights": (put("core.weight", torch.zeros(20).char()), "float32, got torch.int8"),
    "mixed weights": (put("core.weight", torch.zeros(20).double()), "float32, float64"),
    "wide wiring": (put("core.topology.sources", torch.zeros(20).long()), "got torch.int64"),
    "wide activation": (put("core.topology.activation", torch.ones(8).long()), "int32, got .*64"),
    "no floats": (lambda t: [t.pop(k) for k in list(t) if t[k].is_floating_point()], "got none"),
    "float wiring": (put("core.topology.sources", torch.zeros(20)), "list of int32"),
    "scalar wiring": (put("core.topology.indptr", torch.tensor(0).int()), "list of int32"),
    "no offsets": (put("core.topology.indptr", torch.zeros(0).int()), "number of nodes"),
}


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_that_do_not_fit(path, name):
    change, complaint = TENSORS[name]
    rewritten(path, change_tensors=change)
    with pytest.raises(ModelFileError, match=complaint) as caught:
        load_model(path)
    assert str(path) in str(caught.value)


def arguments(**changes):
    return lambda metadata: metadata["network"]["arguments"].update(changes)


METADATA = {
    "version": (lambda m: m.update(version=2), "newer nervure"),
    "version type": (lambda m: m.update(version="1"), "version '1'"),
    "format": (lambda m: m.update(format="other"), "format"),
    "network": (lambda m: m.pop("network"), "how to build"),
    "arguments": (lambda m: m["network"].update(arguments=[1]), "how to build"),
    "kind": (lambda m: m["network"].update(kind=["x"]), "kind"),
    "nodes": (arguments(nodes=10**12), "expected"),
    "inputs": (arguments(inputs=10**12), "expected"),
    "text": (arguments(outputs="many"), "expected"),
    "dense": (arguments(storage="dense"), r"expected \(8, 8\)"),
    "unknown argument": (arguments(surprise=1), "unexpected keyword"),
    "option": (arguments(contraction=7), "contraction"),
    "size as text": (arguments(nodes="8"), r"expected \('8', 4\)"),
    "fraction": (arguments(nodes=8.0), r"expected \(8\.0, 4\)"),
    "sweeps as a fraction": (
        arguments(max_sweeps=200.0),
        r"max_sweeps: .* got 200\.0",
    ),
    "endless sweeps": (arguments(max_sweeps=10**30), "whole number of 1 to 2147483647"),
    "lax JSON": (lambda m: m.update(note=float("nan")), "NaN is no JSON"),
    "half a character": (lambda m: m.update(note="\ud800"), "no JSON"),
}


@pytest.mark.parametrize("name", METADATA)
def test_metadata_that_does_not_fit(path, name):
    change, complaint = METADATA[name]
    rewritten(path, change_metadata=change)
    with pytest.raises(ModelFileError, match=complaint):
        load_model(path)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "null", "[" * 100_000, '{"version": 1e999}', "1" * 5000],
)
def test_metadata_that_is_damaged(path, text):
    rewritten(path, text=text)
    for read in (load_model, read_metadata):
        with pytest.raises(ModelFileError):
            read(path)


def test_a_safetensors_file_of_something_else(path):
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(ModelFileError, match="something else"):
        load_model(path)


@pytest.mark.parametrize("kind", ["cut", "anywhere", "header", "length", "data"])
def test_no_damage_is_anything_but_a_model_file_error(path, kind):
    save_model(path, network(nodes=5, keep=8).compact(), metadata={"data": {"classes": [0, 1]}})
    whole = path.read_bytes()
    start = 8 + struct.unpack("<Q", whole[:8])[0]
    chance = random.Random(kind)
    low, high = {"header": (8, start), "length": (0, 8), "data": (start, len(whole))}.get(
        kind, (0, len(whole))
    )
    outcomes = set()
    for _ in range(150):
        data = bytearray(whole)
        if kind == "cut":
            data = data[: chance.randrange(len(data))]
        else:
            for _ in range(chance.choice((1, 1, 2, 8))):
                data[chance.randrange(low, high)] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        try:
            loaded = load_model(path)
        except ModelFileError:
            outcomes.add("refused")
        else:
            outcomes.add("loaded")
            assert all(bool(torch.isfinite(p).all()) for p in loaded.network.parameters())
    assert "refused" in outcomes
    assert kind != "data" or "loaded" in outcomes


def test_a_size_that_is_only_equal_to_one_is_refused(path):
    save_model(path, PlainNetwork(1, 2, nodes=3, seed=0), metadata={})
    tensors, metadata = load_file(path), read_metadata(path)
    metadata["network"]["arguments"]["inputs"] = True
    save_file(tensors, path, {"nervure": json.dumps(metadata)})
    with pytest.raises(ModelFileError, match=r"expected \(3, True\)"):
        load_model(path)


def test_sizes_are_taken_as_they_are_or_not_at_all(path):
    save_model(path, SparseMLP([4, 6, 2], density=0.5, seed=0), metadata={})
    tensors, metadata = load_file(path), read_metadata(path)
    metadata["network"]["arguments"]["sizes"] = ["4", 6.5, 2]
    save_file(tensors, path, {"nervure": json.dumps(metadata)})
    with pytest.raises(ModelFileError, match=r"sizes: expected \[4, 6, 2\], got \['4', 6\.5, 2\]"):
        load_model(path)


@pytest.mark.parametrize("name", ["inputs", "outputs"])
def test_a_node_that_is_named_twice_is_refused(path, name):
    save_model(path, SparseMLP([4, 6, 4], motif_size=2, density=1.0, seed=0), metadata={})
    tensors, metadata = load_file(path), read_metadata(path)
    tensors[f"core.topology.{name}"][1] = tensors[f"core.topology.{name}"][0]
    save_file(tensors, path, {"nervure": json.dumps(metadata)})
    with pytest.raises(ModelFileError, match=f"the saved {name} name a node twice"):
        load_model(path)


def test_another_class_of_the_name_of_one_of_nervure_s_is_not_known(path):
    foreign = type("FreeNet", (Tiny,), {})(3, 2)
    assert not model_kinds.is_known(foreign)
    assert model_kinds.is_known(network())
    with pytest.raises(ModelFileError, match="not nervure's class of that name but one of"):
        save_model(path, foreign, metadata={})
    with pytest.raises(ModelFileError, match="'FreeNet' is nervure's own"):
        model_kinds.register_network("FreeNet", lambda arguments, _: Tiny(**arguments))
