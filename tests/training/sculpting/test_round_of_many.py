"""One round of training for many networks, against plain PyTorch and against each alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nervure.training.sculpting import SculptingOptions, Task, round_of_many
from nervure.training.sculpting.round_of_many import RoundOfMany
from nervure.training.sculpting.state import NetworkState

from .plain import LOSSES, Masked, start_of, task_of, train_round, unit_scores

OPTIONS = SculptingOptions(epochs=5, batch_size=7, learning_rate=0.03, weight_decay=1e-3, noise=0.1)
OBJECTIVES = sorted(LOSSES)
# Widths, depths, densities and activations that have nothing in common.
MEMBERS = [
    ([4, 9, 3], "relu", 1.0),
    ([4, 5, 6, 3], "tanh", 1.0),
    ([4, 3, 3, 3, 3], "sigmoid", 0.8),
    ([4, 3], "relu", 1.0),
    ([4, 20, 3], "leaky_relu", 0.3),
]


def round_of(starts, streams, task, number=0, options=OPTIONS, **kwargs):
    many = RoundOfMany(
        [NetworkState.of(start) for start in starts],
        [np.array(start.activation) for start in starts],
        streams,
        task,
        options,
    )
    return many.train(number, **{"scored": True, **kwargs})


def members(seed=0):
    return [start_of(sizes, seed, kind, density) for sizes, kind, density in MEMBERS]


def assert_close(result, other):
    """Equal to rounding."""
    close = {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(result.state.weight, other.state.weight, **close)
    np.testing.assert_allclose(result.state.bias, other.state.bias, **close)
    np.testing.assert_allclose(result.scores, other.scores, **close)
    assert result.merit == pytest.approx(other.merit, abs=1e-5)
    assert result.epochs == other.epochs


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("sizes", "activation", "density"), MEMBERS)
def test_a_round_is_what_plain_torch_makes_of_it(objective, sizes, activation, density):
    task, start = task_of(objective), start_of(sizes, 1, activation, density)
    with torch.no_grad():
        start.bias[4:].normal_(generator=torch.Generator().manual_seed(2))
    (result,) = round_of([start], [3], task, number=2)
    plain = Masked(start, sizes, activation)
    merit, epochs = train_round(plain, task, OPTIONS, 3, 2)
    assert (result.merit, result.epochs) == (pytest.approx(merit, abs=1e-5), epochs)
    weight = np.zeros((sum(sizes),) * 2)
    bias = np.zeros(sum(sizes))
    for k, (linear, mask) in enumerate(zip(plain.linears, plain.masks, strict=True)):
        a, b, c = plain.begins[k : k + 3]
        weight[b:c, a:b] = (linear.weight * mask).detach()
        bias[b:c] = (linear.bias * mask.any(1)).detach()
    t = start.topology
    close = {"rtol": 1e-3, "atol": 1e-4}
    np.testing.assert_allclose(result.state.weight, weight[t.targets, t.sources], **close)
    np.testing.assert_allclose(result.state.bias, bias, **close)
    if len(sizes) > 2:
        scores = unit_scores(plain, task)
        np.testing.assert_allclose(result.scores[t.interior], scores, **close)


def test_the_best_epoch_is_kept_not_the_last():
    task, start = task_of("bits"), start_of([4, 6, 3])
    wild = SculptingOptions(epochs=12, batch_size=3, learning_rate=0.6)
    (result,) = round_of([start], [0], task, options=wild)
    plain = Masked(start, [4, 6, 3])
    merits = []
    for epochs in range(1, 13):
        plain = Masked(start, [4, 6, 3])
        shorter = SculptingOptions(epochs=epochs, batch_size=3, learning_rate=0.6)
        merits.append(train_round(plain, task, shorter, 0, 0)[0])
    (few,) = round_of(
        [start], [0], task,
        options=SculptingOptions(
            epochs=merits.index(max(merits)) + 1, batch_size=3, learning_rate=0.6
        ),
    )  # fmt: skip
    assert result.merit == pytest.approx(max(merits))
    assert few.merit == pytest.approx(max(merits))


def test_of_equal_merits_the_lowest_loss_is_kept():
    # One row, right from the first epoch on, while noise makes the loss go up and down.
    x, y = np.ones((1, 4)), np.ones((1, 3))
    task, sizes = Task.of(x, y, x, y, "bits"), [4, 6, 3]
    start = start_of(sizes)
    with torch.no_grad():
        start.bias[-3:] = 20
    loud = SculptingOptions(epochs=8, batch_size=1, learning_rate=3.0, weight_decay=0.5, noise=3)
    (result,) = round_of([start], [0], task, options=loud)
    plain = Masked(start, sizes)
    train_round(plain, task, loud, 0, 0)
    weight = result.state.weight[-18:].reshape(3, 6)
    np.testing.assert_allclose(weight, plain.linears[1].weight.detach(), rtol=1e-3)
    (last,) = round_of([start], [0], task, number=1, options=loud)
    assert np.abs(last.state.weight[-18:] - result.state.weight[-18:]).max() > 0.1


@settings(max_examples=8, deadline=None)
@given(
    st.sampled_from(OBJECTIVES),
    st.lists(st.integers(0, 2), min_size=len(MEMBERS), max_size=len(MEMBERS)),
    st.integers(0, 5),
)
def test_members_become_what_each_becomes_alone(objective, streams, number):
    task, starts = task_of(objective), members(number)
    together = round_of(starts, streams, task, number)
    for start, stream, result in zip(starts, streams, together, strict=True):
        (alone,) = round_of([start], [stream], task, number)
        assert_close(result, alone)


def test_streams_and_rounds_have_batches_of_their_own():
    task, start = task_of("bits"), start_of([4, 6, 3])
    same, again, other = round_of([start] * 3, [5, 5, 6], task)
    np.testing.assert_array_equal(same.state.weight, again.state.weight)
    assert (same.state.weight != other.state.weight).any()
    (later,) = round_of([start], [5], task, number=1)
    assert (same.state.weight != later.state.weight).any()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e38])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_one_that_diverges_leaves_the_others_alone(objective, bad):
    task, starts = task_of(objective), members()
    with torch.no_grad():
        starts[1].weight.fill_(bad)
    streams = [0] * len(starts)
    with_it = round_of(starts, streams, task)
    without = round_of([*starts[:1], *starts[2:]], streams[1:], task)
    for result, other in zip([*with_it[:1], *with_it[2:]], without, strict=True):
        assert_close(result, other)
    # Right by chance is no merit; tanh bounds what huge weights do in its own layer.
    assert np.isnan(with_it[1].merit) or np.isfinite(with_it[1].state.weight).all()
    if np.isnan(bad):
        assert np.isnan(with_it[1].merit)


def test_what_was_finite_before_it_diverged_is_kept():
    task, start = task_of("regression"), start_of([4, 6, 3])
    steep = SculptingOptions(epochs=6, batch_size=24, learning_rate=1e19)
    with torch.no_grad():
        start.weight.mul_(0.1)
    (result,) = round_of([start], [0], task, options=steep)
    assert np.isnan(result.merit)
    np.testing.assert_array_equal(result.state.weight, start.weight.detach())


def test_each_stops_at_its_own_merit():
    task, starts = task_of("bits"), [start_of([4, 12, 3], seed) for seed in range(3)]
    options = SculptingOptions(epochs=20, batch_size=6, learning_rate=0.02, noise=0.1)
    stops = [0.7, 0.8, 1.01]
    together = round_of(starts, [0, 1, 2], task, options=options, stop_at=stops)
    for k, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        plain = Masked(start, [4, 12, 3])
        merit, epochs = train_round(plain, task, options, k, 0, threshold=stop)
        assert together[k].merit == pytest.approx(merit)
        assert together[k].epochs == epochs
        (alone,) = round_of([start], [k], task, options=options, stop_at=[stop])
        assert_close(together[k], alone)
    assert together[0].epochs < together[1].epochs < together[2].epochs == 20


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_validation_in_parts_is_the_same(objective, monkeypatch):
    task, starts = task_of(objective, rows=50), members()
    whole = round_of(starts, [0] * 5, task)
    monkeypatch.setattr(round_of_many, "_LARGEST", 400)
    for result, other in zip(round_of(starts, [0] * 5, task), whole, strict=True):
        assert_close(result, other)


def test_units_that_read_nothing_have_no_bias():
    task, start = task_of("bits"), start_of([4, 12, 3], density=0.15)
    with torch.no_grad():
        start.bias.fill_(0.5)
    (result,) = round_of([start], [0], task)
    unfed = start.topology.in_degree == 0
    assert unfed[4:].any()
    assert (result.state.bias[unfed] == 0).all()
    assert (result.state.bias[~unfed] != 0).all()


@pytest.mark.parametrize("wrong", [10, 11, 12])
def test_99_right_of_100_are_099(wrong):
    # Thresholds are such numbers: rounding must not turn down what just reaches them.
    x = np.ones((100, 1))
    y = np.ones((100, 10))
    y[:wrong, 3] = 0
    task = Task.of(x, y, x, y, "bits")
    start = start_of([1, 10])
    with torch.no_grad():
        start.weight.fill_(1)
    tiny = SculptingOptions(epochs=1, learning_rate=1e-6)
    (result,) = round_of([start], [0], task, options=tiny)
    assert result.merit == (1000 - wrong) / 1000


def test_scores_come_only_if_asked_for():
    task, start = task_of("bits"), start_of([4, 6, 3])
    (result,) = round_of([start], [0], task, scored=False)
    assert result.scores is None
