"""Function graphs against Python's own evaluation of the same expressions, and networkx."""

import itertools
import pickle

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nervure.errors import FunctionGraphError
from nervure.modules import FunctionGraph, Gate, function_graph

LEAVES = st.sampled_from(["x0", "x1", "x2", "x3", "0", "1"])
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda e: f"~{e}" if len(e) <= 2 else f"~({e})"),
        st.tuples(st.sampled_from("&|^"), st.lists(inner, min_size=2, max_size=4)).map(
            lambda t: f" {t[0]} ".join(f"({e})" for e in t[1])
        ),
        # Without parentheses: precedence is Python's.
        st.tuples(inner, st.sampled_from("&|^"), inner).map(" ".join),
    ),
    max_leaves=12,
)


def rows(count):
    return list(itertools.product([0, 1], repeat=count))


def python_value(text, row, **values):
    names = {f"x{i}": bit for i, bit in enumerate(row)}
    return eval(text, {}, names | values) & 1


@given(EXPRESSIONS, EXPRESSIONS, st.sampled_from("&|^"))
@settings(max_examples=150, deadline=None)
def test_values_are_those_of_python(first, second, operator):
    texts = {"a": first, "y": f"a {operator} ~({second})"}
    graph = function_graph(texts, inputs=4, outputs=["y", "a"])
    X, Y = graph.truth_table()
    assert X.tolist() == [list(row) for row in rows(4)]
    for row, (y, a) in zip(rows(4), Y.tolist(), strict=True):
        assert a == python_value(first, row)
        assert y == python_value(texts["y"], row, a=a)


@given(EXPRESSIONS)
@settings(max_examples=100, deadline=None)
def test_structure_is_that_of_networkx(text):
    graph = function_graph({"y": text}, inputs=4)
    found = graph.to_networkx()
    assert nx.is_directed_acyclic_graph(found)
    assert found.number_of_edges() == sum(len(gate.sources) for gate in graph.gates)
    for name, level in graph.levels.items():
        longest = max(
            (len(p) - 1 for s in graph.inputs for p in nx.all_simple_paths(found, s, name)),
            default=0,
        )
        assert level == longest == found.nodes[name]["level"]
        assert set(graph.readers[name]) == set(found.successors(name))
    assert graph.depth == nx.dag_longest_path_length(found) + 1
    for gate in graph.gates:
        assert gate.kind in ("AND", "OR", "ID")
        for source, negated in gate.edges:
            assert found.edges[source, gate.name]["negated"] == negated
    assert pickle.loads(pickle.dumps(graph)) == graph


@given(EXPRESSIONS)
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_back(text):
    graph = function_graph({"y": text}, inputs=4)
    lines = dict(line.split(" = ") for line in str(graph).splitlines())
    again = function_graph(lines, inputs=4, outputs=["y"])
    assert again == graph
    assert hash(again) == hash(graph)


@given(EXPRESSIONS, EXPRESSIONS)
@settings(max_examples=60, deadline=None)
def test_dependencies_are_those_of_the_function(first, second):
    graph = function_graph({"y": first, "z": second}, inputs=4)
    for output, text in (("y", first), ("z", second)):
        expected = tuple(
            f"x{i}"
            for i in range(4)
            if any(
                python_value(text, row) != python_value(text, (*row[:i], 1 - row[i], *row[i + 1 :]))
                for row in rows(4)
            )
        )
        assert graph.dependencies()[output] == expected


def test_an_input_that_cancels_out_is_no_dependency():
    graph = function_graph({"a": "x0 & x1", "b": "x0 & ~x1", "y": "a | b"})
    assert nx.has_path(graph.to_networkx(), "x1", "y")
    assert graph.dependencies() == {"y": ("x0",)}


def test_one_gate_for_what_stands_without_parentheses():
    graph = function_graph({"y": "x0 & ~x1 & (x2 | x3)"})
    assert [str(gate) for gate in graph.gates] == ["x2 | x3", "x0 & ~x1 & y.1"]
    assert repr(graph) == "FunctionGraph(4 inputs, 2 gates, 5 edges, 1 outputs, depth 3)"
    # De Morgan instead of a gate that only negates.
    assert function_graph({"y": "~(x0 & ~x1)"}).gates == (Gate("y", "OR", ("~x0", "x1")),)


def test_xor_is_two_ands_and_an_or():
    kinds = [gate.kind for gate in function_graph({"y": "x0 ^ x1"}).gates]
    assert kinds == ["AND", "AND", "OR"]


