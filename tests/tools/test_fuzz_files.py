"""The fuzzer of files: a short run of it, and that it sees what it is there to see."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

TOOLS = Path(__file__).parents[2] / "tools"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def test_damaged_files_are_refused_or_load_to_something_sound(tmp_path):
    kept = tmp_path / "kept"
    done = subprocess.run(
        [sys.executable, TOOLS / "fuzz_files.py", "--files", "450", "--seed", "1", "--keep", kept],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    *rows, total = done.stdout.splitlines()[1:]
    assert len(rows) == 18
    files, refused, same, other, failed = map(int, total.split()[1:])
    assert (files, failed) == (450, 0)
    assert refused + same + other == 450
    assert min(refused, same, other) > 10
    assert not kept.exists()


PLANTED = """
import json, os, sys, time, warnings
from pathlib import Path
from fuzz_worker import Case, Limits, Worker
from fuzzed_kinds import Kind, UnsoundError
from nervure.errors import ModelFileError, RunError

def loads(path):
    word = path.read_bytes().decode()
    if word == "typed": raise ModelFileError("no")
    if word == "unprintable": raise ModelFileError("\\ud800")
    if word == "another": raise RunError("no")
    if word == "lookup": raise KeyError("no")
    if word == "warning": warnings.warn("no")
    if word == "unsound": raise UnsoundError("no")
    if word == "hang": time.sleep(60)
    if word == "crash": os.abort()
    if word == "memory": bytearray(200 * 2**20)
    if word == "too much":
        try: bytearray(2**40)
        except MemoryError as error: raise ModelFileError("no") from error
    return word

kind = Kind("planted", None, loads, (ModelFileError,), (), "file")
outcomes = {}
with Worker([(kind, b"sound")], Path(sys.argv[1]), Limits(1.0, 100 * 2**20)) as worker:
    for word in sys.argv[2:]:
        case = Case(0, kind, "", word.encode(), False)
        outcomes[word] = worker.tried(case)[0]
print(json.dumps(outcomes))
"""


def test_every_way_to_fail_is_seen(tmp_path):
    failing = [
        "unprintable", "another", "lookup", "warning", "unsound", "hang", "crash", "memory",
        "too much",
    ]  # fmt: skip
    expected = dict.fromkeys(failing, "failed")
    expected |= {"typed": "refused", "sound": "same", "changed": "other sound"}
    done = subprocess.run(
        [sys.executable, "-c", PLANTED, tmp_path, *expected],
        capture_output=True, text=True, check=True, cwd=TOOLS,
    )  # fmt: skip
    assert json.loads(done.stdout) == expected


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)
    import damaged_database
    import damaged_safetensors
    import damages

    return damages, damaged_safetensors, damaged_database


@pytest.fixture
def file():
    tensors = {"a": torch.arange(12.0).reshape(3, 4), "b": torch.arange(5).int()}
    state = {"network": {"kind": "A", "arguments": {"nodes": 3, "names": ["x", "y"]}}}
    return save(tensors, {"nervure": json.dumps(state)})


def test_a_file_taken_apart_is_put_together_again(tools, file):
    again = load(tools[1].Parts.of(file).joined())
    assert {name: t.tolist() for name, t in again.items()} == {
        name: t.tolist() for name, t in load(file).items()
    }


def test_damages_follow_their_seed_and_nearly_always_change_the_file(tools, file):
    damages, safetensors, _ = tools
    for damage in (*damages.BYTES, damages.change_length, *safetensors.SAFETENSORS):
        found = [damage(file, random.Random(seed)) for seed in range(30)]
        assert found == [damage(file, random.Random(seed)) for seed in range(30)]
        assert sum(data != file for data in found) > 15, damage.__name__
        assert len(set(found)) > 5, damage.__name__
