"""One pass over the matrix must do what torch's SGD and the rule's own formulas do one by one."""

import pytest
import torch

from nervure import GraphLayer, Topology
from nervure.errors import EngineError
from nervure.rules import Repulsion


class SgdOfAnotherName(torch.optim.SGD):
    """The rule does not know this class, and leaves the step to it."""


def trajectory(optimizer_class, steps=6, keep=90, nodes=25, penalty="repulsion", alpha=0.02,
               form="implicit", dtype=torch.float64, **options):  # fmt: skip
    generator = torch.Generator().manual_seed(3)
    layer = GraphLayer(
        Topology.complete(nodes), activation="tanh", storage="dense", generator=generator,
        tolerance=1e-12 if dtype == torch.float64 else 1e-6, dtype=dtype,
    )  # fmt: skip
    optimizer = optimizer_class(layer.parameters(), **{"lr": 0.1, **options})
    rule = Repulsion(layer, optimizer, keep=keep, alpha=alpha, penalty=penalty, form=form)
    wirings = []
    for _ in range(steps):
        drive = torch.randn(12, nodes, generator=generator, dtype=dtype)
        layer(drive).square().mean().mul(5).backward()
        gradient = layer.weight.grad
        optimizer.step()
        assert layer.weight.grad is gradient
        wirings.append(rule.step().after)
        optimizer.zero_grad()
    buffer = optimizer.state[layer.weight].get("momentum_buffer")
    return layer.weight.detach(), buffer, wirings, rule.gamma


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.5, "dampening": 0.3, "weight_decay": 0.01},
        {"weight_decay": 0.1, "maximize": True},
    ],
)
@pytest.mark.parametrize("form", ["implicit", "clamped", "exact"])
@pytest.mark.parametrize("penalty", ["repulsion", "l2", "none"])
def test_equals_optimizer_and_rule_one_after_the_other(options, form, penalty):
    ours = trajectory(torch.optim.SGD, penalty=penalty, form=form, **options)
    theirs = trajectory(SgdOfAnotherName, penalty=penalty, form=form, **options)
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-10, atol=1e-13)
    assert (ours[1] is None) == (theirs[1] is None)
    if ours[1] is not None:
        torch.testing.assert_close(ours[1], theirs[1], rtol=1e-10, atol=1e-13)
    assert ours[2] == theirs[2]
    assert ours[3] == pytest.approx(theirs[3], rel=1e-10)


def test_single_precision():
    ours = trajectory(torch.optim.SGD, dtype=torch.float32, momentum=0.9)
    theirs = trajectory(SgdOfAnotherName, dtype=torch.float32, momentum=0.9)
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-4, atol=1e-5)


def test_same_bits_on_one_and_two_threads():
    before = torch.get_num_threads()
    try:
        runs = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            runs.append(trajectory(torch.optim.SGD, nodes=120, keep=500, momentum=0.9))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(runs[0][0], runs[1][0])
    assert runs[0][2] == runs[1][2]


def test_large_rows_are_taken_in_stretches():
    # More columns than one stretch of the kernel, and not a multiple of any vector.
    ours = trajectory(torch.optim.SGD, nodes=2101, keep=4000, steps=2, momentum=0.9)
    theirs = trajectory(SgdOfAnotherName, nodes=2101, keep=4000, steps=2, momentum=0.9)
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-10, atol=1e-13)
    assert ours[2] == theirs[2]


def test_weights_changed_after_the_step_are_chosen_anew():
    layer = GraphLayer(Topology.complete(10), activation="tanh", storage="dense")
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    rule = Repulsion(layer, optimizer, keep=5)
    layer(torch.ones(3, 10)).sum().backward()
    optimizer.step()
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[2, 3:8] = 1.0
    assert rule.step().after.edges.tolist() == [[s, 2] for s in range(3, 8)]


def test_diverged_weights_are_an_error_in_words():
    layer = GraphLayer(Topology.complete(10), activation="tanh", storage="dense")
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    Repulsion(layer, optimizer, keep=5)
    layer(torch.ones(3, 10)).sum().backward()
    layer.weight.grad[1, 2] = torch.nan
    with pytest.raises(EngineError, match=r"NaN.*lower the learning rate"):
        optimizer.step()


def test_the_buffer_is_the_optimizers_own():
    layer = GraphLayer(Topology.complete(10), activation="tanh", storage="dense")
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    Repulsion(layer, optimizer, keep=5, penalty="none")
    layer(torch.ones(3, 10)).sum().backward()
    gradient = layer.weight.grad.clone()
    optimizer.step()
    saved = optimizer.state_dict()["state"][0]["momentum_buffer"]
    torch.testing.assert_close(saved, gradient)
