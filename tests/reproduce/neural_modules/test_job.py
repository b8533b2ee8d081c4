"""What all methods share: rows, early stopping, the time budget."""

import time
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch

from nervure.baselines import PlainNetwork
from nervure.data import registry
from nervure.reproduce.neural_modules import job as job_module
from nervure.reproduce.neural_modules.job import Job, data_of
from nervure.training import loop

pytestmark = pytest.mark.usefixtures("digits")


def job(**changes):
    values = {"learning_rate": 0.3}
    given = {"nodes": 8, "seed": 0, "values": values, "epochs": 4, "seconds": 60.0} | changes
    return Job(data_of("gas", 0), **given)


def test_the_test_part_is_the_same_for_all_seeds_and_the_validation_part_is_not():
    first, second = data_of("gas", 0), data_of("gas", 1)
    assert np.array_equal(first.y_test, second.y_test)
    assert len(first.y_validation) == len(second.y_validation)
    assert not np.array_equal(first.y_validation, second.y_validation)
    share = len(first.y_test) / sum(
        len(y) for y in (first.y_train, first.y_validation, first.y_test)
    )
    assert share == pytest.approx(0.2, abs=1e-3)
    # Encoded by different training rows, the same test rows differ by a shift and a scale.
    correlation = [np.corrcoef(first.x_test[:, i], second.x_test[:, i])[0, 1] for i in (20, 36, 60)]
    np.testing.assert_allclose(correlation, 1, atol=1e-5)


def test_the_most_frequent_class_against_all_others():
    all_classes, two = data_of("gas", 0), data_of("gas", 0, "binary")
    counts = np.bincount(registry.load("digits").y)
    rows = np.concatenate([all_classes.y_train, all_classes.y_validation])
    largest = int(np.bincount(rows).argmax())
    assert two.class_names == ("others", all_classes.class_names[largest])
    for part in ("y_train", "y_validation", "y_test"):
        expected = getattr(all_classes, part) == largest
        assert np.array_equal(getattr(two, part), expected.astype(np.int64))
    total = sum(int(getattr(two, part).sum()) for part in ("y_train", "y_validation", "y_test"))
    assert total == counts[largest]


def test_two_classes_are_the_same_for_all_seeds(monkeypatch):
    # Classes of one size, as activity has: of the training rows alone, each seed has its own.
    balanced = registry.load("digits")
    chosen = np.concatenate([np.flatnonzero(balanced.y == kind)[:170] for kind in range(10)])
    balanced = replace(balanced, x=balanced.x[chosen], y=balanced.y[chosen])
    monkeypatch.setattr(job_module, "load", lambda _: balanced)
    seeds = range(5)
    assert len({int(np.bincount(data_of("gas", seed).y_train).argmax()) for seed in seeds}) > 1
    assert len({data_of("gas", seed, "binary").class_names for seed in seeds}) == 1


def test_an_interrupted_training_is_no_result(monkeypatch):
    evaluate, calls = loop.evaluate, count(1)

    def interrupted(*arguments):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return evaluate(*arguments)

    monkeypatch.setattr(loop, "evaluate", interrupted)
    stopped = job(epochs=4)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(PlainNetwork(stopped.inputs, stopped.outputs, nodes=8, seed=0))


def test_training_ends_where_the_validation_error_stops_falling():
    patient = job(epochs=40, values={"learning_rate": 1e-7})
    network = PlainNetwork(patient.inputs, patient.outputs, nodes=8, seed=0)
    before = network.hidden.weight.detach().clone()
    patient.fit(network)
    # No prediction changes, so no epoch is better than the first; a third of 40 are waited for.
    assert len({m["validation_error"] for m in patient.history}) == 1
    assert len(patient.history) == 1 + 13
    assert not patient.over_time
    torch.testing.assert_close(network.hidden.weight, before, atol=1e-3, rtol=0)


def test_the_budget_ends_a_training_after_the_epoch_that_spends_it():
    short = job(epochs=30, seconds=1e-9)
    short.fit(PlainNetwork(short.inputs, short.outputs, nodes=8, seed=0))
    assert len(short.history) == 1
    assert short.over_time
    assert short.spent > 0


def test_time_is_counted_over_several_fits():
    both = job(epochs=1)
    begin = time.perf_counter()
    for seed in range(2):
        both.fit(PlainNetwork(both.inputs, both.outputs, nodes=8, seed=seed))
        first = both.spent if seed == 0 else first  # noqa: F821
    assert 0 < first < both.spent <= time.perf_counter() - begin


def test_options_can_be_changed_for_one_fit():
    data = data_of("gas", 0)
    whole = job(epochs=1)
    other = replace(data, x_train=data.x_train[:50], y_train=data.y_train[:50])
    fitted = whole.fit(
        PlainNetwork(whole.inputs, whole.outputs, nodes=8, seed=0), data=other, epochs=3
    )
    assert len(fitted.history) == 3
