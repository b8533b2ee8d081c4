"""Samples around whose equilibrium sweeps circle: accelerated inside the native backend."""

import numpy as np
import pytest
import torch

from nervure import Topology, engine
from nervure.engine import reference

from .graphs import assert_same, case_on, solved, turning

# Sweeps before acceleration, and most of it.
PATIENCE, MOST = 50, 200


def dense(case):
    """Weights as a matrix [target, source] of nodes."""
    block = case.plan.block
    matrix = torch.zeros(case.plan.nodes, case.plan.nodes, dtype=case.weight.dtype)
    for edge, (source, target) in enumerate(case.topology.edges.tolist()):
        matrix[target * block : (target + 1) * block, source * block : (source + 1) * block] = (
            case.weight.view(-1, block, block)[edge]
        )
    return matrix


@pytest.fixture
def no_chain(monkeypatch):
    """No sample goes to the fallback chain, forward or backward."""

    def refuse(*_args, **_options):
        raise AssertionError("a sample was left to the fallback chain")

    monkeypatch.setattr(reference, "forward", refuse)
    monkeypatch.setattr(reference, "adjoint", refuse)


@pytest.mark.usefixtures("instruction_set", "no_chain")
@pytest.mark.parametrize("block", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [5, 40])
def test_values_and_gradients(block, dtype, batch):
    case = turning(block=block, dtype=dtype, batch=batch, activation="tanh")
    case.drive *= 0.3
    weight, drive = (t.clone().requires_grad_(True) for t in (case.weight, case.drive))
    tolerance = 1e-5 if dtype == torch.float32 else 1e-11
    found = engine.sweep(case.plan, weight, drive, case.bias, backend="native", tolerance=tolerance)
    assert found.status.recovered == batch
    assert PATIENCE < found.status.sweeps <= PATIENCE + MOST
    matrix, values = dense(case).double(), found.values.double()
    z = case.drive.double() + case.bias.double() + values @ matrix.T
    assert (torch.tanh(z) - values).abs().max() <= 1.5 * tolerance

    # The implicit gradient by dense solves of what the values give.
    direction = torch.cos(torch.arange(values.shape[1], dtype=torch.float64))
    gradients = torch.autograd.grad((found.output * direction.to(dtype)).sum(), (weight, drive))
    slope = 1 - values.square()
    identity = torch.eye(values.shape[1], dtype=torch.float64)
    delta = torch.stack([s * torch.linalg.solve(identity - matrix.T * s, direction) for s in slope])
    edges = torch.from_numpy(case.topology.edges.astype(np.int64))
    rows = (edges[:, 1, None] * block + torch.arange(block)).reshape(-1, block, 1)
    columns = (edges[:, 0, None] * block + torch.arange(block)).reshape(-1, 1, block)
    expected = ((delta.T @ values)[rows, columns].reshape(-1), delta)
    bound = 300 * tolerance
    for one, other in zip(gradients, expected, strict=True):
        assert (one.double() - other).abs().max() <= bound * other.abs().max()


@pytest.mark.usefixtures("no_chain")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", ["relu", "squared_relu", "leaky_relu"])
def test_slopes_are_those_of_the_values_away_from_kinks(activation, dtype):
    # Mixed images are none: a value of 1e-6 of a relu that is off would have slope one.
    for seed in range(12):
        case = turning(activation=activation, dtype=dtype, seed=seed, strength=1.3, batch=20)
        # Squares turn where their slopes do.
        case.drive = 0.3 * case.drive + (0.6 if activation == "squared_relu" else 0.0)
        drive = case.drive.clone().requires_grad_(True)
        found = engine.sweep(
            case.plan, case.weight, drive, case.bias, backend="native", max_sweeps=400
        )
        (gradient,) = torch.autograd.grad(found.output.sum(), drive)
        matrix, values = dense(case).double(), found.values.double()
        z = case.drive.double() + case.bias.double() + values @ matrix.T
        off = 0.01 if activation == "leaky_relu" else 0.0
        slope = torch.where(z > 0, 2 * z if activation == "squared_relu" else 1 + 0 * z, off)
        smooth = (z.abs().amin(1) > 5e-3).nonzero()[:, 0].tolist()
        assert smooth
        assert found.status.recovered
        identity = torch.eye(z.shape[1], dtype=torch.float64)
        for row in smooth:
            s = slope[row]
            exact = s * torch.linalg.solve(identity - matrix.T * s, torch.ones_like(s))
            error = (gradient[row].double() - exact).abs().max()
            assert error <= 0.02 * exact.abs().max(), (seed, row)


def test_a_lane_counts_its_own_sweeps():
    """One that settles, but not truly, goes on as it does alone."""
    for seed in range(80):
        rng = np.random.default_rng(seed)
        nodes, gain = int(rng.choice([10, 16])), float(rng.choice([1.5, 2, 2.5]))
        case = turning(
            nodes=nodes, edges=3 * nodes, seed=seed, dtype=torch.float32, batch=32, loops=2,
            activation="tanh", strength=1.5, gain=gain,
        )  # fmt: skip
        case.drive *= torch.linspace(0.1, 3, 32)[:, None]
        together, drive = case.sweep(backend="native", on_failure="flag").output, case.drive
        for row in range(32):
            case.drive = drive[row : row + 1]
            alone = case.sweep(backend="native", on_failure="flag")
            if alone.status.recovered == 0:
                assert torch.equal(alone.output[0], together[row])


