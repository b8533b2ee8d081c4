"""A training that goes an epoch at a time."""

import time
from itertools import pairwise

import numpy as np
import pytest
import torch

from nervure import FreeNet, NeuralModules
from nervure.baselines import PlainNetwork
from nervure.errors import EngineError
from nervure.rules import Repulsion
from nervure.training import Training, TrainingOptions, evaluate, fit
from nervure.training.evaluation import Evaluation
from nervure.training.evolve import coactivation_rule

RNG = np.random.default_rng(0)
X = RNG.random((300, 6)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 1).astype(np.int64)
ROWS, TARGETS, VALIDATION = X[:200], Y[:200], (X[200:], Y[200:])
OPTIONS = TrainingOptions(epochs=6, learning_rate=0.5, seed=3)
ADAM = TrainingOptions(epochs=6, optimizer="adam", learning_rate=0.01)


def modules():
    network = NeuralModules(6, 2, nodes=20, seed=0)
    rule = lambda _, optimizer: Repulsion(network, optimizer, keep=40, alpha=0.01)  # noqa: E731
    return network, {"options": OPTIONS, "rule": rule, "validation": VALIDATION}


def freenet():
    network = FreeNet(6, 2, neurons=15, seed=0)
    rule = coactivation_rule(network, ROWS, ADAM, epsilon=0.3, interval=9, statistics="batches")
    return network, {"options": ADAM, "rule": rule, "validation": VALIDATION}


def plain():
    return PlainNetwork(6, 2, nodes=8, seed=1), {"options": OPTIONS}


def training(made, **more):
    network, arguments = made
    return Training(network, ROWS, TARGETS, task="classification", **arguments | more)


def fitted(made, **more):
    network, arguments = made
    return fit(network, ROWS, TARGETS, task="classification", **arguments | more)


def untimed(history):
    return [{k: v for k, v in m.items() if not k.endswith("seconds")} for m in history]


def assert_same(one, other, network, like):
    np.testing.assert_equal(untimed(one.history), untimed(other.history))
    assert (one.best_epoch, one.converged) == (other.best_epoch, other.converged)
    state, expected = network.state_dict(), like.state_dict()
    assert state.keys() == expected.keys()
    for name in state:
        assert torch.equal(state[name], expected[name]), name


@pytest.fixture
def interrupt_at(monkeypatch):
    """Make Ctrl-C come in a forward pass of `PlainNetwork`, counted from now."""
    forward = PlainNetwork.forward

    def arrange(call):
        left = [call]

        def interrupted(self, x):
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            return forward(self, x)

        monkeypatch.setattr(PlainNetwork, "forward", interrupted)

    return arrange


def test_trainings_advanced_in_turns_give_what_each_gives_alone():
    makers = [modules, freenet, plain, modules]
    made = [make() for make in makers]
    race = [training(each) for each in made]
    while not all(one.done for one in race):
        for one in race:
            one.epoch()
    for make, (network, _), one in zip(makers, made, race, strict=True):
        alone = make()
        assert_same(one.finish(), fitted(alone), network, alone[0])


@pytest.mark.parametrize("make", [modules, freenet, plain])
def test_a_training_ended_after_some_epochs_is_a_fit_with_until(make):
    made, alone = make(), make()
    one = training(made)
    for _ in range(4):
        one.epoch()
        # What its owner does in the pause does not matter.
        made[0].eval()
        torch.rand(1)
        np.random.default_rng(0).random()
    assert not one.done
    expected = fitted(alone, until=lambda metrics: metrics["epoch"] == 4)
    assert_same(one.finish(), expected, made[0], alone[0])
    assert len(one.fitted.history) == 4


def test_finish_restores_the_best_epoch_with_its_wiring():
    network, arguments = modules()
    states = []
    one = training(
        (network, arguments),
        options=TrainingOptions(epochs=12, learning_rate=3.0, schedule="constant"),
        on_epoch=lambda _: states.append({k: v.clone() for k, v in network.state_dict().items()}),
    )
    while not one.done:
        one.epoch()
    history = one.finish().history
    merits = [(m["validation_error"], m["validation_loss"]) for m in history]
    best = merits.index(min(merits))
    # Else there would be nothing to restore.
    assert best < 11
    assert one.fitted.best_epoch == best + 1
    for name, value in network.state_dict().items():
        assert torch.equal(value, states[best][name]), name
    found = evaluate(network, *VALIDATION, "classification")
    assert (found.error, found.loss) == pytest.approx(merits[best])


