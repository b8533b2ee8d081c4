import csv
import math
from functools import partial

import numpy as np
import pytest

from nervure.errors import TopologyError
from nervure.measures import (
    DEFAULT,
    MEASURES,
    characterise,
    mean_path,
    modularity,
    stage_nodes,
    stage_sparsity,
)
from nervure.topology import complete, dense_dag, layered

from .graphs import chain, cut

GRAPHS = [dense_dag(6), chain(6), layered([1, 4, 1])]
STAGES = [0, 0, 0, 1, 1, 1]


def test_every_measure_is_taken_once_of_every_graph():
    calls = []

    def counted(topology):
        calls.append(topology)
        return float(topology.num_edges)

    table = characterise(GRAPHS, measures={"edges": counted, "mean": mean_path})
    assert calls == GRAPHS
    assert table.values.tolist() == [[15, 3], [5, 5], [8, 2]]
    assert (table.names, table.columns) == (("0", "1", "2"), ("edges", "mean"))
    assert table.seconds.shape == (3, 2)
    assert (table.seconds > 0).all()


def test_columns_are_the_functions_of_their_names():
    table = characterise(GRAPHS, measures=list(MEASURES))
    assert table.columns[:9] == DEFAULT
    for name, function in MEASURES.items():
        expected = [function(graph) for graph in GRAPHS]
        np.testing.assert_array_equal(table.column(name), expected)
    assert table.column("max_path").tolist() == [5, 5, 2]
    assert table.column("edge_connectivity").tolist() == [5, 1, 4]


@pytest.mark.parametrize("stages", [STAGES, np.array(STAGES), [STAGES] * 3, np.array([STAGES] * 3)])
def test_stages_add_columns(stages):
    table = characterise(GRAPHS, "abc", stages, measures=["nodes"])
    assert table.columns[1:] == (
        "sparsity_stage_0", "sparsity_stage_1", "nodes_stage_0", "nodes_stage_1",
    )  # fmt: skip
    for row, graph in zip(table.values, GRAPHS, strict=True):
        assert row[1:3].tolist() == stage_sparsity(graph, STAGES).tolist()
        assert row[3:].tolist() == stage_nodes(graph, STAGES).tolist()


def test_graphs_may_differ_in_their_stages():
    table = characterise([chain(3), chain(5)], stages=[[0, 0, 0], [0, 0, 1, 2, 2]], measures=[])
    assert table.column("nodes_stage_2").tolist() == [0, 2]
    np.testing.assert_array_equal(table.column("sparsity_stage_2"), [np.nan, 0])


def test_what_has_no_value_is_nan():
    table = characterise([complete(4), cut()], ["loops", "cut"])
    loops, gone = (dict(zip(table.columns, row, strict=True)) for row in table.values)
    assert math.isnan(loops["log_paths"])
    assert math.isnan(loops["edge_connectivity"])
    assert loops["mean_degree"] == 6
    assert gone["log_paths"] == -math.inf
    assert (gone["nodes"], gone["edge_connectivity"], gone["sparsity"]) == (0, 0, 1)


def test_table_goes_out(tmp_path):
    table = characterise([complete(3), chain(3)], ["a, b", "c"], measures=["max_path", "density"])
    assert table.to_dict()["c"] == {"max_path": 2.0, "density": 1 / 3}
    text = table.to_csv(tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text() == text
    rows = list(csv.reader(text.splitlines()))
    assert rows == [["name", "max_path", "density"], ["a, b", "", "1.0"], ["c", "2.0", repr(1 / 3)]]
    repeated = characterise([chain(3), chain(4)], ["x", "x"], measures=["nodes"])
    with pytest.raises(ValueError, match="told apart: x"):
        repeated.to_dict()


def test_measures_with_a_seed_are_passed_by_hand():
    own = {"modularity": partial(modularity, seed=0), "nodes": MEASURES["nodes"]}
    assert characterise([chain(9)], measures=own).column("modularity")[0] > 0.3


def test_no_graphs():
    assert characterise([]).values.shape == (0, 9)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="names: expected 3, one per graph, got 1"):
        characterise(GRAPHS, ["a"])
    with pytest.raises(ValueError, match="got 'size'"):
        characterise(GRAPHS, measures=["size"])
    with pytest.raises(ValueError, match="got nodes"):
        characterise(GRAPHS, measures="nodes")
    with pytest.raises(TopologyError, match="one array, or 3"):
        characterise(GRAPHS, stages=[STAGES] * 2)
    with pytest.raises(TopologyError, match="one per node"):
        characterise(GRAPHS, stages=[0, 1])
    with pytest.raises(KeyError, match="no column 'size'"):
        characterise(GRAPHS).column("size")
