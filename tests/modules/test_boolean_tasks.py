"""The paper's Boolean tasks against their functions written down anew, and networkx."""

import itertools

import networkx as nx
import numpy as np
import pytest

from nervure.errors import FunctionGraphError
from nervure.modules import boolean_task, function_graph, hierarchy_graph, noisy, sub_functions
from nervure.modules.boolean_tasks import hierarchical_levels, input_overlap, reused

EVERY = [
    "[4, 2, 4]", "[6, 3, 3, 3]", "[4, 1, 4]", "[4, 1, 2, 16]", "[4, 1, 2, 2]", "[8, 2, 4]",
    "[7, 3, 2, 8]", "[6, 3, 2, 16]", "[5, 3, 2, 2]", "[4, 1, 2, 2, 12]", "[8, 2, 1, 2, 16]",
]  # fmt: skip


def four(x0, x1, x2, x3):
    """The polynomial over two elements of the authors' [4, 1, 4]."""
    return (x2 * x3 + x1 * x2 * x3 + x0 * x2 + x0 * x1 + x0 * x1 * x3 + x0 * x1 * x2 * x3) % 2


def first(x0, x1, x2, x3):
    return x0 * (x1 ^ x2) * (1 - x3)


def second(x0, x1, x2, x3):
    return x2 * (1 - x1) * (x0 ^ x3)


def overlap_first(x):
    return int(x[0] == 1 and x[1] != x[2] and x[3] == 0)


def overlap_second(x):
    return int(x[-4] == 0 and x[-3] == x[-2] and x[-1] == 1)


def levels_reference(x):
    def state(p, q, r, s):
        return {(1, 1, 0, 0): "a", (0, 0, 1, 1): "b"}.get((p, q, r, s), "0")

    states = state(*x[:4]) + state(*x[4:])
    return [int("a" in states and "b" not in states), int("b" in states or states == "aa")]


ORACLES = {
    "[4, 2, 4]": lambda x: [x[0] ^ x[1], 1 ^ x[0] ^ x[1], x[2] ^ x[3], 1 ^ x[2] ^ x[3]],
    "[6, 3, 3, 3]": lambda x: [
        x[0] & x[1] | x[2] & x[3],
        x[0] & x[1] | x[4] & x[5],
        x[2] & x[3] | x[4] & x[5],
    ],
    "[4, 1, 4]": lambda x: [four(*x)] * 4,
    "[4, 1, 2, 16]": lambda x: [first(*x), second(*x)] * 8,
    "[4, 1, 2, 2]": lambda x: [first(*x), second(*x)],
    "[8, 2, 4]": lambda x: [overlap_first(x), overlap_second(x)] * 2,
    "[7, 3, 2, 8]": lambda x: [overlap_first(x), overlap_second(x)] * 4,
    "[6, 3, 2, 16]": lambda x: [overlap_first(x), overlap_second(x)] * 8,
    "[5, 3, 2, 2]": lambda x: [overlap_first(x), overlap_second(x)],
    "[4, 1, 2, 2, 12]": lambda x: [overlap_first(x), overlap_second(x)] * 6,
    "[8, 2, 1, 2, 16]": lambda x: levels_reference(x) * 8,
}


@pytest.mark.parametrize("name", EVERY)
def test_truth_tables_are_the_functions(name):
    task = boolean_task(name)
    assert task.name == name
    X, Y = task.truth_table()
    assert X.dtype == Y.dtype == np.float32
    expected = [ORACLES[name](row) for row in itertools.product([0, 1], repeat=X.shape[1])]
    assert Y.astype(int).tolist() == expected


@pytest.mark.parametrize("name", EVERY)
def test_the_name_says_inputs_modules_and_outputs(name):
    task = boolean_task(name)
    inputs, *counts, outputs = map(int, name.strip("[]").split(", "))
    assert task.graph.num_inputs == inputs
    assert task.graph.num_outputs == outputs
    # The authors' name for full overlap has one level more than can be told apart in the graph.
    assert list(task.module_counts) == ([1, 2] if name.startswith("[4, 1, 2, 2,") else counts)
    every = [node for module in task.expected_modules for node in module.nodes]
    assert sorted(every) == sorted(task.graph.levels)


@pytest.mark.parametrize("name", EVERY)
def test_the_hierarchy_is_that_of_the_quotient_graph(name):
    task = boolean_task(name)
    graph = task.graph.to_networkx()
    parts = [set(module.nodes) for module in task.expected_modules]
    quotient = nx.quotient_graph(graph, parts)
    found = task.hierarchy()
    assert nx.is_isomorphic(quotient, found)
    for module in task.expected_modules:
        inside = set(module.nodes)
        reaching = set.union(*(nx.ancestors(graph, n) | {n} for n in inside))
        assert set(module.inputs) == reaching & set(task.graph.inputs)
        assert set(module.outputs) == inside & set(task.graph.outputs)
        assert set(module.reads) == set(found.predecessors(module.name))
        assert set(module.read_by) == set(found.successors(module.name))
        leaving = list(nx.edge_boundary(graph, inside))
        assert found.out_degree(module.name, weight="edges") == len(leaving)
        assert found.nodes[module.name]["reused"] == (len(leaving) >= 2)
        # All that a module's outputs depend on are the inputs that it says reach it.
        for output in module.outputs:
            assert set(task.graph.dependencies()[output]) == set(module.inputs)