def test_without_keep_best_the_last_epoch_stays():
    network, _ = plain()
    options = TrainingOptions(epochs=3, learning_rate=0.5, keep_best=False)
    one = training((network, {"options": options}), validation=VALIDATION)
    while not one.done:
        one.epoch()
    last = {k: v.clone() for k, v in network.state_dict().items()}
    assert one.finish().best_epoch == 3
    assert all(torch.equal(v, last[k]) for k, v in network.state_dict().items())


def test_pauses_validation_and_callbacks_are_told_apart_from_training():
    slow = 0.05
    one = training(plain(), validation=VALIDATION, on_epoch=lambda _: time.sleep(slow))
    begin = time.perf_counter()
    for _ in range(3):
        one.epoch()
        time.sleep(2 * slow)
    history = one.finish().history
    whole = time.perf_counter() - begin
    assert history[0]["train_seconds"] == history[0]["seconds"] > 0
    for before, after in pairwise(history):
        assert after["seconds"] > before["seconds"] + after["train_seconds"]
    assert sum(m["train_seconds"] for m in history) < one.fitted.seconds - 3 * slow
    assert history[-1]["seconds"] < one.fitted.seconds < whole - 6 * slow


def test_ctrl_c_in_mid_epoch_leaves_what_was_complete(interrupt_at):
    network, arguments = plain()
    one = training((network, arguments), validation=VALIDATION)
    one.epoch()
    one.epoch()
    seconds, before = one.fitted.seconds, untimed(one.fitted.history)
    interrupt_at(15)
    with pytest.raises(KeyboardInterrupt):
        one.epoch()
    assert untimed(one.fitted.history) == before
    assert one.fitted.seconds > seconds
    # Optimizer and schedule have moved on, so it cannot be trained again.
    with pytest.raises(EngineError, match=r"only finish\(\) can follow"):
        one.epoch()
    alone = plain()
    expected = fitted(alone, validation=VALIDATION, until=lambda m: m["epoch"] == 2)
    assert_same(one.finish(), expected, network, alone[0])


def test_ctrl_c_while_validating_counts_as_mid_epoch(interrupt_at):
    one = training(plain(), validation=VALIDATION)
    one.epoch()
    interrupt_at(one.options.steps_per_epoch(len(TARGETS)) + 1)
    with pytest.raises(KeyboardInterrupt):
        one.epoch()
    assert one.network.training
    assert [m["epoch"] for m in one.finish().history] == [1]


def test_ctrl_c_between_epochs_lets_it_go_on():
    def stop(metrics):
        if metrics["epoch"] == 2:
            raise KeyboardInterrupt

    made, alone = plain(), plain()
    one = training(made, on_epoch=stop)
    one.epoch()
    with pytest.raises(KeyboardInterrupt):
        one.epoch()
    while not one.done:
        one.epoch()
    assert_same(one.finish(), fitted(alone), made[0], alone[0])


def test_fit_raises_ctrl_c_in_the_first_epoch_and_keeps_later_ones(interrupt_at):
    # 25 steps to an epoch, and one call for validation.
    interrupt_at(5)
    with pytest.raises(KeyboardInterrupt):
        fitted(plain())
    interrupt_at(60)
    network, arguments = plain()
    found = fitted((network, arguments), validation=VALIDATION)
    assert found.interrupted
    assert [m["epoch"] for m in found.history] == [1, 2]
    merit = found.history[found.best_epoch - 1]["validation_loss"]
    assert evaluate(network, *VALIDATION, "classification").loss == pytest.approx(merit)


def test_an_error_in_mid_epoch_keeps_the_best_so_far():
    network, arguments = plain()
    one = training((network, arguments), validation=VALIDATION)
    one.epoch()
    good = {k: v.clone() for k, v in network.state_dict().items()}
    with torch.no_grad():
        network.decoder.bias.fill_(float("nan"))
    with pytest.raises(EngineError, match="lower the learning rate"):
        one.epoch()
    assert one.finish().best_epoch == 1
    assert all(torch.equal(v, good[k]) for k, v in network.state_dict().items())


def test_an_epoch_that_validation_cannot_rank_is_not_the_best():
    network, arguments = plain()
    rows = VALIDATION[0].copy()
    one = training((network, arguments), validation=(rows, VALIDATION[1]))
    one.epoch()
    rows[:] = np.nan
    assert np.isnan(one.epoch()["validation_loss"])
    rows[:] = VALIDATION[0]
    assert one.finish().best_epoch == 1


