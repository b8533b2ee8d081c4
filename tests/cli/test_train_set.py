"""`nervure train set`, and what predict and inspect make of its run."""

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from nervure import SparseMLP
from nervure.cli.app import app
from nervure.data import load, prepare
from nervure.errors import EngineError
from nervure.jobs import SparseMLPRequest, train_sparse_mlp
from nervure.training import predict_values
from nervure.training.model_file import load_model
from nervure.training.run import Run

QUICK = ["--hidden", "48,48", "--epsilon", "4", "--epochs", "5", "--motif-size", "2"]
KEYS = {
    "validation_error",
    "method", "dataset", "seed", "test_error", "baseline_test_error", "parameters",
    "baseline_parameters", "edges", "edges_possible", "pruned", "grown", "motif_size", "sizes",
    "best_epoch", "seconds", "baseline_seconds", "total_seconds", "run",
}  # fmt: skip


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits") / "run"
    done = call("train", "set", *QUICK, "--json", "--out", folder)
    assert done.exit_code == 0
    assert done.stdout.count("\n") == 1
    return folder, json.loads(done.stdout)


def test_json_has_the_figures(digits_run):
    _, summary = digits_run
    assert set(summary) == KEYS
    assert (summary["method"], summary["motif_size"]) == ("set", 2)
    assert summary["sizes"] == [32, 24, 24, 5]
    assert summary["edges_possible"] == 32 * 24 + 24 * 24 + 24 * 5
    assert 0 < summary["test_error"] < 0.3
    assert summary["pruned"] == summary["grown"] > 0
    # Weights of whole motifs, and a bias for each of 2 (32 + 24 + 24 + 5) nodes.
    assert summary["parameters"] == 4 * summary["edges"] + 170
    assert summary["baseline_parameters"] == 65 * 48 + 49 * 48 + 49 * 10


def test_run_folder_holds_wiring_and_importances(digits_run):
    folder, summary = digits_run
    with Run.open(folder) as run:
        epochs = run.epochs()
        snapshots = dict(run.topologies())
        rewired = list(run.rewirings())
        strengths = run.result["feature_importances"]
        assert run.config["baseline_label"] == "dense network"
        assert run.config["image_shape"] == [8, 8]
    assert set(snapshots) == set(range(6))
    assert {t.num_edges for t in snapshots.values()} == {summary["edges"]}
    assert len(rewired) == 4
    assert sum(len(row.grown) for row in rewired) == summary["grown"]
    assert epochs[-1]["pruned"] == 0
    assert len(strengths) == 64
    assert sum(strengths) == pytest.approx(1)


def test_report_shows_layers_degrees_and_importance(digits_run):
    page = (digits_run[0] / "report.html").read_text()
    headings = re.findall(r"<h2[^>]*>([^<]*)", page)
    assert headings[0] == "Training"
    assert {"Layers", "Degrees", "Importance of the features"} <= set(headings)
    body = page[page.index("<body>") :]
    assert "dense network" in body
    assert "plain network" not in body


def test_model_predicts_what_training_ended_with(digits_run):
    folder, summary = digits_run
    network = load_model(folder / "model.safetensors").network
    assert isinstance(network, SparseMLP)
    assert network.topology.num_edges == summary["edges"]
    data = prepare(load("digits"), seed=0)
    wrong = predict_values(network, data.x_test).argmax(1).numpy() != data.y_test
    assert wrong.mean() == pytest.approx(summary["test_error"])


def test_inspect(digits_run):
    folder, summary = digits_run
    facts = json.loads(call("inspect", folder, "--json").stdout)
    assert (facts["rule"], facts["hidden"], facts["motif_size"]) == ("set", [48, 48], 2)
    assert facts["parameters"] == summary["parameters"]
    assert not any("module" in key for key in facts)


def test_motif_size_is_chosen_and_written_down(tmp_path):
    done = call(
        "train", "set", "--hidden", "40", "--epochs", "6", "--motif-size", "auto", "--no-baseline",
        "--json", "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.exit_code == 0
    summary = json.loads(done.stdout)
    assert summary["motif_size"] in (1, 2, 4)
    assert [t["round"] for t in summary["motif_trials"]] == [1, 1, 1, 2, 2]
    with Run.open(tmp_path / "run") as run:
        assert [row["epoch"] for row in run.epochs()] == list(range(1, 7))
        snapshots = dict(run.topologies())
    widths = -(-64 // summary["motif_size"]) + 40 // summary["motif_size"]
    assert snapshots[0].num_nodes == widths + -(-10 // summary["motif_size"])
    assert "Layers" in (tmp_path / "run" / "report.html").read_text()


def test_the_table_is_for_people(tmp_path):
    done = call("train", "set", *QUICK, "--tied", "--out", tmp_path / "run")
    assert done.exit_code == 0
    for text in ("dense network", "motif size", "edges kept of possible", "report:"):
        assert text in done.stdout


@pytest.mark.parametrize(("arguments", "text"), [
    (["--hidden", "300,x"], "numbers of nodes such as 300,300"),
    (["--motif-size", "big"], "a number of nodes or auto"),
])  # fmt: skip
def test_mistakes_on_the_command_line(arguments, text):
    done = call("train", "set", *arguments)
    assert done.exit_code == 2
    assert text in " ".join(re.sub(r"[│\n]", " ", done.output).split())


def test_motifs_that_do_not_fit_name_the_remedy(tmp_path):
    request = SparseMLPRequest(hidden=(50,), motif_size=4, out=tmp_path / "run")
    with pytest.raises(EngineError, match="take 48 or 52"):
        train_sparse_mlp(request)


def test_regression_on_a_table(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5))
    y = x[:, 0] * 2 - x[:, 3] + 0.1 * rng.normal(size=300)
    file = tmp_path / "table.csv"
    np.savetxt(file, np.column_stack([x, y]), delimiter=",", header="a,b,c,d,e,y", comments="")
    request = SparseMLPRequest(
        data=str(file), target="y", hidden=(30,), rule="rigl", epochs=20, out=tmp_path / "run"
    )
    summary = train_sparse_mlp(request).summary
    assert summary["test_rmse"] < 0.7 * y.std()
    strongest = np.argsort(summary["feature_importances"])[-2:]
    assert set(strongest.tolist()) == {0, 3}
