"""The cell of DARTS: mixtures, and the cell that a search ends with."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from nervure.baselines import DartsCell, DerivedCell
from nervure.errors import EngineError


def rows(width=5):
    return torch.randn(9, width, generator=torch.Generator().manual_seed(2))


def set_architecture(cell, **choices):
    """Let the named edges, such as e01, use one operation alone, and all others none."""
    cell.architecture.fill_(-100.0)
    cell.architecture[:, 0] = 100.0
    for name, operation in choices.items():
        edge = cell.edges.index((int(name[1]), int(name[2])))
        cell.architecture[edge, 0] = -100.0
        cell.architecture[edge, ("zero", "identity", "tanh", "relu").index(operation)] = 100.0


def test_a_cell_is_what_its_formula_says():
    cell = DartsCell(5, 3, nodes=8, inner=2, seed=0)
    cell.architecture.normal_(generator=torch.Generator().manual_seed(1))
    x = rows()

    def mixed(edge, source):
        shares = torch.exp(cell.architecture[edge])
        shares = shares / shares.sum()
        identity, tanh, relu = cell.mixtures[edge].operations
        assert isinstance(identity, nn.Linear if edge < 2 else nn.Identity)
        return (
            shares[1] * identity(source)
            + shares[2] * torch.tanh(functional.linear(source, tanh[0].weight, tanh[0].bias))
            + shares[3] * functional.linear(source, relu[0].weight, relu[0].bias).clamp_min(0)
        )

    assert cell.edges == ((0, 1), (0, 2), (1, 2))
    first = mixed(0, x)
    second = mixed(1, x) + mixed(2, first)
    torch.testing.assert_close(cell(x), cell.decoder(torch.cat((first, second), dim=1)))


def test_the_network_of_one_hidden_layer_is_one_of_the_architectures():
    cell = DartsCell(5, 3, nodes=8, inner=2, seed=0)
    set_architecture(cell, e01="relu", e02="relu")
    layers = [cell.mixtures[edge].operations[2][0] for edge in (0, 1)]
    hidden = torch.cat([layer(rows()) for layer in layers], dim=1).clamp_min(0)
    torch.testing.assert_close(cell(rows()), cell.decoder(hidden))


def test_the_architecture_is_saved_and_no_parameter():
    cell = DartsCell(5, 3, nodes=8, seed=0)
    assert "architecture" in cell.state_dict()
    assert "architecture" not in dict(cell.named_parameters())
    assert not cell.architecture.requires_grad
    assert cell.topology.edges.tolist() == [list(edge) for edge in cell.edges]


def test_the_strongest_edges_are_chosen():
    cell = DartsCell(5, 3, nodes=12, inner=3, seed=0)
    cell.architecture.zero_()
    for edge, operation, value in [
        ((0, 1), 1, 1.0), ((0, 2), 2, 1.0), ((1, 2), 3, 2.0),
        ((0, 3), 3, 1.0), ((1, 3), 2, 1.5), ((2, 3), 1, 3.0),
    ]:  # fmt: skip
        cell.architecture[cell.edges.index(edge), operation] = value
    # However strong zero is, an edge has the best of the others, but counts for less.
    cell.architecture[cell.edges.index((2, 3)), 0] = 9.0
    chosen = [(0, 1, "identity"), (0, 2, "tanh"), (1, 2, "relu"), (0, 3, "relu"), (1, 3, "tanh")]
    assert cell.chosen_edges() == chosen
    derived = cell.discretised(seed=4)
    assert isinstance(derived, DerivedCell)
    assert derived.edges == tuple(chosen)
    assert derived.config()["nodes"] == 12
    again = cell.discretised(seed=4)
    torch.testing.assert_close(derived.state_dict(), again.state_dict(), rtol=0, atol=0)


def test_a_derived_cell_is_the_cell_at_a_corner():
    cell = DartsCell(5, 3, nodes=8, inner=2, seed=0)
    set_architecture(cell, e01="tanh", e02="identity", e12="identity")
    edges = [(1, 2, "identity"), (0, 1, "tanh"), (0, 2, "identity")]
    derived = DerivedCell(5, 3, edges, nodes=8, inner=2)
    assert derived.edges == ((0, 1, "tanh"), (1, 2, "identity"), (0, 2, "identity"))
    derived.operations[0].load_state_dict(cell.mixtures[0].operations[1].state_dict())
    derived.operations[2].load_state_dict(cell.mixtures[1].operations[0].state_dict())
    derived.decoder.load_state_dict(cell.decoder.state_dict())
    torch.testing.assert_close(derived(rows()), cell(rows()))


@pytest.mark.parametrize("kind", ["search", "derived"])
def test_config_builds_the_same_shape(kind):
    cell = DartsCell(5, 3, nodes=12, inner=3, seed=0)
    network = cell if kind == "search" else cell.discretised(seed=1)
    again = type(network)(**network.config())
    again.load_state_dict(network.state_dict())
    torch.testing.assert_close(again(rows()), network(rows()), rtol=0, atol=0)


@pytest.mark.parametrize(("options", "text"), [
    ({"nodes": 10}, "multiple of inner"),
    ({"inner": 0}, "inner: expected at least 1"),
    ({"outputs": 0}, "outputs: expected at least 1"),
])  # fmt: skip
def test_mistakes_are_named(options, text):
    with pytest.raises(EngineError, match=text):
        DartsCell(**{"inputs": 5, "outputs": 3, "nodes": 12, **options})


@pytest.mark.parametrize("edges", [
    [(0, 1, "tanh")], [(0, 1, "tanh"), (2, 2, "relu")], [(0, 1, "tanh"), (0, 2, "zero")],
])  # fmt: skip
def test_edges_that_make_no_cell_are_refused(edges):
    with pytest.raises(EngineError, match="edges: expected"):
        DerivedCell(5, 3, edges, nodes=8, inner=2)
