"""`nervure modules` as a person meets it."""

import json

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from nervure.cli.app import app
from nervure.errors import ModelFileError, RunError, TopologyError


def call(*arguments, columns=100):
    environment = {"COLUMNS": str(columns), "TERM": "dumb"}
    return CliRunner(env=environment).invoke(
        app, ["modules", *map(str, arguments)], catch_exceptions=False
    )


@pytest.fixture
def weights(tmp_path):
    """Two XORs: |x0 - x1| and |x2 - x3|, each of two units; a third pair of inputs is unused."""
    first = torch.zeros(4, 6)
    for half in (0, 1):
        first[2 * half, 2 * half : 2 * half + 2] = torch.tensor([1.0, -1.0])
        first[2 * half + 1, 2 * half : 2 * half + 2] = torch.tensor([-1.0, 1.0])
    second = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]])
    tensors = {"0.weight": first, "2.weight": second, "2.bias": torch.full((2,), -0.5)}
    path = tmp_path / "weights.safetensors"
    save_file(tensors, path)
    return path


def test_json_is_one_object_and_nothing_else(weights):
    shown = call(weights, "--json").stdout
    assert shown.count("\n") == 1
    facts = json.loads(shown)
    assert [m["takes_in"] for m in facts["modules"]] == [["x0", "x1"], ["x2", "x3"]]
    assert [m["formulas"][0]["of_inputs"] for m in facts["modules"]] == ["x0 ^ x1", "x2 ^ x3"]
    assert facts["unused_inputs"] == ["x4", "x5"]
    assert facts["files"] == {}


def test_a_row_for_each_module(weights):
    shown = call(weights).stdout
    rows = [line for line in shown.splitlines() if "│ M" in line]
    assert len(rows) == 2
    for part in ("M1", "0 to 2", "x0, x1", "y0", "y0 = x0 ^ x1"):
        assert part in rows[0]
    assert "8 edges" not in shown
    assert "12 edges between 10 nodes; 2 nodes left out" in " ".join(shown.split())
    # Nothing is read or fed, so there are no such columns.
    assert "reads" not in shown


def test_formulas_stand_below_a_narrow_table(weights):
    shown = call(weights, columns=60).stdout
    assert "\ny0 = x0 ^ x1\n" in shown
    assert "computes" not in shown


def test_images_have_the_thresholds_of_the_paper_and_no_formulas(weights):
    facts = json.loads(call(weights, "--images", "--json").stdout)
    assert (facts["threshold"], facts["merge_share"]) == (-0.3, 0.6)
    assert not any(m["formulas"] for m in facts["modules"])
    facts = json.loads(call(weights, "--images", "--merge-share", 0.7, "--json").stdout)
    assert (facts["threshold"], facts["merge_share"]) == (-0.3, 0.7)
    facts = json.loads(call(weights, "--images", "--formulas", "--json").stdout)
    assert all(m["formulas"] for m in facts["modules"])


def test_files_are_written_and_named(weights, tmp_path):
    out = tmp_path / "found"
    shown = call(weights, "--out", out, columns=40).stdout
    for path in out.iterdir():
        assert f"written: {path}\n" in shown
    with pytest.raises(RunError, match="pass --force"):
        call(weights, "--out", out)
    facts = json.loads(call(weights, "--out", out, "--force", "--json").stdout)
    assert set(facts["files"].values()) == {str(path) for path in out.iterdir()}


def test_errors_say_what_to_do(tmp_path, weights):
    dense = tmp_path / "dense.safetensors"
    save_file({"0.weight": torch.ones(3, 4), "2.weight": torch.ones(2, 3)}, dense)
    with pytest.raises(TopologyError, match=r"nothing is pruned.*--prune-below"):
        call(dense)
    save_file({"0.weight": torch.ones(3, 4), "2.weight": torch.ones(2, 5)}, dense)
    with pytest.raises(ModelFileError, match=r"2\.weight of shape"):
        call(dense)
    with pytest.raises(RunError, match="there is no"):
        call(tmp_path / "nowhere")
    with pytest.raises(ModelFileError, match="activation: expected relu"):
        call(weights, "--activation", "relish")
    assert call(weights, "--threshold", "2").exit_code == 2


def test_help_says_what_goes_in():
    shown = " ".join(call("--help").stdout.split())
    for part in ("0.weight, 0.bias, 2.weight", "zeros are absent edges", "~ is not", "--images"):
        assert part in shown
