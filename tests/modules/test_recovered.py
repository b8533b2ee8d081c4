"""Formulas read off networks, against tables made row by row without the engine."""

import itertools
import re

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nervure import GraphLayer, SparseMLP, Topology
from nervure.errors import FunctionGraphError, TopologyError
from nervure.modules import Hierarchy, detect_modules, recovered_formulas
from nervure.modules.unit_formula import UnitFormula, formula_lines
from nervure.networks import node_topology

from .sculpted import ORS, every, random_layers, reused, separable, separable_and_reused, stacked


def hand_set(topology, weights, biases):
    """A layer with these weights by edge and biases by node; hidden nodes are rectified."""
    names = np.array(["relu"] * topology.num_nodes, dtype=object)
    names[topology.inputs] = names[topology.outputs] = "identity"
    net = GraphLayer(topology, activation=names.tolist())
    with torch.no_grad():
        values = [float(weights[tuple(edge)]) for edge in topology.edges.tolist()]
        net.weight.copy_(torch.tensor(values))
        net.bias.zero_()
        for node, bias in biases.items():
            net.bias[node] = bias
    return net


def ones(topology):
    return dict.fromkeys(map(tuple, topology.edges.tolist()), 1)


def values_row_by_row(net):
    """Value of each node for each assignment of the inputs, by plain loops."""
    topology = net.topology
    into = {}
    for (source, target), weight in zip(topology.edges.tolist(), net.weight.tolist(), strict=True):
        into.setdefault(target, []).append((source, weight))
    order = list(nx.topological_sort(topology.to_networkx()))
    rows = []
    for bits in itertools.product([0, 1], repeat=len(topology.inputs)):
        drive = dict(zip(topology.inputs.tolist(), bits, strict=True))
        value = {}
        for node in order:
            z = drive.get(node, 0) + net.bias[node].item()
            z += sum(weight * value[source] for source, weight in into.get(node, []))
            value[node] = max(0.0, z) if net.activation[node] == "relu" else z
        rows.append([value[node] for node in range(topology.num_nodes)])
    return np.array(rows)


def inputs_row_by_row(count):
    bits = np.array(list(itertools.product([False, True], repeat=count)))
    return {f"x{i}": bits[:, i] for i in range(count)}


def evaluated(formula, values):
    """A formula's value by Python's own operators, which bind alike."""
    rows = len(next(iter(values.values())))
    text = re.sub(r"(?<=M)(\d+)\.(\d+)", r"\1_\2", formula)
    found = eval(text, {k.replace(".", "_"): v for k, v in values.items()})
    return np.full(rows, bool(found)) if np.ndim(found) == 0 else found


def read(net, merge_share=0.9, **options):
    detection = detect_modules(net, merge_share=merge_share)
    hierarchy = Hierarchy.from_detection(detection)
    return hierarchy.with_formulas(recovered_formulas(net, detection, hierarchy, **options))


def found_in(hierarchy):
    return {f.name: f for module in hierarchy.modules for f in module.formulas}


def xors():
    """[4, 2, 4]: |x0 - x1| and |x2 - x3| of two units each, yes and no of both."""
    topology = separable()
    weights = {}
    for half in (0, 1):
        a, b, u, v = 2 * half, 2 * half + 1, 4 + 2 * half, 5 + 2 * half
        middle, y, z = 8 + half, 10 + 2 * half, 11 + 2 * half
        weights |= {(a, u): 1, (b, u): -1, (a, v): -1, (b, v): 1, (u, middle): 1, (v, middle): 1}
        weights |= {(middle, y): 2, (middle, z): -2}
    return hand_set(topology, weights, {10: -1, 11: 1, 12: -1, 13: 1})


def ands(weights=(), biases=()):
    """[6, 3, 3, 3]: ANDs of two inputs, ORs of two ANDs."""
    topology = separable_and_reused(1)
    weights = ones(topology) | dict(weights)
    biases = {6: -1, 7: -1, 8: -1, 9: -0.5, 10: -0.5, 11: -0.5} | dict(biases)
    return hand_set(topology, weights, biases)
    return hand_set(
        topology, weights, dict.fromkeys((6, 7, 8), -1) | dict.fromkeys((9, 10, 11), -0.5)
    )