@pytest.mark.parametrize("first", [(np.nan, np.nan), (np.nan, 0.5), (2.0, np.nan)])
def test_a_first_epoch_that_validation_cannot_rank_gives_way(monkeypatch, first):
    seen = iter([first, (1.0, 0.5), (np.nan, 0.5)])
    monkeypatch.setattr("nervure.training.loop.evaluate", lambda *_: Evaluation(*next(seen)))
    one = training(plain(), validation=VALIDATION)
    for _ in range(3):
        one.epoch()
    assert one.finish().best_epoch == 2


def test_finish_lets_the_rule_go_and_changes_nothing_when_called_again():
    network, arguments = freenet()
    one = training((network, arguments))
    assert network.core._forward_hooks
    one.epoch()
    found = one.finish()
    assert not network.core._forward_hooks
    with torch.no_grad():
        network.decoder.bias.fill_(7)
    assert one.finish() is found
    assert (network.decoder.bias == 7).all()


def test_no_epoch_follows_the_last():
    one = training(plain(), options=TrainingOptions(epochs=1))
    one.epoch()
    with pytest.raises(EngineError, match="all epochs are done"):
        one.epoch()
    one.finish()
    with pytest.raises(EngineError, match="is finished"):
        one.epoch()
    other = training(plain())
    assert other.finish().best_epoch == 0


def rates(schedule, epochs=5):
    """Learning rate at the end of each epoch of ten steps."""
    options = TrainingOptions(epochs=epochs, batch_size=20, learning_rate=0.1, schedule=schedule)
    made = Training(
        PlainNetwork(6, 2, nodes=4, seed=0), ROWS, TARGETS, task="classification", options=options
    )
    seen = []
    while not made.done:
        made.epoch()
        seen.append(made._optimizer.param_groups[0]["lr"])
    return seen


def test_steps_divide_the_learning_rate_at_eighty_and_ninety_per_cent():
    np.testing.assert_allclose(rates("steps", 10), [0.1] * 7 + [0.01] + [0.001] * 2)
    np.testing.assert_allclose(rates("constant"), [0.1] * 5)
    np.testing.assert_allclose(rates("cosine", 2), [0.05, 0.0], atol=1e-12)


def test_batches_are_changed_before_they_are_learned():
    seen = []

    def nothing_left(x, generator):
        seen.append((len(x), isinstance(generator, np.random.Generator)))
        return torch.zeros_like(x)

    network = PlainNetwork(6, 2, nodes=4, seed=0)
    before = network.hidden.weight.detach().clone()
    options = TrainingOptions(epochs=1, batch_size=64, momentum=0.0)
    fit(network, ROWS, TARGETS, task="classification", options=options, augment=nothing_left)
    # Without input the gradient of the first weights is zero; that of the second ones is not.
    assert torch.equal(network.hidden.weight, before)
    assert seen == [(64, True)] * 3 + [(8, True)]


def test_a_loss_of_ones_own_takes_the_place_of_the_tasks():
    def hinge(network, x, target):
        seen.append(target.dtype)
        return torch.nn.functional.multi_margin_loss(network(x), target)

    def trained(**options):
        network = PlainNetwork(6, 2, nodes=4, seed=0)
        fitted = fit(
            network, ROWS, TARGETS, task="classification", options=OPTIONS, validation=VALIDATION,
            **options,
        )  # fmt: skip
        return network, fitted.history[0]

    seen = []
    own, metrics = trained(loss=hinge)
    assert set(seen) == {torch.int64}
    usual, others = trained()
    same, _ = trained(loss=lambda n, x, y: torch.nn.functional.cross_entropy(n(x), y))
    assert torch.equal(same.hidden.weight, usual.hidden.weight)
    assert not torch.equal(own.hidden.weight, usual.hidden.weight)
    assert metrics["train_loss"] < others["train_loss"]
    assert "validation_error" in metrics


def test_a_last_row_alone_joins_the_batch_before_it_where_batches_are_normalised():
    class Counting(torch.nn.Sequential):
        def forward(self, x):
            sizes.append(len(x))
            return super().forward(x)

    options = TrainingOptions(epochs=1, batch_size=20)
    x, y = ROWS[:41], TARGETS[:41]
    for norm, expected in ((torch.nn.BatchNorm1d(6), [20, 21]), (torch.nn.Tanh(), [20, 20, 1])):
        sizes: list[int] = []
        fit(
            Counting(torch.nn.Linear(6, 6), norm, torch.nn.Linear(6, 2)),
            x, y, task="classification", options=options,
        )  # fmt: skip
        assert sizes == expected
