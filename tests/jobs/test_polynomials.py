"""The job that learns functions of one number, at a tiny size."""

import math

import numpy as np
import pytest
import torch

from nervure.data.polynomials import monomial, sparse_polynomial
from nervure.errors import EngineError
from nervure.jobs import polynomials
from nervure.jobs.polynomials import (
    QUICK,
    QUICK_SAMPLES,
    PolynomialOptions,
    polynomial_tasks,
    run_polynomials,
)

TINY = PolynomialOptions(neurons=(3, 5), epochs=2, seeds=(0, 7))


def test_a_row_for_each_network_seed_size_and_task():
    tasks = [monomial(2, samples=64, seed=0), sparse_polynomial(3, samples=64, seed=0)]
    heard = []
    before = torch.get_rng_state()
    rows = run_polynomials(tasks, TINY, heard.append)
    assert torch.equal(before, torch.get_rng_state())
    assert heard == rows
    assert [(r.task, r.seed, r.network) for r in rows] == [
        (task.name, seed, network)
        for task in tasks
        for _ in TINY.neurons
        for seed in TINY.seeds
        for network in ("freenet", "freenet, wiring fixed", "plain")
    ]
    for evolved, fixed, plain in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        k = fixed.neurons
        assert evolved.neurons == k
        assert fixed.parameters == 3 * k + 1 + k * (k - 1) // 2 >= evolved.parameters
        # Three parameters per hidden unit and one bias: as many units as it takes.
        assert plain.parameters == 3 * plain.neurons + 1
        assert 0 <= plain.parameters - fixed.parameters < 3
    for row in rows:
        assert 0 < row.mean_error < row.max_error < math.inf
        assert row.seconds > 0
    assert {row.neurons for row in rows if row.network != "plain"} == {3, 5}


def test_runs_are_repeatable():
    tasks = [monomial(2, samples=64, seed=0)]
    first, second = (
        [(r.max_error, r.mean_error, r.parameters) for r in run_polynomials(tasks, TINY)]
        for _ in range(2)
    )
    assert first == second
    assert len(set(first)) > 6


def test_a_line_is_learned_and_the_error_is_the_distance_from_it():
    options = PolynomialOptions(neurons=(4,), epochs=40, seeds=(0,))
    rows = run_polynomials([monomial(1, samples=320, seed=0)], options)
    assert min(row.max_error for row in rows) < 0.05
    assert all(row.max_error < 0.5 for row in rows)


def test_the_rule_takes_its_update_each_epoch(monkeypatch):
    calls = []
    update = polynomials.CoActivation.update

    def counted(rule):
        calls.append(rule.epsilon)
        return update(rule)

    monkeypatch.setattr(polynomials.CoActivation, "update", counted)
    options = PolynomialOptions(neurons=(4,), epochs=3, seeds=(0,), epsilon=0.4)
    run_polynomials([monomial(1, samples=32, seed=0)], options)
    assert calls == [0.4] * 3


def test_the_learning_rate_waits_for_a_plateau_of_the_mean_loss(monkeypatch):
    made = []

    class Recorder(torch.optim.lr_scheduler.ReduceLROnPlateau):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.seen = []
            made.append(self)

        def step(self, metrics, *rest):
            self.seen.append((metrics, self.optimizer.param_groups[0]["lr"]))
            super().step(metrics, *rest)

    monkeypatch.setattr(torch.optim.lr_scheduler, "ReduceLROnPlateau", Recorder)
    # With weights that hardly move, each epoch's loss is the same but for the order of batches.
    options = PolynomialOptions(
        neurons=(2,),
        epochs=6,
        seeds=(0,),
        learning_rate=1e-7,
        patience=1,
        factor=0.5,
        batch_size=1,
    )
    task = monomial(1, samples=30, seed=0)
    rows = run_polynomials([task], options)
    assert len(made) == 3
    losses, rates = zip(*made[2].seen, strict=True)
    assert rates == pytest.approx((1e-7, 1e-7, 1e-7, 5e-8, 5e-8, 2.5e-8))
    assert max(losses) == pytest.approx(min(losses), rel=1e-3)
    assert rows[2].mean_error == pytest.approx(losses[0], rel=0.3)  # a mean over the same line
    assert isinstance(made[0].optimizer, torch.optim.AdamW)


def test_divergence_is_an_infinite_error():
    options = PolynomialOptions(
        neurons=(8,), epochs=5, seeds=(0,), learning_rate=1e6, activation="squared_relu"
    )
    rows = run_polynomials([monomial(3, samples=64, seed=0)], options)
    assert rows[0].max_error == math.inf
    assert rows[0].parameters == rows[1].parameters  # no update from neurons that are no number


def test_quick_is_small_and_has_every_kind():
    tasks = polynomial_tasks(QUICK_SAMPLES)
    assert [len(task.x) for task in tasks] == [QUICK_SAMPLES] * 4
    assert len({task.name.split()[0] for task in tasks}) == 4
    steps = 3 * len(tasks) * QUICK.epochs * QUICK_SAMPLES / QUICK.batch_size
    assert steps * len(QUICK.seeds) * len(QUICK.neurons) < 20_000  # about 2 ms each, one core
    assert len(polynomial_tasks()[0].x) == 10_000
    assert not np.array_equal(polynomial_tasks(9)[0].x, polynomial_tasks(9, seed=1)[0].x)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"neurons": (3, 0)}, "neurons: expected at least 1, got 0"),
        ({"neurons": ()}, "at least one of each"),
        ({"seeds": ()}, "at least one of each"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_bad_options_are_refused(options, word):
    with pytest.raises(EngineError, match=word):
        PolynomialOptions(**options)
