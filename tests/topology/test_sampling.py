import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nervure.topology.sampling import draw_distinct

from .strategies import checked


@checked
@given(st.integers(0, 60), st.data())
def test_draws_are_distinct_sorted_and_in_range(population, data):
    count = data.draw(st.integers(0, population))
    drawn = draw_distinct(population, count, np.random.default_rng(data.draw(st.integers(0, 99))))
    assert drawn.dtype == np.int64
    assert len(set(drawn.tolist())) == count
    assert drawn.tolist() == sorted(drawn.tolist())
    assert not count or (drawn[0] >= 0 and drawn[-1] < population)


def test_all_subsets_are_equally_likely():
    rng = np.random.default_rng(0)
    draws = 4000
    for count in (2, 3):
        seen = {}
        for _ in range(draws):
            subset = tuple(draw_distinct(5, count, rng).tolist())
            seen[subset] = seen.get(subset, 0) + 1
        assert len(seen) == 10
        spread = np.sqrt(draws * 0.1 * 0.9)
        assert max(abs(hits - draws / 10) for hits in seen.values()) < 4.5 * spread


def test_too_few_in_the_first_round_are_topped_up():
    class Stuttering:
        """Draws the same number again and again at first."""

        def __init__(self):
            self.rng, self.rounds = np.random.default_rng(0), 0

        def integers(self, high, size):
            self.rounds += 1
            return np.zeros(size, int) if self.rounds == 1 else self.rng.integers(high, size=size)

        def choice(self, *arguments, **options):
            return self.rng.choice(*arguments, **options)

    rng = Stuttering()
    assert len(draw_distinct(1000, 100, rng)) == 100
    assert rng.rounds > 1


def test_a_huge_population_is_no_burden():
    drawn = draw_distinct(10**12, 1000, np.random.default_rng(0))
    assert len(np.unique(drawn)) == 1000
