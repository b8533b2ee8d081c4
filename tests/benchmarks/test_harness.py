import json
import math
import time

import pytest
import torch
from rich.console import Console
from threadpoolctl import threadpool_info

from nervure.benchmarks import Benchmark, DisagreementError, Row, Settings, rendered
from nervure.benchmarks.harness import OURS, agreement, row_of, timed
from nervure.benchmarks.machine import this_machine


def test_agreement_gives_the_largest_relative_difference():
    peer = torch.tensor([[1.0, -4.0]])
    assert agreement("values", peer + 0.04, peer, bound=0.1) == pytest.approx(0.01)


@pytest.mark.parametrize("wrong", [2.0, math.nan, math.inf])
def test_disagreement_names_both_values(wrong):
    peer = torch.tensor([1.0, 1.5])
    with pytest.raises(
        DisagreementError, match=r"values: nervure gives .* peer 1\.5 at position 1"
    ):
        agreement("values", torch.tensor([1.0, wrong]), peer, bound=1e-3)


def test_repetitions_go_in_turns():
    calls = []
    works = {name: lambda name=name: (calls.append(name), time.sleep(3e-3)) for name in "ab"}
    times = timed(works, Settings(repeats=3))
    assert "".join(calls) == "aabb" + "ab" * 3
    assert all(value >= 3 for value in times.values())


def test_short_calls_are_repeated_within_a_sample():
    calls = []
    timed({"short": lambda: calls.append(1)}, Settings(repeats=2))
    assert len(calls) > 20


def test_a_call_over_its_budget_is_measured_once():
    calls = []
    works = {"slow": lambda: (calls.append("slow"), time.sleep(0.02)), "fast": lambda: None}
    assert timed(works, Settings(repeats=5, budget=0.01))["slow"] >= 20
    assert len(calls) == 1


def test_ratios_are_peer_over_ours():
    row = row_of("case", {OURS: 2.0, "peer": 3.0}, max_error=1e-6, notes="note")
    assert row == Row("case", 2.0, {"peer": 3.0}, {"peer": 1.5}, 1e-6, "note")


def test_report_has_the_machine_and_goes_through_json():
    benchmark = Benchmark("one", "", lambda _: [Row("case", 1.0)], ("no_such_package",))
    report = json.loads(json.dumps(benchmark.run(Settings()).to_json()))
    assert set(report) == {"benchmark", "machine", "rows", "skipped"}
    assert report["machine"]["threads"] == torch.get_num_threads()
    assert set(report["machine"]) == {
        "cpu", "cores", "threads", "instruction_set", "torch", "python",
    }  # fmt: skip
    assert report["rows"] == [
        {
            "case": "case",
            "ours_ms": 1.0,
            "peers": {},
            "ratios": {},
            "max_error": None,
            "notes": None,
        }
    ]
    assert report["skipped"] == {"no_such_package": 'pip install "nervure[bench]"'}


def test_openmp_of_packages_takes_as_many_threads_as_torch():
    def measure(_):
        pools = [pool for pool in threadpool_info() if pool["user_api"] == "openmp"]
        return [Row(pool["filepath"], pool["num_threads"]) for pool in pools]

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = Benchmark("threads", "", measure, ("sparselab",)).run(Settings()).rows
    finally:
        torch.set_num_threads(before)
    assert {row.ours_ms for row in rows} == {1}


def test_machine_is_named():
    machine = this_machine()
    assert machine.cpu
    assert machine.cores >= 1


def test_table_shows_cases_peers_notes_and_what_is_missing():
    rows = [
        row_of("first", {OURS: 2.0, "peer": 3.0}, notes="a note"),
        Row("second", 4000.0, ratios={"first": 0.5}),
    ]
    report = Benchmark("named", "", lambda _: rows, ("no_such_package",)).run(Settings())
    console = Console(width=200)
    with console.capture() as capture:
        console.print(rendered(report))
    shown = capture.get()
    for part in ("named", "3 (1.5)", "4000", "(0.5)", "first: a note", "skipped no_such_package"):
        assert part in shown
