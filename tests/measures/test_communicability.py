import math
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given

from nervure.measures import ln_communicability, wide_range
from nervure.topology import complete, dense_dag, erdos_renyi, from_edges

from .graphs import chain, checked, cut, digraphs, live_graph


def by_networkx(topology):
    graph = live_graph(topology)
    found = nx.communicability(graph.to_undirected()) if len(graph) else {}
    pairs = [(a, b) for a in topology.inputs.tolist() for b in topology.outputs.tolist()]
    total = sum(found[a][b] for a, b in pairs if a in graph and b in graph)
    return math.log(total) if total > 1e-12 else -math.inf


def by_exponential(topology):
    matrix = nx.to_numpy_array(live_graph(topology), nodelist=sorted(live_graph(topology)))
    place = {node: i for i, node in enumerate(sorted(live_graph(topology)))}
    power = scipy.linalg.expm(matrix) if len(place) else matrix
    pairs = [(a, b) for a in topology.inputs.tolist() for b in topology.outputs.tolist()]
    total = sum(power[place[a], place[b]] for a, b in pairs if a in place and b in place)
    return math.log(total) if total > 1e-12 else -math.inf


@checked
@given(digraphs())
def test_it_is_that_of_networkx(topology):
    assert ln_communicability(topology) == pytest.approx(by_networkx(topology), abs=1e-8)


@checked
@given(digraphs())
def test_along_the_directions_it_is_the_exponential(topology):
    found = ln_communicability(topology, directed=True)
    assert found == pytest.approx(by_exponential(topology), abs=1e-8)


@pytest.mark.parametrize("n", [2, 5, 60, 300])
def test_complete_dag_has_a_closed_form(n):
    # exp of a matrix of ones without its diagonal, off the diagonal.
    expected = n - 1 + math.log((1 - math.exp(-n)) / n)
    assert ln_communicability(dense_dag(n)) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("n", [30, 200])
def test_ends_far_apart_keep_their_digits(n):
    # The spectral formula gives noise of 1e-16 here; fractions give 1e-31 and 1e-373.
    walks, total, factorial = [1] + [0] * (n - 1), Fraction(0), 1
    for k in range(1, n + 40):
        walks = [(walks[i - 1] if i else 0) + (walks[i + 1] if i < n - 1 else 0) for i in range(n)]
        factorial *= k
        total += Fraction(walks[-1], factorial)
    expected = math.log(total.numerator) - math.log(total.denominator)
    assert ln_communicability(chain(n)) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    "topology", [erdos_renyi(60, edges=200, seed=0), complete(20), chain(40), dense_dag(30)]
)
def test_both_ways_to_multiply_agree(topology, monkeypatch):
    topology = topology.with_roles([0], [topology.num_nodes - 1])
    fast = [ln_communicability(topology, directed=d) for d in (False, True)]
    monkeypatch.setattr(wide_range, "_WITHIN_FLOATS", -1)
    slow = [ln_communicability(topology, directed=d) for d in (False, True)]
    assert fast == pytest.approx(slow, rel=1e-13)


def test_a_tail_on_a_hub_does_not_vanish():
    # Numbers of walks in the clique and at the far end differ by more than floats span.
    clique = dense_dag(80)
    tail = [(79 + i, 80 + i) for i in range(250)]
    topology = from_edges([*clique.edges.tolist(), *tail], inputs=[0], outputs=[329])
    found = ln_communicability(topology)
    # In the tail the sum is a Bessel function's: each step costs about the logarithm of its number.
    shorter = ln_communicability(
        from_edges([*clique.edges.tolist(), *tail[:-1]], inputs=[0], outputs=[328])
    )
    assert math.isfinite(found)
    assert -math.log(330) < found - shorter < -1


def test_without_a_path():
    assert ln_communicability(cut()) == -math.inf
    alone = from_edges([], 2, inputs=[0, 1], outputs=[1])
    assert ln_communicability(alone) == 0.0  # a walk of no steps
    assert ln_communicability(alone, directed=True) == 0.0


def test_population_of_two_adds_up():
    pair = dense_dag(5).union(dense_dag(5))
    assert ln_communicability(pair) == pytest.approx(ln_communicability(dense_dag(5)) + np.log(2))
