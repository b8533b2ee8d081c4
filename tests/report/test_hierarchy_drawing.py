"""Boxes and arrows of hierarchies, counted and measured."""

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from nervure.modules import Hierarchy, UnitFormula
from nervure.report import hierarchy_drawing
from nervure.report.modules_layout import hierarchy_layout

from .drawn import deep, found_in, texts

SIZES = {"module": (1.3, 0.7), "inputs": (1.1, 0.5), "outputs": (1.1, 0.5), "way": (0.0, 0.1)}


def formula(name, text, signals=None, note=""):
    return UnitFormula(name, 0, text, signals, note)


def boxes_of(figure):
    """Left, low, right and high end of each box."""
    boxes = [p for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch)]
    corners = [(b.get_x(), b.get_y(), b.get_width(), b.get_height()) for b in boxes]
    return np.array([(x, y, x + w, y + h) for x, y, w, h in corners])


def check_texts_are_inside(figure):
    """Each text that begins in a box ends in it, as rendered."""
    ax = figure.axes[0]
    figure.draw_without_rendering()
    to_data = ax.transData.inverted()
    boxes, inside = boxes_of(figure), 0
    for text in ax.texts:
        extent = text.get_window_extent().transformed(to_data)
        x, y = text.get_position()
        for left, low, right, high in boxes:
            if left < x < right and low < y < high:
                inside += 1
                assert left <= extent.x0 <= extent.x1 <= right, text.get_text()
                assert low <= extent.y0 <= extent.y1 <= high, text.get_text()
    assert inside >= len(boxes)


def test_boxes_and_arrows_are_those_of_the_hierarchy():
    detection, hierarchy = found_in()
    figure = hierarchy_drawing(hierarchy)
    boxes = [p for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch)]
    arrows = [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]
    takes, gives = (
        sum(bool(getattr(m, r)) for m in hierarchy.modules) for r in ("inputs", "outputs")
    )
    feeds = sum(len(m.feeds) for m in hierarchy.modules)
    assert len(boxes) == len(hierarchy.modules) + takes + gives
    assert len(arrows) == takes + gives + feeds
    shown = texts(figure)
    assert {m.name for m in hierarchy.modules} <= set(shown)
    assert {"inputs", "outputs"} <= set(shown)
    assert len(detection.modules) == len(hierarchy.modules)


@pytest.mark.parametrize("make", [found_in, deep])
def test_boxes_do_not_overlap_and_lines_lead_to_the_right(make):
    _, hierarchy = make()
    layout = hierarchy_layout(hierarchy, SIZES, (0.6, 0.2))
    boxes = list(layout.boxes.values())
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            apart_x = abs(a.x - b.x) >= (a.width + b.width) / 2 - 1e-9
            apart_y = abs(a.y - b.y) >= (a.height + b.height) / 2 - 1e-9
            assert apart_x or apart_y
    for source, target, _, points in layout.lines:
        assert (np.diff(points[:, 0]) > 0).all()
        # Where a line passes a column it is level: it must not run through a box.
        for key, box in layout.boxes.items():
            if key not in (source, target):
                inside = np.abs(points - [box.x, box.y]) <= [box.width / 2, box.height / 2]
                assert not inside.all(axis=1).any()


def test_modules_that_feed_each_other_are_joined_beside_their_column():
    wide = [(i, 20 + j) for i in range(10) for j in range(10)]
    wide += [(10 + i, 30 + j) for i in range(10) for j in range(10)]
    down = [(20 + i, 40 + j) for i in range(10) for j in range(10)]
    down += [(30 + i, 50 + j) for i in range(10) for j in range(10)]
    last = [(40 + i, 60) for i in range(10)] + [(50 + i, 61) for i in range(10)]
    _, hierarchy = found_in(wide + down + last + [(0, 30), (30, 40)])
    layout = hierarchy_layout(hierarchy, SIZES, (0.6, 0.2))
    both = [points for *_, edges, points in layout.lines if edges]
    assert len(both) == 2
    assert all(points[0, 0] == points[-1, 0] < points[1, 0] for points in both)
    hierarchy_drawing(hierarchy)


def test_deep_hierarchies_stay_readable():
    _, hierarchy = deep()
    figure = hierarchy_drawing(hierarchy)
    assert min(text.get_fontsize() for text in figure.axes[0].texts) >= 5.5
    assert figure.get_figwidth() > 8.6


def test_formulas_stand_in_their_boxes():
    _, hierarchy = found_in()
    formulas = {
        "M1": [formula("M1.1", "x0"), formula("M1.2", "x1 & x2", note="not two-valued")],
        "M2": [formula("y0", "x0 & x1 & x2", "M1.1 & M1.2"), formula("y9", None, "M1.1 & M1.2")],
    }
    figure = hierarchy_drawing(hierarchy.with_formulas(formulas))
    shown = texts(figure)
    for line in ("M1.1 = x0", "M1.2 = x1 & x2*", "y0, y9 = M1.1 & M1.2"):
        assert line in shown
    assert "more or fewer values than two" in figure.axes[0].get_title(loc="left")
    assert "*" not in hierarchy_drawing(hierarchy).axes[0].get_title(loc="left")
    check_texts_are_inside(figure)


@pytest.mark.parametrize("length", [1, 14, 60])
def test_long_names_and_many_formulas_stay_inside(length):
    detection, _ = found_in()
    names = [f"{'a long name ' * length}"[: length + 5] + str(i) for i in range(4)]
    hierarchy = Hierarchy.from_detection(detection, input_names=names, output_names=names[:2])
    many = [formula(f"M1.{i}", " & ".join(f"{c}{i}" for c in "abcdefgh")) for i in range(9)]
    hierarchy = hierarchy.with_formulas({"M1": many, "M2": [formula("y0", names[0])]})
    figure = hierarchy_drawing(hierarchy)
    assert "..." in texts(figure)
    check_texts_are_inside(figure)
    boxes = boxes_of(figure)
    for i, (left, low, right, high) in enumerate(boxes):
        for other in boxes[:i]:
            assert other[2] <= left or right <= other[0] or other[3] <= low or high <= other[1]


def test_many_inputs_are_counted_and_the_ends_named():
    pairs = [(i, 300) for i in range(300)]
    detection, _ = found_in(pairs)
    names = [f"pixel {i // 28}, {i % 28}" for i in range(300)]
    hierarchy = Hierarchy.from_detection(detection, input_names=names)
    shown = texts(hierarchy_drawing(hierarchy))
    assert "300 inputs\npixel 0, 0\nto pixel 10, 19" in shown
    assert max(map(len, shown)) < 60
