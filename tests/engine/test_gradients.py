"""Implicit gradients against finite differences and autograd through an unrolled loop."""

import numpy as np
import pytest
import torch

from nervure import Topology, engine
from nervure.engine.activations import NAMES
from nervure.errors import EngineError

from .graphs import MIXED, make_case, unrolled

TIGHT = {"tolerance": 1e-13, "max_sweeps": 2000}


def outputs(case, backend):
    def run(weight, drive, bias):
        return engine.sweep(case.plan, weight, drive, bias, backend=backend, **TIGHT).output

    return run


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("acyclic", [True, False])
@pytest.mark.parametrize("activation", [*NAMES, MIXED])
def test_gradcheck(backend, acyclic, activation):
    case = make_case(nodes=8, edges=20, acyclic=acyclic, activation=activation, batch=3, gain=0.4)
    arguments = [t.requires_grad_(True) for t in (case.weight, case.drive, case.bias)]
    assert torch.autograd.gradcheck(outputs(case, backend), arguments, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("seed", range(3))
def test_equals_autograd_through_the_unrolled_loop(backend, seed):
    case = make_case(nodes=40, edges=180, activation=MIXED[3:], batch=40, seed=seed, gain=0.7)
    arguments = [t.requires_grad_(True) for t in (case.weight, case.drive, case.bias)]
    direction = torch.randn(40, 5, dtype=torch.float64)
    ours = torch.autograd.grad((outputs(case, backend)(*arguments) * direction).sum(), arguments)
    loop = unrolled(case, *arguments)
    theirs = torch.autograd.grad((loop * direction).sum(), arguments)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_dense_gradient_is_that_of_every_possible_edge(backend):
    """Absent edges: differentiate the complete graph at weight zero there."""
    case = make_case(nodes=9, edges=25, batch=4, roles=False, gain=0.6)
    t = case.topology
    matrix = torch.zeros(9, 9, dtype=torch.float64)
    matrix[t.targets.copy(), t.sources.copy()] = case.weight
    matrix += torch.diag(case.bias)
    noise = torch.randn(9, 9, dtype=torch.float64) * 0.1
    absent = matrix == 0
    stored = (matrix + noise * absent).requires_grad_(True)  # absent entries must not matter
    direction = torch.randn(4, 9, dtype=torch.float64)
    out = engine.sweep(case.plan, stored, case.drive, backend=backend, **TIGHT).output
    (gradient,) = torch.autograd.grad((out * direction).sum(), stored)

    complete = Topology.complete(9)
    every = engine.plan(complete.with_roles(t.inputs, t.outputs), "tanh")
    weight = matrix[complete.targets.copy(), complete.sources.copy()].clone().requires_grad_(True)
    bias = case.bias.clone().requires_grad_(True)
    full = engine.sweep(every, weight, case.drive, bias, backend="reference", **TIGHT).output
    torch.testing.assert_close(full, out)
    edge, node = torch.autograd.grad((full * direction).sum(), (weight, bias))
    expected = torch.zeros(9, 9, dtype=torch.float64)
    expected[complete.targets.copy(), complete.sources.copy()] = edge
    expected += torch.diag(node)
    torch.testing.assert_close(gradient, expected, rtol=1e-8, atol=1e-9)


def test_dense_gradient_does_not_depend_on_who_asks_for_the_drive_s():
    """Rows of pure inputs, too, are those of the reference."""
    plan = engine.plan(Topology.layered([3, 4, 2]), "tanh", input_bias=False)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(9, 9, generator=generator, dtype=torch.float64).requires_grad_()
    drive = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    gradients = []
    for backend, asked in (("native", False), ("native", True), ("reference", False)):
        out = engine.sweep(plan, weight, drive.clone().requires_grad_(asked), backend=backend)
        gradients.append(torch.autograd.grad(out.output.square().sum(), weight)[0])
    assert gradients[0][:3].any()
    for gradient in gradients[1:]:
        torch.testing.assert_close(gradient, gradients[0])


def test_gradient_of_unused_output_and_without_bias():
    case = make_case()
    weight = case.weight.requires_grad_(True)
    output = engine.sweep(case.plan, weight, case.drive).output
    (gradient,) = torch.autograd.grad(output[:, 0].sum(), weight)
    assert gradient.isfinite().all()


def test_adjoint_as_a_function_equals_autograd():
    case = make_case(nodes=20, edges=80)
    case.weight.requires_grad_(True)
    solution = case.sweep(**TIGHT)
    direction = torch.randn_like(solution.output)
    (expected,) = torch.autograd.grad((solution.output * direction).sum(), case.weight)
    found = engine.adjoint(case.plan, case.weight, solution, direction, **TIGHT)
    torch.testing.assert_close(found.weight, expected)
    assert found.sweeps > 0
    assert found.residual <= 1e-13


def test_float32_gradients_are_near_the_double_ones():
    case = make_case(nodes=100, edges=800, batch=64, gain=0.9)
    gradients = []
    for dtype in (torch.float32, torch.float64):
        weight = case.weight.to(dtype).requires_grad_(True)
        out = engine.sweep(case.plan, weight, case.drive.to(dtype), case.bias.to(dtype)).output
        gradients.append(torch.autograd.grad(out.square().sum(), weight)[0].double())
    error = (gradients[0] - gradients[1]).norm() / gradients[1].norm()
    assert error < 1e-3


def test_second_derivatives_are_refused_in_words():
    case = make_case()
    case.weight.requires_grad_(True)
    output = case.sweep().output.square().sum()
    (gradient,) = torch.autograd.grad(output, case.weight, create_graph=True)
    with pytest.raises(EngineError, match="not differentiable"):
        gradient.sum().backward()


def test_second_derivatives_by_the_drive_are_refused_too():
    """Silence would be a penalty on the gradient that does nothing."""
    case = make_case()
    drive = case.drive.clone().requires_grad_(True)
    # Linear in the output: what comes back into the graph does not depend on the drive either.
    output = engine.sweep(case.plan, case.weight, drive, case.bias).output.sum()
    (gradient,) = torch.autograd.grad(output, drive, create_graph=True)
    with pytest.raises(EngineError, match="not differentiable"):
        gradient.square().sum().backward()


def test_bad_rows_leave_the_other_gradients_alone():
    """A flagged sample gives nothing; its neighbours give what they give without it."""
    case = make_case(nodes=30, edges=150, batch=20, roles=False, gain=0.7)
    spoiled = case.drive.clone()
    spoiled[[3, 11], 5] = float("nan")
    keep = np.setdiff1d(np.arange(20), [3, 11])
    weight = case.weight.clone().requires_grad_(True)
    drive = spoiled.requires_grad_(True)
    result = engine.sweep(case.plan, weight, drive, case.bias, on_failure="flag")
    assert (~result.status.converged).nonzero()[:, 0].tolist() == [3, 11]
    result.output[keep].square().sum().backward()

    clean_weight = case.weight.clone().requires_grad_(True)
    clean_drive = case.drive[keep].clone().requires_grad_(True)
    clean = engine.sweep(case.plan, clean_weight, clean_drive, case.bias)
    clean.output.square().sum().backward()
    assert torch.equal(result.output[keep], clean.output)
    assert torch.equal(drive.grad[keep], clean_drive.grad)
    torch.testing.assert_close(weight.grad, clean_weight.grad, rtol=1e-12, atol=1e-12)
