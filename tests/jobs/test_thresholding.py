"""Weak edges are taken out by validation alone, and what that comes to is said."""

import math

import numpy as np
import pytest
import torch

from nervure.data import ArrayEncoder, Prepared
from nervure.jobs.thresholding import characteristics, sweep_rows, take_weak_edges
from nervure.measures import log_paths, mean_path, sparsity
from nervure.networks import BlockDAG, count_parameters
from nervure.topology import Topology, dense_dag
from nervure.training import THRESHOLDS, evaluate

FEATURES = 4


def network_with(weak, nodes=5, outputs=3):
    """A complete DAG of blocks in which some edges have a strength of their own."""
    network = BlockDAG(dense_dag(nodes), 1, 6, node="mlp", inputs=FEATURES, outputs=outputs, seed=0)
    edges = [tuple(edge) for edge in network.topology.edges.tolist()]
    with torch.no_grad():
        for edge, strength in weak.items():
            network.edge_weight[edges.index(edge)] = math.atanh(strength)
    return network


def data_of(task="classification", std=1.0, seed=0):
    rng = np.random.default_rng(seed)
    x = [rng.normal(size=(40, FEATURES)).astype(np.float32) for _ in range(3)]
    if task == "classification":
        y = [rng.integers(3, size=40) for _ in range(3)]
    else:
        y = [rng.normal(size=40).astype(np.float32) for _ in range(3)]
    names = tuple("abcd")
    return Prepared(
        "made", task, ("u", "v", "w") if task == "classification" else (), names,
        x[0], y[0], x[1], y[1], x[2], y[2], 0.0, std, ArrayEncoder.unchanged(names), (),
    )  # fmt: skip


def test_a_given_threshold_takes_weak_edges_and_dead_paths():
    # Without 0 -> 1 node 1 has nothing to read, and its three edges on lead nowhere.
    network, data = network_with({(0, 1): 0.05, (0, 4): 1e-3}), data_of()
    whole = evaluate(network, data.x_validation, data.y_validation, data.task).error
    found = take_weak_edges(network, data, 0.07, 0.0)
    left = [[0, 2], [0, 3], [2, 3], [2, 4], [3, 4]]
    assert network.topology == dense_dag(5).keep([e in left for e in dense_dag(5).edges.tolist()])
    assert found.threshold == 0.07
    assert found.error == whole
    assert found.start == dense_dag(5)
    (note,) = found.notes
    assert "3 of the edges above the threshold lay on no path" in note
    assert "1 of 5 nodes are not run" in note
    rows = {row["threshold"]: row for row in sweep_rows(found, data)}
    assert sorted(rows) == sorted({*THRESHOLDS, 0.07})
    taken = rows[0.07]
    error = evaluate(network, data.x_validation, data.y_validation, data.task).error
    assert taken == {
        "threshold": 0.07, "edges": 5, "nodes": 4, "parameters": count_parameters(network),
        "sparsity": 0.5, "validation_error": error,
    }  # fmt: skip
    assert [rows[t]["edges"] for t in (1e-4, 0.03, 0.2)] == [10, 9, 5]


def test_validation_chooses_the_highest_threshold_that_costs_nothing():
    network, data = network_with({(0, 4): 0.005, (1, 4): 0.04}), data_of()
    # Labels that only the network without (0, 4), but with (1, 4), gets right.
    with torch.no_grad():
        twin = network_with({(0, 4): 0.005, (1, 4): 0.04})
        twin.rewire_(twin.topology.drop([(0, 4)]))
        twin.eval()
        y = twin(torch.from_numpy(data.x_validation)).argmax(1).numpy()
    data = Prepared(**{**vars(data), "y_validation": y})
    found = take_weak_edges(network, data, None, 0.0)
    costs = {row["threshold"]: row["validation_error"] for row in sweep_rows(found, data)}
    assert costs[0.03] == 0
    allowed = [t for t in THRESHOLDS if all(costs[s] <= found.error for s in THRESHOLDS if s <= t)]
    assert found.threshold == max(allowed)
    assert found.threshold >= 0.03
    assert (0, 4) not in {tuple(edge) for edge in network.topology.edges.tolist()}
    assert found.notes == ()


def test_of_a_threshold_that_leaves_no_path_nothing_is_lost():
    network = network_with({(k, 4): 0.25 for k in range(4)})
    found = take_weak_edges(network, data_of(), 0.6, 0.0)
    assert (network.topology, found.threshold) == (dense_dag(5), 0.0)
    (note,) = found.notes
    assert "at a threshold of 0.6 no path from the input to the output is left" in note
    assert "a path is left at up to 0.2" in note
    rows = {row["threshold"]: row for row in sweep_rows(found, data_of())}
    assert rows[0.6]["validation_error"] is None
    assert (rows[0.6]["edges"], rows[0.6]["sparsity"]) == (0, 1.0)


def test_where_no_edge_reaches_any_threshold_the_note_says_why():
    network = network_with({tuple(edge): 1e-6 for edge in dense_dag(5).edges.tolist()})
    (note,) = take_weak_edges(network, data_of(), 0.5, 0.0).notes
    assert note.endswith("the price is too high")
    network = network_with({tuple(edge): 1e-6 for edge in dense_dag(5).edges.tolist()})
    found = take_weak_edges(network, data_of(), None, 0.0)
    (note,) = found.notes
    assert note.startswith("all edges were kept: already the lowest threshold costs more than 0")
    assert found.threshold == 0
    assert network.topology.num_edges == 10


def test_a_threshold_of_zero_keeps_all_edges_without_a_word():
    network = network_with({(0, 1): 0.0})
    found = take_weak_edges(network, data_of(), 0.0, 0.0)
    assert (network.topology.num_edges, found.threshold, found.notes) == (10, 0.0, ())
    assert len(found.points) == len(THRESHOLDS)


def test_a_number_to_predict_is_judged_by_rmse_in_its_units():
    data = data_of("regression", std=20.0)
    network = network_with({(0, 1): 1e-3}, outputs=1)
    whole = evaluate(network, data.x_validation, data.y_validation, data.task).error
    found = take_weak_edges(network, data, 0.006, 0.0)
    assert found.error == pytest.approx(20 * whole)
    row = sweep_rows(found, data)[THRESHOLDS.index(0.006)]
    left = evaluate(network, data.x_validation, data.y_validation, data.task).error
    assert row["validation_rmse"] == pytest.approx(20 * left)
    assert "validation_error" not in row


def test_characteristics_are_those_of_the_measures():
    start = dense_dag(6, reach=3)
    topology = start.drop([(0, 1), (2, 5)]).trimmed()
    stages = np.array([0, 0, 0, 1, 1, 1])
    found = characteristics(topology, start, stages)
    assert found["log_paths"] == log_paths(topology)
    assert found["mean_path"] == mean_path(topology)
    # Of the edges that were there, not of all that a DAG may have.
    assert found["sparsity"] == sparsity(topology, start) != sparsity(topology)
    assert (found["nodes_stage_0"], found["nodes_stage_1"]) == (2, 3)
    assert found["sparsity_stage_0"] == pytest.approx(2 / 3)


def test_measures_without_a_value_are_none():
    pair = Topology.from_edges([(0, 1)], inputs=[0], outputs=[1])
    found = characteristics(pair, pair, np.array([0, 1]))
    assert found["sparsity_stage_0"] is None
    assert found["max_path"] == 1
