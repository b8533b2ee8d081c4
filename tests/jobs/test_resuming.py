"""Every method goes on with a run that was killed, and with nothing else."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nervure.cli.app import app
from nervure.errors import RunError
from nervure.jobs import FreeNetRequest, NeuralModulesRequest, SparseMLPRequest, train_freenet
from nervure.jobs import neural_modules as jobs
from nervure.jobs.resuming import request_of
from nervure.training import Run, Training
from nervure.training.model_file import load_model

TOOL = Path(__file__).parents[2] / "tools" / "kill_runs.py"


@pytest.mark.parametrize(
    ("method", "kills"),
    [
        ("neural-modules", 20),
        *(
            pytest.param(method, 3, marks=pytest.mark.slow)
            for method in ("freenet", "set", "sculpt", "tradeoff")
        ),
    ],
)
def test_runs_killed_at_random_end_like_one_that_was_not(method, kills):
    done = subprocess.run(
        [sys.executable, TOOL, "--method", method, "--kills", str(kills), "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert result["kills"] == kills
    assert result["different"] == []


def interrupted_after(monkeypatch, epochs):
    whole = Training.epoch

    def epoch(self):
        if len(self.fitted.history) == epochs:
            raise KeyboardInterrupt
        return whole(self)

    monkeypatch.setattr(Training, "epoch", epoch)


def command(*arguments):
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupted_after(patch, 2)
        done = command("freenet", "--neurons", "20", "--epochs", "4", "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert f"nervure train freenet --resume {tmp_path / 'run'}" in done.stdout.replace("\n", "")
    return tmp_path / "run"


def test_ctrl_c_says_how_to_go_on_and_it_does(folder, tmp_path):
    # What there was is there already.
    assert load_model(folder / "model.safetensors").network.topology.num_edges
    with Run.open(folder) as run:
        assert run.status == "interrupted"
    done = command("freenet", "--resume", folder, "--json")
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    whole = train_freenet(FreeNetRequest(neurons=20, epochs=4, out=tmp_path / "whole")).summary
    times = ("seconds", "baseline_seconds", "total_seconds", "run")
    assert {k: v for k, v in summary.items() if k not in times} == {
        k: v for k, v in whole.items() if k not in (*times, "baseline_epochs")
    }
    done = command("freenet", "--resume", folder)
    assert isinstance(done.exception, RunError)
    assert "has finished" in str(done.exception)


def test_nothing_else_is_trained_instead(folder, tmp_path):
    done = command("freenet", "--resume", folder, "--epochs", "9")
    assert done.exit_code == 2
    assert "leave out --epochs" in " ".join(done.output.split())
    done = command("set", "--resume", folder)
    assert f"nervure train freenet --resume {folder}" in str(done.exception)
    done = command("freenet", "--resume", tmp_path / "nowhere")
    assert "there is no run folder" in str(done.exception)
    request = request_of(folder, "freenet", FreeNetRequest)
    with pytest.raises(RunError, match=r"is another one \(seed, neurons\)"):
        train_freenet(replace(request, neurons=21, seed=4))


def test_changed_data_and_runs_without_a_request_are_refused(tmp_path, monkeypatch):
    table = tmp_path / "table.csv"
    rows = [f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(60)]
    table.write_text("\n".join(["one,two,kind", *rows]))
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        interrupted_after(patch, 1)
        arguments = ["--data", "table.csv", "--target", "kind", "--nodes", "8", "--epochs", "3"]
        assert command("neural-modules", *arguments, "--out", "run").exit_code == 0
    # The path is known from elsewhere too.
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    request = request_of(tmp_path / "run", "neural-modules", NeuralModulesRequest)
    assert request.data == str(table)
    table.write_text("\n".join(["one,two,kind", *rows[1:], "1,1,a"]))
    with pytest.raises(RunError, match="is not what it was when it began"):
        jobs.train_neural_modules(request)
    with Run.create(tmp_path / "own", config={}) as run:
        run.fail("stopped")
    with pytest.raises(RunError, match="does not say what it was asked for"):
        request_of(tmp_path / "own", "neural-modules", NeuralModulesRequest)


def test_lists_of_a_request_come_back_as_they_were(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupted_after(patch, 1)
        arguments = ["--hidden", "12,8", "--motif-size", "auto", "--epochs", "6", "--no-baseline"]
        assert command("set", *arguments, "--out", tmp_path / "run").exit_code == 130
    request = request_of(tmp_path / "run", "set", SparseMLPRequest)
    assert request.hidden == (12, 8)
    assert request.motif_size is None
    done = command("set", "--resume", tmp_path / "run", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["motif_size"] in (1, 2, 4)


def test_an_interrupted_baseline_is_trained_again(tmp_path, monkeypatch):
    whole = Training.epoch

    def epoch(self):
        if "PlainNetwork" in type(self.network).__name__ and len(self.fitted.history) == 2:
            raise KeyboardInterrupt
        return whole(self)

    arguments = ["freenet", "--neurons", "15", "--epochs", "3", "--out", tmp_path / "run"]
    with monkeypatch.context() as patch:
        patch.setattr(Training, "epoch", epoch)
        assert command(*arguments).exit_code == 0
    with Run.open(tmp_path / "run") as run:
        assert run.status == "interrupted"
        assert "baseline_test_error" not in run.result
    done = command("freenet", "--resume", tmp_path / "run", "--json")
    assert json.loads(done.stdout)["baseline_test_error"] < 0.9
