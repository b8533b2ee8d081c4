"""Every network does what any torch module does: copies, precisions, compile, export."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend

from nervure import FreeNet, GraphLayer, GraphLinear, NeuralModules, SparseMLP, Topology
from nervure.networks import BlockDAG, Population, exact_polynomial


def generator():
    return torch.Generator().manual_seed(0)


def cyclic(**options):
    """Two cycles, one fed by the other, and a node that nobody reads."""
    edges = [(0, 1), (1, 0), (1, 2), (2, 3), (3, 4), (4, 2), (0, 5)]
    topology = Topology.from_edges(edges, 6, inputs=[0, 1, 2], outputs=[5, 4, 3])
    return GraphLayer(topology, activation="gelu", generator=generator(), **options)


def layered():
    return GraphLayer(Topology.layered([3, 8, 2]), activation="tanh", generator=generator())


def tied():
    return SparseMLP((3, 8, 8, 2), motif_size=2, tied=True, pad=True, epsilon=3, seed=0)


def blocks(**options):
    return BlockDAG(
        Topology.dense_dag(5), stages=2, channels=4, inputs=3, outputs=3, node="mlp", seed=0,
        **options,
    )  # fmt: skip


def population():
    return Population([layered(), cyclic(input_bias=False)])


NETWORKS = {
    "layered": layered,
    "cycles": cyclic,
    "cycles, dense": lambda: cyclic(storage="dense"),
    "by levels": lambda: GraphLayer(
        Topology.layered([3, 8, 2]), backend="dense", generator=generator()
    ),
    "NeuralModules": lambda: NeuralModules(3, 2, nodes=12, seed=0),
    "GraphLinear": lambda: GraphLinear(3, 2, nodes=12, seed=0),
    "FreeNet": lambda: FreeNet(3, 2, neurons=12, seed=0),
    "SparseMLP": lambda: SparseMLP((3, 12, 2), epsilon=2, seed=0),
    "SparseMLP, tied": tied,
    "BlockDAG": blocks,
    "Population": population,
    "polynomial": lambda: exact_polynomial([1.0, 0.0, -2.0, 1.0], (-1.0, 3.0)).float(),
}
every_network = pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)


def rows(network, count=5, seed=1):
    width = 1 if isinstance(network, FreeNet) and network.encoder.in_features == 1 else 3
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def outputs(network, x):
    found = network(x)
    return found if isinstance(found, torch.Tensor) else torch.cat(found, -1)


def gradients(network, run, x):
    """What a pass through `run`, some form of the network, leaves in the network's parameters."""
    network.zero_grad()
    out = outputs(run, x)
    out.square().sum().backward()
    return out.detach(), {name: p.grad.clone() for name, p in network.named_parameters()}


def assert_same(found, expected, **tolerances):
    torch.testing.assert_close(found[0], expected[0], **tolerances)
    assert found[1].keys() == expected[1].keys()
    for name, gradient in found[1].items():
        torch.testing.assert_close(gradient, expected[1][name], **tolerances)


@every_network
def test_copies_pickles_and_loaded_states_are_equal_and_apart(make):
    network = make()
    x = rows(network)
    expected = gradients(network, network, x)
    loaded = make()
    with torch.no_grad():
        for parameter in loaded.parameters():
            parameter.add_(1.0)
    loaded.load_state_dict(copy.deepcopy(network.state_dict()))
    twins = [copy.deepcopy(network), pickle.loads(pickle.dumps(network)), loaded]
    for twin in twins:
        assert_same(gradients(twin, twin, x), expected, rtol=0, atol=0)
    with torch.no_grad():
        for parameter in twins[0].parameters():
            parameter.zero_()
    assert_same(gradients(network, network, x), expected, rtol=0, atol=0)


def assert_near(found, expected, part):
    """Whether all together differ by no more than a part of their size, or of 1."""
    flat, wanted = (
        torch.cat([x.double().flatten() for x in (out, *own.values())])
        for out, own in (found, expected)
    )
    assert (flat - wanted).norm() <= part * max(1.0, wanted.norm())


# What equilibria are solved to, and what rounding leaves.
ROUNDING = {torch.float64: 1e-3, torch.float16: 0.02, torch.bfloat16: 0.1}


@every_network
@pytest.mark.parametrize("dtype", ROUNDING, ids=str)
def test_precision_is_that_of_the_weights(make, dtype):
    network = make()
    if network.__class__ is FreeNet and network.encoder.in_features == 1 and dtype.itemsize == 2:
        pytest.skip("a polynomial of cancelling terms needs its digits")
    x = rows(network)
    expected = gradients(network, network, x)
    turned = copy.deepcopy(network).to(dtype)
    out, found = gradients(turned, turned, x.to(dtype))
    assert out.dtype == dtype
    assert all(gradient.dtype == dtype for gradient in found.values())
    assert_near((out, found), expected, ROUNDING[dtype])


