"""Plans of blocks equal the reference, and the same network wired edge by edge."""

import numpy as np
import pytest
import torch

from nervure import GraphLayer, Topology, engine
from nervure.engine import ops

from .graphs import BOUNDED, Case, assert_same, case_on, solved

SIZES = [1, 2, 3, 4, 5, 8]
TIGHT = {torch.float32: 1e-6, torch.float64: 1e-12}


def block_case(block, acyclic, *, blocks=9, edges=25, **options):
    topology = Topology.erdos_renyi(
        blocks, edges=edges, acyclic=acyclic, seed=3, inputs=[0, 4, 2], outputs=[8, 1]
    )
    return case_on(topology, block=block, **options)


def edge_by_edge(case):
    """The same network on nodes, and where each of its edges is among the block weights."""
    t, m = case.topology, case.plan.block
    pairs = np.array(
        [(s * m + c, d * m + r) for s, d in t.edges.tolist() for r in range(m) for c in range(m)]
    )
    plan, nodes = case.plan, case.plan.nodes
    topology = Topology.from_edges(
        pairs, num_nodes=nodes, inputs=plan.inputs.tolist(), outputs=plan.outputs.tolist()
    )
    order = torch.from_numpy(np.lexsort((pairs[:, 0], pairs[:, 1])))
    single = engine.plan(topology, case.activation)
    return Case(topology, single, case.weight[order], case.bias, case.drive, case.activation), order


@pytest.mark.parametrize("block", SIZES)
@pytest.mark.parametrize("acyclic", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_reference_and_single_edges(block, acyclic, dtype):
    case = block_case(block, acyclic, batch=19, dtype=dtype)
    assert case.plan.is_acyclic == acyclic
    found = solved(case, backend="native", tolerance=TIGHT[dtype])
    assert_same(found, solved(case, backend="reference", tolerance=TIGHT[dtype]), dtype)
    single, order = edge_by_edge(case)
    assert (single.plan.weights, single.plan.block) == (case.plan.weights, 1)
    output, weight, drive, bias = solved(single, backend="native", tolerance=TIGHT[dtype])
    back = torch.empty_like(weight)
    back[order] = weight
    assert_same(found, (output, back, drive, bias), dtype)


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("block", [2, 3, 4, 7, 8])
@pytest.mark.parametrize("acyclic", [True, False])
@pytest.mark.parametrize("batch", [1, 31, 33])
def test_every_instruction_set_and_tail(block, acyclic, batch):
    for dtype in (torch.float32, torch.float64):
        case = block_case(block, acyclic, batch=batch, dtype=dtype)
        found = solved(case, backend="native", tolerance=TIGHT[dtype])
        assert_same(found, solved(case, backend="reference", tolerance=TIGHT[dtype]), dtype)


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("block", SIZES)
# The sources of a node far apart, so that its gradient is summed over other numbers of chunks.
@pytest.mark.parametrize("blocks", [20, 1200])
def test_many_chunks_and_every_number_of_sources(block, blocks):
    last = range(blocks - 10, blocks)
    pairs = [(source, node) for count, node in enumerate(last) for source in range(count)]
    # The last reads from all over.
    pairs += [(source, blocks - 1) for source in range(9, blocks - 10, blocks // 12)]
    topology = Topology.from_edges(
        sorted(set(pairs)), num_nodes=blocks, inputs=[0, 3, 1], outputs=[blocks - 1, blocks - 4]
    )
    for dtype in (torch.float32, torch.float64):
        case = case_on(topology, block=block, batch=230, dtype=dtype)
        found = solved(case, backend="native", tolerance=TIGHT[dtype])
        assert_same(found, solved(case, backend="reference", tolerance=TIGHT[dtype]), dtype)


@pytest.mark.parametrize("activation", BOUNDED)
def test_every_activation(activation):
    case = block_case(3, False, activation=activation)
    found = solved(case, backend="native", tolerance=1e-12)
    assert_same(found, solved(case, backend="reference", tolerance=1e-12))


@pytest.mark.parametrize("acyclic", [True, False])
def test_roles_of_single_nodes(acyclic):
    roles = {"inputs": [7, 0, 13, 26], "outputs": [4, 25, 0, 11, 12]}
    case = block_case(3, acyclic, **roles)
    assert case.plan.inputs.tolist() == roles["inputs"]
    found = solved(case, backend="native", tolerance=1e-12)
    assert found[0].shape == (5, 5)
    assert_same(found, solved(case, backend="reference", tolerance=1e-12))
    output, _, drive, bias = solved(edge_by_edge(case)[0], tolerance=1e-12)
    assert_same((found[0], *found[2:]), (output, drive, bias))
    # Roles in another order are columns in another order.
    turned = block_case(3, acyclic, inputs=roles["inputs"], outputs=roles["outputs"][::-1])
    assert torch.equal(solved(turned, tolerance=1e-12)[0], found[0].flip(1))


def test_roles_are_those_of_the_blocks_unless_given():
    case = block_case(3, True)
    assert case.plan.inputs.tolist() == [0, 1, 2, 12, 13, 14, 6, 7, 8]
    assert case.plan.outputs.tolist() == [24, 25, 26, 3, 4, 5]


@pytest.mark.parametrize("acyclic", [True, False])
def test_operators_and_compiler_take_blocks(acyclic):
    case = block_case(2, acyclic)
    plan = case.plan

    def run(drive, weight, bias):
        return ops.sweep(
            drive, weight, bias, plan.packed, plan.nodes, plan.num_outputs, plan.keeps_slope,
            "native", 1e-12, 200, 0.01, True,
        )[0]  # fmt: skip

    leaves = [t.requires_grad_(True) for t in (case.drive, case.weight, case.bias)]
    results = []
    for function in (run, torch.compile(run, fullgraph=True, backend="aot_eager")):
        output = function(*leaves)
        results.append((output.detach(), *torch.autograd.grad(output.square().sum(), leaves)))
    assert_same(results[1], results[0])
    assert torch.equal(results[0][0], solved(case, tolerance=1e-12)[0])


@pytest.mark.parametrize("block", SIZES)
@pytest.mark.parametrize("acyclic", [True, False])
def test_the_other_gradients_are_the_same_without_that_of_the_drive(block, acyclic):
    topology = Topology.erdos_renyi(
        12, edges=40, acyclic=acyclic, seed=5, inputs=[0, 1, 2, 7], outputs=[11, 10]
    )
    layer = GraphLayer(topology, activation="tanh", block=block, tolerance=1e-12).double()
    found = []
    for wanted in (True, False):
        drive = torch.linspace(-1, 1, 40 * 4 * block, dtype=torch.float64).view(40, -1)
        layer.zero_grad()
        layer(drive.requires_grad_(wanted)).square().sum().backward()
        found.append((layer.weight.grad.clone(), layer.bias.grad.clone()))
    assert_same(found[0], found[1])
