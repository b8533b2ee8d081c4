"""The command as one product: near misses, completion, and Ctrl-C before there is anything."""

import json
import runpy
import sys

import pytest
from typer.testing import CliRunner

from nervure.cli import completion
from nervure.cli.app import app
from nervure.errors import DataError
from nervure.training import Run, Training


def call(*arguments, **options):
    return CliRunner().invoke(
        app, list(map(str, arguments)), catch_exceptions=False, prog_name="nervure", **options
    )


def shown(done):
    return " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        ("trian", "'train'"),
        ("train frenet", "'freenet'"),
        ("sweep frenet", "'freenet'"),
        ("reproduce freenet", "'freenets'"),
        ("train freenet --epoch 3", "--epochs"),
        ("sweep freenet --trial 3", "--trials"),
        ("compare --jsn", "--json"),
    ],
)
def test_near_misses_of_words_are_named(arguments, near):
    done = call(*arguments.split())
    assert done.exit_code == 2
    assert near in shown(done)


def test_near_misses_of_data_and_columns_are_named(tmp_path, monkeypatch):
    table = tmp_path / "customers.csv"
    table.write_text("age,churned\n" + "\n".join(f"{i},{i % 2}" for i in range(40)))
    monkeypatch.chdir(tmp_path)
    for method, arguments, near in (
        ("freenet", ["--data", "digitz"], "digits"),
        ("tradeoff", ["--data", "cfashion_mnst"], "cfashion_mnist"),
        ("sculpt", ["--data", "two-digit"], "two-digits"),
        ("freenet", ["--data", "custmers.csv", "--target", "churned"], "customers.csv"),
        ("freenet", ["--data", table, "--target", "churnd"], "churned"),
    ):
        with pytest.raises(DataError, match=f"did you mean {near}"):
            call("train", method, *arguments)


def test_as_a_module(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["__main__.py", "trian"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("nervure", run_name="__main__")
    assert stop.value.code == 2
    assert "Usage: nervure [OPTIONS]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("nervure train fre", "freenet"),
        ("nervure train freenet --data dig", "digits"),
        ("nervure train tradeoff --data cmn", "cmnist"),
        ("nervure sweep set --data gas", "gas"),
    ],
)
def test_the_shell_completes(words, expected):
    done = call(
        env={
            "_NERVURE_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
    )
    assert done.stdout.split() == [expected]


def test_runs_are_completed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert completion.runs("") == []
    with Run.create(tmp_path / "runs" / "one", config={}):
        pass
    (tmp_path / "runs" / "folder").mkdir()
    (tmp_path / "runs" / ".hidden").mkdir()
    assert completion.runs("") == ["runs/folder/", "runs/one"]
    assert completion.runs("ru") == ["runs/"]
    assert completion.runs("runs/o") == ["runs/one"]
    assert completion.runs("nothing/x") == []
    assert completion.datasets("file.csv") == []
    assert completion.sculpting_tasks("boolean:s") == ["boolean:single"]


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("freenet", ["--neurons", "8", "--epochs", "2", "--no-baseline"]),
        ("sculpt", ["--data", "[4, 2, 4]", "--hidden", "4", "--epochs", "1",
                    "--unit-steps", "0.5", "--edge-steps", "0.5"]),
    ],
)  # fmt: skip
def test_ctrl_c_before_the_first_epoch_says_in_a_line_how_to_go_on(
    method, options, tmp_path, monkeypatch
):
    folder = tmp_path / "run"

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Training, "epoch", interrupted)
        patch.setattr("nervure.training.sculpting.grid.RoundOfMany.train", interrupted)
        done = call("train", method, *options, "--out", folder)
    assert done.exit_code == 130
    line = f"interrupted, nothing is lost; go on with: nervure train {method} --resume {folder}"
    assert line in done.stderr.replace("\n", "")
    assert done.stdout == ""
    with Run.open(folder) as run:
        assert run.status == "interrupted"
    done = call("train", method, "--resume", folder, "--json")
    assert done.exit_code == 0
    assert "test_error" in json.loads(done.stdout)


def test_ctrl_c_before_there_is_a_run(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("nervure.jobs.train.open_source", interrupted)
    done = call("train", "freenet")
    assert done.exit_code == 130
    assert "interrupted before training began; run the same command again" in done.stderr
