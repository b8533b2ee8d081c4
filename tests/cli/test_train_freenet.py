"""`nervure train freenet`, and what predict and inspect make of its run."""

import csv
import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from nervure import FreeNet
from nervure.cli.app import app
from nervure.data import load, prepare
from nervure.errors import EngineError
from nervure.jobs import FreeNetRequest, train_freenet
from nervure.training import predict_values
from nervure.training.model_file import load_model
from nervure.training.run import Run

QUICK = [
    "--neurons", "30", "--epochs", "4", "--epsilon", "0.45", "--learning-rate", "0.02",
    "--interval", "10",
]  # fmt: skip
KEYS = {
    "validation_error",
    "method", "dataset", "seed", "test_error", "baseline_test_error", "parameters",
    "baseline_parameters", "edges", "edges_possible", "depth", "updates", "pruned", "grown",
    "best_epoch", "seconds", "baseline_seconds", "total_seconds", "run",
}  # fmt: skip


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits") / "run"
    done = call("train", "freenet", *QUICK, "--json", "--out", folder)
    assert done.exit_code == 0
    assert done.stdout.count("\n") == 1
    return folder, json.loads(done.stdout)


def test_json_has_the_figures(digits_run):
    _, summary = digits_run
    assert set(summary) == KEYS
    assert summary["method"] == "freenet"
    assert summary["edges_possible"] == 435
    assert summary["pruned"] > 0
    assert 0 < summary["edges"] <= 435
    assert 0 < summary["test_error"] < 0.2
    # 1,258 rows in batches of 41 are 31 steps an epoch.
    assert summary["updates"] == 12
    start = 64 * 30 + 30 + 435 + 31 * 10
    assert summary["parameters"] == start - 435 + summary["edges"]
    assert start <= summary["baseline_parameters"] < start + 75


def test_run_folder_holds_wiring_and_what_the_updates_saw(digits_run):
    folder, summary = digits_run
    with Run.open(folder) as run:
        epochs = run.epochs()
        assert run.config["interval"] == 10
        assert run.config["baseline_neurons"] == 36
        assert run.config["optimizer"] == "adam"
        pruned = sum(len(row.pruned) for row in run.rewirings())
        assert pruned == summary["pruned"] == sum(epoch["pruned"] for epoch in epochs)
        snapshots = dict(run.topologies())
    assert snapshots[0].num_edges == 435
    assert snapshots[4].num_edges == epochs[-1]["edges"]
    steps = [[row["step"] for row in epoch["pairs"]] for epoch in epochs]
    assert steps == [[10, 30], [60], [90], [120]]
    first, last = epochs[0]["pairs"][0], epochs[-1]["pairs"][-1]
    assert sum(first["inactive_joined"]) == 435
    assert sum(first["active_apart"]) == 0
    assert sum(last["inactive_joined"]) + sum(last["active_apart"]) == 435
    assert not any(key in epochs[0] for key in ("modules", "sweeps_mean", "lost", "gamma"))


def test_report_has_what_makes_sense_and_nothing_else(digits_run):
    page = (digits_run[0] / "report.html").read_text()
    assert re.findall(r"<h2[^>]*>([^<]*)", page) == [
        "Training", "Adjacency matrix", "Rewiring", "Neurons together", "How it was made",
    ]  # fmt: skip
    body = page[page.index("<body>") :]
    assert "module" not in body
    assert "Edges of the wiring" in body
    assert "36 neurons, by which it has at least as many parameters" in body
    assert len(page) < 1_000_000


def test_model_predicts_what_training_ended_with(digits_run):
    folder, summary = digits_run
    network = load_model(folder / "model.safetensors").network
    assert isinstance(network, FreeNet)
    assert network.topology.num_edges == summary["edges"]
    data = prepare(load("digits"), seed=0)
    wrong = predict_values(network, data.x_test).argmax(1).numpy() != data.y_test
    assert wrong.mean() == pytest.approx(summary["test_error"])


def test_inspect(digits_run):
    folder, summary = digits_run
    facts = json.loads(call("inspect", folder, "--json").stdout)
    assert facts["method"] == "freenet"
    assert (facts["neurons"], facts["epsilon"], facts["interval"]) == (30, 0.45, 10)
    assert (facts["edges"], facts["depth"]) == (summary["edges"], summary["depth"])
    assert facts["parameters"] == summary["parameters"]
    assert not any("module" in key for key in facts)
    assert "epsilon" in call("inspect", folder).stdout
    shown = json.loads(call("inspect", folder / "model.safetensors", "--json").stdout)
    assert "edges" in shown
    assert "modules" not in shown


def test_table_for_people(tmp_path):
    shown = call("train", "freenet", *QUICK, "--no-baseline", "--out", tmp_path / "run").stdout
    for words in ("FreeNet", "parameters", "of 435", "longest path", "report.html"):
        assert words in shown


def test_csv_train_and_predict_a_number(tmp_path):
    rng = np.random.default_rng(0)
    table = tmp_path / "shop.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["price", "weight"])
        writer.writerows((2 * w + 1, w) for w in rng.normal(1, 0.2, 200))
    run, out = tmp_path / "run", tmp_path / "out.csv"
    arguments = ["--data", table, "--target", "price", *QUICK, "--json", "--out", run]
    summary = json.loads(call("train", "freenet", *arguments).stdout)
    assert 0 < summary["test_rmse"] < 0.2
    assert summary["baseline_test_rmse"] > 0
    assert "200 predictions" in call("predict", run, "--data", table, "-o", out).stdout
    with out.open(newline="") as file:
        predictions = [float(row["prediction"]) for row in csv.DictReader(file)]
    with table.open(newline="") as file:
        prices = [float(row["price"]) for row in csv.DictReader(file)]
    assert np.corrcoef(predictions, prices)[0, 1] > 0.9


def test_learning_rate_and_interval_are_chosen_and_kept(tmp_path):
    request = FreeNetRequest(neurons=5, epochs=1, baseline=False, out=tmp_path / "run")
    result = train_freenet(request)
    assert "baseline_parameters" not in result.summary
    with Run.open(result.folder) as run:
        assert run.config["learning_rate"] == 0.003
        assert run.config["interval"] == 31
        assert run.config["epsilon"] == 0.25


def test_nothing_to_update_has_a_report_too(tmp_path):
    request = FreeNetRequest(neurons=1, epochs=1, interval=1000, out=tmp_path / "run")
    page = train_freenet(request).report.read_text()
    assert "Neurons together" not in page
    assert "no edge was rewired" in page


def test_bad_requests_name_cause_and_remedy(tmp_path):
    with pytest.raises(EngineError, match="epsilon: expected between 0 and 1"):
        call("train", "freenet", "--epsilon", "0", "--out", tmp_path / "run")


@pytest.mark.parametrize(
    "arguments", [["--neurons", "0"], ["--interval", "0"], ["--statistics", "x"], ["--epsilon", 2]]
)
def test_options_out_of_range_are_usage_errors(arguments):
    assert call("train", "freenet", *arguments).exit_code == 2


def test_help():
    result = call("train", "freenet", "--help")
    assert result.exit_code == 0
    assert "--json" in result.output
