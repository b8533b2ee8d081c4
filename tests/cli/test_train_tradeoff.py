"""`nervure train tradeoff`, and what predict and inspect make of its run."""

import csv
import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from nervure.cli.app import app
from nervure.errors import DataError, EngineError
from nervure.training.model_file import load_model
from nervure.training.run import Run

QUICK = [
    "--rows", "150", "--nodes", "6", "--channels", "3", "--epochs", "4", "--penalty", "1",
    "--batch-size", "32",
]  # fmt: skip
KEYS = {
    "validation_error",
    "method", "dataset", "seed", "test_error", "test_error_all_edges", "baseline_test_error",
    "validation_error_all_edges", "parameters", "parameters_start", "baseline_parameters",
    "threshold", "sparsity", "edges", "edges_possible", "live_nodes", "nodes_start",
    "nodes_by_stage", "depth", "characteristics", "characteristics_start", "notes", "best_epoch",
    "seconds", "baseline_seconds", "total_seconds", "run",
}  # fmt: skip


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits") / "run"
    done = call("train", "tradeoff", *QUICK, "--threshold", "0.05", "--json", "--out", folder)
    assert done.exit_code == 0
    assert done.stdout.count("\n") == 1
    return folder, json.loads(done.stdout)


def test_json_has_the_figures(digits_run):
    folder, summary = digits_run
    assert set(summary) == KEYS
    assert summary["method"] == "tradeoff"
    assert (summary["edges_possible"], summary["nodes_start"]) == (15, 6)
    assert 0 < summary["edges"] < 15
    assert summary["sparsity"] == pytest.approx(1 - summary["edges"] / 15)
    network = load_model(folder / "model.safetensors").network
    assert network.topology.num_edges == summary["edges"]
    assert {"log_paths", "mean_path", "max_path", "edge_connectivity", "pca_elongation",
            "nodes_stage_2"} <= set(summary["characteristics"])  # fmt: skip
    # Too long for a line, but kept.
    with Run.open(folder) as run:
        assert len(run.result["threshold_sweep"]) > 10


def test_report_has_what_makes_sense_and_nothing_else(digits_run):
    page = (digits_run[0] / "report.html").read_text()
    assert re.findall(r"<h2[^>]*>([^<]*)", page) == [
        "Training", "The learned graph", "Edges over time", "Thresholds", "The graph in numbers",
        "Adjacency matrix", "How it was made",
    ]  # fmt: skip
    body = page[page.index("<body>") :]
    assert "module" not in body
    assert "0.05 was given" in body
    assert "each reading only the one before it" in body
    assert len(page) < 1_000_000


def test_inspect(digits_run):
    folder, summary = digits_run
    facts = json.loads(call("inspect", folder, "--json").stdout)
    assert facts["method"] == "tradeoff"
    assert (facts["nodes"], facts["stages"], facts["channels"]) == (6, 3, 3)
    assert (facts["penalty"], facts["threshold"], facts["rows"]) == (1, 0.05, 150)
    for key in ("edges", "depth", "parameters", "sparsity", "live_nodes", "nodes_by_stage",
                "test_error_all_edges", "parameters_start"):  # fmt: skip
        assert facts[key] == summary[key], key
    assert facts["epochs"] == 4
    assert not any("module" in key for key in facts)
    assert "sparsity" in call("inspect", folder).stdout
    shown = json.loads(call("inspect", folder / "model.safetensors", "--json").stdout)
    assert shown["edges"] == summary["edges"]
    assert "modules" not in shown


def test_table_for_people(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    arguments = [*QUICK, "--threshold", "0.95", "--no-baseline", "--out", tmp_path / "run"]
    shown = " ".join(call("train", "tradeoff", *arguments).stdout.split())
    for words in (
        "DAG of blocks", "before edges went", "of 15 (", "threshold on strength",
        "nodes (by stage)", "longest path", "report.html",
    ):  # fmt: skip
        assert words in shown
    # There is no baseline, and no column for it.
    assert "chain of blocks" not in shown
    # No edge is so strong after twenty steps; what became of that is said below the table.
    assert "all edges were kept: at a threshold of 0.95 no path" in shown


def test_csv_train_and_predict(tmp_path):
    rng = np.random.default_rng(0)
    table = tmp_path / "shop.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["town", "weight", "sold"])
        for _ in range(200):
            town, weight = ("Rome", "Oslo", "")[rng.integers(3)], rng.normal()
            writer.writerow([town, weight, "yes" if weight > 0 else "no"])
    run, out = tmp_path / "run", tmp_path / "out.csv"
    arguments = ["--data", table, "--target", "sold", "--nodes", "5", "--epochs", "8",
                 "--no-baseline", "--json", "--out", run]  # fmt: skip
    summary = json.loads(call("train", "tradeoff", *arguments).stdout)
    assert summary["test_error"] < 0.15
    assert "200 predictions" in call("predict", run, "--data", table, "-o", out).stdout
    with out.open(newline="") as file:
        found = [row["prediction"] for row in csv.DictReader(file)]
    with table.open(newline="") as file:
        known = [row["sold"] for row in csv.DictReader(file)]
    assert np.mean(np.array(found) == np.array(known)) > 0.9


def test_bad_requests_name_cause_and_remedy(tmp_path):
    with pytest.raises(EngineError, match="stages: expected 1 to 4, got 5"):
        call("train", "tradeoff", "--nodes", "4", "--stages", "5", "--out", tmp_path / "run")
    with pytest.raises(DataError, match="--target is for files"):
        call("train", "tradeoff", "--data", "cmnist", "--target", "y", "--out", tmp_path / "run")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nodes", "1"], ["--stages", "0"], ["--channels", "0"], ["--entry-stride", "0"],
        ["--reach", "0"], ["--penalty", "-1"], ["--edge-rate", "0"], ["--threshold", "1.5"],
        ["--tolerance", "-0.1"], ["--rows", "1"], ["--learning-rate", "0"],
        ["--threshold", "0.1", "--tolerance", "0.01"],
    ],
)  # fmt: skip
def test_options_out_of_range_are_usage_errors(arguments):
    assert call("train", "tradeoff", *arguments).exit_code == 2


def test_help():
    result = call("train", "tradeoff", "--help")
    assert result.exit_code == 0
    for option in ("--json", "--penalty", "--tolerance", "--no-augment"):
        assert option in result.output
