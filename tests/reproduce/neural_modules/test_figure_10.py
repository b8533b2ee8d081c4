"""Both halves of Figure 10 on digits."""

import json

import numpy as np
import pytest

from nervure.reproduce.neural_modules import figure_10
from nervure.reproduce.neural_modules.merging_outcome import RANDOM, TRAINING, binned
from nervure.reproduce.neural_modules.part import QUICK, Configuration

pytestmark = pytest.mark.usefixtures("digits")


@pytest.mark.parametrize("part", [figure_10.MERGING, figure_10.SIZES])
def test_cells_are_settings_and_each_is_there_once(part):
    for configuration in (Configuration(), QUICK):
        cells = part.stages[0](configuration, [])
        keys = [json.dumps(cell, sort_keys=True, allow_nan=False) for cell in cells]
        assert len(set(keys)) == len(keys)
        assert {cell["part"] for cell in cells} == {part.name}
    assert part.timed == (part is figure_10.SIZES)
    assert not part.outcome(QUICK, []).tables


def merging_cells():
    settings = {"nodes": 16, "keep": 32}
    return [
        {**cell, **settings, **({"graphs": 50} if cell["kind"] == RANDOM else {"rows": 200})}
        for cell in figure_10.merging_cells(Configuration(epochs=2, seeds=1), [])
    ]


def test_every_graph_of_a_training_is_counted():
    found = [(cell, figure_10.run_merging(cell)) for cell in merging_cells()]
    results = [result for _, result in found]
    assert json.loads(json.dumps(results, allow_nan=False)) == results
    for cell, result in found:
        assert result["theta"] == pytest.approx(1 - 32 / 240)
        assert result["graphs"] == (50 if cell["kind"] == RANDOM else 2 * -(-200 // 128))
        assert result["sizes"]
        for line in result["sizes"]:
            assert line["pairs"] == line["modules"] * (16 - line["nodes"])
            assert line["linked"] <= line["pairs"]
    outcome = figure_10.MERGING.outcome(QUICK, found)
    assert set(outcome.figures) == {"figure-10a"}
    assert all(len(row) == len(outcome.tables[0].columns) for row in outcome.tables[0].rows)
    json.dumps(outcome.values, allow_nan=False)


def test_bins_sum_up_and_weigh_by_pairs():
    line = {"modules": 1, "pairs": 10, "linked": 2, "linked_random": 3}
    bins = binned(
        [
            (0.9, [{"nodes": 4, **line}, {"nodes": 30, **line}]),
            (0.8, [{"nodes": 5, **line, "pairs": 30}]),
        ]
    )
    small, large = bins.values()
    assert (small.low, small.high, small.span, large.span) == (4, 5, "4-5", "30")
    assert (small.modules, small.pairs, small.linked, small.linked_random) == (2, 40, 4, 6)
    assert small.nodes == pytest.approx(4.75)
    expected = 10 * (1 - 0.9**4) + 30 * (1 - 0.8**5)
    assert small.ratio == pytest.approx(4 / expected)


def counted(alpha, small, large):
    """Give a training in which modules of 2 and of 20 nodes are linked in these shares."""
    lines = [
        {"nodes": q, "modules": 100, "pairs": 1000, "linked": round(1000 * share),
         "linked_random": round(1000 * (1 - 0.98**q))}
        for q, share in ((2, small), (20, large))
    ]  # fmt: skip
    cell = {"kind": TRAINING, "alpha": alpha, "nodes": 50, "keep": 49}
    return cell, {"theta": 0.98, "sizes": lines}


@pytest.mark.parametrize(
    ("with_penalty", "verdict"),
    [
        ((0.04, 0.10), ": found, 2.00 times at 2 nodes and 0.50 times at 20."),
        ((0.01, 0.40), ": not found, 0.50 times at 2 nodes and 2.00 "),
        ((0.04, 0.40), ": not found, 2.00 times at 2 nodes and 2.00 "),
    ],
)
def test_balance_is_found_where_small_gain_and_large_lose(with_penalty, verdict):
    found = [counted(0.0, 0.02, 0.2), counted(0.01, *with_penalty)]
    cell, result = counted(0.01, 0.05, 0.05)
    random = {"kind": RANDOM, "nodes": cell["nodes"], "keep": cell["keep"]}
    sentences = figure_10.MERGING.outcome(QUICK, [*found, (random, result)]).sentences
    assert f"Against no regularisation{verdict}" in sentences[-2]
    assert "Against random graphs" in sentences[-1]
    assert "holds for random sets" in sentences[0]
    expected = 0.2 / (1 - 0.98**20)
    assert f"{expected:.2f} for larger ones" in sentences[1]


def test_rare_sizes_decide_nothing():
    found = [counted(0.0, 0.02, 0.2), counted(0.01, 0.04, 0.1)]
    found[1][1]["sizes"][0]["modules"] = 3
    outcome = figure_10.MERGING.outcome(QUICK, found)
    assert "not decided" in outcome.sentences[-1]
    assert len(outcome.tables[0].rows) == 4


def test_a_network_has_as_many_edges_at_every_size():
    cells = [
        {**cell, "nodes": 600, "batch": 2, "repeats": 1}
        for cell in figure_10.size_cells(Configuration(quick=True, seeds=1), [])
    ]
    found = [(cell, figure_10.run_size(cell)) for cell in cells]
    edges = {cell["module"]: result["edges"] for cell, result in found}
    assert edges == {1: 2 * (300 * 4 - 10), 5: 2400, 30: 2400, 300: 2400}
    sweeps = {cell["module"]: result["sweeps"] for cell, result in found}
    assert sweeps[1] == 0
    assert min(sweeps[5], sweeps[30], sweeps[300]) > 1
    outcome = figure_10.SIZES.outcome(QUICK, found)
    assert set(outcome.figures) == {"figure-10b"}
    json.dumps(outcome.values, allow_nan=False)


@pytest.mark.parametrize(
    ("power", "verdict"), [(1.0, ": linear, as the paper"), (0.5, ": not linear"), (2.0, ": not")]
)
def test_growth_is_fitted_without_the_acyclic_network(power, verdict):
    found = [
        (
            {"module": size, "nodes": 1200, "degree": 4, "batch": 128, "threads": 2, "seed": 0},
            {"seconds": 1e-3 * float(size) ** power, "sweeps": 5, "edges": 4800},
        )
        for size in (5, 20, 100, 300)
    ]
    acyclic = ({**found[0][0], "module": 1}, {**found[0][1], "seconds": 50.0})
    outcome = figure_10.SIZES.outcome(QUICK, [*found, acyclic])
    assert outcome.values["fit"]["power"] == pytest.approx(power)
    assert verdict in outcome.sentences[0]
    if power == 1:
        assert outcome.values["fit"]["r_squared"] == pytest.approx(1)
        assert outcome.values["fit"]["slope"] == pytest.approx(1e-3)
    assert np.isclose(outcome.values["seconds"]["1"], 50.0)
