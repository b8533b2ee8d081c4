"""The parts of sparse training, each against its formula or a full sort."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nervure.errors import EngineError
from nervure.rules.parts import (
    Between,
    Budget,
    Cosine,
    GradientGrowth,
    Never,
    Periodic,
    UniformGrowth,
    weakest,
    weakest_by_sign,
)
from nervure.topology import FreeCells

checked = settings(deadline=None, max_examples=60)
steps = range(1, 40)
# Few values, so that ties and zeros are common.
strengths = st.lists(st.integers(-6, 6), max_size=40).map(lambda v: np.array(v, dtype=float))


def due(schedule):
    return {step: schedule.share(step) for step in steps if schedule.share(step) is not None}


# -- when ------------------------------------------------------------------------------------------


def test_periodic():
    assert due(Periodic(0.3, 10)) == {10: 0.3, 20: 0.3, 30: 0.3}
    assert due(Periodic(0.3, 10, end=30)) == {10: 0.3, 20: 0.3}


def test_cosine():
    found = due(Cosine(0.3, 5, end=20))
    expected = {t: 0.15 * (1 + math.cos(t * math.pi / 20)) for t in (5, 10, 15)}
    assert found == pytest.approx(expected)
    assert found[10] == pytest.approx(0.15)


def test_between():
    assert due(Between(3, 12, 4)) == {3: 0.0, 7: 0.0, 11: 0.0, 12: 0.0}
    assert due(Between(0, 8, 100)) == {8: 0.0}


def test_never():
    assert due(Never()) == {}


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Periodic(1.5, 1), "share of edges exchanged: expected 0 to 1, got 1.5"),
        (lambda: Periodic(math.nan, 1), "expected 0 to 1, got nan"),
        (lambda: Periodic(-0.1, 0, 0), "got -0.1; interval: expected at least 1, got 0; end: exp"),
        (lambda: Cosine(0.3, 5, 0), "end: expected at least 1, got 0"),
        (lambda: Between(5, 3, 1), "expected 0 <= begin < end, got 5 and 3"),
        (lambda: Between(-1, 3, 1), "got -1 and 3"),
        (lambda: Between(0, 3, 0), "interval: expected at least 1, got 0"),
        (lambda: Budget(0.0), "keep: expected above 0 and at most 1, got 0.0"),
        (lambda: Budget(1.1), "got 1.1"),
        (lambda: Budget(0.5, 4, 4), "expected 0 <= begin < end, got 4 and 4"),
    ],
)
def test_bad_schedules_and_budgets_are_refused(make, text):
    with pytest.raises(EngineError, match=text):
        make()


# -- how many --------------------------------------------------------------------------------------


def test_budget_is_cubic_between_begin_and_end():
    budget = Budget(0.1, 10, 30)
    assert [budget.left(t) for t in (0, 10, 15, 20, 25, 30, 99)] == pytest.approx(
        [1, 1, 0.75**3, 0.125, 0.25**3, 0, 0]
    )


# -- which go --------------------------------------------------------------------------------------


def are_weakest(values, mask, members, count):
    """Whether `count` of the members go, none stronger than one of them that stays."""
    gone, stay = values[members & mask], values[members & ~mask]
    assert len(gone) == count
    if len(gone) and len(stay):
        assert np.abs(gone).max() <= np.abs(stay).min()


@checked
@given(strengths, st.floats(0, 1))
def test_weakest_by_sign(values, share):
    mask = weakest_by_sign(values, share)
    for members in (values > 0, values < 0):
        are_weakest(values, mask, members, int(share * members.sum()))
    assert mask[values == 0].all()


def test_weakest_by_sign_by_hand():
    values = np.array([0.5, -0.1, 0.2, -3.0, 0.9, 0.0, -0.2, 0.3, -0.4])
    # Half of four positive ones: 0.2, 0.3; half of four negative ones: -0.1, -0.2; and the zero.
    expected = [1, 2, 5, 6, 7]
    assert np.flatnonzero(weakest_by_sign(values, 0.5)).tolist() == expected


@checked
@given(strengths, st.floats(0, 1))
def test_weakest(values, share):
    mask = weakest(values, share)
    are_weakest(values, mask, np.ones(len(values), dtype=bool), round(share * len(values)))


@checked
@given(st.integers(1, 10**6), st.data())
def test_the_share_of_a_count_gives_that_count(edges, data):
    count = data.draw(st.integers(0, edges))
    assert round(count / edges * edges) == count


# -- which come ------------------------------------------------------------------------------------


@st.composite
def grids(draw):
    cells = draw(st.integers(1, 60))
    taken = draw(st.lists(st.integers(0, cells - 1), unique=True, max_size=cells))
    return cells, np.array(taken, dtype=np.int64), draw(st.integers(0, cells - len(taken)))


def in_chunks(values, chunk):
    return ((i, values[i : i + chunk]) for i in range(0, len(values), chunk))


@checked
@given(grids(), st.integers(1, 70), st.integers(0, 9))
def test_gradient_growth_takes_the_largest_scores(grid, chunk, seed):
    cells, taken, count = grid
    rng = np.random.default_rng(seed)
    values = rng.permutation(cells).astype(np.float32)  # distinct, zero among them
    chosen = GradientGrowth().choose(
        FreeCells(cells, taken), count, in_chunks(values, chunk), np.random.default_rng(0)
    )
    masked = values.copy()
    masked[taken] = -np.inf
    assert chosen.tolist() == sorted(np.argsort(-masked)[:count].tolist())


@checked
@given(grids(), st.integers(1, 70))
def test_gradient_growth_fills_the_count_where_all_scores_are_equal(grid, chunk):
    cells, taken, count = grid
    chosen = GradientGrowth().choose(
        FreeCells(cells, taken), count, in_chunks(np.zeros(cells), chunk), np.random.default_rng(0)
    )
    assert len(set(chosen.tolist()) - set(taken.tolist())) == count == len(chosen)


def test_uniform_growth_draws_from_the_free_cells():
    free = FreeCells(30, np.arange(0, 30, 2))
    chosen = UniformGrowth().choose(free, 6, (), np.random.default_rng(4))
    assert chosen.tolist() == free.draw(6, np.random.default_rng(4)).tolist()
    assert (UniformGrowth().needs_gradient, GradientGrowth().needs_gradient) == (False, True)
