import numpy as np
import pytest

from nervure.errors import TopologyError, UndefinedMeasureError
from nervure.report import stage_drawing
from nervure.report.style import inline_svg
from nervure.topology import Topology, complete, dense_dag, from_edges, layered

STAGES = np.repeat([0, 1, 2], 20)


def marks(figure, marker):
    return [line for line in figure.axes[0].get_lines() if line.get_marker() == marker]


def test_every_live_edge_is_a_wedge_from_its_source_to_its_target():
    topology = from_edges([(0, 1), (1, 2), (0, 2), (1, 3)], inputs=[0], outputs=[2])
    figure = stage_drawing(topology, [0, 0, 1, 1])
    ax = figure.axes[0]
    said = "3 live nodes, 3 edges (narrow towards their target); 1 dead node not drawn"
    assert ax.get_title(loc="left") == said
    place = {int(text.get_text()): np.array(text.get_position()) for text in ax.texts}
    assert sorted(place) == [0, 1, 2]
    wedges = [path.vertices for path in ax.collections[0].get_paths()]
    # Edge order: by target, then by source.
    for (source, target), (left, tip, right, *_) in zip(
        [(0, 1), (0, 2), (1, 2)], wedges, strict=True
    ):
        np.testing.assert_allclose((left + right) / 2, place[source])
        along, whole = tip - place[source], place[target] - place[source]
        assert 0 < np.linalg.norm(along) < np.linalg.norm(whole)
        assert along[0] * whole[1] - along[1] * whole[0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("turned", [False, True])
def test_inputs_stand_left_and_are_marked(turned):
    topology = layered([2, 4, 4, 4, 1])
    figure = stage_drawing(topology.reversed() if turned else topology)
    (x_in,) = (line.get_xdata() for line in marks(figure, "s"))
    (x_out,) = (line.get_xdata() for line in marks(figure, "D"))
    assert (len(x_in), len(x_out)) == ((1, 2) if turned else (2, 1))
    assert max(x_in) < min(x_out)


def test_stages_have_colours_and_a_legend():
    figure = stage_drawing(dense_dag(60), STAGES)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["input", "output", "stage 0", "stage 1", "stage 2"]
    drawn = [len(line.get_xdata()) for line in marks(figure, "o")]
    assert drawn == [19, 20, 19]  # input and output have marks of their own
    colours = figure.axes[0].collections[0].get_facecolors()
    assert (len(colours), len(np.unique(colours, axis=0))) == (1770, 3)


@pytest.mark.parametrize(
    "topology",
    [from_edges([], 3), from_edges([], 3, inputs=[0], outputs=[1]), dense_dag(2), complete(6),
     Topology.layered([1, 40, 1]), from_edges([], 1)],
    ids=["roles only", "nothing live", "one edge", "loops", "wide", "one node"],
)  # fmt: skip
def test_odd_graphs(topology):
    if topology.num_nodes == 3 and topology.live.any():
        with pytest.raises(UndefinedMeasureError, match="3 pieces"):
            stage_drawing(topology)
        return
    assert "<svg" in inline_svg(stage_drawing(topology), name="x", description="y")


def test_stages_are_checked():
    with pytest.raises(TopologyError, match="one per node"):
        stage_drawing(dense_dag(3), [0, 1])
