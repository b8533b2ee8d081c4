"""Figure 8: networks that see edges against networks that see rows, on a small made-up graph."""

import json
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from scipy.sparse import csr_matrix

from nervure.data import Dataset
from nervure.errors import DataError
from nervure.reproduce.neural_modules import figure_8, job
from nervure.reproduce.neural_modules.part import QUICK, Configuration

SMALL = Configuration(datasets=("facebook",), seeds=2, trials=1, epochs=3)


def blocks(*, edges=True):
    """Give three blocks that are joined within, and whose features say little."""
    graph = nx.planted_partition_graph(3, 60, 0.3, 0.01, seed=0)
    generator = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 60)
    x = generator.random((180, 12)) < np.where(np.arange(12) % 3 == y[:, None], 0.35, 0.2)
    return Dataset(
        name="blocks", x=csr_matrix(x.astype(np.float32)), y=y, task="classification",
        class_names=("a", "b", "c"), feature_names=tuple(map(str, range(12))),
        edges=np.array(graph.edges, dtype=np.int32) if edges else None,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _made_up(monkeypatch):
    def clear():
        job._loaded.cache_clear()
        figure_8._loaded.cache_clear()
        figure_8.nodes_of.cache_clear()

    clear()
    for module in (job, figure_8):
        monkeypatch.setattr(module, "load", lambda _: blocks())
    yield
    clear()


def cell(method, **changes):
    return {
        "part": "figure-8", "kind": "training", "method": method, "data": "facebook",
        "target": "classes", "nodes": 12, "seed": 0, "epochs": 20, "seconds": 60.0,
        "values": {"learning_rate": 0.05, "alpha": 0.01},
    } | changes  # fmt: skip


def test_node_numbers_stand_for_the_same_rows():
    rows, numbers = job.data_of("facebook", 1), figure_8.nodes_of("facebook", 1, "classes")
    dataset = blocks()
    for part in ("train", "validation", "test"):
        nodes = getattr(numbers, f"x_{part}")[:, 0].astype(int)
        assert np.array_equal(dataset.y[nodes], getattr(rows, f"y_{part}"))
        # The encoder scales columns, so whether an entry is there is what stays.
        expected, found = dataset.x[nodes].toarray() > 0, getattr(rows, f"x_{part}").toarray() > 0
        assert np.array_equal(expected, found)
        assert np.array_equal(getattr(numbers, f"y_{part}"), getattr(rows, f"y_{part}"))


def test_edges_tell_more_than_features():
    errors = {m: figure_8.run(cell(m))["test_error"] for m in ("nn", "nms-nm", "gcn", "gat")}
    assert max(errors["gcn"], errors["gat"]) < 0.15
    assert min(errors["nn"], errors["nms-nm"]) > 0.25


def test_a_graph_network_takes_one_step_over_all_rows_in_an_epoch():
    result = figure_8.run(cell("gcn", epochs=2))
    # It may end early, but not after as few epochs as others have.
    assert 2 < result["epochs"] <= 2 * figure_8.STEPS_PER_EPOCH
    assert json.loads(json.dumps(result)) == result


def test_data_without_edges_is_refused(monkeypatch):
    monkeypatch.setattr(figure_8, "load", lambda _: blocks(edges=False))
    with pytest.raises(DataError, match="blocks has no edges"):
        figure_8.run(cell("gcn"))


def test_nothing_is_searched_where_other_data_is_asked_for():
    assert not figure_8.searches(Configuration(datasets=("codon",)), [])
    assert not figure_8.searches(replace(QUICK, datasets=("codon",)), [])
    assert {c["data"] for c in figure_8.searches(QUICK, [])} == {"facebook"}
    assert len(figure_8.searches(SMALL, [])) == len(figure_8.SIZES) * len(figure_8.METHODS)


def test_outcome_sets_both_kinds_side_by_side():
    found = [
        (
            cell(method, nodes=nodes, seed=seed),
            {"test_error": 0.1 - 0.02 * at + 0.001 * seed * at, "over_time": False},
        )
        for nodes in figure_8.SIZES
        for at, method in enumerate(figure_8.METHODS)
        for seed in range(2)
    ]
    told = figure_8.outcome(SMALL, found)
    assert told.tables[0].rows[0] == ["NMs & NM", "0.1000 ± 0.0000", "0.1000 ± 0.0000"]
    assert "NMs & NM - graph convolution = +3.90 ± 0.14 points over 2 pairs" in told.sentences[1]
    assert len(told.figures["figure-8"].axes) == 2
    assert len(told.values["trainings"]) == 16
    assert not figure_8.outcome(SMALL, []).tables


def test_failures_and_data_that_is_left_out_are_said():
    broken = {"failed": "EngineError: it broke", "seconds": 1.0}
    told = figure_8.outcome(SMALL, [(cell("gcn"), broken), (cell("nn"), broken)])
    assert [row[1] for row in told.tables[0].rows] == ["not run", "failed", "failed", "not run"]
    assert "failed: graph convolution, facebook, 12 nodes, seed 0: EngineError: it broke" in (
        told.sentences
    )
    assert len(told.figures["figure-8"].axes) == 1
    (sentence,) = figure_8.outcome(Configuration(datasets=("codon",)), []).sentences
    assert "facebook, which --data leaves out" in sentence
