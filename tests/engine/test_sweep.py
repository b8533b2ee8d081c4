"""Forward sweeps against unrolled torch, SciPy and each other."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import root

from nervure import Topology, engine
from nervure.engine.activations import NAMES

from .graphs import BOUNDED, MIXED, fuzzed, make_case, unrolled


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("activation", [*NAMES, MIXED])
@pytest.mark.parametrize("acyclic", [True, False])
def test_equals_the_unrolled_loop(backend, activation, acyclic):
    case = make_case(acyclic=acyclic, activation=activation, gain=0.4)
    found = case.sweep(backend=backend, tolerance=1e-12)
    expected = unrolled(case, case.weight, case.drive, case.bias)
    torch.testing.assert_close(found.output, expected, rtol=1e-9, atol=1e-9)
    assert found.status.converged.all()
    assert (found.status.sweeps == 0) == case.topology.is_acyclic


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [0, 1, 15, 16, 17, 31, 32, 33, 100])
def test_backends_agree_on_any_batch(dtype, batch):
    case = make_case(nodes=60, edges=400, activation=MIXED, batch=batch, dtype=dtype, gain=0.4)
    tight = 1e-6 if dtype == torch.float32 else 1e-12
    native = case.sweep(backend="native", tolerance=tight)
    reference = case.sweep(backend="reference", tolerance=tight)
    close = {"rtol": 2e-5, "atol": 2e-5} if dtype == torch.float32 else {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(native.output, reference.output, **close)
    torch.testing.assert_close(native.values, reference.values, **close)


@given(seed=st.integers(0, 10**6), nodes=st.integers(2, 30), share=st.floats(0.0, 0.6))
@fuzzed(40)
def test_backends_agree_on_random_graphs(seed, nodes, share):
    edges = int(share * nodes * (nodes - 1))
    case = make_case(nodes=nodes, edges=edges, seed=seed, activation=BOUNDED, gain=0.3)
    native = case.sweep(backend="native", tolerance=1e-11)
    reference = case.sweep(backend="reference", tolerance=1e-11)
    torch.testing.assert_close(native.output, reference.output, rtol=1e-8, atol=1e-8)


def test_scipy_finds_the_same_equilibrium():
    case = make_case(nodes=8, edges=30, batch=3, gain=0.8, roles=False)
    dense = np.zeros((8, 8))
    dense[case.topology.targets, case.topology.sources] = case.weight.numpy()
    found = case.sweep(tolerance=1e-12).output.numpy()
    for row in range(3):
        u = case.drive[row].numpy() + case.bias.numpy()
        solution = root(lambda a, u=u: np.tanh(u + dense @ a) - a, np.zeros(8), tol=1e-13)
        np.testing.assert_allclose(found[row], solution.x, atol=1e-9)


@given(seed=st.integers(0, 1000))
@fuzzed(20)
def test_numbering_of_the_nodes_does_not_matter(seed):
    case = make_case(seed=seed)
    permutation = np.random.default_rng(seed).permutation(12).astype(np.int32)
    other = case.topology.relabelled(permutation)
    old = {tuple(e): k for k, e in enumerate(case.topology.edges.tolist())}
    inverse = np.argsort(permutation)
    order = [old[(inverse[s], inverse[t])] for s, t in other.edges.tolist()]
    moved = engine.sweep(
        engine.plan(other, "tanh"),
        case.weight[order],
        case.drive,
        case.bias[torch.from_numpy(inverse)],
        tolerance=1e-12,
    )
    torch.testing.assert_close(moved.output, case.sweep(tolerance=1e-12).output, rtol=0, atol=1e-9)


def test_a_sample_does_not_see_its_batch():
    case = make_case(nodes=40, edges=200, batch=50, dtype=torch.float32, gain=1.0)
    together = case.sweep().output
    alone = [
        engine.sweep(case.plan, case.weight, case.drive[i : i + 1], case.bias).output
        for i in range(50)
    ]
    assert torch.equal(together, torch.cat(alone))


def test_bits_do_not_depend_on_run_or_threads():
    case = make_case(nodes=300, edges=4000, batch=200, dtype=torch.float32)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 2):
            torch.set_num_threads(threads)
            case.weight.requires_grad_(True)
            output = case.sweep().output
            (gradient,) = torch.autograd.grad(output.square().sum(), case.weight)
            results.append((output.detach(), gradient))
    finally:
        torch.set_num_threads(before)
    for output, gradient in results[1:]:
        assert torch.equal(output, results[0][0])
        assert torch.equal(gradient, results[0][1])


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_residual_reported_is_the_true_one(backend):
    case = make_case(nodes=30, edges=150, gain=1.0, batch=20, roles=False)
    found = case.sweep(backend=backend, tolerance=1e-5)
    a = found.values
    dense = torch.zeros(30, 30, dtype=torch.float64)
    dense[case.topology.targets.copy(), case.topology.sources.copy()] = case.weight
    image = torch.tanh(
        case.drive[:, np.argsort(case.topology.inputs).copy()] + case.bias + a @ dense.T
    )
    true = (image - a).abs().max().item()
    assert true <= 1e-5 * (1 + 1e-9)
    assert found.status.residual == pytest.approx(true, rel=1e-6, abs=1e-12)


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu", "silu"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_native_activations_over_their_range(name, dtype):
    x = torch.cat([torch.linspace(-30, 30, 4001), torch.linspace(-0.01, 0.01, 501)]).to(dtype)
    plan = engine.plan(Topology.from_edges([], num_nodes=1, inputs=[0], outputs=[0]), name)
    found = engine.sweep(plan, x.new_empty(0), x[:, None], backend="native").output[:, 0]
    exact = engine.ACTIVATIONS[NAMES.index(name)].value(x.double(), 0.01)
    single, double = {"rtol": 3e-7, "atol": 4e-7}, {"rtol": 1e-14, "atol": 2e-15}
    bound = single if dtype == torch.float32 else double
    if dtype == torch.float32 and name == "gelu":
        bound["atol"] = 3e-6  # |x| times the 1.5e-7 of the error function
    torch.testing.assert_close(found.double(), exact, **bound)


@pytest.mark.parametrize("name", NAMES)
def test_native_activations_at_the_extremes(name):
    plan = engine.plan(Topology.from_edges([], num_nodes=1, inputs=[0], outputs=[0]), name)
    x = torch.tensor([[0.0], [-0.0], [1e30], [-1e30], [float("nan")], [1e-40]])
    found = engine.sweep(plan, x.new_empty(0), x).output
    expected = engine.ACTIVATIONS[NAMES.index(name)].value(x, 0.01)
    # 1e-38: below the smallest normal number, where the native exp stops.
    torch.testing.assert_close(found, expected, equal_nan=True, rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_degenerate_graphs(backend):
    for topology in (
        Topology.from_edges([], num_nodes=0, inputs=[], outputs=[]),
        Topology.from_edges([], num_nodes=3, inputs=[0, 1, 2], outputs=[2]),
    ):
        plan = engine.plan(topology, "relu")
        drive = torch.ones(4, len(topology.inputs))
        output = engine.sweep(plan, torch.empty(0), drive, backend=backend).output
        assert output.shape == (4, len(topology.outputs))
        assert (output == 1).all()


def test_layouts_of_the_arguments_do_not_matter():
    case = make_case(batch=6)
    transposed = case.drive.T.contiguous().T
    strided = torch.stack([case.weight, case.weight], 1)[:, 0]
    assert not transposed.is_contiguous()
    assert not strided.is_contiguous()
    other = engine.sweep(case.plan, strided, transposed, case.bias)
    assert torch.equal(other.output, case.sweep().output)


def test_plans_of_equal_topologies_are_shared():
    first, second = (Topology.from_edges([(0, 1), (1, 2)]) for _ in range(2))
    assert engine.plan(first, "tanh") is engine.plan(second, "tanh")
    assert engine.plan(first, "tanh") is not engine.plan(first, "relu")
    assert engine.plan(first).is_acyclic
    assert engine.plan(first).nbytes > 0


def test_the_status_is_where_the_batch_is():
    # What a backend that always converges leaves unsaid.
    stats = engine.native.Stats(0, 0.0, 0, 0, 0)
    assert engine.sweeping.status_of(stats, None, 3, torch.device("meta")).converged.is_meta
