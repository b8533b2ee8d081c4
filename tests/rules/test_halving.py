import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervure.errors import EngineError
from nervure.rules import HalvingSearch


@given(st.floats(0.01, 1), st.integers(2, 200), st.floats(0, 0.999))
def test_the_search_ends_within_a_unit_of_what_is_borne(step, units, bearable):
    search = HalvingSearch(step, 1 / units)
    proposals = []
    while not search.done:
        assert 0 < search.proposal < 1
        proposals.append(search.proposal)
        search.judge(accepted=search.proposal <= bearable)
    assert search.pruned <= bearable
    assert bearable - search.pruned < 2 / units or not proposals
    assert len(proposals) < 200 / step


def test_algorithm_1_step_by_step():
    search = HalvingSearch(0.4, 0.1)
    seen = []
    for accepted in (True, False, True, False):
        seen.append(search.proposal)
        search.judge(accepted=accepted)
    assert seen == pytest.approx([0.4, 0.8, 0.6, 0.8])
    assert search.done is False
    assert search.proposal == pytest.approx(0.7)


@pytest.mark.parametrize("arguments", [(0, 0.1), (1.2, 0.1), (0.1, 0), (0.1, 2)])
def test_shares_out_of_range_are_refused(arguments):
    with pytest.raises(EngineError, match="expected above 0 and at most 1"):
        HalvingSearch(*arguments)
