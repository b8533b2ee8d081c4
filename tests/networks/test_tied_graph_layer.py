"""`GraphLayer(tied=...)`: one weight per edge between blocks, against free blocks of equal ones."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch

from nervure import GraphLayer, Topology
from nervure.errors import EngineError, ModelFileError

DAG = Topology.from_edges(
    [(0, 2), (1, 2), (0, 3), (2, 3), (1, 4), (3, 4), (2, 5), (4, 5)],
    6,
    inputs=[0, 1],
    outputs=[4, 5],
)
CYCLIC = Topology.from_edges(
    [(0, 1), (1, 2), (2, 1), (2, 3), (3, 0)], 4, inputs=[0, 1], outputs=[2, 3]
)


def layer_on(topology=DAG, block=2, tied=4, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    options = {"activation": "tanh", "generator": generator, **options}
    layer = GraphLayer(topology, block=block, tied=tied, **options)
    with torch.no_grad():
        layer.bias.normal_(generator=generator)
    return layer.double()


def drive_for(layer, rows=5, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, layer.plan.num_inputs, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("topology", [DAG, CYCLIC])
@pytest.mark.parametrize("block", [1, 2, 3])
@pytest.mark.parametrize("tied", [0, 2, 4])
def test_equals_free_blocks_of_expanded_weights(topology, block, tied):
    """Autograd through `expand` is the oracle of the gradient."""
    layer = layer_on(topology, block, tied, tolerance=1e-12)
    free = layer_on(topology, block, 0, tolerance=1e-12)
    small = layer.weight.detach().clone().requires_grad_()
    parts, at = [], 0
    for target in topology.targets.tolist():
        count = 1 if target < tied else block**2
        parts.append(small[at : at + count].expand(block**2))
        at += count
    assert at == len(small)
    big = torch.cat(parts)
    with torch.no_grad():
        free.weight.copy_(big)
        free.bias.copy_(layer.bias)
    assert torch.equal(layer.edge_weight, big.detach())
    x = drive_for(layer)
    ours, theirs = layer(x), free(x)
    torch.testing.assert_close(ours, theirs)
    ours.square().sum().backward()
    theirs.square().sum().backward()
    (expected,) = torch.autograd.grad(big, small, free.weight.grad)
    torch.testing.assert_close(layer.weight.grad, expected)
    torch.testing.assert_close(layer.bias.grad, free.bias.grad)


def test_copies_and_saved_layers_are_equal():
    layer = layer_on()
    x = drive_for(layer)
    expected = layer(x)
    other = layer_on(DAG.drop([[0, 2], [4, 5]]), seed=3)
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    copies = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), layer.compact(), other]
    for twin in copies:
        assert (twin.tied, twin.weight.shape) == (4, layer.weight.shape)
        assert torch.equal(twin(x), expected)
        twin(x).sum().backward()
        assert twin.weight.grad.shape == layer.weight.shape


@pytest.mark.parametrize("tied", [0, 6])
def test_a_saved_layer_that_ties_others_is_refused_and_nothing_changes(tied):
    layer = layer_on(tied=tied)
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    saved = layer_on(DAG.drop([[0, 2]])).state_dict()
    with pytest.raises(ModelFileError, match="build it with the tied= it was saved with"):
        layer.load_state_dict(saved)
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())


def state_by_edge(layer, values):
    topology, found, at = layer.topology, {}, 0
    for source, target in topology.edges.tolist():
        count = 1 if target < layer.tied else layer.block**2
        found[source, target] = values[at : at + count].tolist()
        at += count
    return found


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: torch.optim.Adam(p, lr=0.1, amsgrad=True),
    ],
)
@pytest.mark.parametrize("tied", [0, 3, 6])
def test_rewiring_carries_weights_and_state_by_edge(make, tied):
    layer = layer_on(tied=tied)
    optimizer = make(layer.parameters())
    for seed in range(3):
        optimizer.zero_grad()
        layer(drive_for(layer, seed=seed)).square().sum().backward()
        optimizer.step()
    state = optimizer.state[layer.weight]
    per_edge = [k for k, v in state.items() if isinstance(v, torch.Tensor) and v.ndim == 1]
    assert per_edge
    before = {k: state_by_edge(layer, state[k]) for k in per_edge}
    before["weight"] = state_by_edge(layer, layer.weight.detach())
    steps = state["step"].clone() if "step" in state else None
    rewired = DAG.drop([[0, 3], [1, 4], [4, 5]]).grow([[1, 3], [0, 5], [0, 1]])
    layer.rewire_(rewired, optimizer)
    state = optimizer.state[layer.weight]
    after = {k: state_by_edge(layer, state[k]) for k in per_edge}
    after["weight"] = state_by_edge(layer, layer.weight.detach())
    for name, found in after.items():
        assert len(found) == 8
        for edge, values in found.items():
            assert values == before[name].get(edge, [0.0] * len(values))
    assert steps is None or state["step"] == steps
    layer(drive_for(layer)).sum().backward()
    optimizer.step()


def test_initial_weights_have_the_spread_of_their_layer():
    topology = Topology.layered([40, 60, 50], density=0.5, seed=0)
    layer = GraphLayer(topology, block=2, tied=100, generator=torch.Generator().manual_seed(0))
    weight = layer.weight.detach()
    assert len(weight) == 1200 + 1500 * 4
    scaled = weight * torch.from_numpy(
        layer.layout.per_edge(np.sqrt(2.0 * topology.in_degree[topology.targets] / 2.0))
    )
    assert scaled[:1200].std().item() == pytest.approx(1, rel=0.1)
    assert scaled[1200:].std().item() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("options", [{"tied": -1}, {"tied": 7}, {"tied": 2, "storage": "dense"}])
def test_bad_ties_are_refused(options):
    block = 1 if "storage" in options else 2
    with pytest.raises(EngineError, match="tied: expected 0 to 6 blocks, with sparse storage, got"):
        GraphLayer(DAG, block=block, **options)
