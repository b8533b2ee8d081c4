import numpy as np
import pytest

from nervure.errors import TopologyError
from nervure.report import degree_history, density_history
from nervure.report.layers import (
    chosen_layers,
    chosen_snapshots,
    edges_between,
    layer_degrees,
    pair_names,
)
from nervure.report.style import inline_svg
from nervure.topology import Topology, is_layered, layered

SIZES = [6, 5, 4, 3]


def wirings(count, sizes=SIZES, density=0.5):
    return [(epoch, layered(sizes, density=density, seed=epoch)) for epoch in range(count)]


def test_layers_are_recognised():
    topology = layered(SIZES, density=0.5, seed=0)
    assert is_layered(topology, SIZES)
    for wrong in ([6, 5, 4], [5, 6, 4, 3], [18], [], [6, 5, 7], [6, 0, 5, 4, 3]):
        assert not is_layered(topology, wrong)
    skipping = Topology.from_edges([(0, 1), (0, 2)], num_nodes=3)
    assert not is_layered(skipping, [1, 1, 1])


def test_edges_are_counted_by_layer():
    topology = layered(SIZES, density=[0.5, 1.0, 0.25], seed=0)
    assert edges_between(topology, SIZES).tolist() == [15, 20, 3]
    assert pair_names(4) == ["inputs → hidden 1", "hidden 1 → hidden 2", "hidden 2 → outputs"]
    with pytest.raises(TopologyError, match="nodes in layers of"):
        edges_between(topology, [9, 9])


def test_degrees_of_a_layer_are_those_of_its_nodes():
    topology = layered([2, 3, 2], seed=0).drop([[0, 3], [4, 5]])
    assert layer_degrees(topology, [2, 3, 2], 1, "incoming").tolist() == [2, 1, 2]
    assert layer_degrees(topology, [2, 3, 2], 1, "outgoing").tolist() == [2, 2, 1]


def test_first_middle_and_last_snapshots_are_chosen():
    assert [epoch for epoch, _ in chosen_snapshots(wirings(9))] == [0, 4, 8]
    assert [epoch for epoch, _ in chosen_snapshots(wirings(2))] == [0, 1]
    assert [epoch for epoch, _ in chosen_snapshots(wirings(1))] == [0]
    assert chosen_layers([1] * 12) == [1, 4, 7, 10]
    assert chosen_layers([1, 1]) == []


def test_a_point_is_the_share_of_nodes_with_at_least_so_many_edges():
    # Four hidden nodes with 1, 2, 2 and 4 incoming edges.
    counts = (1, 2, 2, 4)
    edges = [(source, 4 + i) for i, count in enumerate(counts) for source in range(count)]
    topology = Topology.from_edges([*edges, (4, 8)], num_nodes=9)
    incoming, outgoing = degree_history([(7, topology)], [4, 4, 1]).axes
    last, random = incoming.get_lines()
    assert last.get_label() == "epoch 7"
    assert last.get_xdata().tolist() == [1, 2, 4]
    assert last.get_ydata().tolist() == [1, 0.75, 0.25]
    # Binomial with 4 trials and the same mean, 9 / 4.
    at = dict(zip(random.get_xdata().tolist(), random.get_ydata().tolist(), strict=True))
    assert at[4] == pytest.approx((9 / 16) ** 4)
    # Three of the four have no outgoing edge: they are below one, off the axis.
    assert outgoing.get_lines()[0].get_ydata().tolist() == [0.25]
    assert (incoming.get_xscale(), incoming.get_yscale()) == ("log", "log")


def test_degrees_of_each_hidden_layer_at_three_epochs():
    figure = degree_history(wirings(9), SIZES)
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "Hidden 1: incoming edges", "Hidden 1: outgoing edges",
        "Hidden 2: incoming edges", "Hidden 2: outgoing edges",
    ]  # fmt: skip
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:3] == ["epoch 0", "epoch 4", "epoch 8"]
    assert len(degree_history(wirings(2, [3] * 9), [3] * 9).axes) == 8
    with pytest.raises(TopologyError, match="have none"):
        degree_history(wirings(2, [3, 2]), [3, 2])
    with pytest.raises(TopologyError, match="nodes in layers of"):
        degree_history(wirings(2), [9, 9])


@pytest.mark.parametrize(("most", "ticks"), [(10, [10]), (3, [2, 3]), (60, [20, 50])])
def test_degrees_are_labelled_with_whole_numbers(most, ticks):
    least = {10: 10, 3: 2, 60: 12}[most]
    sizes = [most, 2, 1]
    edges = [(i, most) for i in range(least)] + [(i, most + 1) for i in range(most)]
    topology = Topology.from_edges([*edges, (most, most + 2)], num_nodes=most + 3)
    shown = degree_history([(0, topology)], sizes).axes[0].get_xticks().tolist()
    assert set(ticks) <= set(shown)
    assert all(float(tick).is_integer() and least <= tick <= most for tick in shown)


def test_density_of_each_pair_of_layers():
    (ax,) = density_history(
        [(0, layered(SIZES)), (1, layered(SIZES, density=[0.5, 1, 0.25], seed=0))], SIZES
    ).axes
    values = [line.get_ydata().tolist() for line in ax.get_lines()]
    assert values == [[100, 50], [100, 100], [100, 25]]


@pytest.mark.parametrize(
    "topology",
    [layered([3, 4, 2]), layered([3, 4, 2], density=0.0), layered([900, 800, 2], density=1.0)],
    ids=["full", "no edges", "large"],
)
def test_odd_layers_render(topology):
    sizes = np.bincount(topology.levels).tolist() if topology.num_edges else [3, 4, 2]
    for draw in (degree_history, density_history):
        assert "<svg" in inline_svg(draw([(1, topology)], sizes), name="x", description="y")
