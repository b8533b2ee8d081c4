"""Branches of a grid that come from a file are those of its starts, or are refused."""

import copy

import numpy as np
import pytest
import torch

from nervure.errors import EngineError
from nervure.topology import Topology
from nervure.training.sculpting import SculptingOptions
from nervure.training.sculpting.grid import Grid

from .plain import start_of, task_of


def grid():
    options = SculptingOptions(epochs=1, unit_steps=(0.2,), edge_steps=(0.2,), threshold=0.0)
    return Grid([start_of([4, 6, 3])], task_of("bits"), options, [0])


@pytest.fixture(scope="module")
def state():
    trained = grid()
    trained.train_dense()
    for _ in range(2):
        trained.train_round()
    return trained.state_dict()


def test_it_comes_back(state):
    again = grid()
    again.load_state_dict(copy.deepcopy(state))
    (branch,), (old,) = again.active, state["active"]
    assert branch.accepted.state.topology.num_nodes == len(old["accepted"]["nodes"]) < 13
    again.train_round()


def branch(**changes):
    return lambda state: state["active"][0].update(changes)


def accepted(**changes):
    return lambda state: state["active"][0]["accepted"].update(changes)


def network(name, change):
    def damage(state):
        result = state["active"][0]["accepted"]
        result[name] = change(result[name])

    return damage


def other_wiring(wiring):
    return [wiring[0], wiring[1], wiring[3], wiring[2]]


DAMAGES = {
    "trial": (branch(trial=-1), "-1"),
    "another trial": (branch(trial=1), "1"),
    "phase": (branch(phase="over"), "phase: 'over'"),
    "no search": (branch(search=None), "does not fit the search"),
    "threshold": (branch(threshold="x"), "threshold"),
    "step": (branch(unit_step="x"), "step: expected a float"),
    "round": (branch(rounds=[{"phase": "unit"}]), "rounds"),
    "no scores": (accepted(scores=None), "no scores|there are none"),
    "scores": (network("scores", lambda s: s[:-1]), "scores: expected"),
    "nodes": (network("nodes", lambda n: n - 1), "nodes: expected rising"),
    "nodes beyond": (network("nodes", lambda n: n + 10**9), "nodes: expected rising"),
    "nodes out of order": (network("nodes", lambda n: n[::-1].copy()), "nodes: expected rising"),
    "narrow nodes": (network("nodes", lambda n: n.astype(np.int32)), "expected a list of int64"),
    "edges": (network("edges", lambda e: e[:-1]), "wiring: it is not"),
    "wiring": (network("wiring", other_wiring), "wiring: it is not"),
    "weight": (network("weight", lambda w: w[:-1]), "weight: expected"),
    "bias": (network("bias", lambda b: b.astype(np.float64)), "bias: expected"),
    "tensor": (network("bias", torch.from_numpy), "bias: expected"),
    "merit": (accepted(merit="high"), "merit"),
    "number": (lambda state: state.update(number="x"), "number"),
    "finished": (lambda state: state.update(finished=[]), "0 lists of finished"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_refused(state, name):
    change, words = DAMAGES[name]
    damaged = copy.deepcopy(state)
    change(damaged)
    with pytest.raises(EngineError, match=f"does not fit this sculpting: .*({words})"):
        grid().load_state_dict(damaged)


def test_the_state_of_another_search_is_refused(state):
    damaged = copy.deepcopy(state)
    damaged["active"][0]["search"]["pruned"] = -1.0
    with pytest.raises(EngineError, match="no state of a search"):
        grid().load_state_dict(damaged)


def test_a_wiring_with_the_same_numbers_is_told_apart(state):
    damaged = copy.deepcopy(state)
    result = damaged["active"][0]["accepted"]
    nodes = len(result["nodes"])
    other = Topology.dense_dag(nodes)
    result["wiring"] = [other.indptr, other.sources, other.inputs, other.outputs]
    with pytest.raises(EngineError, match="wiring: it is not"):
        grid().load_state_dict(damaged)
