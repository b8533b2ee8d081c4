import numpy as np
import pytest
from scipy.integrate import trapezoid

from nervure.report import Update, adjacency_history, adjacency_matrix, pair_densities
from nervure.report.curves import training_curves
from nervure.report.style import inline_svg
from nervure.report.updates import _density, update_history
from nervure.topology import Topology, dense_dag


def test_edges_are_counted_back_from_the_end():
    updates = [Update(10, 5, 0), Update(20, 0, 2), Update(40, 1, 1)]
    top, bottom = update_history(updates, 17, steps=60).axes
    line = top.get_lines()[0]
    assert line.get_xdata().tolist() == [0, 10, 20, 40, 60]
    assert line.get_ydata().tolist() == [20, 15, 17, 17, 17]
    grown, pruned, _ = bottom.get_lines()
    assert (grown.get_xdata().tolist(), grown.get_ydata().tolist()) == ([20, 40], [2, 1])
    assert (pruned.get_xdata().tolist(), pruned.get_ydata().tolist()) == ([10, 40], [-5, -1])


def counts(*bins):
    found = [0] * 100
    for place, count in bins:
        found[place] += count
    return found


@pytest.mark.parametrize(
    "histogram",
    [counts((0, 50)), counts((99, 1)), counts((30, 1)), counts((10, 70), (60, 30))],
    ids=["all at zero", "one at the end", "one", "two heaps"],
)
def test_a_density_lies_where_the_pairs_are_and_integrates_to_one(histogram):
    at, density = _density(np.array(histogram, dtype=float))
    assert trapezoid(density, at) == pytest.approx(1, abs=0.01)
    mean = (np.arange(100) + 0.5) @ histogram / 100 / sum(histogram)
    assert trapezoid(density * at, at) == pytest.approx(mean, abs=0.02)


def test_densities_of_first_and_last_update():
    none, some = counts(), counts((20, 30), (25, 10))
    first = {"inactive_joined": some, "active_apart": none}
    last = {"inactive_joined": counts((5, 35)), "active_apart": counts((40, 5))}
    figure = pair_densities(first, last, 0.75)
    left, right = figure.axes
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert labels == ["first update, 40 pairs", "last update, 35 pairs"]
    assert len(left.get_lines()) == 3
    assert len(right.get_lines()) == 2
    empty = {"inactive_joined": none, "active_apart": none}
    drawn = inline_svg(pair_densities(empty, empty), name="x", description="y")
    assert drawn.count("no such pairs") == 2


def test_nodes_that_are_in_order_keep_it():
    # Several orders would do; that of the numbers is the one to compare wirings by.
    topology = Topology.from_edges([(0, 3), (1, 2)], num_nodes=4)
    ax = adjacency_matrix(topology).axes[0]
    assert ax.get_xlabel() == "from node (source), in the order of their numbers"
    centres = {
        tuple(p.get_extents().get_points().mean(axis=0).round(6).tolist())
        for c in ax.collections
        for p in c.get_paths()
    }
    assert centres == {(0, 3), (1, 2)}


def test_history_without_cycles_counts_edges():
    snapshots = [(0, dense_dag(4)), (1, Topology.from_edges([(0, 1)], num_nodes=4))]
    titles = [ax.get_title(loc="left") for ax in adjacency_history(snapshots).axes]
    assert titles == ["epoch 0: 6 edges", "epoch 1: 1 edge"]


@pytest.mark.parametrize("best", [1, 15, 30])
def test_the_best_epoch_is_ringed_and_named_above_the_panel(best):
    epochs = [
        {"epoch": i, "train_loss": 1.0, "validation_error": 0.1 if i == best else 0.2}
        for i in range(1, 31)
    ]
    panel = training_curves(epochs).axes[1]
    assert panel.get_title(loc="right") == f"best: 10 % in epoch {best}"
    ring = panel.get_lines()[-1]
    assert (*ring.get_xdata(), *ring.get_ydata()) == (best, pytest.approx(10))
