"""Equilibria that plain sweeps do not find, and those that nobody finds."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import spsolve

from nervure import Topology, engine
from nervure.engine import reference, solvers
from nervure.errors import ConvergenceError, EngineError

from .graphs import make_case


def ring(gains, activation):
    n = len(gains)
    edges = [(i, (i + 1) % n) for i in range(n)]
    topology = Topology.from_edges(edges, num_nodes=n, inputs=range(n), outputs=range(n))
    weight = torch.tensor([gains[s] for s, _ in topology.edges.tolist()], dtype=torch.float64)
    return topology, engine.plan(topology, activation), weight


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(
    ("gains", "activation"),
    [
        ((-1.5, 1.5), "identity"),  # damping solves: the loop gain is -2.25
        ((-4.0, 4.0, 4.0), "identity"),  # Anderson or Newton
        ((-6.0, 6.0, 6.0), "tanh"),
        ((-3.0, 3.0, 3.0, 3.0), "leaky_relu"),
    ],
)
def test_fallbacks_find_what_sweeps_do_not(backend, gains, activation):
    topology, plan, weight = ring(gains, activation)
    generator = torch.Generator().manual_seed(0)
    drive = torch.randn(6, topology.num_nodes, generator=generator, dtype=torch.float64)
    weight.requires_grad_(True)
    found = engine.sweep(plan, weight, drive, backend=backend, tolerance=1e-9, max_sweeps=100)
    assert found.status.converged.all()
    if backend == "native" and activation != "leaky_relu":  # whose leak calms plain sweeps
        assert found.status.recovered == 6
    function = next(a for a in engine.ACTIVATIONS if a.name == activation)
    a = found.output
    before = torch.stack([a[:, i - 1] * gains[i - 1] for i in range(len(gains))], 1)
    assert (function.value(drive + before, 0.01) - a).abs().max() < 1e-8

    # The adjoint of such a map needs the direct solve; finite differences are the oracle.
    (gradient,) = torch.autograd.grad(a.square().sum(), weight)
    for k in range(len(gains)):
        shifted = []
        for step in (1e-6, -1e-6):
            moved = weight.detach().clone()
            moved[k] += step
            out = engine.sweep(plan, moved, drive, backend=backend, tolerance=1e-12, max_sweeps=100)
            shifted.append(out.output.square().sum().item())
        assert gradient[k].item() == pytest.approx((shifted[0] - shifted[1]) / 2e-6, rel=1e-4)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_module_too_large_for_dense_solves(backend):
    # A ring of weak edges makes it one module; two of its nodes turn around each other.
    n = reference.DENSE_LIMIT + 50
    edges = [(i, (i + 1) % n) for i in range(n)] + [(1, 0)]
    topology = Topology.from_edges(edges, num_nodes=n, inputs=range(n), outputs=range(n))
    pairs = topology.edges
    weight = np.where(pairs[:, 1] == 0, 1.5, 0.5)
    weight[(pairs == (0, 1)).all(1)] = -1.5
    weight[(pairs == (n - 1, 0)).all(1)] = 0.5
    system = (eye_array(n) - csr_array((weight, (pairs[:, 1], pairs[:, 0])), shape=(n, n))).tocsc()
    generator = torch.Generator().manual_seed(0)
    drive, seen = torch.randn(2, 3, n, generator=generator, dtype=torch.float64).unbind()
    drive.requires_grad_(True)
    plan = engine.plan(topology, "identity")
    found = engine.sweep(plan, torch.from_numpy(weight), drive, backend=backend)
    if backend == "native":
        assert found.status.recovered == 3
    (gradient,) = torch.autograd.grad(found.output, drive, seen)
    for given, matrix, right in (
        (found.output.detach(), system, drive.detach()),
        (gradient, system.T.tocsc(), seen),
    ):
        assert np.abs(spsolve(matrix, right.T.numpy()).T - given.numpy()).max() < 1e-7


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_no_equilibrium_is_a_typed_error_with_remedy(backend):
    # x = x + 1 has no solution.
    _, plan, weight = ring((1.0, 1.0), "identity")
    drive = torch.ones(3, 2, dtype=torch.float64)
    with pytest.raises(ConvergenceError) as caught:
        engine.sweep(plan, weight, drive, backend=backend)
    error = caught.value
    assert (error.component, error.component_size, error.samples) == (0, 2, 3)
    assert error.residual > 1e-9
    for word in ("contraction", "learning rate", "max_sweeps", "on_failure='flag'", "residual"):
        assert word in str(error)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_flagged_samples_give_a_status_and_no_gradient(backend):
    _, plan, weight = ring((1.0, 1.0), "identity")
    drive = torch.tensor([[1.0, -1.0], [1.0, 1.0]], dtype=torch.float64, requires_grad=True)
    result = engine.sweep(plan, weight, drive, backend=backend, on_failure="flag", max_sweeps=50)
    assert result.status.converged.tolist() == [True, False]
    assert result.status.lost == 1
    assert result.output.isfinite().all()


def test_nan_in_the_drive_is_named():
    case = make_case(batch=4, roles=False)
    case.drive[2, 3] = float("nan")
    with pytest.raises(ConvergenceError, match="sample 2"):
        case.sweep()


def test_acyclic_graphs_pass_nan_through_as_torch_does():
    case = make_case(batch=40, acyclic=True, roles=False, dtype=torch.float32)
    clean = case.sweep().output
    case.drive[2] = float("nan")
    spoiled = case.sweep().output
    rest = [i for i in range(40) if i != 2]
    assert spoiled[2].isnan().any()
    assert torch.equal(spoiled[rest], clean[rest])


def test_diverging_sample_leaves_its_neighbours_bitwise_alone():
    # relu with loop gain 1.2: diverges for positive drive, rests at zero for negative.
    topology = Topology.from_edges([(0, 1), (1, 0)], inputs=[0, 1], outputs=[0, 1])
    plan, weight = engine.plan(topology, "relu"), torch.tensor([1.2, 1.0])
    drive = -torch.rand(40, 2)
    clean = engine.sweep(plan, weight, drive).output
    drive[7] = 1.0
    mixed = engine.sweep(plan, weight, drive, on_failure="flag")
    rest = [i for i in range(40) if i != 7]
    assert torch.equal(mixed.output[rest], clean[rest])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"drive": torch.zeros(3, 4)}, "drive: expected"),
        ({"weight": torch.zeros(3)}, "weight: expected"),
        ({"weight": torch.zeros(3, 3)}, "dense weight: expected"),
        ({"bias": torch.zeros(3)}, "bias: expected"),
        ({"weight": torch.zeros(40, dtype=torch.float32)}, "weight: expected torch.float64"),
        ({"tolerance": 2.0}, "tolerance"),
        ({"max_sweeps": 0}, "max_sweeps"),
        ({"leak": -1.0}, "leak"),
        ({"on_failure": "ignore"}, "on_failure"),
        ({"backend": "cuda"}, "unknown backend"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change, word):
    case = make_case()
    arguments = {"weight": case.weight, "drive": case.drive, "bias": case.bias, **change}
    with pytest.raises(EngineError, match=word):
        engine.sweep(case.plan, **arguments)


def test_native_refuses_other_dtypes_in_words():
    case = make_case(dtype=torch.bfloat16)
    with pytest.raises(EngineError, match="float32 and float64 on the CPU"):
        case.sweep(backend="native")
    assert case.sweep().backend == "reference"
    with pytest.raises(EngineError, match="floating"):
        engine.sweep(case.plan, case.weight.long(), case.drive.long(), case.bias.long())


def test_dense_weight_refuses_a_separate_bias():
    case = make_case(roles=False)
    with pytest.raises(EngineError, match="diagonal"):
        engine.sweep(case.plan, torch.zeros(12, 12).double(), case.drive, case.bias)


@pytest.mark.parametrize("solver", ["sweep_until_still", "anderson", "newton", "pseudo_transient"])
def test_solvers_measure_the_residual_of_what_they_return(solver):
    generator = torch.Generator().manual_seed(0)
    matrix = 0.5 * torch.randn(6, 6, generator=generator, dtype=torch.float64) / 6**0.5
    drive = torch.randn(9, 6, generator=generator, dtype=torch.float64)

    def step(x):
        return torch.tanh(drive + x @ matrix.T)

    def jacobian(x, rows):
        return (1 - step(x)[rows] ** 2)[:, :, None] * matrix

    start = torch.zeros_like(drive)
    if solver in ("newton", "pseudo_transient"):
        found = getattr(solvers, solver)(step, jacobian, start, tolerance=1e-10)
    else:
        found = getattr(solvers, solver)(step, start, tolerance=1e-10, max_sweeps=100)
    assert (found.residual <= 1e-10).all()
    true = solvers.scaled_residual(step(found.value) - found.value, found.value, 1.0)
    assert torch.equal(true, found.residual)


def test_one_nan_sample_does_not_spoil_a_solver_batch():
    drive = torch.zeros(4, 3, dtype=torch.float64)
    drive[1] = float("nan")

    def step(x):
        return torch.tanh(drive + 0.3 * x + 0.1)

    for solver in (solvers.sweep_until_still, solvers.anderson):
        found = solver(step, torch.zeros_like(drive), tolerance=1e-10, max_sweeps=50)
        assert (found.residual[[0, 2, 3]] <= 1e-10).all()
        assert found.residual[1] == torch.inf
        assert found.value.isfinite().all()
