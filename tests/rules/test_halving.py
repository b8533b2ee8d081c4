import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervure.errors import EngineError
from nervure.rules import HalvingSearch


@given(st.floats(0.01, 1), st.integers(2, 200), st.floats(0, 0.999), st.integers(0, 3))
def test_the_search_ends_within_a_unit_of_what_is_borne(step, units, bearable, recovery):
    search = HalvingSearch(step, 1 / units, recovery=recovery)
    proposals = []
    while not search.done:
        assert 0 < search.proposal < 1
        proposals.append(search.proposal)
        search.judge(accepted=search.proposal <= bearable)
    assert search.pruned <= bearable
    assert bearable - search.pruned <= 1 / units + 1e-12 or step < 1 / units
    assert bearable - search.pruned <= max(step, 1 / units) + 1e-12
    assert len(proposals) < 400 / step


def test_with_recovery_the_step_doubles_again():
    steps = []
    search = HalvingSearch(0.2, 0.01, recovery=2)
    for accepted in (False, False, True, True, True, True, False):
        search.judge(accepted=accepted)
        steps.append(search.step)
    assert steps == pytest.approx([0.1, 0.05, 0.05, 0.1, 0.1, 0.2, 0.1])


def test_the_last_step_is_that_of_a_single_one():
    search = HalvingSearch(0.3, 0.1)
    for _ in range(3):
        assert not search.done
        search.judge(accepted=False)
    assert search.done
    assert search.step == 0.1


def test_algorithm_1_step_by_step():
    search = HalvingSearch(0.4, 0.1)
    seen = []
    for accepted in (True, False, True, False):
        seen.append(search.proposal)
        search.judge(accepted=accepted)
    assert seen == pytest.approx([0.4, 0.8, 0.6, 0.8])
    assert search.done is False
    assert search.proposal == pytest.approx(0.7)


def test_a_negative_recovery_is_refused():
    with pytest.raises(EngineError, match="recovery: expected at least 0, got -1"):
        HalvingSearch(0.2, 0.1, recovery=-1)


@pytest.mark.parametrize("arguments", [(0, 0.1), (1.2, 0.1), (0.1, 0), (0.1, 2)])
def test_shares_out_of_range_are_refused(arguments):
    with pytest.raises(EngineError, match="expected above 0 and at most 1"):
        HalvingSearch(*arguments)
