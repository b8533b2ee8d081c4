"""The rounds of a sculpting in the report."""

import pytest

from nervure.report import write_report
from nervure.report.pruning import histories, pruning_curves
from nervure.training.run import Run


def branch(unit, edge, phase, edges, accepted, merit=0.9):
    return {
        "unit_step": unit, "edge_step": edge, "phase": phase, "share": 0.2, "merit": merit,
        "accepted": accepted, "nodes": edges // 10, "edges": edges, "epochs": 3,
    }  # fmt: skip


ROUNDS = [
    [branch(None, None, "dense", 200, True, 0.95)],
    [branch(0.2, None, "unit", 160, True), branch(0.4, None, "unit", 120, False, 0.3)],
    [branch(0.2, None, "settle", 160, True), branch(0.4, None, "settle", 200, True)],
    [branch(0.2, 0.1, "edge", 150, True), branch(0.4, 0.1, "edge", 180, True),
     branch(0.2, 0.3, "edge", 90, False, float("nan")), branch(0.4, 0.3, "edge", 100, True)],
]  # fmt: skip
ROWS = [{"epoch": i + 1, "seconds": 1.0, "branches": rows} for i, rows in enumerate(ROUNDS)]


def test_rounds_of_a_network_are_its_own_and_those_before_networks_parted():
    found = histories(ROWS)
    assert set(found) == {(0.2, 0.1), (0.4, 0.1), (0.2, 0.3), (0.4, 0.3)}
    assert [step.edges for step in found[0.4, 0.3]] == [200, 120, 200, 100]
    assert [step.accepted for step in found[0.4, 0.3]] == [True, False, True, True]
    assert [step.round for step in found[0.2, 0.1]] == [1, 2, 3, 4]


def test_what_is_left_of_an_interrupted_grid_counts_as_it_is():
    assert set(histories(ROWS[:1])) == {(None, None)}
    assert set(histories(ROWS[:2])) == {(0.2, None), (0.4, None)}


def test_curves_mark_what_was_turned_down():
    figure = pruning_curves(histories(ROWS), (0.4, 0.3), threshold=0.85)
    left, right = figure.axes
    lines = {line.get_label(): line for line in left.lines}
    assert lines["turned down"].get_ydata().tolist() == [120]
    assert lines["accepted, fewer edges"].get_ydata().tolist() == [200, 100]
    assert left.get_yscale() == right.get_xscale() == "log"


@pytest.mark.parametrize("rounds", [0, 1, 4])
def test_a_run_that_was_killed_has_a_report_of_its_rounds(rounds, tmp_path):
    config = {"method": "sculpt", "dataset": "digits", "task": "classification", "tolerance": 0.01}
    with Run.create(tmp_path / "run", config=config) as run:
        for row in ROWS[:rounds]:
            run.record_epoch(row["epoch"], row)
        page = write_report(run).read_text()
    if not rounds:
        assert "No round was recorded." in page
        return
    assert "Pruning, round by round" in page
    # The sparsest that was accepted stands for the run.
    assert f"Edges fell from 200 to {100 if rounds == 4 else 200}" in page
    assert f"{rounds} round" in page
