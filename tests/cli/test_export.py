"""`nervure export` as a person meets it."""

import json

import pytest
from typer.testing import CliRunner

from nervure import SparseMLP, save_model
from nervure.cli.app import app
from nervure.errors import ExportError, RunError


def call(*arguments):
    environment = {"COLUMNS": "100", "TERM": "dumb"}
    return CliRunner(env=environment).invoke(
        app, ["export", *map(str, arguments)], catch_exceptions=False
    )


@pytest.fixture
def run(tmp_path):
    """A run folder, as far as an export looks into it."""
    save_model(tmp_path / "model.safetensors", SparseMLP([4, 6, 3], seed=0), metadata={})
    return tmp_path


def test_it_says_what_it_wrote(run):
    shown = call(run, "--to", "numpy").stdout
    path = run / "model.py"
    assert shown == f"SparseMLP written to {path} ({path.stat().st_size:,} bytes)\n"


def test_json_is_one_object_and_nothing_else(run):
    shown = call(run / "model.safetensors", "--to", "graphml", "--json").stdout
    path = run / "model.graphml"
    assert json.loads(shown) == {
        "network": "SparseMLP",
        "to": "graphml",
        "output": str(path),
        "bytes": path.stat().st_size,
    }


def test_onnx_with_options(run):
    onnx = pytest.importorskip("onnx")
    call(run, "--to", "onnx", "-o", run / "net.onnx", "--tolerance", "1e-4")
    assert onnx.load(run / "net.onnx").graph.name == "SparseMLP"


def test_nothing_is_replaced_without_force(run):
    call(run, "--to", "torch")
    before = (run / "model-sequential.safetensors").read_bytes()
    save_model(run / "model.safetensors", SparseMLP([4, 6, 3], seed=1), metadata={})
    with pytest.raises(ExportError, match="--force"):
        call(run, "--to", "torch")
    assert (run / "model-sequential.safetensors").read_bytes() == before
    call(run, "--to", "torch", "--force")
    assert (run / "model-sequential.safetensors").read_bytes() != before


def test_mistakes_are_named(run, tmp_path):
    with pytest.raises(RunError, match="no run at"):
        call(tmp_path / "none", "--to", "json")
    with pytest.raises(ExportError, match="did you mean onnx"):
        call(run, "--to", "onx")
    assert call(run).exit_code == 2
