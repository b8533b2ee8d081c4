"""Layered networks as plain torch."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from nervure import FreeNet, GraphLayer, NeuralModules, SparseMLP, Topology
from nervure.baselines import PlainNetwork
from nervure.engine.activations import NAMES
from nervure.errors import ExportError
from nervure.export import Signature, to_sequential, to_torch
from nervure.networks import BlockDAG

from .networks import Case, checked, every, exact_outputs, layered_mlp, modules, seeded

OF_TORCH = [name for name in NAMES if name != "squared_relu"]


def assert_equal(network, x):
    sequence = to_sequential(network)
    assert type(sequence) is nn.Sequential
    assert all(type(module).__module__.startswith("torch.nn.") for module in sequence)
    with torch.no_grad():
        found = sequence(x).numpy()
    np.testing.assert_allclose(found, exact_outputs(network, x), rtol=1e-5, atol=1e-5)
    return [type(module).__name__ for module in sequence]


@checked
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.sampled_from(OF_TORCH),
    st.integers(0, 10**6),
    st.booleans(),
    st.booleans(),
)
def test_layered_graphs(sizes, activation, seed, with_bias, plain_ends):
    """In any numbering, with nodes that are dead, constant, or given out in another order."""
    rng = np.random.default_rng(seed)
    sizes = [*sizes, 3]
    layered = Topology.layered(sizes, density=0.6, seed=seed)
    nodes = layered.num_nodes
    number = rng.permutation(nodes)
    inputs, outputs = rng.permutation(number[: sizes[0]]), rng.permutation(number[-3:])
    topology = Topology.from_edges(number[layered.edges], nodes, inputs=inputs, outputs=outputs)
    kinds = np.full(nodes, activation, dtype=object)
    if plain_ends:
        kinds[inputs], kinds[outputs] = "identity", "identity"
    layer = GraphLayer(topology, activation=kinds.tolist(), generator=seeded(seed), leak=0.2)
    with torch.no_grad():
        if with_bias:
            layer.bias.normal_(generator=seeded(seed))
    assert_equal(layer, torch.randn(5, sizes[0], generator=seeded(seed)))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"motif_size": 4},
        {"motif_size": 4, "tied": True},
        {"motif_size": 5, "pad": True, "sizes": [12, 20, 15, 4]},
        {"activation": "gelu"},
    ],
)
def test_sparse_networks_are_their_layers(options):
    kinds = assert_equal(layered_mlp(**options), torch.randn(6, 12, generator=seeded()))
    other = "GELU" if "activation" in options else "ReLU"
    assert kinds == ["Linear", other, "Linear", other, "Linear"]


def test_inputs_that_nothing_reads_have_zeros():
    network = SparseMLP([50, 8, 3], density=0.03, output_layer="dense", seed=0)
    assert_equal(network, torch.randn(4, 50, generator=seeded()))
    assert to_sequential(network)[0].in_features == 50


def test_a_network_of_one_hidden_layer():
    x = torch.randn(6, 4, generator=seeded())
    assert assert_equal(PlainNetwork(4, 2, nodes=9, seed=0), x) == ["Linear", "Tanh", "Linear"]
    empty = Topology.from_edges(np.zeros((0, 2), int), 7, inputs=every(7), outputs=every(7))
    for network in (
        NeuralModules(4, 2, nodes=7, topology=empty, seed=0),
        FreeNet(4, 2, neurons=7, topology=empty, activation="silu", seed=0),
    ):
        assert len(assert_equal(network, x)) == 3


def test_a_free_network_that_happens_to_be_layered():
    """The encoder feeds the first three neurons alone, the decoder reads the last two alone."""
    pairs = [(0, 3), (1, 3), (2, 4), (1, 4), (3, 5), (4, 5), (3, 6)]
    topology = Topology.from_edges(pairs, 7, inputs=every(7), outputs=every(7))
    network = FreeNet(4, 2, neurons=7, topology=topology, seed=0)
    with torch.no_grad():
        network.encoder.weight[3:] = 0
        network.decoder.weight[:, :5] = 0
    x = torch.randn(6, 4, generator=seeded())
    assert len(assert_equal(network, x)) == 7
    with torch.no_grad():
        network.encoder.weight[4, 1] = 1
    with pytest.raises(ExportError, match=r"node 4 is in layer 2 .* through the encoder"):
        to_sequential(network)
    with torch.no_grad():
        network.encoder.weight[4, 1] = 0
        network.decoder.weight[0, 2] = 1
    with pytest.raises(ExportError, match="the decoder reads node 2 in layer 1 of 3"):
        to_sequential(network)


def test_why_a_graph_is_not_layered():
    with pytest.raises(ExportError, match=r"components with cycles.*ONNX or NumPy"):
        to_sequential(modules())
    pairs = [(0, 3), (3, 5), (5, 6), (1, 5), (2, 3), (3, 6)]
    topology = Topology.from_edges(pairs, 7, inputs=[0, 2], outputs=[6])
    with pytest.raises(
        ExportError,
        match=r"edge from node 3 to node 6 leads from layer 2 to layer 4 of nodes, one of 1 that",
    ):
        to_sequential(GraphLayer(topology, generator=seeded()))
    with pytest.raises(ExportError, match="an output is node 3 in layer 2 of 3"):
        to_sequential(
            GraphLayer(
                Topology.from_edges([(0, 3), (3, 5)], 7, inputs=[0], outputs=[5, 3]),
                generator=seeded(),
            )
        )
    mixed = GraphLayer(
        Topology.from_edges([(0, 1), (0, 2)], inputs=[0], outputs=[1, 2]),
        activation=["identity", "relu", "tanh"],
        generator=seeded(),
    )
    with pytest.raises(ExportError, match="layer 2 of the GraphLayer has the activations relu, ta"):
        to_sequential(mixed)
    with pytest.raises(ExportError, match="squared_relu"):
        to_sequential(layered_mlp(activation="squared_relu"))
    with pytest.raises(ExportError, match="BlockDAG"):
        to_sequential(BlockDAG(Topology.dense_dag(3), channels=2))


def test_five_lines_read_the_file(tmp_path):
    """As docs/export.md has them."""
    network, path = layered_mlp(activation="leaky_relu"), tmp_path / "net.safetensors"
    to_torch(network, path, signature=Signature(("a",), ("b",), "bits"))
    with safe_open(path, "pt") as file:
        about = file.metadata()
    layers = json.loads(about["layers"])
    rebuilt = nn.Sequential(*(getattr(nn, name)(*sizes) for name, *sizes in layers))
    rebuilt.load_state_dict(load_file(path))
    x = torch.randn(5, 12, generator=seeded())
    with torch.no_grad():
        np.testing.assert_allclose(rebuilt(x), Case(network, x).expected, rtol=1e-5, atol=1e-5)
    assert json.loads(about["class_names"]) == ["b"]
    assert layers[1] == ["LeakyReLU", 0.01]


def test_the_result_is_apart_from_the_network():
    network = layered_mlp()
    before = network.core.weight.detach().clone()
    sequence = to_sequential(network)
    with torch.no_grad():
        sequence[0].weight.zero_()
    assert torch.equal(network.core.weight, before)
    assert not sequence.training
