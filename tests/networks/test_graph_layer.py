"""`GraphLayer`: an ordinary torch module whose topology travels with it."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from nervure import GraphLayer, Topology
from nervure.engine.contraction import contracted, lipschitz_constants, perron_bounds
from nervure.errors import ConvergenceError, EngineError, ModelFileError


def cyclic(nodes=12, edges=40, seed=0):
    every = np.arange(nodes)
    return Topology.erdos_renyi(nodes, edges=edges, seed=seed, inputs=every, outputs=every)


def layer_on(topology, **options):
    return GraphLayer(topology, generator=torch.Generator().manual_seed(0), **options)


def test_layered_topology_equals_sequential():
    layer = layer_on(
        Topology.layered([4, 6, 3]), activation=["identity"] * 4 + ["relu"] * 6 + ["identity"] * 3
    )
    first, second = nn.Linear(4, 6), nn.Linear(6, 3)
    with torch.no_grad():
        layer.bias.normal_()
        layer.bias[:4] = 0
        w = layer.edge_weight
        first.weight.copy_(w[:24].reshape(6, 4))
        second.weight.copy_(w[24:].reshape(3, 6))
        first.bias.copy_(layer.bias[4:10])
        second.bias.copy_(layer.bias[10:])
    x = torch.randn(7, 4)
    torch.testing.assert_close(layer(x), nn.Sequential(first, nn.ReLU(), second)(x))


@pytest.mark.parametrize("storage", ["sparse", "dense"])
def test_deepcopy_pickle_and_state_dict_keep_the_topology(storage):
    layer = layer_on(cyclic(), storage=storage, activation="tanh")
    x = torch.randn(3, 12)
    expected = layer(x)
    other = layer_on(cyclic(edges=25, seed=5), storage=storage, activation="relu")
    other.load_state_dict(layer.state_dict())
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    third = layer_on(cyclic(edges=25, seed=5), storage=storage)
    third.load_state_dict(torch.load(buffer, weights_only=True))
    copies = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), other, third]
    for twin in copies:
        assert twin.topology == layer.topology
        assert torch.equal(twin(x), expected)


def test_saving_has_no_side_effect():
    layer = layer_on(cyclic())
    before = {k: v.clone() for k, v in layer.state_dict().items()}
    layer.state_dict()
    copy.deepcopy(layer)
    assert all(torch.equal(v, before[k]) for k, v in layer.state_dict().items())


def test_to_double_runs_in_double():
    layer = layer_on(cyclic(), activation="tanh").double()
    assert layer(torch.randn(2, 12, dtype=torch.float64)).dtype == torch.float64


def test_leading_dimensions_pass_through():
    layer = layer_on(cyclic(), activation="tanh")
    x = torch.randn(2, 5, 12)
    torch.testing.assert_close(layer(x), layer(x.reshape(10, 12)).reshape(2, 5, 12))


def test_autocast_casts_the_drive_to_the_weights():
    layer = layer_on(cyclic(), activation="tanh")
    encoder = nn.Linear(4, 12)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(encoder(torch.randn(3, 4)))
    assert out.dtype == torch.float32


def test_bfloat16_falls_to_the_reference_backend():
    layer = layer_on(cyclic(), activation="tanh").bfloat16()
    assert layer(torch.randn(2, 12, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_compact_gives_equal_outputs_and_gradients_of_the_drive():
    layer = layer_on(cyclic(), storage="dense", activation="tanh")
    with torch.no_grad():
        layer.weight.diagonal().normal_()
    x = torch.randn(4, 12, requires_grad=True)
    small = layer.compact()
    assert torch.equal(layer(x), small(x))
    assert small.weight.shape == (40,)


def test_rewire_carries_weights_and_optimizer_state():
    old = cyclic()
    layer = layer_on(old, activation="tanh")
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    layer(torch.randn(3, 12)).sum().backward()
    optimizer.step()
    weight = layer.weight.detach().clone()
    moment = optimizer.state[layer.weight]["exp_avg"].clone()
    mask = np.ones(40, dtype=bool)
    mask[[3, 17]] = False
    absent = next(
        (s, t) for s in range(12) for t in range(12) if s != t and [s, t] not in old.edges.tolist()
    )
    new = old.keep(mask).grow([absent])
    positions = layer.rewire_(new, optimizer)
    kept = positions >= 0
    assert kept.sum() == 38
    assert torch.equal(layer.weight.detach()[kept], weight[positions[kept]])
    assert (layer.weight.detach()[~kept] == 0).all()
    state = optimizer.state[layer.weight]["exp_avg"]
    assert torch.equal(state[kept], moment[positions[kept]])
    assert (state[~kept] == 0).all()
    layer(torch.randn(3, 12)).sum().backward()
    optimizer.step()


def test_rewire_refuses_another_number_of_nodes():
    with pytest.raises(EngineError, match="same inputs and outputs"):
        layer_on(cyclic()).rewire_(cyclic(nodes=13))


def test_load_refuses_another_number_of_nodes():
    with pytest.raises(ModelFileError, match="13 nodes"):
        layer_on(cyclic()).load_state_dict(layer_on(cyclic(nodes=13)).state_dict())


@pytest.mark.parametrize("storage", ["sparse", "dense"])
def test_a_refused_state_leaves_the_layer_as_it_is(storage):
    layer = layer_on(cyclic(), storage=storage)
    other = layer_on(cyclic(seed=1), storage="dense" if storage == "sparse" else "sparse")
    weight, wiring = layer.weight.detach().clone(), layer.topology
    with pytest.raises(ModelFileError, match=f"has {other.storage} storage, this one {storage}"):
        layer.load_state_dict(other.state_dict())
    assert layer.topology == wiring
    assert torch.equal(layer.weight, weight)


def test_a_wiring_without_weights_is_refused():
    layer = layer_on(cyclic())
    weight, wiring = layer.weight.detach().clone(), layer.topology
    state = layer_on(cyclic(seed=1)).state_dict()
    del state["weight"]
    with pytest.raises(ModelFileError, match="no weights for it"):
        layer.load_state_dict(state, strict=False)
    assert layer.topology == wiring
    assert torch.equal(layer.weight, weight)
    # Of the wiring that is there, they may stay.
    own = {key: value for key, value in layer.state_dict().items() if key != "weight"}
    layer.load_state_dict(own, strict=False)
    assert torch.equal(layer.weight, weight)


def test_status_tells_how_the_pass_went():
    layer = layer_on(cyclic(), activation="tanh")
    assert layer.status is None
    layer(torch.randn(3, 12))
    assert layer.status.sweeps > 1
    assert layer.status.residual <= 1e-4
    assert layer.status.converged.all()


def test_compile_without_graph_breaks():
    layer = layer_on(cyclic(), activation="tanh")
    x = torch.randn(4, 12)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), layer(x))


# -- contraction -----------------------------------------------------------------------------------


def brute_force_radii(topology, weight, lipschitz):
    """Largest |eigenvalue| of L |W| inside each component, by dense eigenvalues."""
    dense = np.zeros((topology.num_nodes,) * 2)
    dense[topology.targets, topology.sources] = np.abs(weight)
    dense *= lipschitz[:, None]
    return [
        max(abs(np.linalg.eigvals(dense[np.ix_(nodes, nodes)])))
        for nodes in topology.components.modules
    ]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu"])
def test_perron_bound_is_valid_and_projection_keeps_it(seed, activation):
    topology = cyclic(nodes=15, edges=30, seed=seed)
    layer = layer_on(topology, activation=activation)
    weight = 4 * np.random.default_rng(seed).normal(size=30)
    lipschitz = lipschitz_constants(layer._codes)
    modules = np.flatnonzero(topology.components.cyclic)
    exact = brute_force_radii(topology, weight, lipschitz)
    assert (
        perron_bounds(topology, weight, lipschitz)[modules] >= np.array(exact) * (1 - 1e-9)
    ).all()
    after = contracted(topology, weight, layer._codes, 0.9)
    assert max(brute_force_radii(topology, after, lipschitz), default=0) <= 0.9 + 1e-9
    labels = topology.components.labels
    between = labels[topology.sources] != labels[topology.targets]
    assert np.array_equal(after[between], weight[between])


def test_expansive_layer_fails_typed_and_succeeds_when_contracted():
    topology = cyclic(nodes=20, edges=120)
    layer = layer_on(topology, activation="identity", max_sweeps=30)
    with torch.no_grad():
        layer.weight.fill_(float("inf"))
    with pytest.raises(ConvergenceError, match="contraction"):
        layer(torch.ones(2, 20))
    with torch.no_grad():
        layer.weight.fill_(3.0)
    layer.contraction = 0.9
    layer.project_()
    layer.max_sweeps = 400
    assert layer(torch.ones(2, 20)).isfinite().all()
    assert layer.status.recovered == 0


def test_squared_relu_on_a_cycle_cannot_be_contracted():
    layer = layer_on(cyclic(), activation="squared_relu", contraction=0.9)
    with pytest.raises(EngineError, match="squared_relu"):
        layer.project_()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"storage": "other"}, "storage"),
        ({"contraction": 1.5}, "contraction"),
        ({"storage": "dense", "bias": False}, "diagonal"),
        ({"activation": "relux"}, "unknown activation"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"backend": "natve"}, "unknown backend 'natve'"),
    ],
)
def test_bad_options_are_refused(options, word):
    with pytest.raises(EngineError, match=word):
        GraphLayer(cyclic(), **options)


def test_rewiring_while_an_earlier_loss_is_still_held():
    """The usual loop: the last step's loss is alive when the next forward pass begins."""
    layer = GraphLayer(Topology.layered([3, 5, 2]))
    x = torch.ones(4, 3)
    loss = layer(x).sum()
    loss.backward()
    fewer = Topology.layered([3, 5, 2], density=0.5, seed=0)
    layer.rewire_(fewer)
    other = layer(x).sum()
    other.backward()
    assert layer.weight.grad.shape == (fewer.num_edges,)
    state = GraphLayer(Topology.layered([3, 5, 2])).state_dict()
    layer.load_state_dict(state)
    layer(x).sum().backward()
    assert loss.isfinite()
    assert other.isfinite()
