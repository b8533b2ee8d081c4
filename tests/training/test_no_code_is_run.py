"""Loading never runs what is in a file: no reader unpickles, and pickles are refused by words."""

import ast
import pickle
from pathlib import Path

import pytest
import torch

import nervure
from nervure.baselines import PlainNetwork
from nervure.errors import ModelFileError, RunError
from nervure.training import Checkpoint, Run
from nervure.training.model_file import load_model, read_metadata

SOURCES = sorted(Path(nervure.__file__).parent.rglob("*.py"))
# What can run code that a file holds.
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
CALLS = {"eval", "exec", "compile", "__import__", "torch.load", "torch.jit.load", "load_extension"}


class Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def write_pickle(path, mark):
    path.write_bytes(pickle.dumps(Trap(mark)))


def write_torch(path, mark):
    torch.save({"network": PlainNetwork(2, 2, nodes=2, seed=0), "trap": Trap(mark)}, path)


@pytest.mark.parametrize("write", [write_pickle, write_torch])
def test_pickles_are_refused(tmp_path, write):
    mark = tmp_path / "mark"
    path = tmp_path / "model.safetensors"
    write(path, mark)
    for read in (load_model, read_metadata):
        with pytest.raises(ModelFileError, match=r"no safetensors file .* restore it from a copy"):
            read(path)
    with pytest.raises(RunError, match=r"no state of a run .* remove it to begin anew"):
        Checkpoint(path, {}).restore()
    path.rename(tmp_path / "run.sqlite")
    with pytest.raises(RunError, match="file is not a database"):
        Run.open(tmp_path)
    assert not mark.exists()


def imported(node):
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").split(".")[0]}
    return set()


def runs_code(node):
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func)
    if name == "np.load":
        return not any(
            k.arg == "allow_pickle" and ast.unparse(k.value) == "False" for k in node.keywords
        )
    return name in CALLS


def findings(text):
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if imported(node) & MODULES or runs_code(node)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "from joblib import load", "import torch\ntorch.load('x')", "eval('1')",
        "np.load(path)", "np.load(path, allow_pickle=True)",
    ],
)  # fmt: skip
def test_the_check_of_the_sources_sees_it(text):
    assert findings(text)


def test_no_source_can_run_what_a_file_holds():
    assert len(SOURCES) > 100
    found = {str(path): findings(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {path: lines for path, lines in found.items() if lines} == {}
