import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from nervure import Topology
from nervure.modules import Hierarchy, detect_modules
from nervure.report import hierarchy_drawing, network_by_module
from nervure.report.modules_drawing import COLOURS
from nervure.report.modules_layout import hierarchy_layout, unit_positions
from nervure.report.style import FAINT, inline_svg

SIZES = {"module": (1.3, 0.7), "inputs": (1.1, 0.5), "outputs": (1.1, 0.5), "way": (0.0, 0.1)}
# Two ANDs, of which the first is read by two outputs; node 3 is an input of the second level.
PAIRS = [(0, 4), (1, 4), (4, 5), (4, 6), (2, 5), (3, 6)]


def found_in(pairs=PAIRS, **options):
    detection = detect_modules(Topology.from_edges(pairs, **options))
    return detection, Hierarchy.from_detection(detection)


def deep():
    """A chain of modules on four levels, each with a new input; outputs at every level."""
    pairs, last = [], 0
    node = 1
    for _ in range(4):
        pairs += [(last, node + 1), (node, node + 1), (node + 1, node + 2), (node + 1, node + 3)]
        last, node = node + 2, node + 4
    return found_in(pairs)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_units_stand_in_their_layers_module_by_module():
    detection, hierarchy = found_in()
    module_of = np.full(7, -1)
    for i, module in enumerate(hierarchy.modules):
        module_of[list(module.nodes)] = i
    xy = unit_positions(detection, module_of)
    assert np.array_equal(xy[:, 0], detection.layer_of)
    for layer in range(3):
        here = np.flatnonzero(detection.layer_of == layer)
        ordered = module_of[here[np.argsort(xy[here, 1])]]
        assert len(set(xy[here, 1])) == len(here)
        assert (np.diff(ordered) != 0).sum() == len(set(ordered.tolist())) - 1


def test_edges_have_the_colour_of_their_module():
    detection, hierarchy = found_in()
    figure = network_by_module(detection, hierarchy)
    lines = {
        to_rgba(c.get_color()[0], 1): len(c.get_segments()) for c in figure.axes[0].collections
    }
    inside = sum(any({a, b} <= set(m.nodes) for m in hierarchy.modules) for a, b in PAIRS)
    assert lines[to_rgba(FAINT)] == len(PAIRS) - inside
    assert sum(lines.values()) == len(PAIRS)
    shown = texts(figure)
    for name in ("x0", "x3", "y0", "y1", "inputs (layer 0)", "outputs (layer 2)"):
        assert name in shown
    assert sorted(t for t in shown if t.isdigit()) == sorted(
        str(i + 1) for i, m in enumerate(hierarchy.modules) for _ in m.nodes
    )


def test_names_and_dropped_units_are_told():
    detection, _ = found_in([*PAIRS, (0, 7)], inputs=range(4), outputs=[5, 6])
    names = Hierarchy.from_detection(detection, input_names=["salt", "b", "c", "d"])
    figure = network_by_module(detection, names)
    assert "salt" in texts(figure)
    assert figure.axes[0].get_title(loc="left").endswith("1 unused unit not drawn")


def test_large_networks_are_thinned():
    detection = detect_modules(Topology.layered([80, 60, 10]))
    figure = network_by_module(detection)
    assert figure.axes[0].get_title(loc="left").startswith("3,000 of 5,400 edges")
    assert sum(len(c.get_segments()) for c in figure.axes[0].collections) == 3000
    assert "x0" not in texts(figure)


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


@pytest.mark.parametrize("make", [found_in, deep])
def test_pictures_become_files_and_parts_of_a_page(make, tmp_path):
    detection, hierarchy = make()
    for name, figure in (
        ("network", network_by_module(detection, hierarchy)),
        ("hierarchy", hierarchy_drawing(hierarchy)),
    ):
        for kind in ("svg", "png"):
            figure.savefig(tmp_path / f"{name}.{kind}")
            assert (tmp_path / f"{name}.{kind}").stat().st_size > 2000
        text = inline_svg(figure, name=name, description="modules")
        assert text.startswith("<svg role=")
        assert "http://" not in text.replace("http://www.w3.org", "")


def test_colours_repeat_beyond_ten_modules():
    detection, hierarchy = found_in([(i, 12 + i) for i in range(12)])
    assert len(hierarchy.modules) == 12
    figure = network_by_module(detection, hierarchy)
    handles = figure.axes[0].get_legend().legend_handles
    assert [h.get_color() for h in handles[9:12]] == [COLOURS[9], COLOURS[0], COLOURS[1]]
    hierarchy_drawing(hierarchy)


def test_deep_hierarchies_stay_readable():
    _, hierarchy = deep()
    figure = hierarchy_drawing(hierarchy)
    assert min(text.get_fontsize() for text in figure.axes[0].texts) >= 5.5
    assert figure.get_figwidth() > 8.6


def test_edges_inside_a_component_are_arcs_that_do_not_cover_each_other():
    detection, _ = found_in([(0, 1), (1, 2), (2, 1), (2, 3)])
    lines = [s for c in network_by_module(detection).axes[0].collections for s in c.get_segments()]
    widths = sorted(line[:, 0].max() - line[:, 0].min() for line in lines)
    assert widths[0] == pytest.approx(widths[1])
    assert 0 < widths[1] < widths[2]
    arcs = [line for line in lines if line[0, 0] == line[-1, 0]]
    assert (
        arcs[0][4, 0] < arcs[0][0, 0] < arcs[1][4, 0]
        or arcs[1][4, 0] < arcs[0][0, 0] < arcs[0][4, 0]
    )


def test_a_long_legend_is_cut():
    detection, _ = found_in([(i, 15 + i) for i in range(15)])
    labels = [t.get_text() for t in network_by_module(detection).axes[0].get_legend().get_texts()]
    assert labels[-1] == "and 3 more"
