"""ONNX files give what the network gives, in ONNX Runtime."""

import copy
import json
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given

from nervure import GraphLayer, NeuralModules, SparseMLP, Topology
from nervure.errors import ExportError
from nervure.export import Signature, onnx_model, to_onnx
from nervure.networks import BlockDAG, ConvBlock

from .networks import (
    Case,
    checked,
    contractive_,
    encoded,
    every,
    exact_outputs,
    layered_mlp,
    layers,
    long_ring,
    modules,
    of_every_kind,
    seeded,
    turning,
)

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def session_of(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def run(model, x):
    return session_of(model).run(None, {"input": x.numpy()})


def assert_equal_in_runtime(case, **options):
    model = onnx_model(case.network, **options)
    onnx.checker.check_model(model, full_check=True)
    found = run(model, case.x)
    np.testing.assert_allclose(found[0], case.expected, rtol=1e-5, atol=1e-5)
    return model, found


def operators(model):
    return Counter(node.op_type for node in model.graph.node)


def properties(model):
    return {entry.key: entry.value for entry in model.metadata_props}


@checked
@given(layers())
def test_any_graph(case):
    model, found = assert_equal_in_runtime(case)
    assert len(found) == 1 + ("Loop" in operators(model))
    assert all(change.max() <= 1e-6 for change in found[1:])


@checked
@given(encoded())
def test_any_graph_between_encoder_and_decoder(case):
    assert_equal_in_runtime(case)


@pytest.mark.parametrize("name", of_every_kind())
def test_every_kind_of_network(name):
    case = of_every_kind()[name]
    model, _ = assert_equal_in_runtime(case)
    assert properties(model)["nervure.network"] == type(case.network).__name__


def test_the_reference_evaluator_agrees():
    """It takes operators by the letter, where a runtime may be lenient."""
    reference = pytest.importorskip("onnx.reference")
    for network in (modules(), layered_mlp(), SparseMLP([400, 400, 10], epsilon=5, seed=0)):
        x = torch.randn(4, network.config().get("sizes", [12])[0], generator=seeded())
        (output, *_) = reference.ReferenceEvaluator(onnx_model(network)).run(
            None, {"input": x.numpy()}
        )
        np.testing.assert_allclose(output, exact_outputs(network, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [0, 1, 33])
def test_the_number_of_rows_is_open(rows):
    for network in (modules(), layered_mlp()):
        x = torch.randn(rows, 12, generator=seeded())
        (output, *_) = run(onnx_model(network), x)
        expected = exact_outputs(network, x)
        np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-5)


def test_a_layer_is_one_gemm():
    assert operators(onnx_model(layered_mlp())) == {"Gemm": 3, "Relu": 2}
    assert operators(onnx_model(layered_mlp(motif_size=4))) == {"Gemm": 3, "Relu": 2}


@pytest.mark.parametrize("sweeps", [1, 2, 5])
def test_so_many_sweeps_are_those_of_gauss_seidel(sweeps):
    """The order is that of the engine (tests/engine/test_order.py); here node by node."""
    from nervure.engine.order import sweep_order

    network = modules(nodes=14, edges=60)
    x = torch.randn(6, 12, generator=seeded())
    core, double = network.core, copy.deepcopy(network).double()
    dense = core.topology.to_scipy(core.edge_weight.double().numpy()).toarray()
    bias = core.node_bias.double().numpy()
    with torch.no_grad():
        drive = double.encoder(x.double()).numpy() + bias
    components = core.topology.components
    a = np.zeros_like(drive)
    swept = components.cyclic[components.labels]
    for component in range(components.count):
        part = sweep_order(core.topology)
        part = part[components.labels[part] == component]
        for _ in range(sweeps if swept[part[0]] else 1):
            for i in part:
                a[:, i] = np.tanh(drive[:, i] + a @ dense[i])
    with torch.no_grad():
        expected = double.decoder(torch.from_numpy(a)).numpy()
    model = onnx_model(network, sweeps=sweeps)
    assert "Loop" not in operators(model)
    assert [o.name for o in model.graph.output] == ["output"]
    np.testing.assert_allclose(run(model, x)[0], expected, rtol=1e-5, atol=1e-6)
    if sweeps < 5:
        assert np.abs(run(model, x)[0] - exact_outputs(network, x)).max() > 1e-5
    assert f"{sweeps} sweeps of Gauss-Seidel" in properties(model)["nervure.computed"]


def test_enough_sweeps_written_out_equal_the_loop():
    case = Case(modules(), torch.randn(5, 12, generator=seeded()))
    assert_equal_in_runtime(case, sweeps=60)


def two_rings(bounded):
    """Two components of one depth, and one that reads both."""
    rings = [(0, 1), (1, 0), (2, 3), (3, 2), (0, 4), (2, 4), (4, 5), (5, 4)]
    names = ["tanh"] * 6 if bounded else ["relu", "tanh"] * 3
    topology = Topology.from_edges(rings, 6, inputs=every(6), outputs=every(6))
    return contractive_(GraphLayer(topology, activation=names, generator=seeded()))


def test_components_of_a_depth_are_swept_together_where_values_are_bounded():
    x = torch.randn(4, 6, generator=seeded())
    for bounded, loops in ((True, 2), (False, 3)):
        layer = two_rings(bounded)
        model, _ = assert_equal_in_runtime(Case(layer, x))
        # Of sweeps, and of acceleration.
        assert operators(model)["Loop"] == 2 * loops
        assert properties(model)["nervure.computed"].startswith("3 components with cycles, 6 nodes")


def test_a_row_does_not_depend_on_the_others_and_a_lost_one_holds_up_none():
    # Swept long: the ring of row 1 is driven into saturation, where it settles at once.
    topology = Topology.from_edges([(0, 1), (1, 0)], inputs=[0, 1], outputs=[0, 1])
    layer = GraphLayer(topology, activation="tanh", generator=seeded())
    with torch.no_grad():
        layer.weight.fill_(0.99)
    session = session_of(onnx_model(layer, max_sweeps=3000))
    x = np.array([[0.1, -0.1], [9.0, 9.0], [np.nan, 0.0], [0.2, 0.1]], dtype=np.float32)
    together, change = session.run(None, {"input": x})
    for row in range(len(x)):
        alone, _ = session.run(None, {"input": x[row : row + 1]})
        np.testing.assert_array_equal(together[row], alone[0])
    assert np.isnan(together[2]).all()
    assert np.isnan(change[2])
    assert not np.isnan(together[[0, 1, 3]]).any()
    assert (change[[0, 1, 3]] <= 1e-6).all()


@pytest.mark.parametrize("node", [0, 2])
def test_one_lost_component_of_several_is_told(node):
    x = torch.zeros(2, 6)
    x[1, node] = torch.nan
    _, change = run(onnx_model(two_rings(bounded=False)), x)
    assert change[0] <= 1e-6
    assert np.isnan(change[1])


@pytest.mark.parametrize("activation", ["identity", "relu"])
@pytest.mark.parametrize("nodes", [20, 300])
def test_long_rings(nodes, activation):
    assert_equal_in_runtime(long_ring(nodes, activation))


@pytest.mark.parametrize("activation", ["tanh", "identity", ["silu", "tanh"] * 20])
def test_rows_around_which_sweeps_circle(activation):
    case = turning(activation)
    model, _ = assert_equal_in_runtime(case)
    assert "after 50 with Anderson acceleration" in properties(model)["nervure.computed"]
    session = session_of(model)
    x = np.concatenate([case.x.numpy(), 1e3 * np.ones((1, 40), dtype=np.float32)])
    together, change = session.run(None, {"input": x})
    assert (change <= 1e-6).all()
    for row in (0, 7, 20):
        alone, _ = session.run(None, {"input": x[row : row + 1]})
        np.testing.assert_array_equal(together[row], alone[0])


def test_a_row_that_is_not_solved_says_so():
    topology = Topology.from_edges([(0, 1), (1, 0)], inputs=[0, 1], outputs=[0, 1])
    layer = GraphLayer(topology, activation="tanh", generator=seeded())
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([-3.0, 3.0]))
        layer.bias.zero_()
    model = onnx_model(layer, max_sweeps=50)
    assert "Anderson" not in properties(model)["nervure.computed"]
    _, change = run(model, torch.tensor([[0.1, 0.2], [9.0, -9.0]]))
    assert change[0] > 1e-6
    assert change[1] <= 1e-6


