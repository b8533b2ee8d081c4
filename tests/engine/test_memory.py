"""Memory: none asked for in steady state, all of it given back, little of it per edge."""

import gc

import numpy as np
import pytest
import torch

from nervure import GraphLayer, Topology, _core, engine


def layers():
    return {
        "acyclic": lambda: GraphLayer(Topology.layered([128, 512, 512, 64]), backend="native"),
        "cyclic": lambda: GraphLayer(
            Topology.erdos_renyi(600, edges=70_000, seed=0, inputs=range(128), outputs=range(64)),
            activation="tanh",
        ),
        "dense": lambda: GraphLayer(
            Topology.erdos_renyi(500, edges=9000, seed=0, inputs=range(128), outputs=range(64)),
            activation="tanh", storage="dense",
        ),
        "slopes": lambda: GraphLayer(
            Topology.layered([128, 512, 512, 64]), activation="gelu", backend="native"
        ),
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_left_over():
    gc.collect()
    _core.empty_cache()


def train(layer, steps, drive):
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-4)
    for _ in range(steps):
        optimizer.zero_grad()
        layer(drive).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("kind", layers())
def test_steady_training_allocates_nothing(kind):
    torch.manual_seed(0)
    layer, drive = layers()[kind](), torch.randn(128, 128)
    start = _core.cache_statistics()[0]
    train(layer, 5, drive)
    warm = _core.cache_statistics()[0]
    assert warm > start  # or the pool is not what is tested here
    train(layer, 15, drive)
    assert _core.cache_statistics()[0] == warm


@pytest.mark.parametrize("kind", layers())
def test_bytes_come_back(kind):
    before = _core.cache_statistics()[1]
    layer, drive = layers()[kind](), torch.randn(128, 128)
    train(layer, 2, drive)
    loss = layer(drive).sum()
    held = _core.cache_statistics()[1]
    assert held > before
    del loss, layer
    gc.collect()
    _, in_use, cached = _core.cache_statistics()
    assert in_use == before
    assert cached > 0
    _core.empty_cache()
    assert _core.cache_statistics()[1:] == (before, 0)


def test_buffers_in_use_survive_emptying_the_cache():
    held = torch.from_numpy(_core.empty32(1 << 20)).fill_(3.0)
    _core.empty_cache()
    other = torch.from_numpy(_core.empty32(1 << 20)).fill_(4.0)
    assert (held == 3).all()
    assert (other == 4).all()


def test_the_cache_keeps_no_more_than_twice_what_was_once_in_use():
    peak = 0
    for size in (1, 3, 2, 5, 4):
        buffer = _core.empty64(size << 18)
        peak = max(peak, _core.cache_statistics()[1])
        del buffer
        assert _core.cache_statistics()[2] <= 2 * peak


def test_buffers_are_aligned_and_of_any_size():
    for count in (0, 1, 1023, 1 << 19, (1 << 19) + 1):
        for make, itemsize in ((_core.empty32, 4), (_core.empty64, 8)):
            buffer = make(count)
            assert buffer.shape == (count,)
            assert buffer.nbytes == count * itemsize
            assert buffer.ctypes.data % 64 == 0


@pytest.mark.parametrize("kind", layers())
def test_what_a_buffer_held_before_does_not_matter(kind):
    """Lanes past the end of the batch are memory too."""
    torch.manual_seed(0)
    layer, drive = layers()[kind](), torch.randn(97, 128)
    layer(drive).sum().backward()
    expected = [p.grad.clone() for p in layer.parameters()]
    sizes = [p.numel() for p in layer.parameters()]
    sizes += [4 * layer.plan.nodes * 32] * 4
    layer.zero_grad()
    gc.collect()
    buffers = [_core.empty32(size) for size in sizes * 2]
    for buffer in buffers:
        buffer.fill(np.nan)
    del buffers, buffer
    layer(drive).sum().backward()
    for parameter, gradient in zip(layer.parameters(), expected, strict=True):
        assert torch.equal(parameter.grad, gradient)


def plan_of(edges, *, acyclic):
    topology = Topology.erdos_renyi(1000, edges=edges, acyclic=acyclic, seed=0)
    return engine.plan(topology, "tanh")


def test_plans_without_cycles_take_no_bytes_per_edge():
    few, many = plan_of(5_000, acyclic=True), plan_of(100_000, acyclic=True)
    assert many.nbytes <= few.nbytes
    assert few.nbytes <= 100 * few.nodes


def test_plans_with_cycles_take_eight_bytes_per_edge():
    few, many = plan_of(20_000, acyclic=False), plan_of(100_000, acyclic=False)
    assert (many.nbytes - few.nbytes) / 80_000 == pytest.approx(8, rel=0.01)
