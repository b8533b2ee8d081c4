"""The same bits from run to run, for any number of threads, in any batch."""

import pytest
import torch

from nervure import Topology

from .graphs import BOUNDED, Case, case_on, solved, turning


def make(kind, dtype=torch.float32, batch=128):
    """Graphs large enough for two threads to be used."""
    if kind.startswith("turning"):
        block = 3 if kind == "turning_blocks" else 1
        return turning(
            nodes=150 // block, edges=900, block=block, dtype=dtype, batch=batch, activation="tanh"
        )
    roles = {"inputs": range(40), "outputs": range(30, 60)}
    topology, block = {
        "edges": lambda: (Topology.erdos_renyi(250, edges=7000, acyclic=True, seed=1), 1),
        "cycles": lambda: (Topology.erdos_renyi(250, edges=7000, seed=1), 1),
        "panels": lambda: (Topology.layered([64, 90, 70, 30]), 1),
        "cyclic_panels": lambda: (Topology.complete(90), 1),
        "blocks": lambda: (Topology.erdos_renyi(50, edges=800, acyclic=True, seed=1), 3),
        "cyclic_blocks": lambda: (Topology.erdos_renyi(50, edges=800, seed=1), 4),
    }[kind]()
    return case_on(topology, block=block, dtype=dtype, batch=batch, activation=BOUNDED, **roles)


KINDS = [
    "edges",
    "cycles",
    "panels",
    "cyclic_panels",
    "blocks",
    "cyclic_blocks",
    "turning",
    "turning_blocks",
]


def assert_equal_bits(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
# 20 samples are one chunk, which two threads split.
@pytest.mark.parametrize("batch", [16, 20, 128])
def test_runs_and_threads_give_the_same_bits(kind, dtype, batch, threads):
    case = make(kind, dtype, batch)
    threads(1)
    expected = solved(case, backend="native")
    for count in (1, 2, 2, 3):
        threads(count)
        assert_equal_bits(solved(case, backend="native"), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_sample_does_not_see_its_batch(kind, dtype, threads):
    case = make(kind, dtype)
    threads(2)
    output, _, drive, _ = solved(case, backend="native")
    for batch in (1, 7, 32, 33):
        for first in (0, 128 - batch):
            part = slice(first, first + batch)
            some = Case(
                case.topology, case.plan, case.weight, case.bias, case.drive[part], case.activation
            )
            found = solved(some, backend="native")
            assert torch.equal(found[0], output[part])
            assert torch.equal(found[2], drive[part])


@pytest.mark.parametrize("kind", KINDS)
def test_another_sample_changes_no_bits_of_the_rest(kind):
    case = make(kind, batch=40)
    output, _, drive, _ = solved(case, backend="native")
    case.drive[5] *= 3
    moved = solved(case, backend="native")
    rest = [i for i in range(40) if i != 5]
    assert torch.equal(moved[0][rest], output[rest])
    assert torch.equal(moved[2][rest], drive[rest])
    assert not torch.equal(moved[0][5], output[5])
