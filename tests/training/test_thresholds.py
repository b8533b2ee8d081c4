"""Sweeps over thresholds on edge strengths."""

import copy
import math
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
import torch

from nervure import FreeNet
from nervure.errors import EngineError
from nervure.networks import BlockDAG, MLPBlock, count_parameters
from nervure.rules import edge_strengths
from nervure.topology import dense_dag
from nervure.training import evaluate
from nervure.training.thresholds import highest_threshold, threshold_sweep

RNG = np.random.default_rng(0)
X = RNG.random((60, 4)).astype(np.float32)
Y = RNG.integers(3, size=60)


def blocks(strengths=None):
    network = BlockDAG(
        dense_dag(5), stages=1, node=MLPBlock, inputs=4, outputs=3, channels=6, seed=0
    )
    if strengths is not None:
        with torch.no_grad():
            network.edge_weight.copy_(torch.atanh(torch.tensor(strengths)))
    network(torch.from_numpy(X))  # running statistics that are not those of the start
    return network


STRENGTHS = [0.1, -0.2, 0.3, 0.4, -0.5, 0.6, 0.7, 0.8, 0.05, 0.9]


def test_each_threshold_is_measured_as_the_graph_that_networkx_finds():
    network = blocks(STRENGTHS)
    before = copy.deepcopy(network.state_dict())
    points = threshold_sweep(network, [0.0, 0.25, 0.55, 0.75], X, Y)
    for point in points:
        graph = nx.DiGraph(
            edge
            for edge, s in zip(network.topology.edges.tolist(), STRENGTHS, strict=True)
            if abs(s) >= point.threshold
        )
        if not (graph.has_node(0) and graph.has_node(4) and nx.has_path(graph, 0, 4)):
            assert point.topology is None
            assert math.isnan(point.error)
            assert (point.nodes, point.edges, point.parameters) == (0, 0, 0)
            continue
        alive = {0, 4} | (nx.descendants(graph, 0) & nx.ancestors(graph, 4))
        assert point.topology is not None
        assert (point.nodes, point.edges) == (len(alive), graph.subgraph(alive).number_of_edges())
        alone = copy.deepcopy(network)
        alone.rewire_(point.topology)
        assert point.parameters == count_parameters(alone)
        seen = evaluate(alone, X, Y, "classification")
        assert (point.loss, point.error) == (seen.loss, seen.error)
    assert [point.topology is None for point in points] == [False, False, False, True]
    assert points[0].edges > points[1].edges > points[2].edges
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_networks_of_neurons_are_swept_too():
    network = FreeNet(4, 3, neurons=8, seed=0)
    strengths = edge_strengths(network)
    whole, half = threshold_sweep(network, [0.0, float(np.median(strengths))], X, Y)
    assert whole.edges == 28
    assert whole.loss == evaluate(network, X, Y, "classification").loss
    assert half.edges <= 14


def test_thresholds_that_make_no_sense_are_refused():
    for thresholds in ([], [0.1, -0.1]):
        with pytest.raises(EngineError, match="thresholds: expected some of at least 0"):
            threshold_sweep(blocks(), thresholds, X, Y)


def test_the_highest_threshold_is_the_last_before_error_rises():
    point = threshold_sweep(blocks(STRENGTHS), [0.0], X, Y)[0]

    def points(errors):
        return [replace(point, threshold=t, error=e) for t, e in errors.items()]

    errors = {0.1: 0.2, 0.01: 0.11, 0.02: 0.09, 0.05: 0.16, 0.07: 0.1}
    assert highest_threshold(points(errors), 0.1, tolerance=0.02).threshold == 0.02
    assert highest_threshold(points(errors), 0.1, tolerance=0.06).threshold == 0.07
    cut = {0.01: 0.1, 0.02: float("nan"), 0.03: 0.1}
    assert highest_threshold(points(cut), 0.1).threshold == 0.01
    with pytest.raises(EngineError, match=r"already the lowest threshold costs more than 0\.005"):
        highest_threshold(points({0.01: 0.3}), 0.1)
