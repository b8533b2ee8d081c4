import numpy as np
import pytest
from matplotlib.colors import to_rgba

from nervure import Topology
from nervure.modules import Hierarchy, detect_modules
from nervure.report import hierarchy_drawing, network_by_module
from nervure.report.module_colours import COLOURS
from nervure.report.modules_layout import unit_positions
from nervure.report.style import FAINT, inline_svg

from .drawn import PAIRS, deep, found_in, texts


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


def test_short_layers_beside_a_very_long_one_can_be_read():
    # 300 inputs into 10 units, of which each output reads two.
    pairs = [(i, 300 + i % 10) for i in range(300)]
    pairs += [(300 + 2 * k + i, 310 + k) for k in range(5) for i in range(2)]
    detection, hierarchy = found_in(pairs)
    ax = network_by_module(detection, hierarchy).axes[0]
    shown = {t.get_text(): t.get_position()[1] for t in ax.texts}
    assert "x0" not in shown
    heights = sorted(shown[f"y{i}"] for i in range(5))
    assert np.diff(heights).min() > 0.3
    largest = max(line.get_markersize() for line in ax.lines)
    assert largest == pytest.approx(17)
