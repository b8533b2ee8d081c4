"""torch.func on graphs: what each transform gives is what plain loops and autograd give."""

import pytest
import torch
from torch.func import functional_call, grad, hessian, jacrev, jvp, vjp, vmap

from nervure import GraphLayer, NeuralModules, SparseMLP, Topology, engine
from nervure.errors import ConvergenceError, EngineError
from nervure.networks import BlockDAG

CYCLES = [(0, 1), (1, 0), (1, 2), (2, 3), (3, 4), (4, 2), (0, 5)]


def layer(edges=tuple(CYCLES), **options):
    topology = Topology.from_edges(list(edges), 6, inputs=[0, 1, 2], outputs=[5, 4, 3])
    return GraphLayer(
        topology,
        **{"activation": ["tanh", "gelu", "tanh", "relu", "silu", "sigmoid"], "tolerance": 1e-12}
        | options,
        generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
    )


ACYCLIC = [edge for edge in CYCLES if edge[0] < edge[1]]
LAYERS = {
    "cycles": layer,
    "cycles, dense": lambda: layer(storage="dense"),
    "cycles, reference": lambda: layer(backend="reference"),
    "dense, reference": lambda: layer(storage="dense", backend="reference"),
    "acyclic": lambda: layer(ACYCLIC, input_bias=False),
    "by levels": lambda: layer(ACYCLIC, input_bias=True, backend="dense"),
    "without bias": lambda: layer(ACYCLIC, bias=False),
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def drives(*shape, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, 3, generator=generator, dtype=torch.float64)


def loss_of(network):
    def loss(parameters, x):
        out = functional_call(network, parameters, (x,))
        return (out * torch.arange(1, out.shape[-1] + 1)).sin().sum()

    return loss


def with_gradients(network):
    parameters = {name: p.detach().clone() for name, p in network.named_parameters()}
    return parameters, loss_of(network)


def by_autograd(network, loss, x):
    """The gradients that the ordinary eager way gives."""
    network.zero_grad()
    loss(dict(network.named_parameters()), x).backward()
    return {name: p.grad.clone() for name, p in network.named_parameters()}


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, values in found.items():
        torch.testing.assert_close(values, expected[name], rtol=1e-8, atol=1e-9)


@every_layer
def test_grad_is_that_of_autograd(make):
    network, x = make(), drives(40)
    parameters, loss = with_gradients(network)
    assert_equal(grad(loss)(parameters, x), by_autograd(network, loss, x))
    wide = x.clone().requires_grad_()
    loss(parameters, wide).backward()
    torch.testing.assert_close(grad(loss, argnums=1)(parameters, x), wide.grad)


@every_layer
@pytest.mark.parametrize("rows", [1, 3])
def test_gradients_of_each_sample_are_those_of_a_loop(make, rows):
    network, x = make(), drives(7, rows)
    parameters, loss = with_gradients(network)
    found = vmap(grad(loss), (None, 0))(parameters, x)
    each = [by_autograd(network, loss, part) for part in x]
    assert_equal(found, {name: torch.stack([one[name] for one in each]) for name in parameters})


@every_layer
def test_mapping_over_any_axis_of_the_drive_gives_the_same_values(make):
    network, x = make(), drives(4, 2)
    expected = network(x).detach()
    for axis in (0, 1):
        found = vmap(network, in_dims=axis, out_dims=axis)(x)
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(vmap(vmap(network))(x[:, :, None])[:, :, 0], expected)


@every_layer
def test_mapping_over_weights_is_an_ensemble(make):
    network, x = make(), drives(5)
    parameters, loss = with_gradients(network)
    many = {name: torch.stack([p, 0.5 * p, -p]) for name, p in parameters.items()}
    found = vmap(grad(loss), (0, None))(many, x)
    both = vmap(grad(loss))(many, torch.stack([x, x, x]))
    for i, scale in enumerate((1.0, 0.5, -1.0)):
        own = {name: (scale * p).requires_grad_() for name, p in parameters.items()}
        loss(own, x).backward()
        for name, p in own.items():
            torch.testing.assert_close(found[name][i], p.grad)
            torch.testing.assert_close(both[name][i], p.grad)


@every_layer
def test_jacobians_and_products_with_them(make):
    network, x = make(), drives(2)
    expected = torch.autograd.functional.jacobian(network, x)
    torch.testing.assert_close(jacrev(network)(x), expected)
    out, product = vjp(network, x)
    cotangent = torch.ones_like(out)
    torch.testing.assert_close(product(cotangent)[0], (expected.sum((0, 1))))


def test_gradients_of_a_whole_network_each_sample():
    network = NeuralModules(3, 2, nodes=9, tolerance=1e-12, seed=0).double()
    parameters, loss = with_gradients(network)
    x = drives(6, 1)
    found = vmap(grad(loss), (None, 0), chunk_size=4)(parameters, x)
    each = [by_autograd(network, loss, part) for part in x]
    assert_equal(found, {name: torch.stack([one[name] for one in each]) for name in parameters})


def test_gradients_of_tied_motifs_each_sample():
    network = SparseMLP((4, 8, 8, 2), motif_size=2, tied=True, epsilon=3, seed=0).double()
    parameters, loss = with_gradients(network)
    x = torch.randn(6, 1, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = vmap(grad(loss), (None, 0))(parameters, x)
    each = [by_autograd(network, loss, part) for part in x]
    assert_equal(found, {name: torch.stack([one[name] for one in each]) for name in parameters})


@pytest.mark.parametrize("node", ["conv", "mlp"])
def test_gradients_of_blocks_each_sample(node):
    # In evaluation mode: normalisation over a batch of one sample would be another network.
    network = BlockDAG(
        Topology.dense_dag(4), stages=2, channels=3, inputs=3, outputs=3, node=node, seed=0
    )
    network = network.double().eval()
    parameters, loss = with_gradients(network)
    x = torch.randn(3, 1, 3, *([8, 8] if node == "conv" else []), dtype=torch.float64)
    found = vmap(grad(loss), (None, 0))(parameters, x)
    each = [by_autograd(network, loss, part) for part in x]
    assert_equal(found, {name: torch.stack([one[name] for one in each]) for name in parameters})


def test_the_status_of_a_layer_stays_that_of_its_last_plain_pass():
    network = layer()
    network(drives(2))
    before = network.status
    vmap(network)(drives(5, 1))
    assert network.status.converged.shape == before.converged.shape


def test_sweeps_of_the_engine_transform_too():
    network, x = layer(), drives(3)
    plan, weight, bias = network.plan, network.weight.detach(), network.bias.detach()

    def total(weight, x):
        found = engine.sweep(plan, weight, x, bias, tolerance=1e-12)
        assert found.status.sweeps > 1
        return (found.output.sum() + found.values.sum()), found.values

    (gradient, values) = grad(total, has_aux=True)(weight, x)
    plain = engine.sweep(plan, weight, x, bias, tolerance=1e-12)
    torch.testing.assert_close(values, plain.values)
    # Values are detached: only the outputs have a gradient.
    expected = torch.autograd.functional.jacobian(
        lambda w: engine.sweep(plan, w, x, bias, tolerance=1e-12).output.sum(), weight
    )
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("argument", [0, 1])
def test_second_derivatives_are_refused(argument):
    network = layer()
    parameters, _ = with_gradients(network)

    def loss(parameters, x):
        return functional_call(network, parameters, (x,)).sum()

    def penalty(parameters, x):
        first = grad(loss, argnums=argument)(parameters, x)
        return sum(g.square().sum() for g in (first if argument else first.values()))

    with pytest.raises(EngineError, match="second derivatives"):
        grad(penalty, argnums=argument)(parameters, drives(3))


# Torch's own, when it first loads what forward mode needs.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forward_mode_is_refused():
    network, x = layer(), drives(3)
    with pytest.raises(EngineError, match="forward-mode"):
        jvp(network, (x,), (x,))
    with pytest.raises(EngineError, match="forward-mode"):
        hessian(lambda x: network(x).sum())(x)


def test_what_cannot_be_solved_is_an_error_or_flagged():
    growing = Topology.from_edges([(0, 1), (1, 0)], inputs=[0, 1], outputs=[0, 1])
    plan = engine.plan(growing, "squared_relu")
    weight = torch.tensor([2.0, 2.0], dtype=torch.float64)
    x = torch.tensor([[1.0, 1.0], [0.01, 0.01]], dtype=torch.float64)

    def run(failure):
        return lambda x: engine.sweep(plan, weight, x[None], on_failure=failure).output.sum()

    with pytest.raises(ConvergenceError):
        vmap(run("raise"))(x)
    gradient = vmap(grad(run("flag")))(x)
    assert torch.equal(gradient[0], torch.zeros(2, dtype=torch.float64))
    assert (gradient[1] > 0).all()
