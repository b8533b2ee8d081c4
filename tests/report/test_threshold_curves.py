import numpy as np
import pytest

from nervure.report import threshold_curves
from nervure.report.style import inline_svg

AT = [0.001, 0.006, 0.1]


def test_runs_are_drawn_as_mean_and_spread():
    runs = np.array([[0.9, 0.8, 0.4], [0.7, 0.8, np.nan]])
    figure = threshold_curves(
        AT, {"a": runs, "b": [0.5, 0.5, np.nan]}, {"a": runs, "b": [0, 0.5, 1]}, chosen=0.006
    )
    left, right = figure.axes
    a, b, mark = left.get_lines()
    np.testing.assert_allclose(a.get_ydata(), [0.8, 0.8, 0.4])
    np.testing.assert_allclose(b.get_ydata(), [0.5, 0.5, np.nan])
    assert mark.get_xdata() == [0.006, 0.006]
    assert a.get_marker() != b.get_marker()
    (band,) = left.collections
    assert band.get_datalim(left.transData).ymax == pytest.approx(0.9)
    assert (left.get_xscale(), left.get_ylabel(), right.get_ylabel()) == (
        "log", "accuracy", "sparsity",
    )  # fmt: skip
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert "<svg" in inline_svg(figure, name="x", description="y")


@pytest.mark.parametrize(
    ("at", "accuracy", "sparsity", "message"),
    [
        ([0, 1], {}, {}, "above 0"),
        (AT, {"a": [1, 1, 1]}, {"b": [1, 1, 1]}, "same groups"),
        (AT, {"a": [1, 1, 1]}, {"a": [1, 1]}, "sparsity of 'a' must end in 3"),
    ],
)
def test_mistakes_are_named(at, accuracy, sparsity, message):
    with pytest.raises(ValueError, match=message):
        threshold_curves(at, accuracy, sparsity)
