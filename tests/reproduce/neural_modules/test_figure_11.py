"""Figures 11 and 12 of the neural-modules paper, on digits."""

import json
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from matplotlib.patches import Rectangle

from nervure.errors import EngineError
from nervure.measures import CONNECTOMES
from nervure.reproduce.neural_modules import figure_11, module_training
from nervure.reproduce.neural_modules.part import QUICK, Configuration


@pytest.fixture
def digits(digits, monkeypatch):
    """Make networks small."""
    del digits
    monkeypatch.setattr(figure_11, "NODES_QUICK", 14)
    return replace(QUICK, datasets=("codon", "gas"), epochs=2)


def test_every_network_has_one_without_penalty_beside_it():
    cells = figure_11.cells(Configuration(seeds=3))
    assert len(cells) == 4 * 3 * 2
    for a, b in zip(cells[::2], cells[1::2], strict=True):
        assert (a["alpha"], b["alpha"]) == (0.001, 0.0)
        assert {**a, "alpha": 0.0} == b


def test_the_graph_is_measured_as_networkx_does(digits):
    cell = figure_11.cells(digits)[0]
    result = figure_11.run(cell)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    network, _ = module_training.train(cell)
    dense = network.core.weight.detach().numpy()
    assert len(result["edges"]) == 28
    for (source, target), weight in zip(result["edges"], result["weights"], strict=True):
        assert dense[target, source] == pytest.approx(weight)
    graph = nx.DiGraph(result["edges"]).to_undirected()
    piece = graph.subgraph(max(nx.connected_components(graph), key=len))
    world = result["small_world"]
    assert world["nodes"] == len(piece)
    assert world["clustering"] == pytest.approx(nx.average_clustering(piece))
    assert world["path_length"] == pytest.approx(nx.average_shortest_path_length(piece))


def test_graphs_stand_beside_published_ones(digits):
    found = [(cell, figure_11.run(cell)) for cell in figure_11.cells(digits)]
    outcome = figure_11.outcome(digits, found)
    assert list(outcome.figures) == ["figure-11-codon", "figure-11-gas", "figure-12"]
    modules, biology = outcome.tables
    assert [row[0] for row in modules.rows] == [
        "codon, alpha 0.001", "codon, no penalty", "gas, alpha 0.001", "gas, no penalty",
    ]  # fmt: skip
    assert [row[0] for row in biology.rows[4:]] == [graph.name for graph in CONNECTOMES]
    for table in outcome.tables:
        assert {len(row) for row in table.rows} == {len(table.columns)}
    by_name = {row[0]: row for row in biology.rows}
    graph = nx.DiGraph(found[0][1]["edges"])
    assert by_name["codon, alpha 0.001"][1:5] == [
        "14", "28", f"{28 / (14 * 13):.4f}", f"{2 * graph.number_of_edges() / 14:.1f}",
    ]  # fmt: skip
    assert by_name["C. elegans, neurons"][5:] == ["0.280", "2.65", "4.75", "undirected; 282 nodes"]
    assert by_name["macaque, cortical areas"][5:] == ["-", "-", "-", "-"]
    json.dumps(outcome.values, allow_nan=False)
    degree = next(line for line in outcome.sentences if line.startswith("mean degree"))
    assert degree == (
        "mean degree: codon 4.0, gas 4.0; 0 of 2 in the published range, 11.7 to 37.0."
    )
    # 0.0267 of 13 possible targets.
    assert "would take 0.3 edges per node" in outcome.sentences[-1]


def test_the_matrix_frames_every_module(digits):
    cell = {**figure_11.cells(digits)[1], "alpha": 0.001}
    edges = [[0, 1], [1, 2], [2, 0], [5, 6], [6, 5], [2, 5]]
    figure = figure_11.matrix(cell, {"edges": edges, "weights": np.linspace(-1, 1, 6).tolist()})
    frames = [p for p in figure.axes[0].patches if isinstance(p, Rectangle) and not p.get_fill()]
    assert sorted(frame.get_width() for frame in frames) == [2, 3]
    assert figure.get_suptitle().startswith("codon, 14 nodes, 6 edges")


def test_the_picture_is_that_of_the_first_seed(digits):
    configuration = replace(digits, datasets=("gas",), quick=False, seeds=2)
    result = figure_11.run(figure_11.cells(replace(digits, datasets=("gas",)))[0])
    found = [
        (cell, result if cell["seed"] == 0 else result | {"edges": [[0, 1]], "weights": [1.0]})
        for cell in figure_11.cells(configuration)
        if cell["alpha"]
    ]
    figure = figure_11.outcome(configuration, found).figures["figure-11-gas"]
    assert ", 28 edges" in figure.get_suptitle()


def test_a_network_that_failed_is_named(digits, monkeypatch):
    def diverges(*_, **__):
        raise EngineError("the training loss became nan")

    cells = figure_11.cells(digits)
    good = figure_11.run(cells[0])
    monkeypatch.setattr(module_training, "fit", diverges)
    failed = figure_11.run(cells[1])
    assert failed == {"failed": "the training loss became nan"}
    alone = figure_11.outcome(digits, [(cells[1], failed)])
    assert alone.tables == ()
    assert alone.sentences == ["codon, alpha 0, seed 0: the network failed."]
    outcome = figure_11.outcome(digits, [(cells[0], good), (cells[1], failed)])
    assert outcome.sentences[0] == "codon, alpha 0, seed 0: the network failed."
    assert list(outcome.figures) == ["figure-11-codon", "figure-12"]
