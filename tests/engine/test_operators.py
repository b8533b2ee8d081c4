"""The torch.library operators: opcheck, compile, and hostile arguments to the native core."""

import multiprocessing
import os
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nervure import _core, engine
from nervure.engine import ops

from .graphs import make_case


def sweep_arguments(case, backend, dense):
    weight, bias = case.weight, case.bias
    if dense:
        t = case.topology
        weight = torch.zeros(12, 12, dtype=torch.float64)
        weight[t.targets.copy(), t.sources.copy()] = case.weight
        bias = None
    for tensor in (weight, bias, case.drive):
        if tensor is not None:
            tensor.requires_grad_(True)
    plan = case.plan
    return (
        case.drive, weight, bias, plan.packed, plan.nodes, plan.num_outputs, plan.keeps_slope,
        backend, 1e-10, 200, 0.01, True,
    )  # fmt: skip


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_opcheck_sweep(backend, dense, activation):
    case = make_case(activation=activation)
    torch.library.opcheck(torch.ops.nervure.sweep.default, sweep_arguments(case, backend, dense))


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("dense", [False, True])
def test_opcheck_adjoint(backend, dense):
    case = make_case()
    arguments = sweep_arguments(case, backend, dense)
    with torch.no_grad():
        output, state, slope, converged, _ = ops.sweep(*arguments)
    torch.library.opcheck(
        torch.ops.nervure.adjoint.default,
        (
            torch.randn_like(output), arguments[1].detach(), state, slope, converged,
            case.plan.packed, case.plan.num_inputs, backend, 1e-10, 200, 0.01, True,
        ),
        test_utils=("test_schema", "test_faketensor", "test_aot_dispatch_dynamic"),
    )  # fmt: skip


def test_compiled_function_has_no_graph_break_and_equals_eager():
    case = make_case()
    arguments = sweep_arguments(case, "native", False)

    def run(drive, weight):
        return ops.sweep(2 * drive, weight, *arguments[2:])[0].square().sum()

    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    eager = run(case.drive, case.weight)
    torch.testing.assert_close(compiled(case.drive, case.weight), eager)
    ours = torch.autograd.grad(compiled(case.drive, case.weight), case.weight)[0]
    torch.testing.assert_close(ours, torch.autograd.grad(eager, case.weight)[0])


@given(position=st.integers(0, 10**6), value=st.integers(-(2**31), 2**31 - 1))
@settings(max_examples=300, deadline=None)
def test_damaged_plans_never_reach_memory(position, value):
    case = make_case()
    packed = case.plan.packed.clone()
    packed[position % len(packed)] = value
    arguments = native_arguments(case)
    try:
        _core.forward(packed, *arguments)
    except (ValueError, IndexError):
        return
    # What is accepted has every index in range; it is another graph, not a crash.


def native_arguments(case, **change):
    batch, nodes = len(case.drive), case.plan.nodes
    given = {
        "drive": case.drive,
        "weight": case.weight,
        "bias": case.bias,
        "state": torch.empty(1, nodes, 16, dtype=torch.float64),
        "slope": torch.empty(0, 0, 0, dtype=torch.float64),
        "output": torch.empty(batch, case.plan.num_outputs, dtype=torch.float64),
        "converged": torch.empty(batch, dtype=torch.uint8),
        "residual": torch.empty(batch, dtype=torch.float64),
        "sweeps": torch.empty(batch, dtype=torch.int32),
        "failed": torch.empty(batch, dtype=torch.int32),
    }
    given.update(change)
    return (*given.values(), 1e-9, 100, 0.01, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("drive", torch.zeros(7, 5, dtype=torch.float64)),
        ("weight", torch.zeros(39, dtype=torch.float64)),
        ("bias", torch.zeros(11, dtype=torch.float64)),
        ("state", torch.zeros(2, 12, 16, dtype=torch.float64)),
        ("output", torch.zeros(7, 4, dtype=torch.float64)),
        ("sweeps", torch.zeros(6, dtype=torch.int32)),
    ],
)
def test_native_core_checks_every_shape(name, value):
    case = make_case()
    with pytest.raises(ValueError, match=r"shape|one (entry|row|column)"):
        _core.forward(case.plan.packed, *native_arguments(case, **{name: value}))


@pytest.mark.parametrize(
    "value",
    [
        torch.zeros(40, dtype=torch.float32),
        torch.zeros(40, dtype=torch.int64),
        torch.zeros(80, dtype=torch.float64)[::2],
        [0.0] * 40,
    ],
)
def test_native_core_converts_nothing_silently(value):
    case = make_case()
    with pytest.raises(TypeError):
        _core.forward(case.plan.packed, *native_arguments(case, weight=value))


def test_graph_functions_refuse_bad_arrays():
    indptr = np.array([0, 1, 2], dtype=np.int32)
    for bad in ([0, 5], [-1, 0]):
        with pytest.raises(ValueError, match="outside"):
            _core.strong_components(indptr, np.array(bad, dtype=np.int32))
    with pytest.raises(ValueError, match="indptr"):
        _core.transpose(np.array([0, 2, 1], dtype=np.int32), np.array([0], dtype=np.int32))
    good = np.array([1, 0], dtype=np.int32)
    with pytest.raises(ValueError, match="seed"):
        _core.reachable(indptr, good, np.array([9], dtype=np.int32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(seed=st.integers(0, 10**6), n=st.integers(2, 12), ties=st.booleans())
@settings(max_examples=60, deadline=None)
def test_selection_equals_sorting(dtype, seed, n, ties):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, n)).astype(dtype)
    if ties:
        matrix = np.round(matrix)
    k = int(rng.integers(1, n * (n - 1) + 1))
    indptr, sources, gamma = _core.select_largest(matrix, k)
    magnitude = np.abs(matrix)
    np.fill_diagonal(magnitude, -1)
    order = np.argsort(-magnitude.ravel(), kind="stable")[:k]
    expected = {(int(i // n), int(i % n)) for i in order}
    targets = np.repeat(np.arange(n), np.diff(indptr))
    assert set(zip(targets.tolist(), sources.tolist(), strict=True)) == expected
    assert gamma == magnitude.ravel()[order[-1]]


def test_selection_refuses_nan_and_bad_counts():
    matrix = np.ones((3, 3), dtype=np.float32)
    for k in (-1, 7):
        with pytest.raises(ValueError, match="out of range"):
            _core.select_largest(matrix, k)
    matrix[0, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        _core.select_largest(matrix, 2)


def test_several_python_threads_at_once():
    case = make_case(nodes=200, edges=3000, batch=64, dtype=torch.float32)
    expected = case.sweep().output
    wrong = []

    def work():
        for _ in range(20):
            if not torch.equal(case.sweep().output, expected):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def _sweep_in_child(case, queue):
    queue.put(case.sweep().output.numpy())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python's own doubts about fork
def test_forked_children_can_sweep():
    """The pool's workers do not exist in a child; it must not wait for them."""
    case = make_case(nodes=200, edges=3000, batch=64, dtype=torch.float32)
    expected = case.sweep().output
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_sweep_in_child, args=(case, queue))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    np.testing.assert_array_equal(queue.get(), expected.numpy())


def test_unknown_instruction_set_is_refused():
    with pytest.raises(ValueError, match="v2"):
        _core.use_instruction_set("v9")
    assert engine.plan is not None
