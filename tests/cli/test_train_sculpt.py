"""`nervure train sculpt` as a person meets it."""

import csv
import json
import re

import pytest
from sklearn.datasets import load_iris
from typer.testing import CliRunner

from nervure.cli.app import app

QUICK = ["--hidden", "10", "--epochs", "6", "--unit-steps", "0.5", "--edge-steps", "0.2",
         "--stop-early", "--tolerance", "0.05", "--learning-rate", "0.05"]  # fmt: skip
KEYS = {
    "validation_error",
    "method", "dataset", "seed", "test_error", "baseline_test_error", "edges", "edges_possible",
    "units", "units_possible", "inputs_used", "validation_merit", "threshold", "reached",
    "unit_step", "edge_step", "rounds", "modules", "modules_by_level", "sizes", "seconds",
    "baseline_seconds", "total_seconds", "run",
}  # fmt: skip


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def shown(result):
    return " ".join(re.sub(r"[│\n]", " ", result.output).split())


@pytest.fixture(scope="module")
def iris_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("iris")
    data = load_iris()
    with (folder / "iris.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "c", "d", "species"])
        writer.writerows(
            [*row, data.target_names[k]] for row, k in zip(data.data, data.target, strict=True)
        )
    done = call("train", "sculpt", "--data", folder / "iris.csv", "--target", "species", *QUICK,
                "--out", folder / "run")  # fmt: skip
    assert done.exit_code == 0
    return folder, done


def test_the_table_holds_it_against_the_dense_network(iris_run):
    text = shown(iris_run[1])
    for word in (
        "sculpt on iris", "sculpted network", "dense network", "edges kept of possible", "of 70",
        "hidden units", "modules", "0.5 and 0.2", "rounds", "report:", "model:",
    ):  # fmt: skip
        assert word in text
    assert "the paper expects" not in text


def test_progress_goes_by_rounds(iris_run):
    assert "round 1" in iris_run[1].stderr
    assert "sparsest so far" in iris_run[1].stderr


def test_predict_and_inspect_know_the_run(iris_run):
    folder, _ = iris_run
    out = folder / "predictions.csv"
    assert call("predict", folder / "run", "--data", folder / "iris.csv", "-o", out).exit_code == 0
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    right = [row["prediction"] for row in rows[:50]].count("setosa")
    assert right > 40
    facts = json.loads(call("inspect", folder / "run", "--json").stdout)
    assert (facts["method"], facts["hidden"], facts["unit_steps"]) == ("sculpt", [10], [0.5])
    assert facts["rounds"] > 5
    assert facts["units"] <= facts["units_possible"] == 10
    assert sum(facts["modules_by_level"]) == facts["modules"]


def test_json_is_one_line_with_the_figures(iris_run, tmp_path):
    folder, _ = iris_run
    done = call("train", "sculpt", "--data", folder / "iris.csv", "--target", "species", *QUICK,
                "--edge-steps", "none", "--json", "--out", tmp_path / "run")  # fmt: skip
    assert done.stdout.count("\n") == 1
    summary = json.loads(done.stdout)
    assert set(summary) == KEYS
    assert summary["edge_step"] is None


@pytest.mark.parametrize(("arguments", "text"), [
    (["--unit-steps", "0.2,2"], "expected shares above 0 and at most 1, such as 0.2,0.4"),
    (["--edge-steps", "few"], "or paper or none, got 'few'"),
    (["--hidden", "36,x"], "numbers of nodes such as 300,300"),
    (["--threshold", "0.9", "--tolerance", "0.1"], "either --threshold or --tolerance, not both"),
])  # fmt: skip
def test_mistakes_on_the_command_line(arguments, text):
    done = call("train", "sculpt", *arguments)
    assert done.exit_code == 2
    assert text in shown(done)


def test_help_names_the_tasks_of_the_paper():
    text = shown(call("train", "sculpt", "--help"))
    for word in ("'[4, 2, 4]'", "boolean:input-separable", "two-digits", "hierarchical-digits"):
        assert word in text
