"""Figure 4 on digits, with a stand-in for DEQ."""

import json

import pytest
import torch
from torch import nn

from nervure.errors import EngineError
from nervure.reproduce.neural_modules import figure_4, figure_4_outcome
from nervure.reproduce.neural_modules.figure_4_outcome import DEQ, METHODS, PARALLEL, TIME
from nervure.reproduce.neural_modules.part import QUICK, Configuration


class StandIn(nn.Module):
    """What `figure_4` asks of `DeepEquilibrium`, without torchdeq."""

    def __init__(self, inputs, outputs, *, nodes, seed):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, nodes), nn.Tanh(), nn.Linear(nodes, outputs))
        self.seed = seed

    def forward(self, x):
        return self.layers(x)


@pytest.fixture(autouse=True)
def _small(monkeypatch, digits):
    del digits
    monkeypatch.setattr(figure_4, "DeepEquilibrium", StandIn)
    monkeypatch.setattr(figure_4, "find", lambda _: object())
    monkeypatch.setattr(figure_4, "_QUICK_SIZES", (12, 20))


def small_cells():
    return [{**cell, **({"rows": 100} if cell["kind"] == TIME else {"repeats": 1})}
            for cell in figure_4.cells(QUICK, [])]  # fmt: skip


def test_cells_are_settings_and_each_is_there_once():
    cells = figure_4.cells(Configuration(), [])
    keys = [json.dumps(cell, sort_keys=True, allow_nan=False) for cell in cells]
    assert len(set(keys)) == len(keys)
    assert {cell["part"] for cell in cells} == {figure_4.PART.name}
    times = [cell for cell in cells if cell["kind"] == TIME]
    assert {cell["nodes"] for cell in times} == {80, 150, 300}
    assert {cell["method"] for cell in times} == {method.name for method in METHODS}
    (default,) = [c for c in times if (c["method"], c["nodes"], c["seed"]) == ("NMs&NM", 300, 0)]
    expected = ("repulsion", 600, 0.01, 0.3, 128)
    names = ("penalty", "keep", "alpha", "learning_rate", "batch_size")
    assert tuple(default[name] for name in names) == expected
    (other,) = [c for c in times if (c["method"], c["nodes"], c["seed"]) == (DEQ, 300, 0)]
    assert other["learning_rate"] == pytest.approx(0.03)
    assert all(c["nodes"] % c["module"] == 0 for c in cells if c["kind"] == PARALLEL)


def test_without_torchdeq_deq_is_left_out_and_named(monkeypatch):
    monkeypatch.setattr(figure_4, "find", lambda _: None)
    monkeypatch.setattr(figure_4_outcome, "find", lambda _: None)
    methods = {cell.get("method") for cell in figure_4.cells(Configuration(), [])}
    assert DEQ not in methods
    assert {"NMs&NM", "NMs&L2", "NMs"} <= methods
    (left_out,) = figure_4.outcome(Configuration(), []).sentences
    assert left_out == 'left out: DEQ (needs torchdeq: pip install "nervure[reproduce]")'


def test_all_cells_run_and_come_to_something():
    found = [(cell, figure_4.run(cell)) for cell in small_cells()]
    assert json.loads(json.dumps([r for _, r in found], allow_nan=False)) == [r for _, r in found]
    for cell, result in found:
        if cell["kind"] == PARALLEL:
            assert result["one_thread"] > 0 < result["all_threads"]
            assert cell["threads"] >= 1 <= result["cores"]
            continue
        assert result["seconds"] > 0
        assert ("sweeps" in result) == (cell["method"] != DEQ)
    outcome = figure_4.PART.outcome(QUICK, found)
    assert set(outcome.figures) == {"figure-4"}
    for table in outcome.tables:
        assert all(len(row) == len(table.columns) for row in table.rows)
    json.dumps(outcome.values, allow_nan=False)


