"""`nervure reproduce neural-modules`, on digits."""

import io
import json
import sys
from dataclasses import replace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from nervure.cli.app import app
from nervure.cli.reproduce import neural_modules
from nervure.cli.reproduce.neural_modules import _chosen, _print
from nervure.data import registry
from nervure.errors import DataError, MissingDependencyError
from nervure.reproduce.neural_modules import job, methods, table_1
from nervure.reproduce.neural_modules.part import Outcome, Part, TextTable
from nervure.reproduce.neural_modules.parts import PARTS

ARGUMENTS = [
    "table-1", "--data", "codon", "--nodes", "6", "--seeds", "2", "--trials", "1", "--epochs", "2",
    "--jobs", "1",
]  # fmt: skip


EMPTY = Part(
    name="empty", about="nothing", stages=(), run=lambda _: {},
    outcome=lambda *_: Outcome(sentences=["nothing to run"]),
)  # fmt: skip


@pytest.fixture
def _small(monkeypatch):
    job._loaded.cache_clear()
    monkeypatch.setattr(job, "load", lambda _: registry.load("digits"))
    few = {name: methods.METHODS[name] for name in ("nn", "nms", "nms-nm")}
    monkeypatch.setattr(table_1, "METHODS", few)
    monkeypatch.setattr(table_1, "_LABELS", {name: method.label for name, method in few.items()})
    yield
    job._loaded.cache_clear()


def call(*arguments):
    return CliRunner().invoke(app, ["reproduce", "neural-modules", *map(str, arguments)])


@pytest.mark.usefixtures("_small")
def test_tables_figures_and_a_ledger_that_is_gone_on_with(tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    done = call(*ARGUMENTS, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "Table 1, codon" in done.stdout
    assert "NMs & NM - NN" in done.stdout
    # Digits has no paper's value at 6 nodes; the brackets must be seen all the same.
    assert "[the paper's]" in " ".join(done.stdout.split())
    assert "[-]" in done.stdout
    assert (tmp_path / "table-1-errors.png").stat().st_size > 10_000

    def refuse(_):
        raise AssertionError("a cell was run twice")

    monkeypatch.setattr(table_1.contest, "run", refuse)
    again = call(*ARGUMENTS, "--out", tmp_path, "--json")
    assert again.exit_code == 0, again.output
    values = json.loads(again.stdout)
    assert values["configuration"]["trials"] == 1
    cells = values["parts"]["table-1"]["cells"]
    assert [c["method"] for c in cells] == ["nn", "nms", "nms-nm"]
    assert [len(c["trainings"]) for c in cells] == [2, 2, 2]


def test_what_stands_in_brackets_is_shown():
    console = Console(file=io.StringIO(), width=80)
    table = TextTable("errors [ours]", ["method", "of [all]"], [["a [b]", "-\n[over time]"]])
    _print(console, PARTS["table-1"], Outcome(tables=[table]))
    for words in ("errors [ours]", "of [all]", "a [b]", "[over time]"):
        assert words in console.file.getvalue()


@pytest.mark.usefixtures("_small")
def test_what_is_given_twice_counts_once(tmp_path):
    pytest.importorskip("optuna")
    done = call(*ARGUMENTS, "--nodes", "6", "--data", "codon", "--out", tmp_path, "--json")
    assert done.exit_code == 0, done.output
    cells = json.loads(done.stdout)["parts"]["table-1"]["cells"]
    assert [len(c["trainings"]) for c in cells] == [2, 2, 2]


def test_both_halves_of_a_figure_go_by_its_number():
    assert [part.name for part in _chosen(["figure-10", "table-1", "figure-10a"])] == [
        "figure-10a", "figure-10b", "table-1",
    ]  # fmt: skip
    assert len(_chosen(["theory", "all"])) == len(_chosen(None)) == 10


def test_a_wrong_part_dataset_or_size_is_answered_with_what_there_is(tmp_path):
    for arguments, words in (
        (["table-2"], "expected among table-1"),
        (["table-1", "--method", "svm"], "expected among nn, deq, dag"),
        (["table-1", "--data", "iris"], "expected among codon, activity, facebook, gas, got iris"),
        (["table-1", "--nodes", "2"], "expected at least 3, got 2"),
    ):
        done = call(*arguments, "--out", tmp_path)
        assert done.exit_code
        assert words in str(done.exception)


@pytest.mark.usefixtures("_small")
def test_a_part_that_cannot_be_run_is_left_out_by_name(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setattr(neural_modules, "PARTS", {"table-1": PARTS["table-1"], "empty": EMPTY})
    done = call("table-1", "empty", *ARGUMENTS[1:], "--out", tmp_path)
    assert done.exit_code == 0, done.output
    told = " ".join(done.stdout.split())
    assert 'table-1 left out: the search of hyper-parameters needs optuna: pip install "ner' in told
    assert "nothing to run" in told
    # By itself it is what was asked for, so that leaving it out is an error.
    done = call(*ARGUMENTS, "--out", tmp_path)
    assert isinstance(done.exception, MissingDependencyError)


def test_missing_data_costs_its_part_alone(tmp_path, monkeypatch):
    def refuse(*_):
        raise DataError("no such file")

    broken = replace(EMPTY, name="broken", stages=(refuse,))
    monkeypatch.setattr(neural_modules, "PARTS", {"broken": broken, "empty": EMPTY})
    done = call("--json", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    parts = json.loads(done.stdout)["parts"]
    assert parts["broken"] == {"left_out": "no such file"}
    assert parts["empty"]["sentences"] == ["nothing to run"]
