"""Every example runs in its quick form, and fits on a page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Tested in tests/examples, where their packages are there.
ELSEWHERE = ("lightning_rule", "skorch_rule")
EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
OWN = [path for path in EXAMPLES if path.stem not in ELSEWHERE]


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_an_example_runs(path, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", path, "--quick"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_there_are_five_and_more_that_fit_on_a_page():
    assert len(OWN) >= 5
    assert all(len(path.read_text().splitlines()) < 60 for path in EXAMPLES)