def products():
    """[4, 1, 2, 16]: three products of four inputs; the first or second, the second or third."""
    topology = reused()
    signs = [(1, 1, -1, -1), (1, -1, 1, -1), (-1, -1, 1, 1)]
    weights = {(i, 4 + p): signs[p][i] for i in range(4) for p in range(3)}
    weights |= {(4 + p, 7 + f): float(p in (f, f + 1)) for p in range(3) for f in range(2)}
    weights |= {(7 + k % 2, 9 + k): 1 for k in range(16)}
    return hand_set(
        topology, weights, dict.fromkeys((4, 5, 6), -1) | dict.fromkeys(range(9, 25), -0.5)
    )


def test_xor_of_two_modules():
    hierarchy = read(xors())
    assert [[(f.name, f.of_inputs) for f in m.formulas] for m in hierarchy.modules] == [
        [("y0", "x0 ^ x1"), ("y1", "~(x0 ^ x1)")],
        [("y2", "x2 ^ x3"), ("y3", "~(x2 ^ x3)")],
    ]
    assert all(f.of_signals is None and not f.note for f in found_in(hierarchy).values())


def test_and_in_the_middle_or_above():
    found = found_in(read(ands()))
    assert {name: f.of_inputs for name, f in found.items()} == {
        "M1": "x0 & x1",
        "M2": "x2 & x3",
        "M3": "x4 & x5",
        "y0": "(x0 & x1) | (x2 & x3)",
        "y1": "(x0 & x1) | (x4 & x5)",
        "y2": "(x2 & x3) | (x4 & x5)",
    }
    assert [found[y].of_signals for y in ("y0", "y1", "y2")] == ["M1 | M2", "M1 | M3", "M2 | M3"]
    assert found["y0"].full == "M1 | M2 = (x0 & x1) | (x2 & x3)"
    assert (found["M1"].node, found["M1"].of_signals) == (6, None)


def test_several_units_leave_a_module():
    hierarchy = read(products())
    shared, first, second = hierarchy.modules
    assert [(f.name, f.of_inputs) for f in shared.formulas] == [
        ("M1.1", "x0 & x1 & ~x2 & ~x3"),
        ("M1.2", "x0 & ~x1 & x2 & ~x3"),
        ("M1.3", "~x0 & ~x1 & x2 & x3"),
    ]
    assert formula_lines(first.formulas) == [
        "y0, y2, y4, ..., y14 (8) = M1.1 | M1.2 = x0 & ~x3 & (x1 ^ x2)"
    ]
    assert formula_lines(second.formulas, full=False) == ["y1, y3, y5, ..., y15 (8) = M1.2 | M1.3"]
    assert "Computes y1, y3, y5, ..., y15 (8) = M1.2 | M1.3 = " in hierarchy.describe()
    assert hierarchy.to_networkx().nodes["M2"]["formulas"].startswith("y0, y2, y4")


@pytest.mark.parametrize("make", [xors, ands, products])
def test_hand_set_networks_against_tables_row_by_row(make):
    net = make()
    table = values_row_by_row(net)
    inputs = inputs_row_by_row(len(net.topology.inputs))
    found = found_in(read(net))
    for place, node in enumerate(net.topology.outputs.tolist()):
        assert (evaluated(found[f"y{place}"].of_inputs, inputs) == (table[:, node] > 0)).all()


