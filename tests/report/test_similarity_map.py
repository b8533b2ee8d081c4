import numpy as np
import pytest

from nervure.report import similarity_map
from nervure.report.style import inline_svg

GROUPS = ["easy"] * 3 + ["middling"] + ["hard"] * 6


def test_groups_are_named_at_their_middle_and_kept_apart():
    values = np.linspace(0, 1, 100).reshape(10, 10)
    figure = similarity_map(values, GROUPS, label="shared edges")
    ax, bar = figure.axes
    np.testing.assert_array_equal(ax.images[0].get_array(), values)
    assert ax.images[0].get_clim() == (0, 1)
    assert ax.get_yticks().tolist() == ax.get_xticks().tolist() == [1.0, 3.0, 6.5]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["easy", "middling", "hard"]
    assert sorted(line.get_ydata()[0] for line in ax.get_lines()[::2]) == [2.5, 3.5]
    assert bar.get_ylabel() == "shared edges"
    assert not ax.texts
    assert "<svg" in inline_svg(figure, name="x", description="y")


def test_few_cells_hold_their_numbers():
    figure = similarity_map([[1, 0.25], [np.nan, 1]], ["a", "b"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["1.00", "0.25", "1.00"]


@pytest.mark.parametrize("values", [np.eye(3), np.ones((2, 3)), [1, 2]])
def test_shapes_are_checked(values):
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        similarity_map(values, ["a", "b"])
