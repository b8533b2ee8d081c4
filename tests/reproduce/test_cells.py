import functools
import os

import pytest
import torch

from nervure.reproduce import Ledger
from nervure.reproduce.cells import run_cells


def square(cell):
    if cell["x"] == 13:
        raise ValueError("thirteen")
    return {"square": cell["x"] ** 2, "threads": torch.get_num_threads(), "process": os.getpid()}


def never(cell):
    raise AssertionError(f"{cell} was computed before")


@pytest.mark.parametrize("jobs", [1, 2])
def test_only_what_is_missing_is_computed(tmp_path, jobs):
    ledger, threads = Ledger(tmp_path / "ledger.sqlite"), torch.get_num_threads()
    cells = [{"x": x} for x in range(4)]
    run_cells(ledger, "squares", cells[:2], square)
    heard = []
    run_cells(
        ledger, "squares", cells, square, jobs=jobs, on_done=lambda c, r: heard.append((c, r))
    )
    assert sorted((c["x"], r["square"]) for c, r in heard) == [(0, 0), (1, 1), (2, 4), (3, 9)]
    assert {r["threads"] for _, r in heard} == {1}
    assert (jobs == 1) == ({r["process"] for _, r in heard[2:]} == {os.getpid()})
    run_cells(ledger, "squares", cells, never, jobs=jobs)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_was_done_before_a_failure_is_kept(tmp_path, jobs):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    cells = [{"x": x} for x in (1, 2, 13, 4)]
    with pytest.raises(ValueError, match="thirteen"):
        run_cells(ledger, "squares", cells, functools.partial(square), jobs=jobs)
    done = {cell["x"] for cell, _ in ledger.results("squares")}
    assert {1, 2} <= done
    assert 13 not in done
