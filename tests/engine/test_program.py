"""The program behind a plan: whatever arrays it is given, it refuses them or runs on them."""

from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nervure import Topology, _core, engine
from nervure.errors import EngineError

from .graphs import fuzzed

EXTREME = st.sampled_from([-(2**31), -1, 0, 1, 7, 8, 9, 2**31 - 1])
INTS = st.lists(st.integers(-2, 9) | EXTREME, max_size=9)
BLOCKS = st.integers(-1, 4) | EXTREME


def ints(values):
    return np.array(values, dtype=np.int32)


def program(indptr, sources, inputs, outputs, activation, block=1):
    return _core.Program(*map(ints, (indptr, sources, inputs, outputs, activation)), block, True)


@st.composite
def nearly_valid(draw):
    """Arrays of a program, with up to two damages."""
    blocks, block = draw(st.integers(0, 5)), draw(st.integers(1, 3))
    lists = [
        draw(st.lists(st.sampled_from(range(blocks)), unique=True, max_size=blocks).map(sorted))
        for _ in range(blocks)
    ]
    nodes = blocks * block
    role = st.permutations(range(nodes)).map(lambda order: list(order)[: (nodes + 1) // 2])
    arrays = [
        np.cumsum([0, *map(len, lists)]).tolist(),
        list(chain(*lists)),
        draw(role),
        draw(role),
        draw(st.lists(st.integers(0, 7), min_size=nodes, max_size=nodes)),
    ]
    for _ in range(draw(st.integers(0, 2))):
        array = arrays[draw(st.integers(0, 4))]
        at = draw(st.integers(0, max(0, len(array) - 1)))
        kind = draw(st.sampled_from(["replace", "insert", "remove", "repeat"]))
        if kind == "insert" or not array:
            array.insert(at, draw(EXTREME))
        elif kind == "replace":
            array[at] = draw(st.integers(-1, 9) | EXTREME)
        elif kind == "repeat":
            array.insert(at, array[at])
        else:
            array.pop(at)
    return arrays, block


def run(found, arrays, dtype):
    """Run all that a program has on memory of exactly the sizes it names."""
    batch, lanes = 3, 32 if dtype == torch.float32 else 16
    name = "32" if dtype == torch.float32 else "64"
    inputs, outputs = len(arrays[2]), len(arrays[3])
    made = {
        "drive": torch.ones(batch, inputs, dtype=dtype),
        "weight": torch.full((found.weights,), 0.01, dtype=dtype),
        "bias": torch.zeros(found.nodes, dtype=dtype),
        "sweeps": torch.empty(batch, dtype=torch.int32),
        "failed": torch.empty(batch, dtype=torch.int32),
        "recovered": torch.empty(batch, dtype=torch.uint8),
    }
    # NaN in what is to be written shows what is read before.
    for key, shape in {
        "state": (found.nodes, lanes),
        "slope": (found.nodes, lanes),
        "delta": (found.nodes, lanes),
        "output": (batch, outputs),
        "residual": (batch,),
        "grad": (batch, inputs),
        "grad_weight": (found.weights,),
        "grad_bias": (found.nodes,),
    }.items():
        made[key] = torch.full(shape, torch.nan, dtype=dtype)

    def at(*names):
        return [made[n].data_ptr() for n in names]

    report, solver = at("residual", "sweeps", "failed", "recovered"), (1e-4, 100, 0.01, 1)
    getattr(found, "forward" + name)(
        batch, *at("drive", "weight", "bias", "state", "slope", "output"), *report, *solver
    )
    getattr(found, "adjoint" + name)(
        batch, *at("output", "weight", "state", "slope"), 0, *at("delta", "grad"), *report, *solver
    )
    getattr(found, "edge_gradient" + name)(1, *at("state", "delta", "grad_weight", "grad_bias"), 1)
    # A topology has no self-loops; a program that is given one reads a value before it is there.
    targets = np.repeat(np.arange(len(arrays[0]) - 1), np.diff(arrays[0]))
    if not (targets == arrays[1]).any():
        for key in ("output", "grad", "grad_weight", "grad_bias"):
            assert made[key].isfinite().all(), key


@given(arrays=st.tuples(INTS, INTS, INTS, INTS, INTS), block=BLOCKS)
@fuzzed(200)
def test_random_arrays_are_refused_or_run(arrays, block):
    try:
        found = program(*arrays, block)
    except ValueError:
        return
    assert block >= 1
    assert found.nodes == (len(arrays[0]) - 1) * block == len(arrays[4])
    run(found, arrays, torch.float32)


@given(damaged=nearly_valid(), double=st.booleans())
@fuzzed(300)
def test_nearly_valid_arrays_are_refused_or_run(damaged, double):
    arrays, block = damaged
    try:
        found = program(*arrays, block)
    except ValueError:
        return
    assert found.weights == len(arrays[1]) * block * block
    assert 0 <= found.shared_edges <= len(arrays[1])
    run(found, arrays, torch.float64 if double else torch.float32)


GOOD = ([0, 0, 1, 3], [0, 0, 1], [0], [2], [4, 4, 4], 1)


@pytest.mark.parametrize(
    ("position", "value", "word"),
    [
        (0, [0, 0, 1], "indptr"),
        (0, [], "at least one"),
        (0, [0, 2, 1, 3], "not fall"),
        (0, [-1, 0, 1, 3], "rise from 0"),
        (1, [0, 0, 3], "outside"),
        (1, [0, 0, -1], "outside"),
        (1, [0, 1, 0], "must rise"),
        (1, [0, 1, 1], "must rise"),
        (1, [0, 1, 2], "itself"),
        (2, [3], "not a node"),
        (2, [-1], "not a node"),
        (3, [2, 2], "twice"),
        (4, [4, 4], "one code per node"),
        (4, [4, 4, 8], "activation code"),
        (4, [4, 4, -1], "activation code"),
        (5, 0, "out of range"),
        (5, -1, "out of range"),
        (5, 2**31 - 1, "out of range"),
        (5, 2, "one code per node"),
    ],
)
def test_what_is_wrong_is_named(position, value, word):
    assert program(*GOOD).nodes == 3
    bad = list(GOOD)
    bad[position] = value
    with pytest.raises(ValueError, match=word):
        program(*bad)


def test_arrays_of_other_types_are_not_converted():
    arrays = list(map(ints, GOOD[:5]))
    for bad in (
        arrays[1].astype(np.int64), arrays[1].astype(np.float32), arrays[1][None], [0, 0, 1],
        np.repeat(arrays[1], 2)[::2],
    ):  # fmt: skip
        with pytest.raises(TypeError):
            _core.Program(arrays[0], bad, *arrays[2:], 1, True)


def test_plans_are_refused_in_words():
    topology = Topology.from_edges([(0, 1)])
    for bad in ({"block": 0}, {"inputs": [9]}, {"outputs": [1, 1]}, {"inputs": [-1]}):
        with pytest.raises(EngineError, match=r"block|input or output"):
            engine.plan(topology, "tanh", **bad)
    with pytest.raises(EngineError, match="activation"):
        engine.build_plan(topology, np.zeros(3, dtype=np.int32))


def test_component_size_refuses_what_is_no_component():
    found = program([0, 1, 2, 2], [1, 0], [], [], [0, 0, 0])
    assert sorted(found.component_size(i) for i in range(2)) == [1, 2]
    for bad in (-1, 2):
        with pytest.raises(ValueError, match="component"):
            found.component_size(bad)


@pytest.mark.parametrize("nodes", [0, 5])
@pytest.mark.parametrize("block", [1, 3])
@pytest.mark.parametrize("batch", [0, 4])
def test_without_edges(nodes, block, batch):
    topology = Topology.from_edges([], num_nodes=nodes, inputs=range(nodes), outputs=range(nodes))
    plan = engine.plan(topology, "identity", block=block)
    assert (plan.nodes, plan.weights, plan.is_acyclic) == (nodes * block, 0, True)
    drive = torch.ones(batch, nodes * block, requires_grad=True)
    bias = torch.ones(nodes * block, requires_grad=True)
    found = engine.sweep(plan, torch.empty(0), drive, bias, backend="native").output
    found.sum().backward()
    assert torch.equal(found, torch.full((batch, nodes * block), 2.0))
    assert torch.equal(drive.grad, torch.ones_like(drive))
    assert torch.equal(bias.grad, torch.full_like(bias, batch))
