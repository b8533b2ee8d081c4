"""Nested state goes into a file and comes back as it was."""

import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from safetensors.torch import save_file

from nervure import folders
from nervure.errors import RunError
from nervure.training.state_file import load_state, save_state

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"))
)
DTYPES = st.sampled_from(["int32", "int64", "float32", "float64", "bool", "uint8"])
ARRAYS = DTYPES.flatmap(lambda name: npst.arrays(name, npst.array_shapes(min_dims=0, min_side=0)))
LEAVES = SCALARS | ARRAYS | ARRAYS.map(torch.from_numpy)
KEYS = st.text(st.characters(codec="utf-8")) | st.integers()
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=12,
)


def same(one, other):
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and same(one.numpy(), other.numpy())
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and (one.dtype, one.shape) == (other.dtype, other.shape)
            and one.tobytes() == other.tobytes()
        )
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    return one == other


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(state=st.dictionaries(st.text(st.characters(codec="utf-8")), TREES, max_size=4))
def test_everything_comes_back(tmp_path, state):
    path = tmp_path / "state.safetensors"
    save_state(path, state)
    assert same(load_state(path), state)


def test_what_is_shared_is_written_once_and_shared_again(tmp_path):
    big = np.arange(100_000)
    save_state(tmp_path / "one", {"a": big})
    save_state(tmp_path / "two", {"a": big, "b": [big, {"c": big}]})
    sizes = [(tmp_path / name).stat().st_size for name in ("one", "two")]
    assert sizes[1] < sizes[0] + 1000
    state = load_state(tmp_path / "two")
    assert state["a"] is state["b"][0] is state["b"][1]["c"]


def test_tensors_are_copied_and_keep_their_type(tmp_path):
    value = torch.arange(6, dtype=torch.bfloat16).reshape(2, 3)
    save_state(tmp_path / "s", {"t": value.T, "u": value, "generator": torch.get_rng_state()})
    state = load_state(tmp_path / "s")
    assert torch.equal(state["t"], value.T)
    assert state["u"].dtype == torch.bfloat16
    assert torch.equal(state["generator"], torch.get_rng_state())


def test_a_failed_write_leaves_the_last_state(tmp_path, monkeypatch):
    path = tmp_path / "state"
    save_state(path, {"epoch": 1})

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders.os, "fsync", full)
    with pytest.raises(RunError, match="No space left on device; free some space"):
        save_state(path, {"epoch": 2})
    assert load_state(path) == {"epoch": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_what_is_no_state_is_refused(tmp_path):
    with pytest.raises(TypeError, match="got object"):
        save_state(tmp_path / "x", {"x": object()})
    with pytest.raises(RunError, match="cannot read"):
        load_state(tmp_path / "missing")
    path = tmp_path / "state"
    save_file({"t": torch.ones(2)}, path)
    with pytest.raises(RunError, match="something else"):
        load_state(path)
    for header, words in (
        ('{"format": "nervure-state", "version": 99, "state": {}}', "version 99"),
        ('{"format": "nervure-state", "version": 1, "state": 3}', "no state"),
        ('{"format": "nervure-state", "version": 1, "state": {"a": {"$": "code"}}}', "'code'"),
        ('{"format": "nervure-state", "version": 1, "state": {"a": {"$": "tensor"}}}', "name"),
        ("{", "damaged"),
        ("[" * 100_000, "damaged"),
    ):
        save_file({"t": torch.ones(2)}, path, {"nervure": header})
        with pytest.raises(RunError, match=words):
            load_state(path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_half_a_file_is_refused(tmp_path, share):
    path = tmp_path / "state"
    save_state(path, {"w": torch.randn(100), "list": [1, 2.5, "ä"]})
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(RunError, match="remove it to begin anew"):
        load_state(path)
