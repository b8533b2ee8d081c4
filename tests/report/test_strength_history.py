import numpy as np
import pytest

from nervure.report import strength_history
from nervure.report.style import inline_svg

AT = [0, 1, 2]


def drawn(ax):
    """Lines of edges, without the median and the threshold."""
    return [line for line in ax.get_lines() if line.get_label().startswith("_")]


def labelled(ax, name):
    (line,) = [line for line in ax.get_lines() if line.get_label() == name]
    return line


def test_edges_that_stay_are_drawn_apart_from_those_that_go():
    strengths = [[0.5, 0.5, 0.5], [0.4, 0.1, 0.2], [0.3, 0.0, 0.002]]
    figure = strength_history(AT, strengths, [True, False, False], 0.006)
    left, right = figure.axes
    (line,) = drawn(left)
    assert line.get_xdata().tolist() == AT
    assert line.get_ydata().tolist() == [0.5, 0.4, 0.3]
    # Zero cannot be drawn on a logarithmic axis: it lies on the floor.
    assert sorted(line.get_ydata()[-1] for line in drawn(right)) == [1e-5, 0.002]
    assert right.get_ylim()[0] < 1e-5
    for ax in (left, right):
        assert ax.get_yscale() == "log"
        assert labelled(ax, "threshold 0.006").get_ydata() == [0.006, 0.006]
    assert left.get_ylim() == right.get_ylim()
    assert left.get_xlabel() == "epoch"
    assert "<svg" in inline_svg(figure, name="x", description="y")


def test_of_many_edges_some_are_chosen_evenly_by_final_strength():
    rng = np.random.default_rng(0)
    final = rng.permutation(np.linspace(0.1, 0.9, 401))
    strengths = np.stack([np.full(401, 0.5), final])
    ax = strength_history([0, 10], strengths, np.ones(401, bool), 0.006, period="step").axes[0]
    ends = np.sort([line.get_ydata()[-1] for line in drawn(ax)])
    assert len(ends) == 40
    np.testing.assert_allclose(ends, np.linspace(0.1, 0.9, 40), atol=0.0011)
    # The median is that of all edges.
    assert labelled(ax, "median").get_ydata().tolist() == [0.5, 0.5]
    assert ax.get_title(loc="left") == "401 edges retained, 40 drawn"
    assert ax.get_xlabel() == "step"


def test_a_low_threshold_lowers_the_floor():
    figure = strength_history([0], [[0.5, 1e-7]], [True, False], 1e-5)
    left, right = figure.axes
    assert drawn(right)[0].get_ydata().tolist() == pytest.approx([1e-6])
    assert drawn(left)[0].get_marker() == "o"
    assert left.get_ylim()[0] < 1e-6


def test_many_records_are_thinned_out_and_keep_both_ends():
    at = np.arange(5000)
    strengths = np.linspace(0.5, 0.1, 5000)[:, None]
    ax = strength_history(at, strengths, [True], 0.0).axes[0]
    (line,) = drawn(ax)
    assert len(line.get_xdata()) == 300
    assert line.get_xdata()[[0, -1]].tolist() == [0, 4999]
    assert line.get_ydata()[[0, -1]].tolist() == [0.5, 0.1]


def test_a_panel_without_edges_says_so():
    left, right = strength_history(AT, np.full((3, 2), 0.5), [True, True], 0.0).axes
    assert [text.get_text() for text in right.texts] == ["no edge was eliminated"]
    assert not left.texts
    # A threshold of 0 has no place on a logarithmic axis.
    assert [line.get_label() for line in left.get_lines()][-1] == "median"
    assert right.get_legend() is None
    assert "<svg" in inline_svg(left.figure, name="x", description="y")


@pytest.mark.parametrize(
    ("at", "strengths", "retained", "threshold", "message"),
    [
        ([], np.zeros((0, 1)), [True], 0.1, "at: expected a row"),
        ([0], [[0.5], [0.5]], [True], 0.1, "strengths: expected 1 rows"),
        ([0], [0.5], [True], 0.1, "strengths: expected 1 rows"),
        ([0], [[0.5, 0.5]], [True], 0.1, "retained: expected 2 bools"),
        ([0], [[0.5, 0.5]], [1, 0], 0.1, "retained: expected 2 bools"),
        ([0], [[0.5]], [True], -1.0, "threshold: expected at least 0"),
    ],
)
def test_mistakes_are_named(at, strengths, retained, threshold, message):
    with pytest.raises(ValueError, match=message):
        strength_history(at, strengths, retained, threshold)
