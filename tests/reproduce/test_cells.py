import functools
import os
import subprocess
import sys
import time
from pathlib import Path

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


_LONG = """
import os, sys, time
from pathlib import Path

from nervure.reproduce import Ledger, cells


def work(cell):
    Path(sys.argv[1], f"{os.getpid()}.pid").touch()
    time.sleep(600)
    return {}


if __name__ == "__main__":
    ledger = Ledger(Path(sys.argv[1], "ledger.sqlite"))
    cells.run_cells(ledger, "long", [{"n": 0}, {"n": 1}], work, jobs=2)
"""


@pytest.mark.skipif(os.name != "posix", reason="asks for processes by signal 0")
def test_a_command_that_is_killed_leaves_no_process_behind(tmp_path):
    script = tmp_path / "long.py"
    script.write_text(_LONG)
    command = subprocess.Popen([sys.executable, script, tmp_path])
    try:
        assert _within(240, lambda: len(list(tmp_path.glob("*.pid"))) == 2)
    finally:
        command.kill()
        command.wait()
    workers = [int(path.stem) for path in tmp_path.glob("*.pid")]
    assert _within(60, lambda: not any(_runs(process) for process in workers))


def _within(seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _runs(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # Whoever adopted it may not have taken note of its end.
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().split()[2] != "Z"