def test_programmatic_and_written_graphs_are_equal():
    gates = (Gate("y", "OR", ("~a", "x2")), Gate("a", "AND", ("x0", "x1")))
    graph = FunctionGraph(("x0", "x1", "x2"), gates, ("y",))
    assert graph == function_graph({"a": "x0 & x1", "y": "~a | x2"})
    assert graph != function_graph({"a": "x0 & x1", "y": "a | x2"})
    assert [gate.name for gate in graph.gates] == ["a", "y"]
    assert graph.readers["a"] == ("y",)


def test_inputs_and_outputs_by_default_and_by_name():
    graph = function_graph({"z": "x3", "y": "x1"})
    assert graph.inputs == ("x0", "x1", "x2", "x3")
    assert graph.outputs == ("z", "y")
    named = function_graph({"y": "right & ~left"}, inputs=["left", "right"])
    assert named.evaluate([[0, 1], [1, 0]]).tolist() == [[1], [0]]
    assert named.truth_table(np.float32)[0].dtype == np.float32


def test_inner_nodes_can_be_looked_at():
    graph = function_graph({"a": "x0 & x1", "y": "~a"})
    assert graph.evaluate(np.ones((1, 2)), nodes=["a", "x0", "y"]).tolist() == [[1, 1, 0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x0 &", r"position 5 of 'x0 &', got the end"),
        ("x0 x1", r"an operator .* at position 4 of 'x0 x1', got 'x1'"),
        ("(x0 | x1", r"'\)' or an operator .* at position 9"),
        ("x0 + x1", r"at position 4 of 'x0 \+ x1', got '\+'"),
        ("x0 & | x1", r"at position 6 .*, got '\|'"),
        ("", r"at position 1 of '', got the end"),
        ("2", "at position 1"),
        ("b & x0", r"y: b is neither an input \(x0\) nor a node \(y\)"),
        ("y | x0", "name the outputs"),
        ("(" * 5000 + "x0" + ")" * 5000, "fewer parentheses"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text, message):
    with pytest.raises(FunctionGraphError, match=message):
        function_graph({"y": text})


def test_cycles_are_refused():
    with pytest.raises(FunctionGraphError, match=r"cycles, got (a -> b -> a|b -> a -> b)"):
        function_graph({"a": "b & x0", "b": "a", "y": "a"})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gate("a b", "AND", ("x0",)), "identifier"),
        (lambda: Gate("a", "NAND", ("x0", "x1")), "AND, OR or ID"),
        (lambda: Gate("a", "ID", ("x0", "x1")), "one source, got 2"),
        (lambda: Gate("a", "OR", ()), "at least one source"),
        (lambda: Gate("a", "OR", ("x0", "~x0")), "every source once"),
        (lambda: graph_of(Gate("a", "ID", ("x9",))), "reads x9"),
        (lambda: graph_of(Gate("x0", "ID", ("x1",)), outputs=("x0",)), "x0 more than once"),
        (lambda: graph_of(Gate("a", "ID", ("x0",)), outputs=()), "one or more outputs"),
        (lambda: graph_of(Gate("a", "ID", ("x0",)), outputs=("a", "a")), "each once"),
        (lambda: graph_of(Gate("a", "ID", ("x0",)), outputs=("x0",)), "x0 is no gate"),
        (
            lambda: graph_of(Gate("a", "ID", ("x0",)), Gate("b", "ID", ("x0",))),
            "nothing leads from b",
        ),
    ],
)
def test_bad_gates_and_graphs_are_refused(make, message):
    with pytest.raises(FunctionGraphError, match=message):
        make()


def graph_of(*gates, outputs=("a",)):
    return FunctionGraph(("x0", "x1"), gates, outputs)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[0, 1, 0]], r"\(rows, 2\)"),
        ([0, 1], r"\(rows, 2\)"),
        ([[0, 0.5]], "0 and 1"),
        ([[0, float("nan")]], "0 and 1"),
    ],
)
def test_other_values_and_shapes_are_refused(X, message):
    with pytest.raises(FunctionGraphError, match=message):
        function_graph({"y": "x0 & x1"}).evaluate(X)


def test_unknown_nodes_and_huge_tables_are_refused():
    with pytest.raises(FunctionGraphError, match="no node named b"):
        function_graph({"y": "x0"}).evaluate([[1]], nodes=["b"])
    with pytest.raises(FunctionGraphError, match="at most 20 inputs"):
        function_graph({"y": "x30"}).truth_table()
