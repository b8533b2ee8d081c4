"""Numbers at the edge, empty batches, odd layouts, many threads, forked children."""

import multiprocessing
import os
import pickle
import threading

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from nervure import GraphLayer, Topology, engine
from nervure.errors import ConvergenceError

from .graphs import BOUNDED, MIXED, assert_same, case_on, make_case, solved

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
# Python's own doubts about fork, from 3.12 on
may_fork = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
TOPOLOGY = Topology.layered([10, 14, 9, 4])


def spoil(case, where, value):
    tensor = getattr(case, where)
    tensor.view(-1)[len(tensor.view(-1)) // 3] = value
    return case


# -- what is not finite ---------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["drive", "weight", "bias"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("activation", MIXED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_acyclic_graphs_have_nan_where_the_reference_has(where, value, activation, dtype):
    if activation == "gelu" and abs(value) == float("inf"):
        pytest.skip("torch's own gelu of infinity is inf or NaN by the kernel it takes")
    case = case_on(TOPOLOGY, activation=activation, batch=37, dtype=dtype)
    spoil(case, where, value)
    native, reference = (case.sweep(backend=backend) for backend in ("native", "reference"))
    assert torch.equal(native.values.isnan(), reference.values.isnan())
    assert torch.equal(native.values.isinf(), reference.values.isinf())
    torch.testing.assert_close(
        native.values, reference.values, equal_nan=True, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("block", [1, 3])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_spoiled_sample_leaves_the_gradients_of_the_others_alone(block, value):
    case = case_on(TOPOLOGY, block=block, batch=37)
    clean = solved(case, backend="native")
    case.drive[5] = value
    found = solved(case, backend="native")
    rest = [i for i in range(37) if i != 5]
    assert torch.equal(found[0][rest], clean[0][rest])
    assert torch.equal(found[2][rest], clean[2][rest])
    assert not found[0][5].isfinite().all()
    assert not found[1].isfinite().all()  # a sum over all samples


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("where", ["drive", "weight", "bias"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("activation", ["identity", "relu"])
@pytest.mark.parametrize("block", [1, 2])
def test_cycles_say_that_there_is_no_equilibrium(backend, where, value, activation, block):
    case = case_on(Topology.complete(10), block=block, activation=activation, gain=0.3)
    with pytest.raises(ConvergenceError, match=r"equilibrium|converge"):
        spoil(case, where, value).sweep(backend=backend)


def test_cycles_say_which_samples_have_no_equilibrium():
    case = case_on(Topology.complete(12), activation=BOUNDED, batch=40)
    clean = case.sweep().output
    case.drive[[3, 33]] = torch.nan
    found = case.sweep(on_failure="flag")
    assert (~found.status.converged).nonzero()[:, 0].tolist() == [3, 33]
    assert torch.equal(found.output[found.status.converged], clean[found.status.converged])


def test_a_gradient_of_nan_is_refused_on_cycles():
    case = case_on(Topology.complete(8), activation="tanh")
    case.weight.requires_grad_(True)
    with pytest.raises(ConvergenceError, match="adjoint"):
        (case.sweep().output * torch.nan).sum().backward()


@pytest.mark.parametrize("acyclic", [True, False])
@pytest.mark.parametrize("where", ["drive", "weight", "both"])
@pytest.mark.parametrize("block", [1, 2])
def test_denormal_numbers(acyclic, where, block):
    topology = TOPOLOGY if acyclic else Topology.complete(10)
    for dtype, tiny, close in ((torch.float32, 1e-41, 1e-37), (torch.float64, 1e-310, 1e-306)):
        case = case_on(topology, block=block, activation="identity", dtype=dtype)
        case.bias.zero_()
        for name in ("drive", "weight") if where == "both" else (where,):
            getattr(case, name).mul_(tiny)
        tight = {"tolerance": 1e-6 if dtype == torch.float32 else 1e-12}
        for found, expected in zip(
            solved(case, backend="native", **tight),
            solved(case, backend="reference", **tight),
            strict=True,
        ):
            # What is not small itself, gradients of large weights for one, is compared as ever.
            if expected.abs().max() > close:
                assert_same((found,), (expected,), dtype)
            else:
                assert (found - expected).abs().max() <= close


def test_denormal_numbers_remain_elsewhere():
    """Sweeps take them as zero; the thread that called them must not go on doing so."""
    case = case_on(TOPOLOGY)
    solved(case, backend="native")
    assert (torch.full((9,), 1e-310, dtype=torch.float64) * 0.5 > 0).all()
    assert np.float64(1e-310) * 0.5 > 0


# -- empty batches, odd layouts -------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["native", "reference", "dense", "csr"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_empty_batches(backend, activation):
    case = case_on(TOPOLOGY, activation=activation, batch=0, dtype=torch.float32)
    output, weight, drive, bias = solved(case, backend=backend)
    assert output.shape == (0, 4)
    assert drive.shape == (0, 10)
    assert torch.equal(weight, torch.zeros_like(case.weight))
    assert torch.equal(bias, torch.zeros_like(case.bias))


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("block", [1, 3])
def test_empty_batches_of_cycles(backend, block):
    case = case_on(Topology.complete(9), block=block, batch=0)
    output, weight, _, bias = solved(case, backend=backend)
    assert output.shape == (0, 9 * block)
    assert torch.equal(weight, torch.zeros_like(case.weight))
    assert torch.equal(bias, torch.zeros_like(case.bias))
    assert case.sweep(backend=backend).status.converged.shape == (0,)


@pytest.mark.parametrize("storage", ["sparse", "dense"])
def test_empty_batches_of_layers(storage):
    layer = GraphLayer(TOPOLOGY, storage=storage)
    layer(torch.zeros(3, 0, 10)).sum().backward()
    assert all((p.grad == 0).all() for p in layer.parameters())


LAYOUTS = {
    "transposed": lambda x: x.T.contiguous().T,
    "strided": lambda x: torch.stack([x, -x], -1)[..., 0],
    "offset": lambda x: torch.cat([x.new_zeros(3), x.reshape(-1)])[3:].view(x.shape),
    "expanded": lambda x: x[:1].expand_as(x),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("backend", ["native", "reference", "dense", "csr"])
def test_layouts_of_arguments(layout, backend):
    case = case_on(TOPOLOGY)
    if layout == "expanded":
        case.drive = case.drive[:1].repeat(5, 1)
    expected = solved(case, backend=backend)
    case.drive = LAYOUTS[layout](case.drive)
    if layout in ("strided", "offset"):
        case.weight, case.bias = LAYOUTS[layout](case.weight), LAYOUTS[layout](case.bias)
    for found, same in zip(solved(case, backend=backend), expected, strict=True):
        assert torch.equal(found, same)


@pytest.mark.parametrize("storage", ["sparse", "dense"])
@pytest.mark.parametrize("acyclic", [True, False])
def test_layouts_of_a_layer(storage, acyclic):
    topology = TOPOLOGY if acyclic else Topology.complete(10)
    layer = GraphLayer(topology, activation="tanh", storage=storage)
    drive, direction = torch.randn(2, 3, 10), torch.randn(2, 3, len(topology.outputs))
    expected = layer(drive)
    expected.backward(direction)
    gradient = layer.weight.grad.clone()
    layer.weight = torch.nn.Parameter(LAYOUTS["strided"](layer.weight.detach()))
    assert not layer.weight.is_contiguous()
    found = layer(LAYOUTS["strided"](drive))
    assert torch.equal(found, expected)
    # A gradient that comes in with strides.
    found.backward(LAYOUTS["strided"](direction))
    assert torch.equal(layer.weight.grad, gradient)


# -- threads and processes ------------------------------------------------------------------------


def two_layers():
    generator = torch.Generator().manual_seed(0)
    graphs = (
        Topology.layered([64, 90, 70, 30]),
        Topology.erdos_renyi(200, edges=7000, seed=0, inputs=range(64), outputs=range(30)),
    )
    return [GraphLayer(t, activation="tanh", generator=generator) for t in graphs]


def step(layer, drive):
    """Output and gradients, without writing into the layer."""
    output = layer(drive)
    return output.detach(), *torch.autograd.grad(output.square().sum(), list(layer.parameters()))


@pytest.mark.parametrize("count", [1, 2])
def test_several_python_threads_with_layers_of_their_own(count, threads):
    threads(count)
    drive = torch.randn(128, 64)
    layers = two_layers() * 2  # two threads share each layer
    expected = [step(layer, drive) for layer in layers]
    wrong, done = [], []

    def work(layer, known):
        torch.set_num_threads(count)
        for _ in range(15):
            if not all(map(torch.equal, step(layer, drive), known)):
                wrong.append(layer)
        done.append(layer)

    workers = [
        threading.Thread(target=work, args=pair) for pair in zip(layers, expected, strict=True)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert len(done) == 4
    assert not wrong


def step_in_child(layers, drive, queue):
    queue.put([[t.numpy() for t in step(layer, drive)] for layer in layers])


def run_forked(target, *args):
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=target, args=(*args, queue))
    child.start()
    waited = threading.Thread(target=lambda: setattr(child, "answer", queue.get()), daemon=True)
    waited.start()
    waited.join(60)
    if waited.is_alive():
        child.kill()
        pytest.fail("the forked child hangs or has died")
    child.join(60)
    assert child.exitcode == 0
    return child.answer


@needs_fork
@may_fork
@pytest.mark.parametrize("count", [1, 2])
def test_forked_children_sweep_and_differentiate(count, threads):
    """The parent's threads do not exist in a child; it must not wait for them."""
    threads(count)
    layers, drive = two_layers(), torch.randn(128, 64)
    expected = [step(layer, drive) for layer in layers]
    found = run_forked(step_in_child, layers, drive)
    for answer, known in zip(found, expected, strict=True):
        for a, b in zip(answer, known, strict=True):
            np.testing.assert_array_equal(a, b.numpy())
    # The parent goes on as if nothing had been.
    for layer, known in zip(layers, expected, strict=True):
        assert all(map(torch.equal, step(layer, drive), known))


@needs_fork
@may_fork
def test_a_fork_in_the_middle_of_another_thread_s_work(threads):
    """Wherever the other threads are, inside the store of buffers too, the child can go on."""
    threads(1)
    layer, drive = two_layers()[0], torch.randn(1, 64)
    expected = step(layer, drive)
    stop = threading.Event()

    def work():
        own = two_layers()[0]
        while not stop.is_set():
            own(drive)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(20):
            (answer,) = run_forked(step_in_child, [layer], drive)
            for a, b in zip(answer, expected, strict=True):
                np.testing.assert_array_equal(a, b.numpy())
    finally:
        stop.set()
        for worker in workers:
            worker.join(60)


class Encoded(Dataset):
    """A data set whose samples come out of a graph."""

    def __init__(self):
        self.layers = two_layers()
        self.drive = torch.randn(12, 3, 64, generator=torch.Generator().manual_seed(1))

    def __len__(self):
        return len(self.drive)

    def __getitem__(self, index):
        with torch.no_grad():
            return self.layers[index % 2](self.drive[index])


@needs_fork
@may_fork
def test_data_loader_workers_can_sweep(threads):
    threads(2)
    data = Encoded()
    expected = torch.stack([data[i] for i in range(len(data))])
    loader = DataLoader(
        data, batch_size=4, num_workers=2, multiprocessing_context="fork", timeout=60
    )
    assert torch.equal(torch.cat(list(loader)), expected)


def test_a_pickled_plan_runs_like_the_first():
    """A spawned worker gets the layer as a pickle: the plan is built anew from its wiring."""
    case = make_case()
    copy = pickle.loads(pickle.dumps(case.plan))
    assert copy is not case.plan
    found = engine.sweep(copy, case.weight, case.drive, case.bias).output
    assert torch.equal(found, case.sweep().output)
