import numpy as np
import pytest

from nervure.errors import DataError
from nervure.report import importance_bars, importance_image
from nervure.report.style import inline_svg


def test_a_pixel_stands_in_its_row_and_column():
    values = np.zeros(12)
    values[[5, 11]] = 0.75, 0.25
    drawn = np.asarray(importance_image(values, (3, 4)).axes[0].images[0].get_array())
    assert drawn.shape == (3, 4)
    assert (drawn[1, 1], drawn[2, 3]) == (75, 25)
    assert drawn.sum() == 100


def test_colours_are_summed():
    values = np.arange(24.0) / np.arange(24).sum()
    figure = importance_image(values, (2, 4, 3))
    drawn = np.asarray(figure.axes[0].images[0].get_array())
    assert drawn[0, 1] == pytest.approx(100 * values[3:6].sum())
    assert figure.axes[0].get_title(loc="left").endswith("colours summed")


@pytest.mark.parametrize("shape", [(3, 3), (12,), (2, 2, 3, 1), (-3, -4), (3.0, 4.0)])
def test_another_image_is_refused(shape):
    with pytest.raises(DataError, match="expected the importances of an image"):
        importance_image(np.full(12, 1 / 12), shape)


def test_the_strongest_features_are_bars_by_name():
    values = np.arange(30) / np.arange(30).sum()
    ax = importance_bars(values, [f"gene {i}" for i in range(30)]).axes[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == [f"gene {i}" for i in range(29, 9, -1)]
    assert [bar.get_width() for bar in ax.patches] == pytest.approx((100 * values[:9:-1]).tolist())
    assert ax.get_title(loc="left") == "The 20 strongest of 30 features"
    with pytest.raises(DataError, match="one per name"):
        importance_bars(values, ["a"])


def test_names_are_text_whatever_they_hold():
    figure = importance_bars([0.5, 0.3, 0.2], ["$x_$\n<b>", "long " * 20, "$\\alpha$"])
    drawn = inline_svg(figure, name="x", description="y")
    assert "$x_$ &lt;b&gt;" in drawn
    assert "$\\alpha$" in drawn
    assert " …" in drawn


def test_nothing_of_importance_renders():
    for figure in (importance_image(np.zeros(4), (2, 2)), importance_bars([0.0], ["a"])):
        assert "<svg" in inline_svg(figure, name="x", description="y")
