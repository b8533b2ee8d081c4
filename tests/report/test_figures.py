import math

import numpy as np
import pytest

from nervure.report import (
    adjacency_history,
    adjacency_matrix,
    graph_drawing,
    module_history,
    rewiring_history,
    sweep_history,
    training_curves,
)
from nervure.report.layout import lay_out
from nervure.report.style import inline_svg
from nervure.topology import Topology, complete, dense_dag, erdos_renyi, from_edges

# Two rings of three, joined through node 3; node 7 has no edges.
TWO = from_edges([(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 5), (5, 6), (6, 4)], num_nodes=8)


def texts(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def squares(figure):
    """Edge length and corner of every module's frame."""
    patches = figure.axes[0].patches
    return sorted((p.get_width(), p.get_x(), p.get_y()) for p in patches)


def test_matrix_has_a_square_on_the_diagonal_around_each_module():
    figure = adjacency_matrix(TWO, np.linspace(-1, 1, TWO.num_edges))
    assert [(w, x == y) for w, x, y in squares(figure)] == [(3, True), (3, True)]
    assert texts(figure).count("3 nodes") >= 1
    labels = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert labels == ["4 positive (blue, filled)", "4 negative (orange, open)", "module"]


@pytest.mark.parametrize("nodes", [8, 120])
def test_marks_stand_at_source_and_target(nodes):
    # A path through all nodes, so that condensation order is the path itself.
    path = from_edges(np.column_stack((np.arange(nodes - 1), np.arange(1, nodes))), num_nodes=nodes)
    ax = adjacency_matrix(path, np.ones(nodes - 1)).axes[0]
    if nodes == 8:
        centres = [
            p.get_extents().get_points().mean(axis=0) for c in ax.collections for p in c.get_paths()
        ]
        assert sorted(map(tuple, np.round(centres, 6).tolist())) == [(i, i + 1) for i in range(7)]
    else:
        target, source = np.nonzero(np.asarray(ax.images[0].get_array())[..., 3])
        assert (target == source + 1).all()
        assert len(target) == nodes - 1


def test_history_picks_at_most_six_panels():
    snapshots = [(epoch, TWO) for epoch in range(1, 31)]
    titles = [ax.get_title(loc="left") for ax in adjacency_history(snapshots).axes]
    assert len(titles) == 6
    assert titles[0] == "epoch 1: 2 modules"
    assert titles[-1] == "epoch 30: 2 modules"
    assert len(adjacency_history(snapshots[:1]).axes) == 1


def test_layout_follows_the_condensation():
    layout = lay_out(TWO)
    assert layout.nodes.tolist() == [0, 1, 2, 3, 4, 5, 6]
    (x1, _, r1, n1), (x2, _, r2, n2) = layout.modules
    assert n1 == n2 == 3
    assert x1 + r1 < layout.xy[3, 0] < x2 - r2
    for nodes, (x, y, radius, _) in zip(TWO.components.modules, layout.modules, strict=True):
        assert (np.hypot(*(layout.xy[nodes] - (x, y)).T) < radius).all()


@pytest.mark.parametrize(
    "topology", [erdos_renyi(300, edges=700, seed=1), dense_dag(40), complete(60), TWO]
)
def test_layout_keeps_things_apart_and_arrows_rightwards(topology):
    layout = lay_out(topology)
    xy = layout.xy[layout.nodes]
    distance = np.hypot(*(xy[:, None] - xy[None]).T)
    np.fill_diagonal(distance, np.inf)
    assert distance.min() > 0.5
    labels = topology.components.labels
    between = labels[topology.sources] != labels[topology.targets]
    centres = {int(c): layout.xy[labels == c, 0].mean() for c in np.unique(labels[layout.nodes])}
    for source, target in topology.edges[between].tolist():
        assert centres[labels[source]] < centres[labels[target]]


def test_drawing_says_what_it_leaves_out():
    def said(topology, weights=None):
        return graph_drawing(topology, weights).axes[0].get_title(loc="left")

    assert said(TWO) == "All 8 edges between 7 nodes; 1 node without edges not drawn"
    big = erdos_renyi(500, edges=5000, seed=0)
    assert said(big).startswith("400 of 5,000 edges (evenly chosen) between 500 nodes")
    weights = np.arange(5000.0)
    figure = graph_drawing(big, weights)
    assert "largest by weight" in figure.axes[0].get_title(loc="left")
    assert sum(len(c.get_paths()) for c in figure.axes[0].collections) == 2 * 400


@pytest.mark.parametrize(
    "topology",
    [
        from_edges([], num_nodes=3),
        from_edges([(0, 1)], num_nodes=2),
        complete(2),
        complete(1),
        Topology.layered([3, 4, 2], density=1.0, seed=0),
        complete(90),
        erdos_renyi(1500, edges=3000, seed=0),
    ],
    ids=["no edges", "one edge", "pair", "one node", "layers", "giant", "binned"],
)
def test_graph_figures_of_odd_graphs_render(topology):
    for draw in (adjacency_matrix, graph_drawing):
        draw(topology)
        figure = draw(topology, np.zeros(topology.num_edges))
        assert "<svg" in inline_svg(figure, name="x", description="y")


EPOCHS = [
    {
        "epoch": epoch,
        "train_loss": 1 / epoch,
        "validation_error": 0.5 / epoch,
        "modules": 2,
        "module_sizes": [5, 3],
        "balance": 0.9,
        "pruned": 4,
        "grown": 6,
        "sweeps_mean": 3.5,
        "sweeps_max": 9,
    }
    for epoch in range(1, 6)
]


def test_curves_show_both_networks_in_percent():
    figure = training_curves(EPOCHS, baseline=EPOCHS[:3])
    own, plain, _ring = figure.axes[1].get_lines()
    assert own.get_ydata().tolist() == pytest.approx([50, 25, 50 / 3, 12.5, 10])
    assert len(plain.get_xdata()) == 3
    assert own.get_linestyle() != plain.get_linestyle()
    assert own.get_marker() != plain.get_marker()
    assert figure.axes[1].get_title(loc="right") == "best: 10 % in epoch 5"


def test_regression_is_in_units_of_the_target():
    figure = training_curves([{"epoch": 1, "train_loss": 1.0, "validation_rmse": 0.7}])
    assert figure.axes[1].get_ylabel() == "RMSE (units of the target)"
    assert figure.axes[1].get_lines()[0].get_ydata().tolist() == [0.7]


def test_modules_are_stacked_and_the_rest_is_one_band():
    sizes = [9, 8, 7, 6, 5, 4, 3, 2]
    figure = module_history([{"epoch": 1, "modules": 8, "module_sizes": sizes}], nodes=60)
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights == [9, 8, 7, 6, 5, 4, 5]
    labels = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert {"largest module", "all smaller modules", "all 60 nodes"} <= set(labels)


def test_rewiring_goes_up_and_down():
    heights = [bar.get_height() for bar in rewiring_history(EPOCHS).axes[0].patches]
    assert heights == [6] * 5 + [-4] * 5


@pytest.mark.parametrize(
    "epochs",
    [EPOCHS, EPOCHS[:1], [{"epoch": 3}], [{"train_loss": math.nan, "modules": 0}], EPOCHS * 12],
    ids=["some", "one", "nothing", "nan", "many"],
)
def test_figures_over_epochs_render(epochs):
    for draw in (training_curves, module_history, rewiring_history, sweep_history):
        assert "<svg" in inline_svg(draw(epochs), name="x", description="y")