def test_edges_are_those_of_sculpted_networks():
    # methods.md: 16 live edges and 12 with one hidden layer.
    for name, edges in (("[4, 2, 4]", 16), ("[6, 3, 3, 3]", 12)):
        assert boolean_task(name).graph.to_networkx().number_of_edges() == edges
    assert boolean_task("[4, 1, 2, 16]").graph.depth == 4
    assert boolean_task("[8, 2, 1, 2, 2]").graph.depth == 5
    assert all(boolean_task(f"overlap-{n}").graph.depth == 3 for n in range(5))


@pytest.mark.parametrize("overlap", range(5))
def test_overlapping_sub_functions_share_so_many_inputs(overlap):
    task = input_overlap(overlap, uses=2)
    both = task.graph.dependencies()
    assert len(both["y0"]) == len(both["y1"]) == 4
    assert len(set(both["y0"]) & set(both["y1"])) == overlap
    assert both["y0"] == both["y2"]


def test_networks_with_fewer_layers_show_fewer_modules():
    task = hierarchical_levels(2)
    assert [m.level for m in task.modules_expected_at(5)] == [0, 0, 1, 2, 2]
    assert task.modules_expected_at(9) == task.expected_modules
    left, right, merged = task.modules_expected_at(4)
    assert (left.read_by, right.read_by) == (("merged",), ("merged",))
    assert merged.outputs == task.graph.outputs
    (only,) = reused(3).modules_expected_at(3)
    assert len(only.nodes) == 4 + 3 + 2 + 6


def test_words_and_numbers_name_the_same_tasks():
    assert boolean_task("reused") == boolean_task("4,1,2,16") == boolean_task("[4, 1, 2, 16]")
    assert boolean_task("Input_Separable") == boolean_task("[4,2,4]")
    assert boolean_task("both").name == "[6, 3, 3, 3]"
    assert boolean_task("single").name == "[4, 1, 4]"
    assert boolean_task("overlap-3").name == "[5, 3, 2, 16]"
    assert boolean_task("levels").name == "[8, 2, 1, 2, 16]"


@pytest.mark.parametrize("name", ["[4, 1, 2, 3]", "[4, 1, 2, 0]", "[1, 2]", "", "[]", "nothing"])
def test_other_names_are_refused_with_the_known_ones(name):
    with pytest.raises(FunctionGraphError, match=r"known: input-separable, .*\[4, 1, 2, k\]"):
        boolean_task(name)


def test_bad_numbers_are_refused():
    with pytest.raises(FunctionGraphError, match="0 to 4"):
        input_overlap(5)
    with pytest.raises(FunctionGraphError, match="at least 1"):
        reused(0)


def test_noise_is_normal_and_fresh():
    X = np.zeros((200, 100), dtype=np.uint8)
    rng = np.random.default_rng(0)
    one, two = noisy(X, rng), noisy(X, rng)
    assert one.dtype == np.float32
    assert one.std() == pytest.approx(0.1, rel=0.02)
    assert abs(one.mean()) < 0.003
    assert not np.array_equal(one, two)
    assert np.array_equal(one, noisy(X, np.random.default_rng(0)))
    assert not noisy(X, rng, scale=0.0).any()


# -- divisions of other graphs ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hierarchy", "message"),
    [
        ([{"a": ["x0", "a"]}, {"y": ["y"]}], "in no sub-function: x1"),
        ([{"a": ["x0", "x1", "a"]}, {"y": ["y", "a"]}], "node a is in a and in y"),
        ([{"a": ["x0", "x1", "a", "b"]}, {"y": ["y"]}], "a: no node named b"),
        ([{"y": ["y"]}, {"a": ["x0", "x1", "a"]}], "y reads a, which is not on a level below"),
        ([{"a": ["x0", "x1"]}, {"a": ["a", "y"]}], "every name once"),
    ],
)
def test_divisions_that_are_none_are_refused(hierarchy, message):
    graph = function_graph({"a": "x0 & x1", "y": "~a"})
    with pytest.raises(FunctionGraphError, match=message):
        sub_functions(graph, hierarchy)


def test_reuse_counts_edges():
    graph = function_graph({"a": "x0 & x1", "b": "x0 | x1", "y": "a & ~b"})
    parts = sub_functions(graph, [{"low": ["x0", "x1", "a", "b"]}, {"high": ["y"]}])
    found = hierarchy_graph(graph, parts)
    assert found.edges["low", "high"]["edges"] == 2
    assert found.nodes["low"]["reused"]
    assert not found.nodes["high"]["reused"]
