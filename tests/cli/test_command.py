"""The command as a person meets it."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from nervure.benchmarks import BENCHMARKS
from nervure.cli.app import app
from nervure.errors import DataError, EngineError, ModelFileError, RunError
from nervure.training.model_file import load_model
from nervure.training.run import Run

QUICK = ["--nodes", "20", "--epochs", "3"]
KEYS = {
    "method", "dataset", "seed", "test_error", "baseline_test_error", "edges", "edges_possible",
    "modules", "largest_module", "converged", "seconds", "run",
}  # fmt: skip


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def command(*arguments, cwd):
    code = "from nervure.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "shop.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["price", "kind", "weight", "sold"])
        for _ in range(300):
            price, weight = rng.normal(10, 3), rng.normal(1, 0.2)
            kind = ["new", "old", "used"][rng.integers(3)]
            sold = "yes" if (price < 10) == (kind == "new") else "no"
            writer.writerow([round(price, 2), kind, "" if rng.random() < 0.1 else weight, sold])
    return path


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    done = command("train", "neural-modules", *QUICK, "--json", "--out", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run", done


def test_json_is_one_object_and_nothing_else(digits_run):
    _, done = digits_run
    summary = json.loads(done.stdout)
    assert set(summary) >= KEYS
    assert summary["edges"] == 40
    assert summary["edges_possible"] == 380
    assert 0 < summary["test_error"] < 0.5
    assert done.stdout.count("\n") == 1


def test_run_folder_holds_database_model_and_report(digits_run):
    folder, done = digits_run
    summary = json.loads(done.stdout)
    with Run.open(folder) as run:
        assert run.status == "finished"
        assert len(run.epochs()) == 3
        assert run.result["test_error"] == summary["test_error"]
        assert run.config["keep"] == 40
        assert run.config["task"] == "classification"
        assert run.config["learning_rate"] == 0.3
        counts = sum(len(row.grown) for row in run.rewirings())
        assert counts == sum(epoch["grown"] for epoch in run.epochs())
    loaded = load_model(folder / "model.safetensors")
    assert loaded.network.topology.num_edges == 40
    page = (folder / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page


def test_same_seed_same_figures(digits_run, tmp_path):
    first = json.loads(digits_run[1].stdout)
    done = command("train", "neural-modules", *QUICK, "--json", "--out", "again", cwd=tmp_path)
    second = json.loads(done.stdout)
    for key in ("test_error", "baseline_test_error", "modules", "largest_module"):
        assert first[key] == second[key]


def test_table_for_people_names_the_files(tmp_path):
    done = command("train", "neural-modules", *QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "plain network" in done.stdout
    assert "report.html" in done.stdout
    assert "runs/neural-modules-digits-" in done.stdout


def test_csv_train_predict_inspect(table, tmp_path):
    run = tmp_path / "run"
    result = call(
        "train", "neural-modules", "--data", table, "--target", "sold", *QUICK, "--out", run
    )
    assert result.exit_code == 0
    new = tmp_path / "new.csv"
    new.write_text("weight,price,kind\n1.0,5,new\n,20,old\n1.1,5,antique\n")
    out = tmp_path / "predictions.csv"
    result = call("predict", run, "--data", new, "-o", out)
    assert "3 predictions" in result.stdout
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert all(row["prediction"] in ("yes", "no") for row in rows)
    for row in rows:
        total = float(row["probability_yes"]) + float(row["probability_no"])
        assert total == pytest.approx(1.0, abs=1e-6)
    facts = json.loads(call("inspect", run, "--json").stdout)
    assert facts["edges"] == 40
    assert facts["status"] == "finished"
    # What was asked for, and what it was by default.
    assert (facts["target"], facts["learning_rate"], facts["momentum"]) == ("sold", 0.3, 0.5)
    shown = call("inspect", run).stdout
    assert "module" in shown
    assert f"{100 * facts['test_error']:.2f} %" in shown
    # As after a kill between the last record and the report.
    report = run / "report.html"
    before = report.read_text()
    report.unlink()
    assert json.loads(call("report", run, "--json").stdout) == {"report": str(report)}
    assert report.read_text() == before


def test_regression_on_a_csv(table, tmp_path):
    result = call(
        "train", "neural-modules", "--data", table, "--target", "price", *QUICK,
        "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    summary = json.loads(result.stdout)
    assert summary["test_rmse"] > 0
    assert summary["baseline_test_rmse"] > 0
    assert "test_error" not in summary


def test_nothing_is_overwritten_without_force(digits_run, table, tmp_path):
    run = tmp_path / "run"
    arguments = ["train", "neural-modules", *QUICK, "--no-baseline", "--out", run]
    assert call(*arguments).exit_code == 0
    before = (run / "model.safetensors").read_bytes()
    with pytest.raises(RunError, match="force"):
        call(*arguments)
    assert (run / "model.safetensors").read_bytes() == before
    assert call(*arguments, "--force", "--seed", "1").exit_code == 0
    out = tmp_path / "there.csv"
    out.write_text("mine")
    with pytest.raises(RunError, match="--force"):
        call("predict", digits_run[0], "--data", table, "-o", out)
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "error", "word"),
    [
        (["--data", "condon"], DataError, "did you mean codon"),
        (["--data", "missing.csv", "--target", "x"], DataError, "no file"),
        (["--nodes", "10", "--keep", "1000"], EngineError, "keep: expected 1 to 90"),
        (["--split-by", "subject"], DataError, "no group"),
    ],
)
def test_bad_requests_name_cause_and_remedy(arguments, error, word, tmp_path):
    with pytest.raises(error, match=word):
        call("train", "neural-modules", *arguments, "--out", tmp_path / "run")


def test_wrong_prediction_tables_and_models(digits_run, table, tmp_path):
    run = digits_run[0]
    out = tmp_path / "out.csv"
    with pytest.raises(DataError, match="missing: x0"):
        call("predict", run, "--data", table, "-o", out)
    with pytest.raises(RunError, match="no run at"):
        call("predict", tmp_path / "nothing", "--data", table, "-o", out)
    broken = tmp_path / "model.safetensors"
    broken.write_bytes((run / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(ModelFileError):
        call("predict", broken, "--data", table, "-o", out)
    assert not out.exists()


def test_foreseen_errors_end_with_code_2_and_no_traceback(tmp_path):
    done = command("train", "neural-modules", "--data", "condon", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean codon" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [["--alpha", "-1"], ["--nodes", "1"], ["--activation", "relux"], ["--epochs", "x"]],
)
def test_options_out_of_range_are_usage_errors(arguments):
    assert call("train", "neural-modules", *arguments).exit_code == 2


@pytest.mark.parametrize("arguments", [[], ["train"], ["data"]])
def test_help_is_shown_where_something_is_missing(arguments):
    assert "Usage" in call(*arguments).output


@pytest.mark.parametrize(
    "name", ["train neural-modules", "predict", "inspect", "report", "data list", "bench"]
)
def test_every_command_has_help(name):
    result = call(*name.split(), "--help")
    assert result.exit_code == 0
    assert "--json" in result.output


def test_help_names_every_benchmark():
    shown = " ".join(call("bench", "--help").output.split())
    for name in (*BENCHMARKS, "calibrate"):
        assert f"{name}: " in shown
    assert "nervure[bench]" in shown


def test_bench_is_one_of_the_commands():
    report = json.loads(call("bench", "overhead", "--quick", "--repeats", 1, "--json").stdout)
    assert report["benchmark"] == "overhead"


def test_data_list():
    assert "digits" in call("data", "list").stdout
    names = [d["name"] for d in json.loads(call("data", "list", "--json").stdout)]
    assert "codon" in names


def test_version():
    from nervure import __version__

    assert __version__ in call("--version").stdout
