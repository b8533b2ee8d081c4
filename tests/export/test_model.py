"""Model files go out by the form's name."""

import json
import subprocess
import sys

import pytest
import torch

from nervure import save_model
from nervure.errors import ExportError, MissingDependencyError, ModelFileError
from nervure.export import FORMS, Signature, export_model, onnx_model

from .networks import layered_mlp, modules

DATA = {
    "task": "regression",
    "feature_names": ["a"] * 12,
    "class_names": [],
    "target_mean": 2.5,
    "target_std": 4.0,
}


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, layered_mlp(), metadata={"data": DATA})
    return path


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_written_beside_the_model(form, model):
    if form == "onnx":
        pytest.importorskip("onnx")
    before = model.read_bytes()
    done = export_model(model, form)
    assert done.path.parent == model.parent
    assert done.path.name.startswith("model")
    assert done.path != model
    assert (done.kind, done.num_bytes) == ("SparseMLP", done.path.stat().st_size)
    assert model.read_bytes() == before
    with pytest.raises(ExportError, match="exists; pass --force"):
        export_model(model, form)
    export_model(model, form, force=True)


def test_the_model_itself_is_never_replaced(model):
    before = model.read_bytes()
    with pytest.raises(ExportError, match="is the model itself"):
        export_model(model, "json", model, force=True)
    assert model.read_bytes() == before


def test_names_of_the_model_are_taken_along(model):
    code = export_model(model, "numpy").path.read_text()
    assert "TARGET_MEAN = 2.5" in code
    assert "TASK = 'regression'" in code


def test_mistakes_are_named(model, tmp_path):
    with pytest.raises(ExportError, match=r"'onx'; choose from onnx.*did you mean onnx"):
        export_model(model, "onx")
    with pytest.raises(ExportError, match="sweeps is for onnx only, not for json"):
        export_model(model, "json", sweeps=3)
    with pytest.raises(ExportError, match="tolerance is for onnx and numpy only"):
        export_model(model, "torch", tolerance=1e-3)
    with pytest.raises(ModelFileError, match="does not exist"):
        export_model(tmp_path / "none.safetensors", "json")


def test_what_cannot_be_exported_leaves_what_was_there(tmp_path):
    path, output = tmp_path / "model.safetensors", tmp_path / "out"
    save_model(path, modules(), metadata={})
    output.write_text("mine")
    with pytest.raises(ExportError, match="not layered"):
        export_model(path, "torch", output, force=True)
    assert output.read_text() == "mine"


@pytest.mark.parametrize("metadata", [{}, {"data": None}, {"data": {"class_names": 3}}])
def test_a_file_that_says_nothing_about_its_data(metadata):
    assert Signature.of(metadata) == Signature()
    assert Signature.of(metadata).properties() == {}


def test_a_signature_is_read_from_metadata():
    signature = Signature.of({"data": DATA})
    assert (signature.target_mean, signature.target_std) == (2.5, 4.0)
    assert json.loads(signature.properties()["feature_names"]) == ["a"] * 12


def test_without_onnx_the_command_is_named(monkeypatch, model):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "nervure\[onnx\]"'):
        onnx_model(torch.nn.Linear(1, 1))
    with pytest.raises(MissingDependencyError):
        export_model(model, "onnx")
    assert not model.with_suffix(".onnx").exists()


def test_onnx_is_not_imported_before_it_is_asked_for():
    code = "import sys, nervure; print('onnx' in sys.modules, nervure.export.FORMS[0])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False onnx\n"
