"""Figure 2: forward-forward and DARTS through the same search and loop, on digits."""

import json

import numpy as np
import pytest

from nervure.reproduce.neural_modules import figure_2
from nervure.reproduce.neural_modules.job import data_of
from nervure.reproduce.neural_modules.part import QUICK, Configuration

SMALL = Configuration(datasets=("codon", "gas"), seeds=2, trials=1, epochs=2)


def cell(method, target="binary", **changes):
    values = {name: where.default for name, where in figure_2.METHODS[method].ranges.items()}
    return {
        "part": "figure-2", "kind": "training", "method": method, "data": "codon",
        "target": target, "nodes": 12, "seed": 0, "epochs": 3, "seconds": 60.0, "values": values,
    } | changes  # fmt: skip


@pytest.mark.usefixtures("digits")
@pytest.mark.parametrize("method", figure_2.METHODS)
@pytest.mark.parametrize("target", ["binary", "classes"])
def test_every_method_learns_both_tasks(method, target):
    result = figure_2.run(cell(method, target, epochs=6))
    assert json.loads(json.dumps(result)) == result
    data = data_of("codon", 0, target)
    chance = 1 - np.bincount(data.y_test).max() / len(data.y_test)
    assert result["test_error"] < chance


def test_two_classes_and_all_are_searched_and_quickly_only_two():
    cells = figure_2.searches(SMALL, [])
    assert len(cells) == 2 * 2 * len(figure_2.METHODS)
    assert {c["nodes"] for c in cells} == {figure_2.NODES}
    assert {c["target"] for c in figure_2.searches(QUICK, [])} == {"binary"}


def test_outcome_compares_neural_modules_with_each():
    found = []
    for target in ("binary", "classes"):
        for data in ("codon", "gas"):
            for index, method in enumerate(figure_2.METHODS):
                for seed in range(2):
                    where = cell(method, target, data=data, seed=seed)
                    noise = 0.001 * seed * (index + 1)
                    result = {"test_error": 0.1 + 0.01 * index + noise, "over_time": False}
                    found.append((where, result))
    told = figure_2.outcome(SMALL, found)
    assert [t.columns[1:] for t in told.tables] == [["codon", "gas"]] * 2
    assert told.tables[0].rows[1] == ["cyclic forward-forward", *["0.1110 ± 0.0014"] * 2]
    told_of = [s for s in told.sentences if s.startswith("all classes")]
    assert len(told_of) == 3
    assert "NMs & NM - cyclic forward-forward = -1.05 ± 0.06 points over 4 pairs" in told_of[0]
    assert len(told.figures["figure-2"].axes) == 2
    assert len(json.loads(json.dumps(told.values, allow_nan=False))["trainings"]) == 32
    assert not figure_2.outcome(SMALL, []).tables


def test_a_method_that_never_trained_is_said_to_have_failed():
    broken = {"failed": "EngineError: it broke", "seconds": 1.0}
    found = [
        (cell(method, seed=seed), broken if method == "darts-1" else
         {"test_error": 0.1, "over_time": method == "darts-2"})
        for method in figure_2.METHODS
        for seed in range(2)
    ]  # fmt: skip
    told = figure_2.outcome(SMALL, found)
    rows = {row[0]: row[1] for row in told.tables[0].rows}
    assert rows["DARTS, first order"] == "failed"
    assert rows["DARTS, second order"] == "over time (0.1000 ± 0.0000)"
    text = "\n".join(told.sentences)
    assert "failed: DARTS, first order, codon (binary), 12 nodes, seed 1: EngineError" in text
    assert "over time: DARTS, second order 2 of 2" in text
    (panel,) = told.figures["figure-2"].axes
    assert [len(line.get_xdata()) for line in panel.lines] == [2, 2, 0, 2]