@given(st.integers(0, 10**6), st.floats(0.3, 0.8))
@settings(max_examples=40, deadline=None)
def test_random_networks_against_tables_row_by_row(seed, density):
    rng = np.random.default_rng(seed)
    topology = random_layers([5, 6, 4, 3], density, seed)
    if not topology.live.any():
        return
    weights = {tuple(e): rng.normal() for e in topology.edges.tolist()}
    net = hand_set(topology, weights, {n: rng.normal() for n in range(5, 18)})
    table, inputs = values_row_by_row(net), inputs_row_by_row(5)
    hierarchy = read(net)
    found = found_in(hierarchy)
    owner = {n: m.name for m in hierarchy.modules for n in m.nodes}
    leaving = {a for a, b in topology.edges.tolist()
               if a in owner and b in owner and owner[a] != owner[b]}  # fmt: skip
    expected = (leaving - set(range(5))) | set(topology.outputs.tolist())
    assert {f.node for f in found.values()} == expected
    known = dict(inputs)
    for name, f in found.items():
        value = table[:, f.node]
        if f.node in topology.outputs.tolist():
            assert (evaluated(f.of_inputs, inputs) == (value > 0)).all()
            assert not f.note
        elif f.of_inputs is not None:
            known[name] = evaluated(f.of_inputs, inputs)
            if f.note:
                assert (known[name] == (value > 1e-6)).all()
            else:
                assert value[known[name]].min() > value[~known[name]].max()
                spread = max(np.ptp(value[known[name]]), np.ptp(value[~known[name]]))
                assert spread <= value[known[name]].min() - value[~known[name]].max()
        else:
            assert "not two-valued" in f.note
    for f in found.values():
        if f.of_signals is not None:
            assert (evaluated(f.of_signals, known) == evaluated(f.of_inputs, inputs)).all()


def test_units_with_more_than_two_values_say_so():
    # x0 + x1 is 0, 1 or 2; x2 + 2 x3 + 1 is 1, 2, 3 or 4.
    found = found_in(read(ands({(3, 7): 2}, {6: 0, 7: 1})))
    note = "not two-valued: 3 values from 0 to 2; 1 stands for above 0"
    assert found["M1"] == UnitFormula("M1", 6, "x0 | x1", None, note)
    note = "not two-valued: 4 values from 1 to 4"
    assert found["M2"] == UnitFormula("M2", 7, None, None, note)
    assert found["y0"].of_signals is found["y2"].of_signals is None
    assert formula_lines([found["M2"]]) == ["M2 (not two-valued: 4 values from 1 to 4)"]
    assert formula_lines([found["M2"]], full=False) == []


def test_a_unit_that_is_never_zero_is_cut_between_its_two_levels():
    # 2 or 2.1 without x0, 3 or 3.1 with it.
    found = found_in(read(ands({(1, 6): 0.1}, {6: 2, 9: -2.5})))
    assert (found["M1"].of_inputs, found["M1"].note) == ("x0", "")
    assert found["y0"].full == "M1 | M2 = x0 | (x2 & x3)"


def test_a_unit_that_never_changes():
    found = found_in(read(ands({}, {6: -5})))
    assert (found["M1"].of_inputs, found["M1"].note) == ("0", "always 0")
    assert found["y0"].full == "M2 = x2 & x3"


