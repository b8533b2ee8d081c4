import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nervure.rules.percentile import percentile_with_zeros


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(0, 1e3, width=32), max_size=60),
    st.integers(0, 60),
    st.one_of(st.floats(0, 100), st.integers(0, 100).map(float)),
)
def test_the_percentile_is_that_of_numpy_to_the_bit(values, more, percent):
    count = max(1, len(values) + more)
    everyone = np.zeros(count)
    everyone[: len(values)] = values
    found = percentile_with_zeros(np.array(values, dtype=np.float32), count, percent)
    assert found == np.percentile(everyone, percent)