def test_counts_are_those_of_the_sweeps_made():
    case = turning(activation="tanh", batch=3)
    case.drive *= 0.3
    most = case.sweep(backend="native", max_sweeps=2**31 - 1).status
    assert most.sweeps == case.sweep(backend="native").status.sweeps
    case.drive[1] = torch.nan
    lost = case.sweep(backend="native", on_failure="flag").status
    assert lost.converged.tolist() == [True, False, True]
    assert lost.sweeps == most.sweeps


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-12, 1e-20, 1e-30])
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_the_smallest_gradients_are_solved_as_well(dtype, scale, backend):
    case = turning(nodes=5000, edges=20000, activation="tanh", dtype=dtype, batch=3)
    case.drive *= 0.3
    assert case.topology.components.sizes.max() > reference.DENSE_LIMIT
    weight = case.weight.clone().requires_grad_(True)
    found = engine.sweep(case.plan, weight, case.drive, case.bias, backend=backend)
    ones = torch.ones_like(found.output)
    large, small = (
        torch.autograd.grad(found.output, weight, size * ones, retain_graph=True)[0]
        for size in (1, scale)
    )
    assert (small / scale - large).abs().max() < 1e-3 * large.abs().max()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    case = turning(activation="tanh", batch=4, dtype=torch.float32)
    case.drive *= 0.3
    exact = case.sweep().output
    weight, drive, bias = (t.to(dtype) for t in (case.weight, case.drive, case.bias))
    weight.requires_grad_(True)
    found = engine.sweep(case.plan, weight, drive, bias)
    assert found.status.converged.all()
    assert (found.output.float() - exact).abs().max() < 0.1
    found.output.float().sum().backward()
    assert weight.grad.isfinite().all()


@pytest.mark.parametrize("activation", ["tanh", "identity", "gelu", "silu"])
def test_equals_the_reference(activation):
    case = turning(activation=[activation, "tanh"], batch=20)
    case.drive *= 0.3
    assert case.sweep(backend="native").status.recovered
    tight = {"tolerance": 1e-12}
    assert_same(solved(case, backend="native", **tight), solved(case, backend="reference", **tight))


def test_impatience_leaves_it_to_the_fallback_chain():
    case = turning(activation="tanh", batch=20)
    case.drive *= 0.3
    patient, impatient = (case.sweep(backend="native", max_sweeps=n) for n in (51, 50))
    assert patient.status.recovered == impatient.status.recovered == 20
    torch.testing.assert_close(patient.output, impatient.output, rtol=0, atol=1e-7)


def test_sweeps_go_on_where_acceleration_takes_longer():
    # Eigenvalues all over a disk: plain sweeps take some 85 sweeps, acceleration 116.
    n = 300
    topology = Topology.erdos_renyi(n, edges=6 * n, seed=0, inputs=range(n), outputs=range(n))
    case = case_on(topology, activation="identity", batch=3)
    generator = torch.Generator().manual_seed(0)
    case.weight[:] = 0.85 / 6**0.5 * torch.randn(6 * n, generator=generator, dtype=torch.float64)
    found = case.sweep(backend="native", tolerance=1e-12, max_sweeps=90)
    assert found.status.converged.all()
    assert found.status.recovered == 0
    assert found.status.sweeps > PATIENCE + 90
    expected = torch.linalg.solve(
        torch.eye(n, dtype=torch.float64) - dense(case), (case.drive + case.bias).T
    ).T
    assert (found.output - expected).abs().max() < 1e-10


def test_what_blows_up_is_accelerated_and_its_neighbours_stay_as_they_were():
    # Squared values: large drives overflow within sweeps, and have no equilibrium.
    case = turning(activation=["squared_relu", "tanh"], batch=40, dtype=torch.float32)
    case.drive *= 0.1
    clean = case.sweep(backend="native", on_failure="flag")
    case.drive[7] = 1e18
    mixed = case.sweep(backend="native", on_failure="flag")
    rest = [i for i in range(40) if i != 7]
    assert clean.status.converged.all()
    assert mixed.status.converged.tolist() == [i != 7 for i in range(40)]
    assert torch.equal(mixed.output[rest], clean.output[rest])


def test_threads_that_share_parts_count_alike(threads):
    # With so many weights that one chunk of doubles is worth a second thread.
    one = turning(activation="tanh", nodes=100, edges=1200)
    parts = 24
    topology = one.topology.union(*[one.topology] * (parts - 1))
    plan = engine.plan(topology, "tanh")
    assert plan.program.groups > 1
    weight, drive = one.weight.repeat(parts), 0.3 * one.drive.repeat(1, parts)
    found = []
    for count in (1, 2, 4):
        threads(count)
        found.append(engine.sweep(plan, weight, drive, backend="native"))
    for other in found[1:]:
        assert torch.equal(other.output, found[0].output)
        assert other.status.recovered == found[0].status.recovered == len(drive)
        assert other.status.sweeps == found[0].status.sweeps
