"""`GraphLinear` and `replace_linear_`: graphs in the place of linear layers."""

import copy
import pickle

import pytest
import torch
from torch import nn

import nervure
from nervure import NeuralModules, Topology
from nervure.errors import EngineError
from nervure.networks import GraphLinear, replace_linear_
from nervure.rules import Repulsion, RuleGroup


def rewired(**options):
    """Give a layer after five steps of its rule."""
    layer = GraphLinear(6, 4, nodes=20, seed=0, **options)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    rule = Repulsion(layer, optimizer, keep=40, alpha=0.01)
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        layer(torch.randn(7, 2, 6, generator=generator)).square().mean().backward()
        optimizer.step()
        rule.step()
        optimizer.zero_grad()
    return layer


def test_equals_the_equation_solved_by_hand_whatever_the_leading_dimensions():
    layer = GraphLinear(6, 4, nodes=12, seed=3, tolerance=1e-7)
    matrix = layer.core.weight.detach().clone()
    bias = matrix.diagonal().clone()
    matrix.diagonal().zero_()
    for lead in ((), (5,), (2, 3), (2, 1, 3), (0, 4)):
        x = torch.randn(*lead, 6, generator=torch.Generator().manual_seed(1))
        a = torch.zeros(*lead, 12)
        for _ in range(200):
            a = torch.tanh(layer.encoder(x) + bias + a @ matrix.T)
        out = layer(x)
        assert out.shape == nn.Linear(6, 4)(x).shape
        torch.testing.assert_close(out, layer.decoder(a), rtol=1e-5, atol=1e-5)


def test_every_leading_dimension_receives_its_own_gradient():
    layer = GraphLinear(3, 2, nodes=5, seed=0, tolerance=1e-12).double()
    x = torch.randn(2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(layer, x.requires_grad_(), atol=1e-6)


def test_starts_as_neural_modules_do():
    layer, network = GraphLinear(6, 4, nodes=12, seed=3), NeuralModules(6, 4, nodes=12, seed=3)
    assert layer.topology == Topology.complete(12)
    assert layer.state_dict().keys() == network.state_dict().keys()
    for key, value in network.state_dict().items():
        assert torch.equal(layer.state_dict()[key], value)


@pytest.mark.parametrize(("sizes", "nodes"), [((300, 90), 90), ((64, 10), 64), ((5000, 2), 64)])
def test_the_default_core_does_not_narrow_the_layer(sizes, nodes):
    layer = GraphLinear(*sizes, seed=0)
    assert layer.topology.num_nodes == nodes
    assert (layer.in_features, layer.out_features) == sizes


def test_a_wiring_to_start_from_says_how_many_nodes():
    ring = Topology.from_edges([(0, 1), (1, 2), (2, 0)], 3, range(3), range(3))
    layer = GraphLinear(6, 4, topology=ring, storage="sparse", seed=0)
    assert layer.topology == ring
    assert layer.core.weight.numel() == 3
    with pytest.raises(EngineError, match="expected 5 nodes"):
        GraphLinear(6, 4, nodes=5, topology=ring)


def test_the_wiring_travels():
    layer = rewired()
    fresh = GraphLinear(6, 4, nodes=20, seed=9)
    fresh.load_state_dict(layer.state_dict())
    again = GraphLinear(**layer.config(), seed=1)
    again.load_state_dict(layer.state_dict())
    x = torch.randn(5, 6)
    for twin in (fresh, again, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert type(twin) is GraphLinear
        assert twin.topology == layer.topology
        assert twin.topology.num_edges == 40
        assert torch.equal(twin(x), layer(x))


def test_compact_predicts_the_same_and_can_be_loaded():
    layer = rewired().eval()
    small = layer.compact()
    assert type(small) is GraphLinear
    assert not small.training
    assert small.core.weight.numel() == 40
    x = torch.randn(3, 2, 6)
    assert torch.equal(small(x), layer(x))
    loaded = GraphLinear(**small.config(), seed=1)
    loaded.load_state_dict(small.state_dict())
    assert loaded.core.weight.numel() == 40
    assert torch.equal(loaded(x), layer(x))


def test_inside_a_sequential_with_and_without_gradients():
    model = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), rewired(), nn.Linear(4, 2))
    x = torch.randn(4, 3, 5)
    out = model(x)
    assert out.requires_grad
    with torch.no_grad():
        assert torch.equal(model(x), out)
    out.square().mean().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in model.parameters())


def test_options_reach_the_core():
    layer = GraphLinear(
        6, 4, nodes=9, activation="sigmoid", contraction=0.9, tolerance=1e-3, max_sweeps=50,
        on_failure="flag", seed=0,
    )  # fmt: skip
    core = layer.core
    assert (core.contraction, core.tolerance, core.max_sweeps) == (0.9, 1e-3, 50)
    assert core.on_failure == "flag"
    assert "sigmoid" in repr(layer)


