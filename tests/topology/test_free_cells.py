"""Free cells without listing them, against a set difference that lists them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from nervure.errors import TopologyError
from nervure.topology import FreeCells

from .strategies import checked


@st.composite
def matrices(draw):
    cells = draw(st.integers(0, 60))
    numbers = st.integers(0, max(cells - 1, 0))
    taken = draw(st.lists(numbers, unique=True, max_size=cells)) if cells else []
    return cells, taken


@checked
@given(matrices())
def test_the_free_ones_are_those_not_taken(matrix):
    cells, taken = matrix
    free = FreeCells(cells, np.array(taken, dtype=np.int64))
    expected = sorted(set(range(cells)) - set(taken))
    assert len(free) == len(expected)
    assert free[np.arange(len(free))].tolist() == expected
    assert [int(cell) for cell in free] == expected


@checked
@given(matrices(), st.data())
def test_draws_are_free_distinct_and_sorted(matrix, data):
    cells, taken = matrix
    free = FreeCells(cells, np.array(taken, dtype=np.int64))
    count = data.draw(st.integers(0, len(free)))
    drawn = free.draw(count, np.random.default_rng(data.draw(st.integers(0, 9))))
    assert len(drawn) == count == len(set(drawn.tolist()))
    assert not set(drawn.tolist()) & set(taken)
    assert (np.diff(drawn) > 0).all()
    assert count == 0 or 0 <= drawn[0] <= drawn[-1] < cells


@pytest.mark.parametrize("count", [1, 4, 9])
def test_draws_are_uniform(count):
    free = FreeCells(20, np.array([19, 3, 4, 5, 0, 11, 12, 17]))
    rng = np.random.default_rng(0)
    hits = np.bincount(np.concatenate([free.draw(count, rng) for _ in range(3000)]), minlength=20)
    # Draws without replacement vary less than independent ones, so that this is on the safe side.
    assert chisquare(hits[hits > 0]).pvalue > 0.01
    assert (hits > 0).sum() == 12


def test_a_huge_matrix_costs_only_its_taken_cells():
    cells = 10**15
    taken = np.random.default_rng(1).integers(cells, size=1000)
    free = FreeCells(cells, np.unique(taken))
    drawn = free.draw(500, np.random.default_rng(2))
    assert not np.isin(drawn, taken).any()
    assert drawn.max() < cells


def test_a_seed_fixes_the_draw():
    free = FreeCells(50, np.arange(0, 50, 3))
    one, two = (free.draw(8, np.random.default_rng(7)) for _ in range(2))
    assert one.tolist() == two.tolist()


def test_too_many_are_refused():
    free = FreeCells(4, np.array([1]))
    with pytest.raises(TopologyError, match="4 cells asked for, but only 3 are free"):
        free.draw(4, np.random.default_rng(0))


@pytest.mark.parametrize("rank", [-1, 3])
def test_ranks_out_of_range_are_refused(rank):
    with pytest.raises(IndexError, match=f"expected 0 to 2, got {rank}"):
        FreeCells(4, np.array([1]))[rank]
