import pytest

from nervure.errors import DataError
from nervure.training import comprehensive_score


@pytest.mark.parametrize(("seconds", "accuracy", "base", "printed"), [
    (25236.2, 0.761, (25236.2, 0.761), 0.9000),
    (14307.5, 0.733, (25236.2, 0.761), 0.9100),
    (3448.7, 0.926, (4953.2, 0.937), 0.9199),
    (3417.3, 0.914, (4953.2, 0.937), 0.9089),
])  # fmt: skip
def test_the_paper_s_scores(seconds, accuracy, base, printed):
    # Equations 4, 5, 8 and 9, which round their parts.
    assert comprehensive_score(seconds, accuracy, *base) == pytest.approx(printed, abs=4e-4)


def test_weight_goes_from_accuracy_alone_to_time_alone():
    assert comprehensive_score(1, 0.5, 4, 1.0, weight=0) == 0.5
    assert comprehensive_score(1, 0.5, 4, 1.0, weight=1) == 0.75


@pytest.mark.parametrize(("arguments", "text"), [
    ((1, 1, 0, 1), "base: expected time and accuracy above 0, got 0 and 1"),
    ((1, 1, 1, 0), "got 1 and 0"),
])  # fmt: skip
def test_a_base_of_nothing_is_refused(arguments, text):
    with pytest.raises(DataError, match=text):
        comprehensive_score(*arguments)
    with pytest.raises(DataError, match="weight: expected 0 to 1, got 2"):
        comprehensive_score(1, 1, 1, 1, weight=2)