def test_many_inputs_are_left_to_signals_or_left_out():
    # ANDs of four inputs each, and of these ORs and an AND: eight inputs, two signals.
    topology = stacked([12, 3, 3], [[(i, i // 4) for i in range(12)], ORS])
    biases = dict.fromkeys((12, 13, 14), -3) | {15: -1.5, 16: -0.5, 17: -0.5}
    net = hand_set(topology, ones(topology), biases)
    found = found_in(read(net))
    assert found["M1"].of_inputs == "x0 & x1 & x2 & x3"
    assert (found["y0"].of_inputs, found["y0"].of_signals) == (None, "M1 & M2")
    assert found["y1"].full == found["y1"].shortest == "M1 | M3"
    assert found_in(read(net, most_inputs=8))["y1"].of_inputs.count("&") == 6
    assert found_in(read(net, most_inputs=1)) == {}
    many = stacked([11, 2], [every(11, 2)])
    assert found_in(read(hand_set(many, ones(many), {}))) == {}


def test_inputs_that_are_not_in_a_module_below_stand_beside_signals():
    # y0 = M2 and x2, y1 = M2 or x3: inputs of M1, which hands them on.
    topology = Topology.from_edges([(0, 4), (1, 4), (4, 5), (4, 6), (2, 5), (3, 6)])
    found = found_in(read(hand_set(topology, ones(topology), {4: -1, 5: -1.5, 6: -0.5})))
    assert (found["M2"].of_inputs, found["M2"].of_signals) == ("x0 & x1", None)
    assert (found["y0"].of_signals, found["y1"].of_signals) == ("x2 & M2", "x3 | M2")


def test_inputs_of_its_own_stand_beside_signals():
    # Outputs with three inputs of their own, and one unit of x0 and x1 that both read.
    pairs = [(0, 8), (1, 8), (8, 9), (8, 10)]
    pairs += [(i, 9 if i < 5 else 10) for i in range(2, 8)]
    topology = Topology.from_edges(pairs)
    net = hand_set(topology, ones(topology), {8: -1, 9: -3.5, 10: -0.5})
    hierarchy = read(net, merge_share=0.6)
    assert [m.inputs for m in hierarchy.modules] == [(0, 1), (2, 3, 4), (5, 6, 7)]
    found = found_in(hierarchy)
    assert found["y0"].of_signals == "x2 & x3 & x4 & M1"
    assert found["y1"].full == "x5 | x6 | x7 | M1 = x5 | x6 | x7 | (x0 & x1)"


def test_sequences_and_layers_alike():
    net = ands()
    sequence = nn.Sequential(nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 3), nn.Sigmoid())
    first = {0: sequence[0], 1: sequence[2]}
    with torch.no_grad():
        for linear in first.values():
            linear.weight.zero_()
        for (a, b), w in zip(net.topology.edges.tolist(), net.weight.tolist(), strict=True):
            if b < 9:
                sequence[0].weight[b - 6, a] = w
            else:
                sequence[2].weight[b - 9, a - 6] = w
        sequence[0].bias.copy_(net.bias[6:9])
        sequence[2].bias.copy_(net.bias[9:])
    detection = detect_modules(node_topology(sequence))
    assert recovered_formulas(sequence, detection) == {
        m.name: m.formulas for m in read(net).modules
    }


def test_names_are_those_given():
    net = ands()
    detection = detect_modules(net)
    names = ["rain", "wind", "sun", "snow", "day", "dry"]
    hierarchy = Hierarchy.from_detection(detection, input_names=names, output_names="abc")
    found = recovered_formulas(net, detection, hierarchy)
    assert found["M4"][0].full == "M1 | M2 = (rain & wind) | (sun & snow)"
    same = Hierarchy.from_detection(detection, input_names=["x"] * 6)
    with pytest.raises(FunctionGraphError, match="every name once"):
        recovered_formulas(net, detection, same)


def test_cycles_are_run_to_rest():
    net = GraphLayer(Topology.from_edges([(0, 1), (1, 2), (2, 1), (2, 3)]), activation="tanh")
    with torch.no_grad():
        net.weight.copy_(torch.tensor([2.0, 0.4, 0.4, 1.0]))
    found = found_in(read(net))
    assert found["y0"].of_inputs == "x0"


def test_what_does_not_fit_is_refused():
    net = ands()
    with pytest.raises(TopologyError, match=r"node_topology\(network\)"):
        recovered_formulas(net, detect_modules(separable()))
    blocks = SparseMLP([4, 4, 2], motif_size=2, seed=0)
    with pytest.raises(TopologyError, match="not of the nodes of this network"):
        recovered_formulas(blocks, detect_modules(blocks.topology))
    assert recovered_formulas(blocks, detect_modules(node_topology(blocks)))
    with pytest.raises(FunctionGraphError, match="0 to 8, got 9"):
        recovered_formulas(net, detect_modules(net), most_inputs=9)
    hierarchy = Hierarchy.from_detection(detect_modules(net))
    with pytest.raises(TopologyError, match="no module 'M9'"):
        hierarchy.with_formulas({"M9": ()})
