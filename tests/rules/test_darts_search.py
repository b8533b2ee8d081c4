"""The search of DARTS: gradients by autograd through the unrolled step, and who moves what."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.datasets import load_digits
from torch.func import functional_call
from torch.nn import functional

from nervure.baselines import DartsCell, PlainNetwork
from nervure.errors import EngineError
from nervure.rules import DartsSearch, Rule, architecture_gradient
from nervure.training import TrainingOptions, fit


def tiny():
    cell = DartsCell(3, 2, nodes=4, inner=2, seed=0).double()
    generator = torch.Generator().manual_seed(1)
    cell.architecture.normal_(generator=generator)
    batches = [
        (torch.randn(6, 3, generator=generator).double(), torch.arange(6) % 2) for _ in range(2)
    ]
    return cell, *batches


def exact(cell, validation, training, rate):
    """Differentiate through the step of descent itself."""
    alpha = cell.architecture.clone().requires_grad_()
    weights = dict(cell.named_parameters())

    def value(at, batch):
        output = functional_call(cell, {**at, "architecture": alpha}, (batch[0],))
        return functional.cross_entropy(output, batch[1])

    slopes = torch.autograd.grad(
        value(weights, training), list(weights.values()), create_graph=True
    )
    moved = {n: w - rate * s for (n, w), s in zip(weights.items(), slopes, strict=True)}
    return torch.autograd.grad(value(moved, validation), alpha)[0]


def test_the_first_order_is_the_slope_at_the_weights_as_they_are():
    cell, validation, _ = tiny()
    expected = torch.zeros_like(cell.architecture)
    step = 1e-6
    with torch.no_grad():
        for place in np.ndindex(*expected.shape):
            ends = []
            for sign in (1, -1):
                other = copy.deepcopy(cell)
                other.architecture[place] += sign * step
                ends.append(functional.cross_entropy(other(validation[0]), validation[1]))
            expected[place] = (ends[0] - ends[1]) / (2 * step)
    torch.testing.assert_close(architecture_gradient(cell, validation), expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("rate", [0.05, 0.5])
def test_the_second_order_is_that_of_the_unrolled_step(rate):
    cell, validation, training = tiny()
    before = copy.deepcopy(cell.state_dict())
    expected = exact(cell, validation, training, rate)
    found = architecture_gradient(cell, validation, training, rate=rate, radius=1e-4)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-7)
    # The two parts of the difference to the first order both matter here.
    first = architecture_gradient(cell, validation)
    assert (first - expected).abs().max() > 1e-4
    assert (architecture_gradient(cell, validation, training) - first).abs().max() < 1e-12
    torch.testing.assert_close(cell.state_dict(), before, rtol=0, atol=0)
    assert all(p.grad is None for p in cell.parameters())
    assert not cell.architecture.requires_grad


def digits():
    x, y = load_digits(return_X_y=True)
    return (x / 8 - 1).astype(np.float32)[:400], y.astype(np.int64)[:400]


@pytest.mark.parametrize("order", [1, 2])
def test_a_search_in_the_loop_moves_both_and_ends_in_a_cell(order):
    x, y = digits()
    cell = DartsCell(64, 10, nodes=20, seed=0)
    start = copy.deepcopy(cell.state_dict())
    losses = []
    rule = partial(
        DartsSearch, training=(x[:200], y[:200]), validation=(x[200:], y[200:]), order=order,
        learning_rate=0.02,
    )  # fmt: skip
    fit(
        cell, x[:200], y[:200], task="classification", rule=rule,
        options=TrainingOptions(epochs=10, batch_size=40),
        on_epoch=lambda m: losses.append(m["train_loss"]),
    )  # fmt: skip
    assert losses[-1] < 0.5 * losses[0]
    assert not torch.equal(cell.architecture, start["architecture"])
    assert not torch.equal(cell.decoder.weight, start["decoder.weight"])
    assert cell.architecture.grad is None
    # Zero helps nobody: it has lost against the others.
    shares = torch.softmax(cell.architecture, dim=1)
    assert shares[:, 0].mean() < shares[:, 1:].mean()
    assert len(cell.discretised(seed=1).edges) == 7


def searching(cell, x, y, **options):
    optimizer = torch.optim.SGD(cell.parameters(), lr=0.1)
    return DartsSearch(cell, optimizer, validation=(x, y), batch_size=50, **options)


def test_a_step_is_adam_on_the_drawn_rows():
    x, y = digits()
    cell = DartsCell(64, 10, nodes=20, seed=0)
    alpha = cell.architecture.clone()
    rule = searching(cell, x[:50], y[:50], learning_rate=0.01, weight_decay=0.1)
    gradient = architecture_gradient(cell, (torch.from_numpy(x[:50]), torch.from_numpy(y[:50])))
    rewiring = rule.step()
    assert isinstance(rule, Rule)
    assert rewiring.before is rewiring.after
    assert not rewiring.changed
    # Bias correction makes the first step of Adam that of the sign.
    expected = alpha - 0.01 * torch.sign(gradient + 0.1 * alpha)
    torch.testing.assert_close(cell.architecture, expected, rtol=0, atol=1e-4)


def test_sparse_rows_do_what_dense_ones_do():
    x, y = digits()
    cells = [DartsCell(64, 10, nodes=20, seed=0) for _ in range(2)]
    for cell, rows in zip(cells, (x, csr_matrix(x)), strict=True):
        rule = searching(cell, rows, y, seed=3)
        for _ in range(3):
            rule.step()
    torch.testing.assert_close(cells[0].architecture, cells[1].architecture, rtol=0, atol=0)


def test_a_resumed_search_goes_on_as_it_would_have():
    x, y = digits()
    cell = DartsCell(64, 10, nodes=20, seed=0)
    rule = searching(cell, x, y, seed=1)
    rule.step()
    twin = copy.deepcopy(cell)
    resumed = searching(twin, x, y, seed=2)
    resumed.load_state_dict(copy.deepcopy(rule.state_dict()))
    for one in (rule, resumed):
        one.step()
    torch.testing.assert_close(twin.architecture, cell.architecture, rtol=0, atol=0)


@pytest.mark.parametrize(("options", "text"), [
    ({"order": 3}, "order: expected 1 or 2"), ({"order": 2}, "expected rows for the second order"),
])  # fmt: skip
def test_mistakes_are_named(options, text):
    x, y = digits()
    with pytest.raises(EngineError, match=text):
        searching(DartsCell(64, 10, nodes=20), x, y, **options)


def test_a_network_without_architecture_is_refused():
    x, y = digits()
    with pytest.raises(EngineError, match="PlainNetwork"):
        searching(PlainNetwork(64, 10), x, y)
