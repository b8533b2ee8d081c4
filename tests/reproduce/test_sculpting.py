"""Which cells there are, and one of each kind computed."""

import functools
import json
from dataclasses import replace

import numpy as np
import pytest

from nervure.data import composed, registry
from nervure.errors import EngineError
from nervure.modules import boolean_task
from nervure.reproduce import sculpting, sculpting_images, sculpting_quick, sculpting_runs

SETTINGS, IMAGES = sculpting.Settings(), sculpting.ImageSettings()
TINY = sculpting.Settings(seeds=2, unit_steps=(0.4,), edge_steps=(0.1,), widths=(24,))


@pytest.mark.parametrize(
    ("part", "count"),
    [
        ("structure", 3 * 3 + 3),
        ("validation", 4 * 3 * 3),
        ("rates", 4 * 3 * (3 * 5 + 7)),
        ("reuse", 5 * 3 * 3),
        ("overlap", 5 * 5 * 3 * 3),
        ("levels", 5 * 4 * 3),
        ("two-digits", 2 * 2),
        ("hierarchical", 2 * 2),
    ],
)
def test_a_part_has_the_paper_s_architectures(part, count):
    cells = sculpting.cells([part], SETTINGS, IMAGES)
    assert len(cells) == count
    assert {cell["part"] for cell in cells} == {part}
    # Each is another, and the ledger can tell.
    assert len({json.dumps(cell, sort_keys=True) for cell in cells}) == count
    for cell in cells:
        if "task" in cell:
            assert boolean_task(cell["task"]).name == cell["task"]
            assert len(cell["unit_steps"]) * len(cell["edge_steps"]) == 70


def test_a_validation_graph_has_36_trials():
    cells = sculpting.cells(["validation"], SETTINGS, IMAGES)
    for task in sculpting.VALIDATION:
        assert sum(cell["seeds"] for cell in cells if cell["task"] == task) == 36


def test_an_unknown_part_is_named():
    with pytest.raises(EngineError, match=r"parts: expected among structure, .* got figures"):
        sculpting.cells(["structure", "figures"], SETTINGS, IMAGES)


def test_thresholds_are_those_of_the_budget_unless_others_are_asked_for():
    cells = sculpting.cells(["two-digits", "hierarchical"], SETTINGS, IMAGES)
    asked = {part: (a.threshold, a.tolerance) for part, a in sculpting.BUDGETS.items()}
    assert {c["part"]: (c["threshold"], c["tolerance"]) for c in cells} == asked
    other = replace(IMAGES, threshold=0.9)
    assert {c["threshold"] for c in sculpting.cells(["two-digits"], SETTINGS, other)} == {0.9}


def test_the_paper_s_rates_have_a_place_for_every_cell():
    for cell in sculpting.cells(["rates"], SETTINGS, IMAGES):
        rates = sculpting.PAPER_RATES[cell["task"]][cell["depth"]][cell["batch_size"]]
        assert len(rates) == len(sculpting.RATES)
        assert cell["learning_rate"] in sculpting.RATES


def test_the_quick_form_is_narrow_and_short():
    everything = sculpting.cells(
        list(sculpting.PARTS), sculpting_quick.SETTINGS, sculpting_quick.IMAGES
    )
    quick = sculpting_quick.chosen(everything)
    count = {part: sum(cell["part"] == part for cell in quick) for part in sculpting.PARTS}
    assert count == {
        "structure": 8, "validation": 24, "rates": 48, "reuse": 12, "overlap": 20, "levels": 4,
        "two-digits": 1, "hierarchical": 1,
    }  # fmt: skip
    assert {cell["width"] for cell in quick if cell["part"] == "validation"} == {24, 36}
    assert {cell["width"] for cell in quick if cell["part"] == "levels"} == {36, 48}
    assert {sculpting.uses_of(cell["task"]) for cell in quick if cell["part"] == "reuse"} == {2, 8}
    wide = sculpting.cells(["levels"], replace(SETTINGS, widths=(60,)), IMAGES)
    assert len(sculpting_quick.chosen(wide, widths=[60])) == 2
    rates = [cell for cell in everything if cell["part"] == "rates"]
    assert len(sculpting_quick.chosen(rates, widths=[60])) == 48  # they are of width 24


