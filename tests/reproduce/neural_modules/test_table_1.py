"""Table 1 from cells: ours beside the paper's."""

import json
from dataclasses import replace

import pytest

from nervure.reproduce.neural_modules import contest, table_1
from nervure.reproduce.neural_modules.methods import METHODS
from nervure.reproduce.neural_modules.paper import OVER_TIME
from nervure.reproduce.neural_modules.paper import table_1 as printed
from nervure.reproduce.neural_modules.part import Configuration

CONFIGURATION = Configuration(datasets=("codon", "gas"), sizes=(80, 1000), seeds=3)


def found():
    cells = []
    for data in ("codon", "gas"):
        for index, method in enumerate(METHODS):
            for seed in range(3):
                cell = {
                    "part": "table-1", "kind": "training", "method": method, "data": data,
                    "target": "classes", "nodes": 80, "seed": seed, "values": {},
                }  # fmt: skip
                result = {
                    "test_error": 0.1 + 0.01 * index + 0.001 * seed, "over_time": method == "deq",
                    "seconds": 12.0, "epoch_seconds": 0.5, "lost": int(method == "nms"),
                }  # fmt: skip
                cells.append((cell, result))
    cells[0] = (cells[0][0], {"failed": "EngineError: it broke", "seconds": 1.0})
    return cells


def test_the_paper_has_no_figure_for_three_methods_on_large_networks():
    assert printed("codon", "nms-nm", 200) == 0.126
    assert printed("activity", "dag", 1000) == OVER_TIME
    assert printed("gas", "optnet", 80) == 0.063
    assert printed("gas", "optnet", 81) is None
    assert printed("digits", "nn", 80) is None
    for data in ("codon", "activity", "facebook", "gas"):
        for method in METHODS:
            for nodes in (1000, 3000):
                expected = method not in table_1.LARGE
                assert (printed(data, method, nodes) == OVER_TIME) == expected


def test_large_networks_are_searched_for_the_methods_that_the_paper_has():
    cells = table_1.searches(CONFIGURATION, [])
    assert {c["method"] for c in cells if c["nodes"] == 1000} == set(table_1.LARGE)
    assert {"nn", "dag", *table_1.LARGE} <= {c["method"] for c in cells if c["nodes"] == 80}
    assert [c["nodes"] for c in cells] == sorted(c["nodes"] for c in cells)


def test_methods_that_are_not_asked_for_are_neither_run_nor_shown():
    few = replace(CONFIGURATION, methods=("nms-nm", "nn"))
    assert {c["method"] for c in table_1.searches(few, [])} == {"nn", "nms-nm"}
    asked = [(c, r) for c, r in found() if c["method"] in few.methods]
    told = table_1.outcome(few, asked)
    assert [row[0] for row in told.tables[0].rows] == ["NN", "NMs & NM"]
    assert not [sentence for sentence in told.sentences if "left out: OptNet" in sentence]


def test_ours_and_the_papers_are_in_one_cell():
    told = table_1.outcome(CONFIGURATION, found())
    errors, seconds = told.tables[:2]
    assert errors.title.startswith("Table 1, codon")
    rows = {row[0]: row[1] for row in errors.rows}
    assert list(rows) == [method.label for method in METHODS.values()]
    # The first seed of the plain network failed.
    assert rows["NN"] == "0.1015 ± 0.0007, failed 1 of 3\n[0.151]"
    assert rows["DEQ"] == "over time (0.1110 ± 0.0010)\n[0.147]"
    assert seconds.rows[0][1] == "12 ± 0 s\n0.50 ± 0.00 s"


def test_what_failed_was_lost_or_compared_is_said():
    told = table_1.outcome(CONFIGURATION, found())
    text = "\n".join(told.sentences)
    assert "failed: NN, codon, 80 nodes, seed 0: EngineError: it broke" in text
    assert "left out of their training step: 6" in text
    # Pairs: 3 seeds of gas and the 2 of codon that the plain network has.
    assert "NMs & NM - NN = +6.00 ± 0.00 points over 5 pairs, lower in 0" in text
    assert "NMs & NM - NMs = +2.00 ± 0.00 points over 6 pairs, lower in 0" in text


def test_values_are_strict_json_and_the_figure_has_a_panel_per_dataset():
    told = table_1.outcome(CONFIGURATION, found())
    values = json.loads(json.dumps(told.values, allow_nan=False))
    assert len(values["cells"]) == 14
    assert values["cells"][0]["paper"] == 0.151
    assert [len(c["trainings"]) for c in values["cells"][:2]] == [2, 3]
    assert [f["failed"] for f in values["cells"][0]["failed"]] == ["EngineError: it broke"]
    figure = told.figures["table-1-errors"]
    assert len(figure.axes) == 2
    # Methods that were not asked for are not in the legend.
    run = {METHODS[cell["method"]].label for cell, _ in found() if cell["kind"] == "training"}
    assert {text.get_text() for text in figure.legends[0].get_texts()} == run


def test_sizes_are_no_pairs_of_their_own():
    larger = [({**cell, "nodes": 100}, result) for cell, result in found()]
    text = "\n".join(table_1.outcome(CONFIGURATION, [*found(), *larger]).sentences)
    assert "NMs & NM - NMs = +2.00 ± 0.00 points over 6 pairs, lower in 0" in text
    assert "A pair is a dataset and a seed" in text


def test_where_all_failed_or_nothing_was_run_the_table_says_so():
    broken = {"failed": "EngineError: it broke", "seconds": 1.0}
    cells = [(cell, broken) for cell, _ in found() if cell["method"] == "nn"]
    told = table_1.outcome(CONFIGURATION, cells)
    rows = {row[0]: row[1] for row in told.tables[0].rows}
    assert rows["NN"] == "failed\n[0.151]"
    assert rows["DEQ"] == "not run\n[0.147]"
    values = json.loads(json.dumps(told.values, allow_nan=False))
    assert [len(c["failed"]) for c in values["cells"]] == [3, 3]
    assert len(told.figures["table-1-errors"].axes) == 2


def test_the_large_networks_that_are_left_out_are_named():
    assert not [s for s in table_1.outcome(CONFIGURATION, found()).sentences if "not run" in s]
    large = [
        ({**cell, "nodes": 1000}, result)
        for cell, result in found()
        if cell["method"] in table_1.LARGE
    ]
    told = table_1.outcome(CONFIGURATION, large)
    assert (
        "not run beyond 500 nodes, where the paper has them over time: DEQ, DAG, OptNet"
        in told.sentences
    )
    rows = {row[0]: row[1] for row in told.tables[0].rows}
    assert rows["DEQ"] == "not run\n[over time]"


def test_nothing_run_is_no_error():
    told = table_1.outcome(CONFIGURATION, [])
    assert not told.tables
    assert not told.figures


def test_searches_and_trainings_run_as_cells(digits):  # noqa: ARG001
    pytest.importorskip("optuna")
    small = Configuration(datasets=("codon",), sizes=(1000,), seeds=1, trials=1, epochs=2)
    cell = next(c for c in table_1.searches(small, []) if c["method"] == "nn")
    result = table_1.run({**cell, "nodes": 5})
    (again,) = contest.training_cells(small, [(cell, result)])
    assert table_1.run({**again, "nodes": 5})["test_error"] < 0.9
