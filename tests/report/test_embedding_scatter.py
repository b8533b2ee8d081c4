import numpy as np
import pytest

from nervure.report import embedding_scatter
from nervure.report.style import inline_svg


def test_groups_have_their_own_points_colours_and_shapes():
    xy = np.arange(10.0).reshape(5, 2)
    figure = embedding_scatter(xy, ["a", "b", "a", "c", "b"], method="PCA")
    a, b, c = figure.axes[0].get_lines()
    np.testing.assert_array_equal(b.get_xydata(), xy[[1, 4]])
    assert len({line.get_marker() for line in (a, b, c)}) == 3
    assert len({line.get_markerfacecolor() for line in (a, b, c)}) == 3
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["a (2)", "b (2)", "c (1)"]
    assert "PCA" in figure.axes[0].get_title(loc="left")
    assert "<svg" in inline_svg(figure, name="x", description="y")


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        embedding_scatter([[0, 1]], ["a", "b"])