def test_only_epochs_after_the_warm_ones_are_timed(monkeypatch):
    (cell,) = [c for c in small_cells() if c.get("method") == "NMs" and c["nodes"] == 12]
    epoch = figure_4.Training.epoch
    seconds = iter([9.0, 8.0, 1.0, 3.0, 2.0])

    def timed(training):
        return {**epoch(training), "train_seconds": next(seconds)}

    monkeypatch.setattr(figure_4.Training, "epoch", timed)
    result = figure_4.run({**cell, "warm": 2, "timed": 3})
    assert result["epochs"] == [1.0, 3.0, 2.0]
    assert result["seconds"] == 2.0


def test_a_training_that_ends_early_is_a_result(monkeypatch):
    def broken(_):
        raise EngineError("the training loss became nan")

    monkeypatch.setattr(figure_4.Training, "epoch", broken)
    (cell,) = [c for c in small_cells() if c.get("method") == DEQ and c["nodes"] == 12]
    result = figure_4.run(cell)
    assert result == {"failure": "the training loss became nan"}
    table = figure_4.PART.outcome(QUICK, [(cell, result)]).tables[0]
    (row,) = [row for row in table.rows if row[1] == DEQ]
    assert row[2] == "- (1 failed)"


def timings(deq, ours):
    return [
        ({"kind": TIME, "method": method, "nodes": nodes, "seed": 0}, {"seconds": value})
        for method, seconds in ((DEQ, deq), ("NMs&NM", ours))
        for nodes, value in zip((80, 300, 500), seconds, strict=False)
    ]


@pytest.mark.parametrize(
    ("deq", "ours", "said"),
    [
        ((2.0, 30.0), (1.0, 3.0), "and the more so the more nodes, as the paper has it: times 2 "),
        ((4.0, 9.0), (1.0, 3.0), "but not more so with more nodes"),
        ((2.0, 9.0, 5.0), (1.0, 1.0, 1.0), "but not more so with more nodes"),
        ((0.5, 9.0), (1.0, 3.0), "is not at every size faster than DEQ: times 0.5 at 80 nodes, 3 "),
        (
            (4.0,),
            (1.0, 3.0),
            "is faster than DEQ at the one size that both were timed at: times 4 ",
        ),
    ],
)
def test_what_is_said_follows_from_the_times(deq, ours, said):
    (sentence,) = figure_4.PART.outcome(QUICK, timings(deq, ours)).sentences
    assert sentence.startswith("NMs&NM is")
    assert said in sentence


def test_other_threads_are_timed_again():
    before = torch.get_num_threads()
    cells = figure_4.cells(QUICK, [])
    try:
        torch.set_num_threads(before + 1)
        others = figure_4.cells(QUICK, [])
    finally:
        torch.set_num_threads(before)
    assert all(one != other for one, other in zip(cells, others, strict=True))
    assert [{**cell, "threads": before + 1} for cell in cells] == others


def test_all_threads_are_those_of_the_cell(monkeypatch):
    asked = []

    def seconds(_step, threads, _repeats):
        _step()
        asked.append(threads)
        return dict.fromkeys(threads, 1.0)

    monkeypatch.setattr(figure_4, "seconds_by_threads", seconds)
    cell = next(c for c in small_cells() if c["kind"] == PARALLEL)
    figure_4.run({**cell, "threads": 3})
    assert asked == [{"one_thread": 1, "all_threads": 3}]


def test_efficiency_is_speed_up_by_threads():
    cell = {"kind": PARALLEL, "module": 25, "nodes": 300, "batch": 32, "threads": 4}
    result = {"one_thread": 0.03, "all_threads": 0.01, "cores": 8, "sweeps": 5}
    outcome = figure_4.PART.outcome(QUICK, [(cell, result)])
    assert outcome.tables[0].rows == [["300", "32", "30.00", "10.00", "3.00", "75 %"]]
    assert "4 threads on 8 logical cores are 3.00 to 3.00 times" in outcome.sentences[0]
    assert "75 % of the ideal" in outcome.sentences[0]


def test_nothing_found_is_nothing_said():
    outcome = figure_4.PART.outcome(QUICK, [])
    assert not outcome.tables
    assert not outcome.figures
