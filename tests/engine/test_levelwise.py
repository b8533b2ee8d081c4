"""The level-by-level backends against the reference, autograd and each other."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nervure import Topology, engine
from nervure.engine import levelwise, reference
from nervure.engine.activations import NAMES, activation_codes
from nervure.errors import EngineError

from .graphs import MIXED, fuzzed, make_case, unrolled

KINDS = ("dense", "csr")
CLOSE = {
    torch.float64: {"rtol": 1e-10, "atol": 1e-10},
    torch.float32: {"rtol": 1e-4, "atol": 1e-5},
}


def levels_of(case):
    t = case.topology
    codes = activation_codes(case.activation, t.num_nodes)
    return levelwise.build_levels(t.indptr, t.sources, t.inputs, t.outputs, codes, t.levels)


def both_ways(case, kind, *, bias=True, leak=0.01, seed=0):
    """Outputs, values and gradients of a level-by-level run and of the reference."""
    levels = levels_of(case)
    b = case.bias if bias else None
    output, value, slope = levelwise.forward(
        levels, case.drive, case.weight, b, kind=kind, leak=leak
    )
    gradient = torch.randn(
        output.shape, generator=torch.Generator().manual_seed(seed), dtype=output.dtype
    )
    found = levelwise.adjoint(levels, gradient, case.weight, value, slope, kind=kind, leak=leak)
    solved = reference.forward(
        case.plan, case.drive, case.weight, b, tolerance=1e-9, max_sweeps=10, leak=leak
    )
    back = reference.adjoint(
        case.plan, gradient, case.weight, solved.slope, solved.converged,
        tolerance=1e-9, max_sweeps=10,
    )  # fmt: skip
    d, t = back.value, case.topology
    expected = (
        d[:, t.inputs.copy()],
        (solved.value[:, t.sources.copy()] * d[:, t.targets.copy()]).sum(0),
        d.sum(0),
    )
    return (
        (output, value.T, *found),
        (solved.value[:, t.outputs.copy()], solved.value, *expected),
    )


def assert_equal_to_reference(case, kind, **options):
    for found, expected in zip(*both_ways(case, kind, **options), strict=True):
        torch.testing.assert_close(found, expected, **CLOSE[case.drive.dtype])


@pytest.mark.parametrize("kind", KINDS)
@given(
    seed=st.integers(0, 10**6),
    nodes=st.integers(2, 40),
    share=st.floats(0.0, 1.0),
    batch=st.sampled_from([0, 1, 3, 33]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    bias=st.booleans(),
    activation=st.sampled_from([*NAMES, MIXED, MIXED[:6]]),
)
@fuzzed(60)
def test_equals_the_reference(kind, seed, nodes, share, batch, dtype, bias, activation):
    case = make_case(
        nodes=nodes, edges=int(share * nodes * (nodes - 1) / 2), acyclic=True, seed=seed,
        batch=batch, dtype=dtype, activation=activation,
    )  # fmt: skip
    # Squared relu over many levels leaves the range in which rounding compares.
    case.weight *= 2 / nodes**0.5
    assert_equal_to_reference(case, kind, bias=bias, seed=seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", [*NAMES, MIXED])
def test_equals_the_unrolled_loop_and_its_gradients(kind, activation):
    case = make_case(acyclic=True, activation=activation)
    weight = case.weight.clone().requires_grad_()
    drive = case.drive.clone().requires_grad_()
    bias = case.bias.clone().requires_grad_()
    expected = unrolled(case, weight, drive, bias, sweeps=12)
    gradient = torch.randn(expected.shape, dtype=expected.dtype)
    expected_gradients = torch.autograd.grad(expected, (drive, weight, bias), gradient)
    levels = levels_of(case)
    output, value, slope = levelwise.forward(
        levels, case.drive, case.weight, case.bias, kind=kind, leak=0.01
    )
    found = levelwise.adjoint(levels, gradient, case.weight, value, slope, kind=kind, leak=0.01)
    torch.testing.assert_close(output, expected.detach())
    for one, other in zip(found, expected_gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("density", [1.0, 0.3])
def test_layers_numbered_in_order_and_shuffled(kind, density):
    case = make_case(nodes=24, edges=40, acyclic=True, batch=5)
    layers = Topology.layered([8, 10, 6], density=density, seed=0)
    shuffled = layers.relabelled(np.random.default_rng(0).permutation(24).astype(np.int32))
    for topology in (layers, shuffled):
        case.topology = topology
        case.plan = engine.plan(topology, "tanh")
        case.weight = torch.randn(topology.num_edges, dtype=torch.float64)
        case.drive = torch.randn(5, len(topology.inputs), dtype=torch.float64)
        assert_equal_to_reference(case, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_leak_is_honoured(kind):
    assert_equal_to_reference(make_case(acyclic=True, activation="leaky_relu"), kind, leak=0.3)


def test_slope_is_kept_only_where_needed():
    for activation, kept in [("relu", False), ("gelu", True), (MIXED, True), (MIXED[:6], False)]:
        case = make_case(acyclic=True, activation=activation)
        levels = levels_of(case)
        _, value, slope = levelwise.forward(
            levels, case.drive, case.weight, case.bias, kind="dense", leak=0.01
        )
        assert case.plan.keeps_slope == kept
        assert slope.shape == (value.shape if kept else (0, 0))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(kind, dtype):
    case = make_case(acyclic=True, activation=MIXED)
    levels = levels_of(case)
    exact = levelwise.forward(levels, case.drive, case.weight, case.bias, kind=kind, leak=0.01)
    drive, weight, bias = (x.to(dtype) for x in (case.drive, case.weight, case.bias))
    output, value, slope = levelwise.forward(levels, drive, weight, bias, kind=kind, leak=0.01)
    gradients = levelwise.adjoint(levels, output, weight, value, slope, kind=kind, leak=0.01)
    assert {x.dtype for x in (output, value, slope, *gradients)} == {dtype}
    torch.testing.assert_close(output.double(), exact[0], rtol=0.05, atol=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_first_product_warns_of_nothing(kind, recwarn):
    levelwise._prepare_csr.cache_clear()
    assert_equal_to_reference(make_case(acyclic=True), kind)
    assert not recwarn.list


def test_indices_are_moved_once():
    levels = levels_of(make_case(acyclic=True))
    device = torch.device("cpu")
    assert levels.on(device, "dense") is levels.on(device, "dense")
    assert levels.on(device, "dense") is not levels.on(device, "csr")


def test_cycles_are_refused():
    case = make_case(acyclic=False)
    with pytest.raises(EngineError, match="acyclic"):
        levels_of(case)


def test_sparse_products_without_mkl_are_refused(monkeypatch):
    case = make_case(acyclic=True)
    levelwise._prepare_csr.cache_clear()
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    with pytest.raises(EngineError, match="MKL"):
        levelwise.forward(
            levels_of(case), case.drive, case.weight, case.bias, kind="csr", leak=0.01
        )