@pytest.fixture(scope="module")
def structure():
    """One cell of "structure": all that is measured of [4, 2, 4]."""
    cell = sculpting.cells(["structure"], TINY, IMAGES)[0]
    return cell, sculpting_runs.run(cell)


def test_a_boolean_cell_says_what_became_of_each_start(structure):
    _, found = structure
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["epochs"] in (10, 15, 20, 30, 40, 60, 80, 120)
    assert (found["networks"], len(found["trials"])) == (2, 2)
    for trial in found["trials"]:
        assert trial["merit"] == 1.0
        assert (trial["unit_step"], trial["edge_step"]) == (0.4, 0.1)
        assert trial["sizes"] == [4, 24, 4]
        assert len(trial["wiring"]) == len(trial["weight"])
        assert trial["live_edges"] <= len(trial["wiring"]) < 4 * 24 * 2
        assert set(trial["found"]) == {"part0", "part1"}
        # An output that no path joins to an input on which it depends could not be right.
        joined = np.zeros((32, 4), dtype=bool)
        joined[:4] = np.eye(4, dtype=bool)
        for source, target in sorted(trial["wiring"]):
            joined[target] |= joined[source]
        for output, needs in enumerate(([0, 1], [0, 1], [2, 3], [2, 3])):
            assert joined[28 + output, needs].all()


def test_the_structure_of_three_kinds_is_measured(structure):
    _, found = structure
    assert set(found["kinds"]) == {"dense", "edges", "sculpted"}
    for networks in found["kinds"].values():
        assert len(networks) == 2
        for one in networks:
            assert np.shape(one["products"]) == (4, 4)
            assert len(one["n90"]) == 1
            assert [set(test) for test in one["tests"]] == [{"t", "p"}] * 2
    dense, sculpted = (found["kinds"][kind][0] for kind in ("dense", "sculpted"))
    assert sculpted["n90"][0] < dense["n90"][0] <= 24
    # By hand: the products of a network with one hidden layer are |V| |W|.
    trial = found["trials"][0]
    first, second = np.zeros((24, 4)), np.zeros((4, 24))
    for (source, target), weight in zip(trial["wiring"], trial["weight"], strict=True):
        if source < 4:
            first[target - 4, source] = abs(weight)
        else:
            second[target - 28, source - 4] = abs(weight)
    assert np.allclose(np.array(sculpted["products"]).T, second @ first)


def test_a_task_that_is_not_learned_leaves_nothing_to_prune(monkeypatch):
    monkeypatch.setattr(sculpting_runs, "shortest_training", lambda *_, **__: None)
    cell = sculpting.cells(["validation"], TINY, IMAGES)[0]
    assert sculpting_runs.run(cell) == {"epochs": None}


@pytest.mark.parametrize("part", ["two-digits", "hierarchical"])
def test_an_image_cell_says_how_modules_divide_two_images(part, monkeypatch):
    name = {"two-digits": "two_digits", "hierarchical": "hierarchical_digits"}[part]
    small = functools.partial(getattr(composed, name), images=registry.load("digits"))
    monkeypatch.setattr(sculpting_images, name, small)
    tiny = sculpting.ImageSettings(
        width=8, depths=(2,), seeds=1, train=200, validation=100, test=100, epochs=1, batch_size=50,
        learning_rate=0.01, unit_step=0.5, edge_step=0.2, threshold=0.5,
    )  # fmt: skip
    (cell,) = sculpting.cells([part], TINY, tiny)
    found = sculpting_runs.run(cell)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["reached"]
    assert found["sizes"] == [128, 8, 8, {"two-digits": 20, "hierarchical": 3}[part]]
    assert found["rounds"][0][0] == "dense"
    assert 0.3 < found["test_merit"] <= 1
    if "no_modules" not in found:
        assert sum(sum(m["pixels"]) for m in found["modules"]) <= 128
        assert 0 <= found["crossing"] <= 1
    hopeless = sculpting_runs.run({**cell, "threshold": 1.0, "unit_step": 1.0, "edge_step": 1.0})
    assert not hopeless["reached"]
    assert "modules" not in hopeless
