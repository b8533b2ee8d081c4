"""Table 2 and the figures of the FreeNets paper, on a small table that digits stand in for."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from nervure.cli import app
from nervure.data import registry
from nervure.errors import EngineError
from nervure.reproduce import Ledger, freenets, freenets_tables
from nervure.training import Fitted

SETTINGS = freenets.Settings(epochs=2)


@pytest.fixture
def digits(monkeypatch):
    """Put scikit-learn's digits in the place of MNIST."""
    freenets._data.cache_clear()
    monkeypatch.setattr(freenets, "load", lambda _: registry.load("digits"))
    yield
    freenets._data.cache_clear()


def test_cells_are_pairs_of_networks():
    cells = freenets.cells(["mnist"], [30, 50], [0, 1], SETTINGS)
    assert len(cells) == 8
    for a, b in zip(cells[::2], cells[1::2], strict=True):
        assert (a["network"], b["network"]) == freenets.NETWORKS
        assert {**a, "network": ""} == {**b, "network": ""}
    with pytest.raises(EngineError, match=r"expected among mnist, .* got iris"):
        freenets.cells(["iris"], [30], [0], SETTINGS)


def test_cells_that_differ_have_models_of_their_own():
    variants = [SETTINGS, freenets.Settings(epochs=3), freenets.Settings(epochs=2, epsilon=0.25)]
    cells = [c for v in variants for c in freenets.cells(["mnist", "emnist"], [30, 50], [0, 1], v)]
    trained = [cell for cell in cells if cell["network"] == "freenet"]
    assert len({freenets.model_name(cell) for cell in trained}) == len(trained)


@pytest.mark.usefixtures("digits")
def test_an_interrupted_training_is_no_result(monkeypatch):
    monkeypatch.setattr(freenets, "fit", lambda *_, **__: Fitted(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        freenets.run(freenets.cells(["mnist"], [30], [0], SETTINGS)[0])


@pytest.mark.usefixtures("digits")
def test_a_cell_says_what_was_measured(tmp_path):
    free, matched = freenets.cells(["mnist"], [30], [3], SETTINGS)
    first = freenets.run(free, models=str(tmp_path))
    assert json.loads(json.dumps(first)) == first
    assert 0.1 < first["test_accuracy"] <= 1
    assert len(first["curve"]) == len(first["densities"]) == 2
    assert first["validation_accuracy"] == max(first["curve"])
    for density in first["densities"]:
        assert sum(density["ncim_of_edges"]) == density["edges"]
        assert sum(density["ncam_of_others"]) == 30 * 29 // 2 - density["edges"]
    again = freenets.run(free)
    assert again["curve"] == first["curve"]
    other = freenets.run(matched)
    assert other["parameters"] >= 65 * 30 + 435 + 310 > other["parameters"] - 75
    assert "edges" not in other
    saved = freenets.compaction(free, tmp_path)
    assert saved["edges_before"] == 435
    assert saved["edges_after"] <= 435
    assert (saved["kb_after"] < saved["kb_before"]) == (saved["edges_after"] < 435)


def results(differences, data="mnist"):
    found = []
    for seed, difference in enumerate(differences):
        for network, accuracy in (("freenet", 0.9 + difference), ("matched", 0.9)):
            cell = {"data": data, "neurons": 30, "seed": seed, "network": network}
            found.append(
                (cell, {"test_accuracy": accuracy, "edges": 87, "possible": 435})
                if network == "freenet"
                else (cell, {"test_accuracy": accuracy})
            )
    return found


def test_the_table_is_mean_and_spread_beside_the_paper():
    (line,) = freenets_tables.lines(results([0.01, 0.02, 0.03]))
    assert line.freenet == pytest.approx((92.0, 1.0))
    assert line.matched == pytest.approx((90.0, 0.0))
    assert (line.paper_freenet, line.paper_matched) == (95.63, 95.74)
    assert line.edges == pytest.approx(0.2)
    assert freenets_tables.lines(results([0.01])[:1]) == []  # a FreeNet without its match


def test_the_paired_test_is_scipy_s():
    differences = [0.01, -0.02, 0.03, 0.02]
    (test,) = freenets_tables.paired_tests(results(differences))
    expected = stats.ttest_rel(0.9 + np.array(differences), np.full(4, 0.9)).pvalue
    assert test.p_value == pytest.approx(expected)
    assert (test.pairs, test.wins) == (4, 3)
    assert test.difference == pytest.approx(1.0)


@pytest.mark.usefixtures("digits")
def test_the_command_goes_on_where_it_was(tmp_path):
    arguments = ["reproduce", "freenets", "--data", "mnist", "--neurons", "30", "--epochs", "1"]
    arguments += ["--jobs", "1", "--out", str(tmp_path / "out")]
    runner = CliRunner()
    found = runner.invoke(app.app, [*arguments, "--seeds", "1", "--json"])
    assert found.exit_code == 0, found.output
    values = json.loads(found.stdout)
    assert len(values["table"]) == len(values["compaction"]) == 1
    assert values["paired_tests"][0]["p_value"] is None
    assert len(values["figures"]) == 6
    for path in values["figures"]:
        assert Path(path).read_bytes().startswith(b"\x89PNG")
    ledger = Ledger(tmp_path / "out" / "ledger.sqlite")
    before = list(ledger.results(freenets.EXPERIMENT))
    table = runner.invoke(app.app, [*arguments, "--seeds", "2"])
    assert table.exit_code == 0, table.output
    assert "FreeNet - matched" in table.stdout
    after = list(ledger.results(freenets.EXPERIMENT))
    assert after[:2] == before
    assert len(after) == 4


def test_a_size_that_the_paper_does_not_have(tmp_path):
    result = CliRunner().invoke(
        app.app, ["reproduce", "freenets", "--neurons", "31", "--out", str(tmp_path)]
    )
    assert result.exit_code != 0
    assert "the paper has 30, 35" in str(result.exception)
