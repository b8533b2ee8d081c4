"""Layers side by side: what each gives is what it gives alone."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import mse_loss

from nervure import GraphLayer, Topology
from nervure.errors import EngineError, ModelFileError
from nervure.networks import Population
from nervure.rules import SET, MagnitudePruning


def layered(sizes, seed, density=0.6, **options):
    return GraphLayer(
        Topology.layered(sizes, density=density, seed=seed),
        activation="tanh",
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
        **options,
    )


def batch(inputs, outputs, rows=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, inputs, generator=generator, dtype=torch.float64)
    return x, torch.randn(rows, outputs, generator=generator, dtype=torch.float64)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5)), min_size=1, max_size=6))
def test_outputs_and_gradients_are_those_of_each_alone(shapes):
    members = [layered([3, width, 2], seed) for width, seed in shapes]
    alone = [copy.deepcopy(member) for member in members]
    population = Population(members)
    x, y = batch(3, 2)
    outputs = population(x)
    assert len(outputs) == len(population) == len(shapes)
    sum(mse_loss(out, y) for out in outputs).backward()
    population.hand_out()
    for member, one, out in zip(members, alone, outputs, strict=True):
        own = one(x)
        torch.testing.assert_close(out, own)
        mse_loss(own, y).backward()
        for name, parameter in one.named_parameters():
            torch.testing.assert_close(getattr(member, name).grad, parameter.grad)


def test_members_train_with_optimizers_of_their_own():
    members = [layered([4, width, 2], width) for width in (3, 8, 5)]
    alone = [copy.deepcopy(member) for member in members]
    population = Population(members)
    kinds = (
        lambda p: torch.optim.SGD(p, lr=0.3, momentum=0.9),
        lambda p: torch.optim.Adam(p, lr=0.01),
        lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.01),
    )
    both = [[kind(m.parameters()) for kind, m in zip(kinds, group, strict=True)]
            for group in (members, alone)]  # fmt: skip
    inputs = [batch(4, 2, seed=seed) for seed in range(3)]
    for _ in range(15):
        losses = [
            mse_loss(out, y)
            for out, (_, y) in zip(population([x for x, _ in inputs]), inputs, strict=True)
        ]
        torch.stack(losses).sum().backward()
        population.hand_out()
        for optimizer in both[0]:
            optimizer.step()
        population.take_in()
        for one, optimizer, (x, y) in zip(alone, both[1], inputs, strict=True):
            optimizer.zero_grad()
            mse_loss(one(x), y).backward()
            optimizer.step()
    for member, one in zip(members, alone, strict=True):
        for name, parameter in one.named_parameters():
            torch.testing.assert_close(getattr(member, name), parameter)


def test_rules_rewire_members_apart():
    sizes = [6, 10, 3]
    members = [layered(sizes, seed) for seed in range(3)]
    alone = [copy.deepcopy(member) for member in members]
    population = Population(members)
    x, y = batch(6, 3)
    rules, optimizers = [], []
    for group in (members, alone):
        made = [torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9) for m in group]
        optimizers.append(made)
        rules.append([
            SET(group[0], made[0], interval=3, sizes=sizes, seed=5),
            MagnitudePruning(group[1], made[1], keep=0.4, end=9, interval=2),
        ])  # fmt: skip
    for _ in range(12):
        torch.stack([mse_loss(out, y) for out in population(x)]).sum().backward()
        population.hand_out()
        for optimizer in optimizers[0]:
            optimizer.step()
        for rule in rules[0]:
            rule.step()
        population.take_in()
        for one, optimizer in zip(alone, optimizers[1], strict=True):
            optimizer.zero_grad()
            mse_loss(one(x), y).backward()
            optimizer.step()
        for rule in rules[1]:
            rule.step()
    assert members[1].topology.num_edges < alone[2].topology.num_edges
    for member, one, out in zip(members, alone, population(x), strict=True):
        assert member.topology == one.topology
        torch.testing.assert_close(member.weight, one.weight)
        torch.testing.assert_close(out, one(x))


def test_a_member_that_is_lost_leaves_the_others_untouched():
    members = [layered([3, 4, 2], seed) for seed in range(3)]
    alone = [copy.deepcopy(member) for member in members]
    population = Population(members)
    with torch.no_grad():
        members[1].weight.fill_(torch.nan)
    x, y = batch(3, 2)
    outputs = population(x)
    assert outputs[1].isnan().all()
    torch.stack([mse_loss(outputs[i], y) for i in (0, 2)]).sum().backward()
    population.hand_out()
    for i in (0, 2):
        mse_loss(alone[i](x), y).backward()
        torch.testing.assert_close(outputs[i], alone[i](x))
        torch.testing.assert_close(members[i].weight.grad, alone[i].weight.grad)


def test_those_who_leave_keep_values_of_their_own():
    members = [layered([3, 4, 2], seed) for seed in range(4)]
    population = Population(members)
    values = [member.weight.detach().clone() for member in members]
    x, _ = batch(3, 2)
    fewer = population.select([3, 1])
    assert len(fewer) == 2
    for out, i in zip(fewer(x), (3, 1), strict=True):
        torch.testing.assert_close(out, members[i](x))
    with torch.no_grad():
        fewer.layer.weight.zero_()
    assert (members[3].weight == 0).all()
    np.testing.assert_array_equal(members[0].weight.detach(), values[0])


@pytest.mark.parametrize(("members", "text"), [
    (list, "at least one layer, got none"),
    (lambda: [layered([3, 4, 2], 0), layered([3, 4, 2], 0).float()], "member 1: expected torch.fl"),
    (lambda: [layered([3, 4, 2], 0), layered([3, 4, 2], 0, bias=False)], "biases in all members"),
    (lambda: [layered([3, 4, 2], 0), layered([2, 2, 2], 0, density=1.0, block=2)], "without block"),
])  # fmt: skip
def test_members_must_be_alike(members, text):
    with pytest.raises(EngineError, match=text):
        Population(members())


def test_inputs_that_do_not_fit_are_named():
    population = Population([layered([3, 4, 2], 0), layered([5, 4, 2], 0)])
    with pytest.raises(EngineError, match="expected 3, 5 inputs of the 2 members, got 3"):
        population(torch.zeros(2, 3, dtype=torch.float64))


def test_members_go_along_to_another_precision_and_train_there():
    members = [layered([4, width, 2], width) for width in (3, 8)]
    population = Population(members).float()
    assert {member.weight.dtype for member in members} == {torch.float32}
    x, y = (part.float() for part in batch(4, 2))
    before = [out.detach() for out in population(x)]
    for member in members:
        with torch.no_grad():
            member.weight.mul_(2.0)
    population.take_in()
    after = population(x)
    for member, out, old in zip(members, after, before, strict=True):
        assert out.dtype == torch.float32
        torch.testing.assert_close(out, member(x))
        assert not torch.allclose(out, old)
    sum(mse_loss(out, y) for out in after).backward()
    population.hand_out()
    assert members[0].weight.grad.dtype == torch.float32


def test_a_loaded_state_reaches_the_members():
    saved = Population([layered([4, width, 2], width) for width in (3, 8)])
    # The same sizes, other edges and weights.
    population = Population([layered([4, width, 2], width + 50) for width in (3, 8)])
    assert population.members[0].topology != saved.members[0].topology
    population.load_state_dict(saved.state_dict())
    x, _ = batch(4, 2)
    for _ in range(2):
        for member, one, out in zip(population.members, saved.members, population(x), strict=True):
            assert member.topology == one.topology
            torch.testing.assert_close(out, one(x), rtol=0, atol=0)
            torch.testing.assert_close(member(x), out)
        population.take_in()
    with torch.no_grad():
        population.members[1].weight.zero_()
    assert not torch.allclose(population(x)[1], saved(x)[1])


@pytest.mark.parametrize("saved", [[(4, 8, 2), (4, 3, 2)], [(4, 3, 2), (4, 9, 2)],
    [(4, 3, 2), (3, 9, 2)], [(4, 3, 3), (4, 8, 1)]])  # fmt: skip
def test_a_state_of_other_members_is_refused(saved):
    """Of the same members in another order, of other sizes, inputs and outputs."""
    state = Population([layered(sizes, 7) for sizes in saved]).state_dict()
    population = Population([layered([4, width, 2], width) for width in (3, 8)])
    x, _ = batch(4, 2)
    before = [out.detach() for out in population(x)]
    wirings = [layer.topology for layer in (population.layer, *population.members)]
    with pytest.raises(ModelFileError, match="members of other sizes"):
        population.load_state_dict(state)
    assert wirings == [layer.topology for layer in (population.layer, *population.members)]
    for member, out, old in zip(population.members, population(x), before, strict=True):
        torch.testing.assert_close(out, old, rtol=0, atol=0)
        torch.testing.assert_close(member(x), old)


def test_members_keep_their_own_order_of_inputs_and_outputs():
    members = [layered([2, 3, 2], 0), layered([2, 3, 2], 1, inputs=[1, 0], outputs=[6, 5])]
    alone = copy.deepcopy(members)
    population = Population(members)
    x, _ = batch(2, 2)
    for one, out in zip(alone, population(x), strict=True):
        torch.testing.assert_close(out, one(x))
    other = Population([layered([2, 3, 2], 5), layered([2, 3, 2], 6)])
    other.load_state_dict(population.state_dict())
    for member, one in zip(other.members, alone, strict=True):
        torch.testing.assert_close(member(x), one(x))


@pytest.mark.parametrize(("option", "value"), [
    ("leak", 0.5), ("backend", "reference"), ("tolerance", 0.5), ("max_sweeps", 3),
    ("on_failure", "flag"), ("input_bias", True),
])  # fmt: skip
def test_options_must_be_alike(option, value):
    members = [layered([3, 4, 2], 0), layered([3, 4, 2], 0, **{option: value})]
    with pytest.raises(EngineError, match=f"member 1: expected the {option} of the first member"):
        Population(members)


def test_a_member_is_given_once():
    member = layered([3, 4, 2], 0)
    with pytest.raises(EngineError, match="each layer once"):
        Population([member, layered([3, 4, 2], 1), member])
    elsewhere = GraphLayer(Topology.layered([3, 4, 2]), device="meta", dtype=torch.float64)
    with pytest.raises(EngineError, match="member 1: expected it on cpu, got meta"):
        Population([member, elsewhere])