@pytest.mark.parametrize(
    ("sizes", "options", "word"),
    [((0, 3), {}, "in_features"), ((3, 0), {}, "out_features"), ((3, 3), {"nodes": 1}, "nodes")],
)
def test_bad_sizes_are_refused(sizes, options, word):
    with pytest.raises(EngineError, match=word):
        GraphLinear(*sizes, **options)


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(5, 8), nn.ReLU())
        self.head = nn.Linear(8, 3)
        self.again = self.head

    def forward(self, x):
        return self.head(self.trunk(x))


def test_named_layers_are_replaced_and_others_stay():
    model = Small().double().eval()
    kept = model.trunk[0]
    made = replace_linear_(model, ["head"], nodes=10, seed=4)
    assert list(made) == ["head"]
    assert made["head"] is model.head
    assert model.trunk[0] is kept
    assert (model.head.in_features, model.head.out_features) == (8, 3)
    assert not model.head.training
    expected = GraphLinear(8, 3, nodes=10, seed=4).double()
    x = torch.randn(6, 5, dtype=torch.float64)
    assert torch.equal(model(x), expected(model.trunk(x)))


def test_each_layer_has_weights_of_its_own_and_a_shared_one_stays_shared():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    first, second = replace_linear_(model, ["0", "1"], nodes=6, seed=0).values()
    assert not torch.equal(first.encoder.weight, second.encoder.weight)
    shared = Small()
    made = replace_linear_(shared, ["again", "head"], nodes=6, seed=0)
    assert made["again"] is made["head"] is shared.head is shared.again


def test_names_that_do_not_fit_change_nothing():
    model = Small()
    before = dict(model.named_modules())
    with pytest.raises(EngineError, match=r"'heed' is no module.*did you mean head") as caught:
        replace_linear_(model, ["head", "heed", "trunk.1"])
    assert "'trunk.1' is a ReLU" in str(caught.value)
    assert dict(model.named_modules()) == before
    with pytest.raises(EngineError, match=r"holds no torch\.nn\.Linear"):
        replace_linear_(nn.Sequential(nn.ReLU()), "0")
    with pytest.raises(EngineError, match="no module"):
        replace_linear_(nn.Linear(2, 2), [""])


def test_layers_that_others_read_are_refused():
    model = nn.ModuleDict(
        {"layer": nn.TransformerEncoderLayer(8, 2, 16), "attention": nn.MultiheadAttention(8, 2)}
    )
    with pytest.raises(EngineError, match="TransformerEncoderLayer reads the weight"):
        replace_linear_(model, ["layer.linear1"])
    with pytest.raises(EngineError, match="NonDynamicallyQuantizableLinear"):
        replace_linear_(model, ["attention.out_proj"])


def test_a_copy_is_changed_and_the_model_stays():
    model = Small()
    before = dict(model.named_modules())
    changed = nervure.replace_linear(model, ["trunk.0", "head"], nodes=10, seed=4)
    assert dict(model.named_modules()) == before
    twin = copy.deepcopy(model)
    made = nervure.replace_linear_(twin, ["trunk.0", "head"], nodes=10, seed=4)
    assert twin.head is made["head"]
    x = torch.randn(6, 5)
    assert torch.equal(changed(x), twin(x))
    assert changed.get_submodule("trunk.0") is changed.trunk[0]
    assert isinstance(changed.trunk[0], nervure.GraphLinear)


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return torch.relu(x + self.second(torch.relu(self.first(x))))


def resnet():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), Residual(8), Residual(8), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip


class EncoderLayer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.linear1, self.linear2 = nn.Linear(width, 16), nn.Linear(16, width)

    def forward(self, x):
        y = self.norms[0](x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.linear2(torch.relu(self.linear1(self.norms[1](x))))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(EncoderLayer(8), EncoderLayer(8))
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.layers(x).mean(1))


MODELS = {
    "ResNet": (resnet, ["5"], (12, 3, 8, 8)),
    "Transformer": (Encoder, ["layers.0.linear1", "layers.1.linear2"], (12, 5, 8)),
}


@pytest.mark.parametrize(("make", "names", "shape"), MODELS.values(), ids=MODELS)
def test_a_model_with_graphs_in_it_trains_is_rewired_saved_and_compiled(make, names, shape):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nervure.replace_linear(make(), names, nodes=12, contraction=0.9, seed=0)
        x, y = torch.randn(shape), torch.randint(4, shape[:1])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    graphs = [model.get_submodule(name) for name in names]
    rule = RuleGroup(Repulsion(graph, optimizer, keep=40) for graph in graphs)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        rule.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert [graph.topology.num_edges for graph in graphs] == [40] * len(graphs)
    loaded = nervure.replace_linear(make(), names, nodes=12, contraction=0.9)
    loaded.load_state_dict(model.state_dict())
    model.eval()
    loaded.eval()
    assert torch.equal(loaded(x), model(x))
    run = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(run(x), model(x), rtol=1e-4, atol=1e-5)
