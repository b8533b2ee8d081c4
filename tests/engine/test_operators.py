"""The torch.library operators: opcheck, compile, and hostile arguments to the native core."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nervure import _core, engine
from nervure.engine import native, ops
from nervure.engine.plan import plan_of
from nervure.errors import EngineError

from .graphs import case_on, fuzzed, make_case


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
            case.plan.packed, 12, case.plan.num_inputs, backend, 1e-10, 200, 0.01, True,
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


VALUES = st.integers(-2, 14) | st.integers(-(2**31), 2**31 - 1)


@given(damage=st.lists(st.tuples(st.integers(0, 10**6), VALUES), min_size=1, max_size=3))
@fuzzed(200)
def test_damaged_plans_never_reach_memory(damage):
    case = make_case(nodes=9, edges=20)
    packed = case.plan.packed.clone()
    for position, value in damage:
        packed[position % len(packed)] = value
    options = ("native", 1e-9, 50, 0.01, False)
    try:
        plan = plan_of(packed)
        output, state, slope, converged, _ = ops.sweep(
            case.drive, case.weight, case.bias, packed, 9, 5, plan.keeps_slope, *options
        )
        ops.adjoint(output, case.weight, state, slope, converged, packed, 9, 4, *options)
    except EngineError:
        return
    # What is accepted is another graph with every index in range.
    assert plan.nodes == 9
    assert plan.topology.num_edges == 20


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda p: p[:5], "not an execution plan"),
        (lambda p: p[:0], "not an execution plan"),
        (lambda p: torch.cat([p[:0], p[1:]]), "not an execution plan"),
        (lambda p: p[:-1], "sizes do not add up"),
        (lambda p: torch.cat([p, p[-1:]]), "sizes do not add up"),
        (lambda p: p.long(), "int32"),
        (lambda p: p[None], "one axis"),
        (lambda p: p.to("meta"), "CPU"),
        (lambda p: torch.cat([p[:-1], p.new_tensor([12])]), "not a node"),
        (lambda p: torch.cat([p[:-1], p[-2:-1]]), "twice"),
    ],
)
def test_what_is_wrong_with_a_packed_plan_is_named(damage, word):
    packed = make_case().plan.packed
    with pytest.raises(EngineError, match=word):
        plan_of(damage(packed))


def test_changing_a_packed_plan_in_place_is_noticed():
    packed = make_case().plan.packed.clone()
    assert plan_of(packed) is plan_of(packed)
    packed[-1] = 99
    with pytest.raises(EngineError, match="not a node"):
        plan_of(packed)


def test_a_packed_plan_holds_all_of_it():
    case = make_case()
    for plan in (case.plan, case_on(case.topology, block=2, inputs=[3, 1], outputs=[9]).plan):
        found = plan_of(plan.packed)
        assert found.topology.edges.tolist() == plan.topology.edges.tolist()
        for name in ("inputs", "outputs", "codes"):
            np.testing.assert_array_equal(getattr(found, name), getattr(plan, name))
        assert (found.block, found.weights) == (plan.block, plan.weights)


SOLVER = native.Solver(1e-9, 100, 0.01)


def solution_of(case):
    found = native.forward(case.plan, case.drive, case.weight, case.bias, SOLVER)
    _, delta, _ = native.adjoint(
        case.plan, found.output, case.weight, found.state, found.slope, None, SOLVER
    )
    return found, delta


def call(function, case, **change):
    """One of the native functions with arguments that fit, but for the changed ones."""
    found, delta = solution_of(case)
    given = {
        "drive": case.drive,
        "weight": case.weight,
        "bias": case.bias,
        "grad_output": found.output,
        "state": found.state,
        "slope": found.slope,
        "delta": delta,
        "converged": torch.ones(len(case.drive), dtype=torch.bool),
    }
    assert not change.keys() - given.keys()
    given.update({name: damage(given[name]) for name, damage in change.items()})

    def take(*names):
        return [given[name] for name in names]

    if function == "forward":
        return native.forward(case.plan, *take("drive", "weight", "bias"), SOLVER)
    if function == "adjoint":
        names = ("grad_output", "weight", "state", "slope", "converged")
        return native.adjoint(case.plan, *take(*names), SOLVER)
    return native.edge_gradient(case.plan, *take("state", "delta"))


TAKEN = {
    "forward": ("drive", "weight", "bias"),
    "adjoint": ("grad_output", "weight", "state", "slope", "converged"),
    "edge_gradient": ("state", "delta"),
}
PAIRS = [(function, name) for function, names in TAKEN.items() for name in names]
DAMAGES = {
    "shorter": lambda x: x[..., :-1],
    "longer": lambda x: torch.cat([x, x[..., :1]], -1),
    "axis more": lambda x: x[None],
    "half": lambda x: x.half(),
    "float": lambda x: x.float(),
    "integer": lambda x: x.long(),
    "complex": lambda x: x.to(torch.complex128),
    "meta": lambda x: x.to("meta"),
    "empty": lambda x: x.new_empty(0),
}


@pytest.mark.parametrize(("function", "name"), PAIRS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_native_functions_check_every_tensor(function, name, damage):
    if name == "converged" and damage in ("half", "float", "integer", "complex"):
        pytest.skip("any dtype can say yes or no")
    # gelu, so that slopes are kept
    case = make_case(activation="gelu", gain=0.4)
    call(function, case)
    with pytest.raises(EngineError, match=r"expected|computes in"):
        call(function, case, **{name: DAMAGES[damage]})


@pytest.mark.parametrize(
    ("function", "name"), [("adjoint", "state"), ("adjoint", "slope"), *PAIRS[-2:]]
)
def test_states_are_not_copied_to_make_them_contiguous(function, name):
    case = make_case(activation="gelu", gain=0.4)
    strided = {name: lambda x: torch.stack([x, x], -1)[..., 0]}
    with pytest.raises(EngineError, match="not contiguous"):
        call(function, case, **strided)


@pytest.mark.parametrize("name", ["drive", "weight", "bias"])
def test_arguments_may_be_strided(name):
    case = make_case()
    expected = call("forward", case).output
    strided = {name: lambda x: torch.stack([x, x], -1)[..., 0]}
    assert torch.equal(call("forward", case, **strided).output, expected)


def test_a_state_of_another_batch_is_refused():
    case = make_case(batch=7)
    with pytest.raises(EngineError, match="state: expected"):
        call("adjoint", case, grad_output=lambda g: g.repeat(5, 1))
    with pytest.raises(EngineError, match="delta: expected"):
        call("edge_gradient", case, state=lambda a: a.repeat(2, 1, 1))


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


# Times the true threshold, and plus.
HINTS = {
    "none": (0, 0.0),
    "too low": (0, 1e-30),
    "good": (0.9, 0.0),
    "exact": (1, 0.0),
    "too high": (1.5, 1.0),
    "infinite": (0, float("inf")),
    "negative": (0, -1.0),
    "nan": (0, float("nan")),
}


def hinted(hint, threshold):
    times, plus = HINTS[hint]
    return times * threshold + plus


def assert_sorted_choice(matrix, k, hint):
    """The k largest off the diagonal, ties by position."""
    n = len(matrix)
    magnitude = matrix.abs().numpy().copy()
    np.fill_diagonal(magnitude, -1)
    order = np.argsort(-magnitude.ravel(), kind="stable")[:k]
    threshold = float(magnitude.ravel()[order[-1]]) if k else float("inf")
    found = engine.select_largest(
        matrix, k, hint=hinted(hint, threshold if np.isfinite(threshold) else 1.0)
    )
    targets = np.repeat(np.arange(n), np.diff(found.indptr))
    keys = targets * n + found.sources
    np.testing.assert_array_equal(keys, np.sort(order))
    assert found.threshold == threshold


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("hint", HINTS)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 40), ties=st.booleans())
@fuzzed(40)
def test_selection_equals_sorting(dtype, hint, seed, n, ties):
    rng = np.random.default_rng(seed)
    matrix = torch.from_numpy(rng.normal(size=(n, n))).to(dtype)
    if ties:
        matrix = matrix.round()
    assert_sorted_choice(matrix, int(rng.integers(0, n * (n - 1) + 1)), hint)


@pytest.mark.parametrize("hint", HINTS)
@pytest.mark.parametrize("count", [1, 2])
def test_selection_of_a_large_matrix(hint, count, threads):
    threads(count)
    matrix = torch.from_numpy(np.random.default_rng(0).normal(size=(300, 300))).float()
    matrix[:40] = 0.5  # far more than is wanted, all in the first rows and all equal
    for keep in (1, 700, 12_000, 89_700):
        assert_sorted_choice(matrix, keep, hint)


def test_selection_takes_infinity_and_zeros():
    matrix = torch.zeros(4, 4)
    matrix[2, 1], matrix[0, 3] = float("inf"), -float("inf")
    for keep in range(13):
        for hint in HINTS:
            assert_sorted_choice(matrix, keep, hint)


@pytest.mark.parametrize("hint", HINTS)
def test_selection_refuses_nan_and_bad_counts(hint):
    matrix, guess = torch.ones(3, 3), hinted(hint, 1.0)
    for k in (-1, 7):
        with pytest.raises(EngineError, match="out of range"):
            engine.select_largest(matrix, k, hint=guess)
    matrix[0, 1] = torch.nan
    with pytest.raises(EngineError, match="NaN"):
        engine.select_largest(matrix, 2, hint=guess)
    for bad in (matrix[:2], matrix[0], matrix[None]):
        with pytest.raises(EngineError, match="nodes, nodes"):
            engine.select_largest(bad, 1, hint=guess)


def test_selection_takes_any_layout_and_dtype():
    matrix = torch.from_numpy(np.random.default_rng(0).normal(size=(9, 9)))
    for other in (matrix.T.contiguous().T, torch.stack([matrix, matrix], -1)[..., 0]):
        assert_sorted_choice(other, 20, "good")
    for dtype in (torch.float16, torch.bfloat16, torch.int64):
        assert_sorted_choice((3 * matrix).to(dtype).double(), 20, "none")
        found = engine.select_largest((3 * matrix).to(dtype), 20)
        expected = engine.select_largest((3 * matrix).to(dtype).double(), 20)
        np.testing.assert_array_equal(found.sources, expected.sources)


def test_unknown_instruction_set_is_refused():
    with pytest.raises(ValueError, match="v2"):
        _core.use_instruction_set("v9")
