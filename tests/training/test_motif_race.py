"""The race of motif sizes, with clocks and errors that the test decides on."""

import numpy as np
import pytest
from sklearn.datasets import load_iris

from nervure import SparseMLPClassifier
from nervure.errors import EngineError
from nervure.training import (
    Fitted,
    SparseOptions,
    TrainingOptions,
    fit_motif_race,
    race_motif_sizes,
)


class Runner:
    """A training whose epochs cost and bring what they are told to."""

    def __init__(self, seconds, errors, log, name, epochs=10):
        self.options = TrainingOptions(epochs=epochs)
        self.fitted = Fitted()
        self.ended = False
        self._plan = iter(zip(seconds, errors, strict=False))
        self._log, self._name = log, name

    def epoch(self):
        seconds, error = next(self._plan)
        self.fitted.history.append({"train_seconds": seconds, "validation_error": error})
        self._log.append(self._name)

    def finish(self):
        self.ended = True


def runners(**plans):
    log = []
    return {int(k[1:]): Runner(*plan, log, k) for k, plan in plans.items()}, log


def test_candidates_train_in_turns_and_the_worst_drops_out():
    candidates, log = runners(
        m1=([4.0] * 9, [0.10] * 9), m2=([2.0] * 9, [0.12] * 9), m4=([1.0] * 9, [0.50] * 9)
    )
    race = race_motif_sizes(candidates, epochs_per_round=2)
    assert log == ["m1", "m2", "m4"] * 2 + ["m1", "m2"] * 2
    # 0.1 saved + 0.9 kept: 0.9, 0.05 + 0.88, 0.075 + 0.5.
    first = {t.motif_size: t for t in race.trials if t.round == 1}
    assert first[1].score == pytest.approx(0.9)
    assert first[2].score == pytest.approx(0.1 * 0.5 + 0.9 * 0.88 / 0.9)
    assert first[4].score == pytest.approx(0.1 * 0.75 + 0.9 * 0.5 / 0.9)
    assert [t.goes_on for t in race.trials] == [True, True, False, False, True]
    assert race.motif_size == 2
    assert [candidates[m].ended for m in (1, 2, 4)] == [True, False, True]


def test_the_least_time_of_an_epoch_counts_and_the_last_accuracy():
    candidates, _ = runners(m1=([4.0, 9.0], [0.5, 0.1]), m2=([40.0, 3.9], [0.1, 0.1]))
    race = race_motif_sizes(candidates)
    assert race.motif_size == 2
    assert [t.seconds for t in race.trials] == [4.0, 3.9]
    assert [t.merit for t in race.trials] == [0.9, 0.9]


def test_the_smallest_stays_the_measure_after_it_has_dropped_out():
    candidates, _ = runners(
        m1=([1.0] * 9, [0.9] * 9), m2=([1.0] * 9, [0.2] * 9), m4=([1.0] * 9, [0.3] * 9)
    )
    race = race_motif_sizes(candidates, epochs_per_round=1)
    second = {t.motif_size: t.score for t in race.trials if t.round == 2}
    assert second[2] == pytest.approx(0.9 * 0.8 / 0.1)
    assert race.motif_size == 2


def test_mistakes_are_named():
    candidates, _ = runners(m1=([1.0], [0.5]), m2=([1.0], [0.5]))
    with pytest.raises(EngineError, match="2 motif sizes need 20 epochs to choose among, got 10"):
        race_motif_sizes(candidates, epochs_per_round=20)
    with pytest.raises(EngineError, match="at least one"):
        race_motif_sizes({})
    x, y = load_iris(return_X_y=True)
    options = TrainingOptions(epochs=9)
    with pytest.raises(EngineError, match=r"motif sizes 2, 4: none divides every hidden layer"):
        fit_motif_race(
            SparseOptions(hidden=(9,)), x, y, outputs=3, task="classification", options=options,
            validation=(x, y), sizes=(2, 4),
        )  # fmt: skip


def test_the_winner_trains_on_from_what_it_has_learned():
    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    options = TrainingOptions(epochs=12, learning_rate=0.05, momentum=0.9)
    heard = []

    def listen(size, network):
        assert network.motif_size == size
        return (lambda metrics: heard.append((size, metrics["epoch"]))), None

    network, fitted, race = fit_motif_race(
        SparseOptions(hidden=(20, 20), epsilon=3), x, y, outputs=3, task="classification",
        options=options, validation=(x, y), listen=listen,
        on_chosen=lambda size: heard.append(("chosen", size)),
    )  # fmt: skip
    assert network.motif_size == race.motif_size
    assert [m["epoch"] for m in fitted.history] == list(range(1, 13))
    at = heard.index(("chosen", race.motif_size))
    assert heard[at + 1 :] == [(race.motif_size, e) for e in range(5, 13)]
    assert at == 3 * 2 + 2 * 2


def test_the_estimator_needs_data_held_out():
    x, y = load_iris(return_X_y=True)
    options = {"hidden_sizes": (20, 20), "epochs": 10, "random_state": 0, "motif_size": "auto"}
    with pytest.raises(ValueError, match="validation_fraction above 0, got 0"):
        SparseMLPClassifier(**options).fit(x, y)
    model = SparseMLPClassifier(**options, validation_fraction=0.2).fit(x, y)
    assert model.motif_size_ in (1, 2, 4)
    assert model.motif_size_ == model.network_.motif_size
    assert {t.motif_size for t in model.motif_trials_} == {1, 2, 4}
    assert model.score(x, y) > 0.9
