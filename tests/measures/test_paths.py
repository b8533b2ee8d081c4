import math
from collections import Counter

import pytest
from hypothesis import given

from nervure.errors import UndefinedMeasureError
from nervure.measures import log_paths, max_path, mean_path, num_paths, path_lengths
from nervure.topology import Topology, complete, dense_dag, from_edges, layered

from .graphs import chain, checked, cut, dags, lengths_of_all_paths


@checked
@given(dags())
def test_paths_are_those_that_brute_force_walks(topology):
    lengths = lengths_of_all_paths(topology)
    assert num_paths(topology) == len(lengths)
    assert path_lengths(topology) == Counter(lengths)
    assert list(path_lengths(topology)) == sorted(set(lengths))
    if lengths:
        assert log_paths(topology) == pytest.approx(math.log(len(lengths)), abs=1e-12)
        assert mean_path(topology) == pytest.approx(sum(lengths) / len(lengths), rel=1e-15)
        assert max_path(topology) == max(lengths)


@pytest.mark.parametrize("n", [2, 3, 10, 60, 200])
def test_complete_dag(n):
    dag = dense_dag(n)
    assert num_paths(dag) == 2 ** (n - 2)
    assert log_paths(dag) == pytest.approx((n - 2) * math.log(2), abs=1e-12)
    assert path_lengths(dag) == {k + 1: math.comb(n - 2, k) for k in range(n - 1)}
    assert (mean_path(dag), max_path(dag)) == (n / 2, n - 1)


def test_chain_and_layers():
    assert (num_paths(chain(50)), log_paths(chain(50)), path_lengths(chain(50))) == (1, 0, {49: 1})
    assert mean_path(chain(50)) == max_path(chain(50)) == 49
    layers = layered([3, 5, 7, 2])
    assert path_lengths(layers) == {3: 3 * 5 * 7 * 2}
    assert log_paths(layers) == pytest.approx(math.log(210), abs=1e-12)


def test_numbers_beyond_floats():
    # 10^600 paths.
    layers = layered([10] * 600)
    assert num_paths(layers) == 10**600
    assert log_paths(layers) == pytest.approx(600 * math.log(10), rel=1e-13)
    assert mean_path(layers) == 599


def test_an_output_that_is_an_input_is_a_path_of_no_edges():
    topology = from_edges([(0, 1)], inputs=[0, 1], outputs=[1])
    assert path_lengths(topology) == {0: 1, 1: 1}
    assert mean_path(topology) == 0.5


@pytest.mark.parametrize("topology", [cut(), from_edges([], 3, inputs=[], outputs=[])])
def test_without_a_path(topology):
    assert num_paths(topology) == 0
    assert log_paths(topology) == -math.inf
    assert path_lengths(topology) == {}
    assert math.isnan(mean_path(topology))
    assert math.isnan(max_path(topology))


@pytest.mark.parametrize("measure", [num_paths, log_paths, path_lengths, mean_path, max_path])
def test_cycles_are_refused_where_they_are_live(measure):
    with pytest.raises(UndefinedMeasureError, match=rf"{measure.__name__}: .* 1 cyclic"):
        measure(complete(3))
    # Nodes 2 and 3 go round, but lead nowhere.
    dead = Topology.from_edges([(0, 1), (0, 2), (2, 3), (3, 2)], inputs=[0], outputs=[1])
    measure(dead)
