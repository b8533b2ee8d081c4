"""The tables of the motif paper, on digits and small layers."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nervure.cli.app import app
from nervure.data import registry
from nervure.errors import EngineError
from nervure.reproduce import motif_set, motif_set_tables
from nervure.training import Training, comprehensive_score

SETTINGS = motif_set.Settings(epochs=2, epsilon=4)


@pytest.fixture
def digits(monkeypatch):
    """Put scikit-learn's digits in the place of every dataset, and small layers of the large."""
    motif_set._data.cache_clear()
    monkeypatch.setattr(motif_set, "load", lambda _: registry.load("digits"))
    monkeypatch.setattr(motif_set, "HIDDEN", {"3x3000": (40, 40, 40), "2x1000": (20, 20)})
    yield
    motif_set._data.cache_clear()


def test_cells_name_what_is_not_known():
    cells = motif_set.cells(["lung"], ["3x3000", "2x1000"], [0, 1], SETTINGS)
    assert [cell["part"] for cell in cells].count("sparse") == 4
    assert [cell["part"] for cell in cells].count("dense") == 4
    assert [cell["part"] for cell in cells].count("logistic") == 2
    without = motif_set.cells(["lung"], ["2x1000"], [0], SETTINGS, dense=False)
    assert [cell["part"] for cell in without] == ["sparse", "logistic"]
    with pytest.raises(EngineError, match=r"data: expected among fashion_mnist, .* got iris"):
        motif_set.cells(["iris"], ["2x1000"], [0], SETTINGS)
    with pytest.raises(EngineError, match=r"hidden: expected among 3x3000, 2x1000, got 5x5"):
        motif_set.cells(["lung"], ["5x5"], [0], SETTINGS)


@pytest.mark.usefixtures("digits")
def test_cells_say_what_was_measured():
    sparse, dense, logistic = motif_set.cells(["fashion_mnist"], ["3x3000"], [0], SETTINGS)
    found = motif_set.run(sparse)
    assert json.loads(json.dumps(found)) == found
    names = [variant.name for variant in motif_set.VARIANTS]
    assert list(found) == [*names, "masked", "dense"]
    for name in names:
        one = found[name]
        assert len(one["curve"]) == len(one["seconds_curve"]) == 2
        assert one["seconds"] == pytest.approx(sum(one["seconds_curve"]))
        assert 0 < one["test_accuracy"] <= 1
    assert found["SET"]["pairs"] == found["SET"]["weights"]
    assert found["motif 2, tied"]["weights"] < found["motif 2"]["weights"]
    assert len(found["SET"]["input_strengths"]) == 64
    assert found["masked"]["epoch_seconds"] > 0
    again = motif_set.run(sparse)
    assert again["motif 4"]["curve"] == found["motif 4"]["curve"]
    assert "weights" not in motif_set.run(dense)
    assert motif_set.run(logistic)["test_accuracy"] > 0.9


def result(accuracy, seconds):
    return {"test_accuracy": accuracy, "seconds": seconds, "epoch_seconds": seconds / 2,
            "weights": 7}  # fmt: skip


def ledger_of(times=(10.0, 6.0), accuracies=(0.8, 0.76)):
    sparse = {
        variant.name: result(accuracies[variant.motif_size > 1], times[variant.motif_size > 1])
        for variant in motif_set.VARIANTS
    }
    sparse |= {"masked": {"epoch_seconds": 99.0}, "dense": {"epoch_seconds": 50.0}}
    cell = {"part": "sparse", "data": "lung", "hidden": "3x3000", "seed": 0}
    return [(cell, sparse), ({**cell, "part": "dense"}, result(0.9, 1234.0))]


def test_the_table_is_relative_to_set_and_beside_the_paper():
    lines = {line.network: line for line in motif_set_tables.lines(ledger_of())}
    assert lines["SET"].score == pytest.approx(0.9)
    motif = lines["motif 2"]
    assert (motif.saved, motif.lost) == (pytest.approx(0.4), pytest.approx(0.05))
    assert motif.score == pytest.approx(0.1 * 0.4 + 0.9 * 0.95)
    assert motif.paper == motif_set.PAPER["lung"][2]
    assert lines["motif 2, tied"].paper is None
    assert lines["dense"].epoch_seconds == 50.0
    assert lines["dense"].accuracy == (0.9, 0.0)
    assert lines["masked dense"].epoch_seconds == 99.0
    assert lines["masked dense"].accuracy is None


def test_a_network_that_diverges_is_a_line_of_its_own():
    found = ledger_of()
    found[0][1]["motif 4, tied"] = {"diverged": "the training loss became nan"}
    lines = {line.network: line for line in motif_set_tables.lines(found)}
    assert lines["motif 4, tied"].diverged == 1
    assert lines["motif 4, tied"].accuracy is None
    assert lines["motif 4"].diverged == 0


@pytest.mark.usefixtures("digits")
def test_the_others_go_on_when_one_diverges(monkeypatch):
    class Fragile(Training):
        def epoch(self):
            if self.network.motif_size == 4:
                raise EngineError("the training loss became nan in epoch 1")
            return super().epoch()

    monkeypatch.setattr(motif_set, "Training", Fragile)
    found = motif_set.run(motif_set.cells(["lung"], ["2x1000"], [0], SETTINGS)[0])
    gone = {name for name, one in found.items() if "diverged" in one}
    assert gone == {"motif 4", "motif 4, tied"}
    assert "became nan" in found["motif 4"]["diverged"]
    assert len(found["static"]["curve"]) == 2


def test_curves_cross_where_time_begins_to_count():
    lines = motif_set_tables.lines(ledger_of())
    chosen = [line for line in lines if line.network not in ("dense", "masked dense")]
    curves = motif_set_tables.score_curves(chosen, [0.0, 1.0])
    assert curves["SET"] == pytest.approx([1.0, 0.0])
    assert curves["motif 4"] == pytest.approx([0.95, 0.4])
    paper = motif_set_tables.paper_curves("fashion_mnist", [0.1])
    assert paper["motif 2"][0] == comprehensive_score(14307.5, 0.733, 25236.2, 0.761)
    assert motif_set_tables.paper_curves("tox171", [0.1]) == {}


@pytest.mark.usefixtures("digits")
def test_the_command_draws_and_goes_on_where_it_stopped(tmp_path):
    arguments = [
        "reproduce", "motif-set", "--quick", "--epochs", "1", "--data", "fashion_mnist", "--out",
        str(tmp_path),
    ]  # fmt: skip
    first = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert first.exit_code == 0
    values = json.loads(first.stdout)
    assert all(Path(path).stat().st_size > 5000 for path in values["figures"])
    assert {Path(path).stem for path in values["figures"]} == {
        "figures-6-7-time", "accuracy", "figures-8-9-score", "importance-fashion_mnist-2x1000",
    }  # fmt: skip
    assert values["properties"][0]["kind"] == "image"
    again = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert json.loads(again.stdout)["table"] == values["table"]
    shown = CliRunner().invoke(app, arguments, catch_exceptions=False).stdout
    assert "masked dense" in shown
    assert "logistic regression" in shown
