"""The experiments of connectivity-tradeoff, on images small enough to be made up."""

import json
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from scipy import stats

from nervure.data import COLOUR_IMAGES
from nervure.errors import EngineError
from nervure.networks import BlockDAG, count_parameters
from nervure.reproduce import (
    Ledger,
    cells,
    tradeoff,
    tradeoff_figures,
    tradeoff_report,
    tradeoff_tables,
)
from nervure.reproduce.tradeoff_paper import CHARACTERISTICS, DYNAMICS, EPOCH_SECONDS
from nervure.training import Fitted
from nervure.training.model_file import load_model

SETTINGS = tradeoff.Settings(
    nodes=7, channels=2, train=60, test=40, side=8, epochs=3, batch_size=20, penalty=0.03,
    edge_rate=5.0, augment=False, threshold=0.1,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _images(monkeypatch, coloured_squares):
    tradeoff._data.cache_clear()
    monkeypatch.setattr(tradeoff, "colour_images", coloured_squares)
    yield
    tradeoff._data.cache_clear()


def ran(folder, wanted):
    ledger = Ledger(folder / "ledger.sqlite")
    (folder / "models").mkdir(exist_ok=True)

    def work(cell):
        return tradeoff.run(cell, ledger.path, folder / "models")

    cells.run_cells(ledger, tradeoff.EXPERIMENT, wanted, work)
    return ledger, list(ledger.results(tradeoff.EXPERIMENT))


@pytest.fixture(scope="module")
def found(tmp_path_factory, coloured_squares):
    """Two seeds of two datasets, and everything that follows from them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tradeoff, "colour_images", coloured_squares)
        tradeoff._data.cache_clear()
        folder = tmp_path_factory.mktemp("tradeoff")
        wirings = tradeoff.wiring_cells(["cmnist", "cifar10"], [0, 1], SETTINGS)
        wirings += tradeoff.wiring_cells(["cifar10"], [0], SETTINGS, reach=2)
        ledger, _ = ran(folder, wirings)
        left = [cell for cell in wirings if tradeoff.is_wired(ledger, cell)]
        again = tradeoff.retraining_cells(left, fit_channels=True)
        again += tradeoff.retraining_cells(left[:1], fit_channels=False)
        yield folder, ran(folder, again)[1]


def test_an_interrupted_training_is_no_result(tmp_path, monkeypatch):
    monkeypatch.setattr(tradeoff, "fit", lambda *_, **__: Fitted(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        ran(tmp_path, tradeoff.wiring_cells(["cmnist"], [0], SETTINGS))


def test_the_full_configuration_is_the_papers():
    settings = tradeoff.Settings()
    cell = tradeoff.wiring_cells(["cmnist"], [0], settings)[0]
    network = BlockDAG(tradeoff.starting_graph(cell), tradeoff.stages_of(cell), cell["channels"])
    assert count_parameters(network) == 863_300
    assert np.bincount(tradeoff.stages_of(cell)).tolist() == [20, 20, 20]
    assert (settings.penalty, settings.threshold, settings.edge_rate) == (1e-3, 0.006, 1)
    assert (settings.epochs, settings.batch_size, settings.learning_rate) == (100, 128, 0.1)
    parts = tradeoff.accounting(settings)
    assert parts.pop("all") == sum(parts.values()) == 863_300
    assert parts == {
        "input block": 374, "59 other nodes": 513_106, "60 reductions": 347_600,
        "output block": 450, "1,770 edges": 1_770,
    }  # fmt: skip
    options = tradeoff.options_of(cell)
    assert (options.momentum, options.weight_decay, options.schedule) == (0.9, 1e-4, "steps")


def test_the_papers_tables_have_a_figure_for_each_dataset():
    for table in (CHARACTERISTICS, EPOCH_SECONDS, DYNAMICS):
        assert {len(row) for row in table.values()} == {len(COLOUR_IMAGES)}


def test_unknown_datasets_are_refused():
    with pytest.raises(EngineError, match=r"expected among cmnist, .* got iris"):
        tradeoff.wiring_cells(["iris"], [0], SETTINGS)


def test_images_of_half_the_side_are_means_of_squares():
    x = np.arange(2 * 3 * 4 * 4, dtype=np.float32).reshape(2, 3, 4, 4)
    half = tradeoff._reduced(x, 2)
    for i, j in np.ndindex(2, 2):
        square = x[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        np.testing.assert_allclose(half[:, :, i, j], square.mean(axis=(2, 3)))
    assert tradeoff._reduced(x, 4) is not None
    with pytest.raises(EngineError, match="side: expected a divisor of 4, got 3"):
        tradeoff._reduced(x, 3)


def test_a_wiring_is_what_its_threshold_leaves(found):
    folder, results = found
    for cell, result in results:
        if cell["kind"] != "wiring":
            continue
        assert json.loads(json.dumps(result)) == result
        start = tradeoff.starting_graph(cell)
        strengths = np.array(result["strengths"])
        assert strengths.shape == (cell["epochs"] + 1, start.num_edges)
        np.testing.assert_allclose(strengths[0], 0.5, rtol=1e-3)
        graph = nx.DiGraph()
        graph.add_nodes_from(range(7))
        graph.add_edges_from(start.edges[strengths[-1] >= cell["threshold"]].tolist())
        alive = {0, 6} | (nx.descendants(graph, 0) & nx.ancestors(graph, 6))
        learned = tradeoff.wiring_of(cell, result)
        if not nx.has_path(graph, 0, 6):
            assert result["edges"] == []
            continue
        assert set(map(tuple, learned.edges.tolist())) == set(graph.subgraph(alive).edges)
        point = next(p for p in result["points"] if p["threshold"] == cell["threshold"])
        assert (point["edges"], point["nodes"]) == (learned.num_edges, len(alive))
        saved = load_model(folder / "models" / f"{tradeoff.name_of(cell)}.safetensors").network
        assert saved.topology == learned
        assert count_parameters(saved) == point["parameters"]


def test_cells_that_differ_have_models_of_their_own():
    variants = [SETTINGS, replace(SETTINGS, epochs=4), replace(SETTINGS, penalty=0.01)]
    wanted = [
        cell
        for settings in variants
        for reach in (None, 3)
        for cell in tradeoff.wiring_cells(["cmnist", "cifar10"], [0, 1], settings, reach=reach)
    ]
    assert len({tradeoff.name_of(cell) for cell in wanted}) == len(wanted)


def test_trained_again_a_wiring_has_the_channels_that_fit(found):
    _, results = found
    full = next(r["parameters"] for c, r in results if c["kind"] == "wiring" and not c["reach"])
    for cell, result in results:
        if cell["kind"] != "retraining":
            continue
        if cell["widths"] == "same":
            assert result["channels"] == cell["channels"]
            continue
        wiring = next(
            (c, r)
            for c, r in results
            if c["kind"] == "wiring"
            and (c["data"], c["seed"], c["reach"]) == (cell["data"], cell["seed"], cell["reach"])
        )
        graph = tradeoff.wiring_of(*wiring)

        def parameters(channels, graph=graph, cell=cell):
            return count_parameters(BlockDAG(graph, tradeoff.stages_of(cell), channels))

        errors = [abs(parameters(c) - full) for c in range(1, 40)]
        assert errors[result["channels"] - 1] == min(errors)
        assert result["parameters"] == parameters(result["channels"])


def test_a_retraining_needs_its_wiring(tmp_path):
    wanted = tradeoff.retraining_cells(
        tradeoff.wiring_cells(["cmnist"], [5], SETTINGS), fit_channels=False
    )
    with pytest.raises(EngineError, match="no wiring was learned yet for cmnist-5"):
        ran(tmp_path, wanted)


def test_the_report_is_mean_and_spread_beside_the_paper(found):
    _, results = found
    report = tradeoff_report.report_of(results)
    chosen = tradeoff_tables.wirings(results)
    assert {row.name for row in report.characteristics} == set(CHARACTERISTICS)
    nodes = next(row for row in report.characteristics if row.name == "nodes")
    for data, (mean, spread) in nodes.ours.items():
        mine = [
            int(tradeoff.wiring_of(cell, result).live.sum())
            for cell, result in chosen
            if cell["data"] == data
        ]
        assert mean == np.mean(mine)
        assert spread == pytest.approx(np.std(mine, ddof=1) if len(mine) > 1 else 0)
    assert nodes.paper["cifar10"] == (48.5, 2.6)
    assert np.isnan(nodes.rank_correlation)  # of two datasets there is none
    assert json.loads(json.dumps(tradeoff_report.to_json(report), allow_nan=False))
    line = next(a for a in report.accuracies if a.data == "cmnist" and a.seed == 0)
    wiring = next(r for c, r in results if c["data"] == "cmnist" and c["kind"] == "wiring")
    assert line.full == 100 * wiring["accuracy"]
    bias = [a for a in report.accuracies if a.reach is not None]
    assert [(a.data, a.reach) for a in bias] == [("cifar10", 2)]


def test_rows_are_ranked_as_scipy_ranks_them():
    values = np.array([3.0, 1.0, 2.0, 9.0, 7.0])
    one = tradeoff_tables.row("nodes", COLOUR_IMAGES, values, CHARACTERISTICS["nodes"])
    printed = [mean for mean, _ in CHARACTERISTICS["nodes"]]
    assert one.rank_correlation == pytest.approx(stats.spearmanr(values, printed).statistic)


def test_every_figure_is_drawn(found, tmp_path):
    _, results = found
    report = tradeoff_report.report_of(results)
    drawn = tradeoff_figures.write_figures(
        results, report.likeness, report.accuracies, report.first_epochs, tmp_path
    )
    names = {path.name.split("-")[1] for path in drawn}
    assert {"2", "3", "4", "5", "6a", "6b", "7a", "7b"} <= names
    assert all(path.stat().st_size > 5000 for path in drawn)


def test_nothing_is_drawn_of_nothing(tmp_path):
    report = tradeoff_report.report_of([])
    assert tradeoff_figures.write_figures([], report.likeness, [], [], tmp_path) == []
