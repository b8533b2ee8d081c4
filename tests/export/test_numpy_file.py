"""The NumPy file gives what the network gives, and needs nothing else."""

import csv
import importlib.util
import io
import itertools
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given

from nervure import GraphLayer, Topology
from nervure.errors import ExportError
from nervure.export import Signature, standalone, to_numpy
from nervure.networks import BlockDAG

from .networks import (
    checked,
    encoded,
    layered_mlp,
    layers,
    long_ring,
    modules,
    of_every_kind,
    seeded,
    turning,
)

number = itertools.count()


def loaded(path):
    """Run the file as a module."""
    spec = importlib.util.spec_from_file_location(f"exported_{next(number)}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def exported(network, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.py")
        to_numpy(network, path, **options)
        return loaded(path)


def assert_equal(case):
    found = exported(case.network).predict(case.x.numpy())
    np.testing.assert_allclose(found, case.expected, rtol=1e-6, atol=1e-6)


@checked
@given(layers())
def test_any_graph(case):
    assert_equal(case)


@checked
@given(encoded())
def test_any_graph_between_encoder_and_decoder(case):
    assert_equal(case)


@pytest.mark.parametrize("name", of_every_kind())
def test_every_kind_of_network(name):
    assert_equal(of_every_kind()[name])


def test_weights_are_exact():
    network = layered_mlp()
    with torch.no_grad():
        network.core.weight[:4] = torch.tensor([1 / 3, 1e-38, 1.1754944e-38, 3.4028235e38])
    module = exported(network)
    held = np.array(module.WEIGHTS.split(), dtype=np.float32)
    weights = network.core.edge_weight.numpy()
    topology = network.topology
    hidden = topology.live[topology.sources] & topology.live[topology.targets]
    assert sorted(held.tolist()) == sorted(weights[hidden].tolist())


def test_it_imports_numpy_and_the_standard_library_only(tmp_path):
    to_numpy(modules(), tmp_path / "network.py")
    code = (tmp_path / "network.py").read_text()
    imported = re.findall(r"^(?:from|import) ([\w.]+)", code, re.MULTILINE)
    assert {name.split(".")[0] for name in imported} == {
        "collections", "csv", "math", "sys", "typing", "numpy",
    }  # fmt: skip
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import network; "
    code += "print([m for m in ('torch', 'nervure', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def run(path, text):
    return subprocess.run([sys.executable, str(path)], input=text, capture_output=True, text=True)


def test_rows_go_in_and_predictions_come_out(tmp_path):
    case, path = of_every_kind()["NeuralModules"], tmp_path / "a model.py"
    names = ("a", 'b "quoted"', "c\nd")
    features = [f"f{k}" for k in range(12)]
    to_numpy(case.network, path, signature=Signature(tuple(features), names, "classification"))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(features)
    writer.writerows(case.x.tolist())
    done = run(path, text.getvalue())
    assert done.stderr == ""
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert rows[0] == ["prediction", *names]
    logits = np.array([row[1:] for row in rows[1:]], dtype=float)
    np.testing.assert_allclose(logits, case.expected, rtol=1e-6, atol=1e-6)
    assert [row[0] for row in rows[1:]] == [names[k] for k in case.expected.argmax(1)]
    without_names = run(path, "\n".join(text.getvalue().splitlines()[1:]))
    assert without_names.stdout == done.stdout
    assert "ValueError" in run(path, "1,2\n3,x\n").stderr
    assert list(csv.reader(io.StringIO(run(path, "").stdout))) == [rows[0]]


def test_a_regression_comes_out_in_its_unit(tmp_path):
    network, path = layered_mlp(sizes=[3, 4, 1]), tmp_path / "network.py"
    to_numpy(network, path, signature=Signature((), (), "regression", 10.0, 2.0))
    rows = run(path, "1,2,3\n").stdout.splitlines()
    with torch.no_grad():
        expected = 2 * float(network(torch.tensor([[1.0, 2.0, 3.0]]))) + 10
    assert rows[0] == "prediction"
    assert float(rows[1]) == pytest.approx(expected, rel=1e-5)


def test_outputs_without_names_are_numbered(tmp_path):
    to_numpy(layered_mlp(sizes=[2, 4, 3]), tmp_path / "network.py")
    shown = run(tmp_path / "network.py", "1,2\n").stdout.splitlines()
    assert shown[0] == "output_0,output_1,output_2"
    assert len(shown) == 2


@pytest.mark.parametrize("activation", ["identity", "relu"])
@pytest.mark.parametrize("nodes", [20, 300])
def test_long_rings(nodes, activation):
    assert_equal(long_ring(nodes, activation))


@pytest.mark.parametrize("activation", ["tanh", "identity", ["silu", "tanh"] * 20])
def test_rows_around_which_sweeps_circle(activation):
    assert_equal(turning(activation))


def test_one_circling_row_leaves_the_others_as_they_are():
    case = turning()
    # Driven so far up that its slopes calm the turning loops, but not into saturation.
    calm = np.full((1, 40), 1.8)
    module = exported(case.network)
    few, many = module.predict(calm), module.predict(np.concatenate([case.x.numpy(), calm]))
    assert (np.abs(few) < 0.999).any()
    np.testing.assert_allclose(many[-1:], few, rtol=0, atol=1e-14)


def test_rows_that_do_not_settle_are_an_error():
    topology = Topology.from_edges([(0, 1), (1, 0)], inputs=[0, 1], outputs=[0, 1])
    layer = GraphLayer(topology, activation="tanh", generator=seeded())
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([-3.0, 3.0]))
    module = exported(layer, max_sweeps=50)
    assert module.predict([[9.0, -9.0]]).shape == (1, 2)
    with pytest.raises(RuntimeError, match="1 of 2 rows have not settled after 50 sweeps"):
        module.predict([[9.0, -9.0], [0.1, 0.2]])


def test_wrong_shapes_are_named():
    module = exported(layered_mlp())
    for x in (np.zeros(12), np.zeros((2, 11))):
        with pytest.raises(ValueError, match="expected rows of 12 features"):
            module.predict(x)
    assert module.predict(np.zeros((0, 12))).shape == (0, 3)


def test_the_template_is_a_network_itself():
    assert standalone.predict([[3.0], [-1.0]]).tolist() == [[6.0], [-2.0]]


def test_what_cannot_be_written_is_refused(tmp_path):
    path = tmp_path / "network.py"
    path.write_text("mine")
    with pytest.raises(ExportError, match=r"a NumPy file at most 100; export to ONNX"):
        to_numpy(layered_mlp(), path, most_weights=100)
    with pytest.raises(ExportError, match="BlockDAG"):
        to_numpy(BlockDAG(Topology.dense_dag(3), channels=2), path)
    with pytest.raises(ExportError, match="tolerance"):
        to_numpy(layered_mlp(), path, tolerance=2.0)
    with pytest.raises(ExportError, match="max_sweeps"):
        to_numpy(layered_mlp(), path, max_sweeps=0)
    assert path.read_text() == "mine"


def test_the_number_of_weights_is_that_of_the_network():
    network = layered_mlp(sizes=[5, 6, 4])
    with pytest.raises(ExportError) as caught:
        to_numpy(network, "unused.py", most_weights=1)
    counted = int(re.search(r"has ([\d,]+) weights", str(caught.value))[1])
    assert abs(counted - network.num_parameters) <= 5 + 4
