"""Theorem 3.3 and Appendix A, on digits."""

import json

import pytest

from nervure.reproduce.neural_modules import theory
from nervure.reproduce.neural_modules.part import QUICK, Configuration
from nervure.reproduce.neural_modules.theory_outcome import EXACT, PENALTIES, TRAINING, WIRING

pytestmark = pytest.mark.usefixtures("digits")


def small_cells():
    small = {"rows": 300, "nodes": 12, "keep": 24, "gradient_rows": 100}
    return [
        cell if cell["kind"] == EXACT else {**cell, **{k: small[k] for k in small if k in cell}}
        for cell in theory.cells(Configuration(epochs=3, seeds=1), [])
    ]


def test_cells_are_settings_and_each_is_there_once():
    for configuration in (Configuration(), QUICK):
        cells = theory.cells(configuration, [])
        keys = [json.dumps(cell, sort_keys=True, allow_nan=False) for cell in cells]
        assert len(set(keys)) == len(keys)
        assert {cell["part"] for cell in cells} == {theory.PART.name}
    trained = [c for c in theory.cells(Configuration(), []) if c["kind"] == TRAINING]
    assert {c["penalty"] for c in trained} == set(PENALTIES)
    assert {(c["nodes"], c["keep"], c["schedule"]) for c in trained} == {(200, 400, "constant")}


def test_all_cells_run_and_come_to_something():
    found = [(cell, theory.run(cell)) for cell in small_cells()]
    results = [result for _, result in found]
    assert json.loads(json.dumps(results, allow_nan=False)) == results
    starts = set()
    for cell, result in found:
        if cell["kind"] == TRAINING:
            points = result["points"]
            # Three steps an epoch; the last one is always kept.
            assert (points[0]["iteration"], points[-1]["iteration"]) == (0, 8)
            assert all(0 < p["distance"] < p["norm"] for p in points)
            starts.add(points[0]["distance"])
        elif cell["kind"] == WIRING:
            assert result["nodes"] == 12
            assert len(result["edges"]) == 24
    # All penalties begin at the same weights.
    assert len(starts) == 1
    outcome = theory.PART.outcome(QUICK, found)
    assert set(outcome.figures) == {"theorem-3-3", "figures-5-6-7"}
    assert len(outcome.figures["figures-5-6-7"].axes) == 4
    for table in outcome.tables:
        assert all(len(row) == len(table.columns) for row in table.rows)
    assert (
        "Layered and residual networks are special cases, solved exactly" in (outcome.sentences[-1])
    )
    json.dumps(outcome.values, allow_nan=False)


def watched(distances, power=-1.0):
    """Give a training whose distances, and whose gradient's power of t, are these."""
    points = [
        {"iteration": t, "distance": d, "norm": 10.0, "gradient": (t + 1e-9) ** power,
         "batch_gradient_mean": (t + 1e-9) ** power}
        for t, d in enumerate(distances)
    ]  # fmt: skip
    above = [t for t, d in enumerate(distances) if t and d >= distances[0]]
    return (
        {"kind": TRAINING, "penalty": "repulsion", "seed": 0},
        {
            "points": points,
            "largest": max(distances[1:]) / distances[0],
            "last_above": max(above, default=0),
            "holding": 1 - len(above) / (len(distances) - 1),
        },
    )


@pytest.mark.parametrize(
    ("distances", "said"),
    [
        ([4.0, 3.0, 2.0, 2.0, 1.0], "holds at every step of every seed; |w - w~|^2 ends at 0.25 "),
        (
            [4.0, 5.0, 4.5, 3.0, 2.0],
            "holds at 50.0 % of the worst seed's steps, of every seed afte",
        ),
        ([4.0, 3.0, 5.0, 5.0, 8.0], "does not hold: only at 25.0 % of the worst"),
    ],
)
def test_what_is_said_of_the_premise_follows_from_the_distances(distances, said):
    sentence = theory.PART.outcome(QUICK, [watched(distances)]).sentences[0]
    assert said in sentence
    if "after" in sentence:
        assert "after step 2;" in sentence


@pytest.mark.parametrize(
    ("power", "said"),
    [
        (-1.0, "T^-1.00 (falls at least as fast"),
        (-0.3, "T^-0.30 (falls more slowly"),
        (0.5, "T^0.50 (does not fall"),
    ],
)
def test_what_is_said_of_the_gradient_follows_from_its_slope(power, said):
    outcome = theory.PART.outcome(QUICK, [watched([4.0, 3.0, 2.0, 2.0, 1.0, 1.0], power)])
    assert said in outcome.sentences[1]
    assert outcome.values["trainings"][0]["slope"] == pytest.approx(power, abs=1e-6)


def test_a_gradient_of_zero_has_no_slope():
    cell, result = watched([4.0, 3.0, 2.0, 2.0, 1.0, 1.0])
    points = [{**p, "gradient": float(p["iteration"] == 1)} for p in result["points"]]
    outcome = theory.PART.outcome(QUICK, [(cell, {**result, "points": points})])
    assert outcome.sentences[1].endswith("first term, T^-0.5).")
    assert outcome.values["trainings"][0]["slope"] is None


def test_a_graph_that_differs_is_called_so():
    cell = {"kind": EXACT, "network": "residual", "seed": 0}
    result = {
        "nodes": 5, "edges": 4, "sweeps": 0, "output_difference": 1e-16,
        "gradient_difference": 1e-6,
    }  # fmt: skip
    (sentence,) = theory.PART.outcome(QUICK, [(cell, result)]).sentences
    assert "Residual networks are not solved exactly" in sentence
    assert "1.0e-06" in sentence