def test_the_tolerance_is_relative_to_large_values():
    topology = Topology.from_edges([(0, 1), (1, 0)], inputs=[0, 1], outputs=[0, 1])
    layer = GraphLayer(topology, activation="relu", generator=seeded())
    with torch.no_grad():
        layer.weight.fill_(0.7)
    x = torch.tensor([[1e4, 3e3]])
    # By then a sweep changes about 0.002 of 20,000.
    output, change = run(onnx_model(layer, max_sweeps=22), x)
    np.testing.assert_allclose(output, exact_outputs(layer, x), rtol=1e-5)
    assert change[0] <= 1e-6


def test_a_large_layer_with_few_edges_is_small_in_the_file():
    network = SparseMLP([400, 400, 10], epsilon=5, seed=0)
    case = Case(network, torch.randn(3, 400, generator=seeded()))
    model, _ = assert_equal_in_runtime(case)
    assert operators(model)["Gemm"] == 2
    assert model.ByteSize() < 20 * network.topology.num_edges


def test_a_large_sparse_cycle_is_put_together_outside_of_the_loop():
    network = modules(nodes=600, edges=3000)
    x = torch.randn(3, 12, generator=seeded())
    model, _ = assert_equal_in_runtime(Case(network, x))
    loops = [node for node in model.graph.node if node.op_type == "Loop"]
    assert len(loops) == 2
    for loop in loops:
        assert "ScatterElements" not in {node.op_type for node in loop.attribute[0].g.node}
    assert "ScatterElements" in operators(model)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (3, 16, 16)),
        ({"inputs": 1}, (1, 12, 12)),
        ({"image_shape": (8, 8)}, (64,)),
        ({"image_shape": (8, 8, 3), "stages": 2, "entry_stride": 2}, (192,)),
        ({"node": "mlp", "inputs": 7}, (7,)),
    ],
)
def test_networks_of_blocks(options, shape):
    options = {"stages": 3, "channels": 4, **options}
    network = BlockDAG(Topology.dense_dag(7), **options, seed=0)
    with torch.no_grad():
        network.edge_weight.normal_(generator=seeded())
    keep = np.random.default_rng(0).random(network.topology.num_edges) < 0.7
    network.rewire_(network.topology.keep(keep))
    for seed in range(3):  # Normalisations need statistics that are not those of the start.
        network.train()(torch.randn(6, *shape, generator=seeded(seed)))
    for module in network.modules():
        if hasattr(module, "eps"):
            module.eps = 0.1
    for rows in (1, 5):
        x = torch.randn(rows, *shape, generator=seeded(9))
        model, _ = assert_equal_in_runtime(Case(network, x))
        assert "BatchNormalization" not in operators(model)