@every_network
def test_on_the_meta_device_shapes_are_known_without_numbers(make):
    network = make()
    shape = outputs(network, rows(network, 40)).shape
    network.to("meta")
    x = rows(network, 40).to("meta")
    out, found = gradients(network, network, x)
    assert out.is_meta
    assert out.shape == shape
    for name, parameter in network.named_parameters():
        assert found[name].shape == parameter.shape


def test_memory_of_a_network_can_be_taken_later():
    network = NeuralModules(3, 2, nodes=12, seed=0)
    state = copy.deepcopy(network.state_dict())
    later = NeuralModules(3, 2, nodes=12, seed=1).to("meta").to_empty(device="cpu")
    later.load_state_dict(state)
    x = rows(network)
    assert torch.equal(later(x), network(x))


# -- autocast --------------------------------------------------------------------------------------


@every_network
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_under_autocast_graphs_compute_in_the_precision_of_their_weights(make, dtype):
    network = make()
    x = rows(network)
    expected = gradients(network, network, x)
    seen = []
    for module in network.modules():
        if isinstance(module, GraphLayer):
            module.register_forward_hook(lambda *call: seen.append(call[2].dtype))
    with torch.autocast("cpu", dtype):
        found = gradients(network, network, x)
    assert set(seen) <= {torch.float32}
    dense_layers = any(isinstance(module, nn.Linear) for module in network.modules())
    assert found[0].dtype == (dtype if dense_layers else torch.float32)
    if not dense_layers:
        assert_same(found, expected, rtol=0, atol=0)
    else:
        assert_near(found, expected, ROUNDING[dtype])
    assert all(gradient.dtype == torch.float32 for gradient in found[1].values())


# -- compile ---------------------------------------------------------------------------------------


def compiled(network, **options):
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    return torch.compile(network, backend=counter, fullgraph=True, **options), counter


@every_network
def test_compiled_without_a_graph_break_it_is_the_same_function(make):
    network = make()
    run, counter = compiled(copy.deepcopy(network))
    # Of one chunk of the native backend, and of several.
    for count in (5, 70, 33):
        x = rows(network, count)
        expected = gradients(network, network, x)
        found = gradients(run._orig_mod, run, x)
        assert_same(found, expected, rtol=1e-4, atol=1e-5)
    # Once for the first size, once for all others.
    assert counter.frame_count == 2


def test_compiled_and_under_autocast():
    network = NeuralModules(3, 2, nodes=12, seed=0)
    run, _ = compiled(network)
    x = rows(network)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(run(x), network(x))


def test_compiled_blocks_that_compute_again():
    network = blocks(recompute=True)
    run, _ = compiled(copy.deepcopy(network))
    x = rows(network)
    expected = gradients(network, network, x)
    assert_same(gradients(run._orig_mod, run, x), expected, rtol=1e-4, atol=1e-5)


def test_a_compiled_pass_says_how_it_went():
    network = NeuralModules(3, 2, nodes=12, seed=0)
    run, _ = compiled(network)
    run(rows(network))
    status = network.core.status
    assert status.sweeps > 1
    assert status.converged.tolist() == [True] * 5
    network(rows(network))
    assert network.core.status.sweeps == status.sweeps


@pytest.mark.parametrize("edges", [30_000, 1_100_000])
def test_compiled_large_graphs(edges):
    """Where "auto" asks its cost model, and where the plan is packed on demand."""
    width = round(edges**0.5)
    layer = GraphLayer(Topology.layered([width, width]), generator=generator())
    run, counter = compiled(layer)
    x = torch.randn(3, width, generator=generator())
    for _ in range(4):
        torch.testing.assert_close(run(x), layer(x), rtol=1e-4, atol=1e-5)
    # A plan that was not packed is once it has run.
    assert counter.frame_count <= 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_with_the_default_compiler():
    network = layered()
    torch._dynamo.reset()
    run = torch.compile(copy.deepcopy(network), fullgraph=True)
    x = rows(network)
    expected = gradients(network, network, x)
    assert_same(gradients(run._orig_mod, run, x), expected, rtol=1e-5, atol=1e-6)


# -- export ----------------------------------------------------------------------------------------


def stored(program):
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    return torch.export.load(file)


def exported(network, **options):
    sizes = ({0: torch.export.Dim("batch")},)
    return torch.export.export(network, (rows(network),), dynamic_shapes=sizes, **options)


def assert_exported(program, network):
    run = program.module()
    # Of one chunk of the native backend, and of several.
    for count in (2, 5, 33, 70):
        x = rows(network, count, seed=2)
        torch.testing.assert_close(outputs(run, x), outputs(network, x))


@every_network
def test_exported_and_stored_it_is_the_same_function_for_any_batch(make):
    network = make().eval()
    assert_exported(stored(exported(network)), network)


def test_exported_strictly():
    network = NeuralModules(3, 2, nodes=12, seed=0).eval()
    assert_exported(exported(network, strict=True), network)
