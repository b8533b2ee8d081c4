"""Graphs in several parts, which threads share where there are few samples: the same bits."""

import gc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nervure import Topology, _core, engine

from .graphs import BOUNDED, assert_same, case_on, fuzzed, solved


def part(nodes, edges, seed, *, acyclic):
    return Topology.erdos_renyi(
        nodes, edges=edges, acyclic=acyclic, seed=seed,
        inputs=range(nodes // 2), outputs=range(nodes // 3, nodes),
    )  # fmt: skip


def parts(count, nodes=40, edges=680, *, acyclic=None, seed=0):
    """Parts side by side; with acyclic=None every other one has cycles."""
    return [
        part(nodes, edges, seed + i, acyclic=i % 2 == 0 if acyclic is None else acyclic)
        for i in range(count)
    ]


def union(members):
    return members[0].union(*members[1:])


def shuffled(topology, seed=0):
    """The same graph with its nodes and its inputs in disorder."""
    rng = np.random.default_rng(seed)
    found = topology.relabelled(rng.permutation(topology.num_nodes).astype(np.int32))
    return found.with_roles(
        inputs=rng.permutation(found.inputs), outputs=rng.permutation(found.outputs)
    )


def isolated(count):
    return Topology.from_edges([], num_nodes=count, inputs=range(count), outputs=range(1, count))


# With so many weights that even one chunk of doubles is worth a second thread.
GRAPHS = {
    "acyclic": lambda: (union(parts(20, acyclic=True)), 1),
    "cyclic": lambda: (union(parts(20, acyclic=False)), 1),
    "both": lambda: (shuffled(union(parts(20))), 1),
    "uneven": lambda: (
        union([isolated(30), *parts(7, 20, 90), *parts(1, 150, 9000), *parts(5), isolated(20)]),
        1,
    ),
    "panels": lambda: (union([Topology.layered([20, 30, 25])] * 12), 1),
    "blocks": lambda: (union([*parts(18, 20, 190, acyclic=True), isolated(9)]), 2),
    "cyclic_blocks": lambda: (shuffled(union([*parts(18, 20, 190), isolated(9)])), 2),
}


def made(kind, **options):
    topology, block = GRAPHS[kind]()
    roles = {
        name: (getattr(topology, name)[:, None] * block + np.arange(block)).reshape(-1)
        for name in ("inputs", "outputs")
    }
    return case_on(topology, block=block, activation=BOUNDED, **roles, **options)


@pytest.mark.parametrize("kind", GRAPHS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [1, 7, 32])
def test_any_number_of_threads_gives_the_same_bits(kind, dtype, batch, threads):
    case = made(kind, dtype=dtype, batch=batch)
    assert case.plan.program.groups > 1
    threads(1)
    expected, status = solved(case, backend="native"), case.sweep(backend="native").status
    for count in (2, 4):
        threads(count)
        for a, b in zip(solved(case, backend="native"), expected, strict=True):
            assert torch.equal(a, b)
        found = case.sweep(backend="native").status
        assert (found.sweeps, found.residual) == (status.sweeps, status.residual)


@pytest.mark.parametrize("kind", GRAPHS)
def test_equals_the_reference(kind, threads):
    threads(2)
    case = made(kind, batch=3)
    tight = {"tolerance": 1e-12}
    assert_same(solved(case, backend="native", **tight), solved(case, backend="reference", **tight))


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("kind", GRAPHS)
def test_a_sample_does_not_see_how_its_batch_is_shared(kind, threads):
    threads(2)
    case = made(kind, dtype=torch.float32, batch=70)
    output, _, drive, _ = solved(case, backend="native")
    case.drive = case.drive[60:]
    found = solved(case, backend="native")
    assert torch.equal(found[0], output[60:])
    assert torch.equal(found[2], drive[60:])


@st.composite
def several(draw):
    """Up to six small graphs side by side in disorder."""
    pairs, nodes = [], 0
    for size in draw(st.lists(st.integers(1, 5), min_size=2, max_size=6)):
        node = st.integers(nodes, nodes + size - 1)
        pairs += draw(st.lists(st.tuples(node, node), max_size=2 * size))
        nodes += size
    number = draw(st.permutations(range(nodes)))
    edges = {(number[a], number[b]) for a, b in pairs if a != b}
    return Topology.from_edges(sorted(edges), num_nodes=nodes)


@given(topology=several(), double=st.booleans(), seed=st.integers(0, 99))
@fuzzed(40)
def test_random_parts_in_blocks(topology, double, seed):
    """Blocks large enough for several threads to be used."""
    block, dtype = 40, torch.float64 if double else torch.float32
    every = np.arange(topology.num_nodes * block)
    case = case_on(
        topology, block=block, activation="tanh", inputs=every, outputs=every[::-1], batch=3,
        dtype=dtype, seed=seed, gain=0.3,
    )  # fmt: skip
    before = torch.get_num_threads()
    tight = {"tolerance": 1e-12 if double else 1e-6}
    try:
        torch.set_num_threads(1)
        expected = solved(case, backend="native", **tight)
        torch.set_num_threads(3)
        found = solved(case, backend="native", **tight)
    finally:
        torch.set_num_threads(before)
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)
    assert_same(found, solved(case, backend="reference", **tight), dtype)