def test_blocks_of_other_kinds_are_named():
    class OtherBlock(ConvBlock):
        pass

    network = BlockDAG(Topology.dense_dag(3), channels=2, node=OtherBlock)
    with pytest.raises(ExportError, match=r"OtherBlock.*torch\.onnx\.export"):
        onnx_model(network)


def test_names_and_what_was_done_are_in_the_file(tmp_path):
    signature = Signature(("a", "b"), ("ja", "nein"), "classification")
    path = tmp_path / "model.onnx"
    to_onnx(modules(), path, signature=signature, tolerance=1e-5, max_sweeps=50)
    model = onnx.load(path)
    about = properties(model)
    assert json.loads(about["feature_names"]) == ["a", "b"]
    assert json.loads(about["class_names"]) == ["ja", "nein"]
    assert about["task"] == "classification"
    assert "at most 1e-05 times max(1, largest value), at most 50" in about["nervure.computed"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_regression_says_how_to_scale():
    about = Signature((), ("y",), "regression", 3.0, 2.0).properties()
    assert (about["target_mean"], about["target_std"]) == ("3.0", "2.0")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sweeps": 0}, "sweeps: expected at least 1, got 0"),
        ({"max_sweeps": 0}, "max_sweeps: expected at least 1"),
        ({"tolerance": 0.0}, "tolerance: expected between 0 and 1"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ExportError, match=message):
        onnx_model(modules(), **options)


def test_other_networks_and_numbers_are_refused(tmp_path):
    with pytest.raises(ExportError, match="Linear"):
        onnx_model(torch.nn.Linear(2, 2))
    network = layered_mlp()
    with torch.no_grad():
        network.core.bias[-1] = torch.nan
    with pytest.raises(ExportError, match="finite in float32"):
        onnx_model(network)
    with pytest.raises(ExportError, match="cannot write"):
        to_onnx(layered_mlp(), tmp_path / "no" / "folder.onnx")


def test_a_network_that_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr("nervure.export.onnx_builder._MOST_BYTES", 1000)
    with pytest.raises(ExportError, match="at most 2 GB"):
        onnx_model(layered_mlp())


def test_the_network_is_not_changed():
    network = NeuralModules(4, 2, nodes=6, seed=0).train()
    before = copy.deepcopy(network.state_dict())
    onnx_model(network, sweeps=2)
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
