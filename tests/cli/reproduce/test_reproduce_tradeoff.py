"""`nervure reproduce tradeoff`, on images that are made up."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from nervure.cli import app
from nervure.data import COLOUR_IMAGES
from nervure.reproduce import Ledger, tradeoff

TINY = ["--quick", "--seeds", "1", "--epochs", "1", "--train", "40", "--test", "30"]


@pytest.fixture
def computed(monkeypatch, coloured_squares):
    """List the cells that are computed."""
    seen = []
    run = tradeoff.run

    def counted(cell, ledger, models):
        seen.append(cell)
        return run(cell, ledger, models)

    monkeypatch.setattr(tradeoff, "run", counted)
    monkeypatch.setattr(tradeoff, "colour_images", coloured_squares)
    small = replace(tradeoff.QUICK, nodes=6, channels=2, side=8, batch_size=20)
    monkeypatch.setattr(tradeoff, "QUICK", small)
    tradeoff._data.cache_clear()
    yield seen
    tradeoff._data.cache_clear()


def invoke(out, *arguments):
    given = ["reproduce", "tradeoff", *TINY, *arguments, "--jobs", "1", "--out", str(out)]
    return CliRunner().invoke(app.app, given)


def test_it_goes_on_where_it_stopped(tmp_path, computed):
    first = invoke(tmp_path, "--data", "cmnist", "--no-retraining", "--json")
    assert first.exit_code == 0, first.output
    assert [(cell["kind"], cell["data"]) for cell in computed] == [("wiring", "cmnist")]
    found = invoke(tmp_path, "--json")
    assert found.exit_code == 0, found.output
    values = json.loads(found.stdout)
    # Five datasets and the subgraph; each again with fitted channels, the five with the same ones.
    assert len(computed) == 6 + 5 + 6
    assert [line["data"] for line in values["accuracies"] if line["reach"] is None] == [
        *COLOUR_IMAGES
    ]
    assert [line["reach"] for line in values["accuracies"]].count(1) == 1
    assert values["settings"]["epochs"] == 1
    assert all((tmp_path / figure).exists() for figure in values["figures"])
    again = invoke(tmp_path, "--json")
    assert len(computed) == 17
    assert json.loads(again.stdout)["characteristics"] == values["characteristics"]
    held = list(Ledger(tmp_path / "ledger.sqlite").results(tradeoff.EXPERIMENT))
    assert len(held) == 17


@pytest.mark.usefixtures("computed")
def test_tables_have_the_papers_figures_beside_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = invoke(tmp_path, "--data", "cmnist", "--data", "cifar10")
    assert shown.exit_code == 0, shown.output
    shown_tables = (
        "863,300 (the paper: 863.3k)", "Tables 1 and 2", "(12.5 ± 2.3)", "Table 3", "(152.0",
        "Table 4", "Figure 4", "Figure 5", "Figure 6b", "Table 5", "subgraph, |i - j| <= 1",
        "thresholded - all edges =",
    )  # fmt: skip
    for expected in shown_tables:
        assert expected in shown.stdout, expected


def test_an_unknown_dataset_is_named(tmp_path):
    found = invoke(tmp_path, "--data", "iris")
    assert found.exit_code != 0
    assert "got iris" in str(found.exception) + found.output