def diverging(*, amid):
    """Relu rings of loop gain 1.2, which diverge where they are driven up, among other parts."""
    ring = Topology.from_edges([(0, 1), (1, 0)], inputs=[0, 1], outputs=[0, 1])
    members = [ring]
    for other in amid:
        members += [other, ring]
    topology = union(members)
    case = case_on(topology, activation="relu", batch=20, dtype=torch.float32, gain=0.3)
    in_ring = torch.from_numpy((topology.in_degree == 1) & (topology.out_degree == 1))
    case.bias[in_ring] = 0.0
    both = torch.from_numpy(topology.targets.astype(np.int64))
    case.weight[in_ring[both]] = 1.2**0.5
    columns = in_ring[torch.from_numpy(topology.inputs.astype(np.int64))].nonzero()[:, 0]
    case.drive[:, columns] = -case.drive[:, columns].abs()
    return case, columns


def report(case, threads):
    """State and per-sample report of the core's own sweeps, nothing mended."""
    program, batch = case.plan.program, len(case.drive)
    made = {
        "state": torch.empty(1, program.nodes, 32),
        "delta": torch.empty(1, program.nodes, 32),
        "output": torch.empty(batch, case.plan.num_outputs),
        "grad": torch.empty(batch, case.plan.num_inputs),
        "residual": torch.empty(2, batch),
        "sweeps": torch.empty(2, batch, dtype=torch.int32),
        "failed": torch.empty(2, batch, dtype=torch.int32),
        "recovered": torch.empty(2, batch, dtype=torch.uint8),
    }
    at = {name: value.data_ptr() for name, value in made.items()}
    inputs = [t.data_ptr() for t in (case.drive, case.weight, case.bias)]
    ones = torch.ones(batch, case.plan.num_outputs)
    told = ("residual", "sweeps", "failed", "recovered")
    common = (1e-4, 200, 0.01, threads)
    program.forward32(
        batch, *inputs, at["state"], 0, at["output"],
        *(made[name][0].data_ptr() for name in told), *common,
    )  # fmt: skip
    program.adjoint32(
        batch, ones.data_ptr(), inputs[1], at["state"], 0, 0, at["delta"], at["grad"],
        *(made[name][1].data_ptr() for name in told), *common,
    )  # fmt: skip
    return made


def test_a_sample_lost_in_one_part():
    case, columns = diverging(amid=parts(24, 30, 330, acyclic=False))
    clean = report(case, 1)
    assert (clean["failed"] == -1).all()
    # Sample 3 is lost in one ring, sample 11 in two.
    case.drive[3, columns[20:22]] = 1.0
    case.drive[11, columns[[40, 41, 8, 9]]] = 1.0
    expected = report(case, 1)
    for threads in (2, 4):
        for name, value in report(case, threads).items():
            assert torch.equal(value, expected[name]), name
    lost = expected["failed"][0]
    assert (lost >= 0).nonzero()[:, 0].tolist() == [3, 11]
    labels = case.topology.components.labels
    ring = [labels[case.topology.inputs[c]] for c in columns.tolist()]
    assert lost[[3, 11]].tolist() == [ring[20], min(ring[8], ring[40])]
    rest = [i for i in range(20) if i not in (3, 11)]
    assert torch.equal(expected["output"][rest], clean["output"][rest])
    # What lies in other groups is solved for lost samples too.
    assert torch.equal(expected["output"][3, -20:], clean["output"][3, -20:])


def test_lost_samples_are_flagged_alike(threads):
    case, columns = diverging(amid=parts(24, 30, 330, acyclic=False))
    case.drive[3, columns[20:22]] = 1.0
    found = []
    for count in (1, 2, 4):
        threads(count)
        case.weight.grad = None
        case.weight.requires_grad_(True)
        result = case.sweep(on_failure="flag", max_sweeps=60)
        result.output.sum().backward()
        found.append((result, case.weight.grad))
    (first, gradient), *others = found
    assert (~first.status.converged).nonzero()[:, 0].tolist() == [3]
    for result, other in others:
        assert torch.equal(result.output, first.output)
        assert torch.equal(other, gradient)
        assert torch.equal(result.status.converged, first.status.converged)
        assert result.status.sweeps == first.status.sweeps
        assert result.status.residual == first.status.residual


def groups(topology):
    return engine.plan(topology, "tanh").program.groups


def test_groups_are_of_parts_with_edges():
    layers = Topology.layered([4, 5, 3])
    assert groups(isolated(9)) == 1
    assert groups(layers) == 1
    assert groups(layers.union(isolated(3))) == 1
    assert groups(layers.union(layers)) == 2
    assert groups(union([layers] * 5)) == 5
    assert groups(union([layers] * 100)) == 16
    assert groups(shuffled(union([Topology.complete(4)] * 10))) == 10
    assert groups(Topology.from_edges([(1, 0), (3, 2), (2, 0)])) == 1
    assert groups(Topology.from_edges([(0, 3), (1, 4), (2, 3), (2, 4)])) == 1


@pytest.mark.parametrize("kind", ["acyclic", "both"])
def test_steady_sweeps_allocate_nothing(kind, threads):
    threads(2)
    gc.collect()
    _core.empty_cache()
    case = made(kind, dtype=torch.float32, batch=32)
    solved(case, backend="native")
    warm = _core.cache_statistics()[0]
    for _ in range(5):
        solved(case, backend="native")
    assert _core.cache_statistics()[0] == warm
