"""Where a grid stands, as plain values: what a checkpoint keeps of its branches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from nervure.networks import GraphLayer
from nervure.rules import HalvingSearch
from nervure.topology import Topology
from nervure.training.sculpting.branch import Branch
from nervure.training.sculpting.result import Phase, Round
from nervure.training.sculpting.round_of_many import RoundResult
from nervure.training.sculpting.state import NetworkState
from nervure.training.stored_state import expect_like

# What a branch is made of; what may be None is looked at apart.
_BRANCH = {
    "trial": 0,
    "phase": "",
    "accepted": None,
    "threshold": 0.0,
    "search": None,
    "unit_step": None,
    "edge_step": None,
    "rounds": [asdict(Round("dense", 0.0, 0.0, True, 0, 0, 0))],
}


def branch_to_state(branch: Branch) -> dict[str, Any]:
    """Give a branch without its start.

    Arrays that branches share, such as the network they all began from, are the same object in the
    states of all of them, so that a file holds them once.
    """
    return {
        "trial": branch.trial,
        "phase": branch.phase,
        "accepted": _result_to_state(branch.accepted),
        "threshold": branch.threshold,
        "search": None if branch.search is None else branch.search.state_dict(),
        "unit_step": branch.unit_step,
        "edge_step": branch.edge_step,
        "rounds": [asdict(one) for one in branch.rounds],
    }


def branch_from_state(state: Mapping[str, Any], start: GraphLayer) -> Branch:
    """Rebuild a branch of a start from what `branch_to_state` gave.

    Raises
    ------
    LookupError, TypeError, ValueError, EngineError
        If it is no such state, or of another start.
    """
    expect_like(_BRANCH, state, "branch")
    phase, unit_step, edge_step = state["phase"], state["unit_step"], state["edge_step"]
    for step in (unit_step, edge_step):
        expect_like(None if step is None else 0.0, step, "step")
    searching = phase in ("unit", "edge")
    if phase not in get_args(Phase) or searching != (state["search"] is not None):
        raise ValueError(f"phase: {phase!r} does not fit the search")
    search = None
    if searching:
        search = HalvingSearch(state["search"]["step"], state["search"]["least"])
        expect_like(search.state_dict(), state["search"], "search")
        search.load_state_dict(state["search"])
    accepted = _result_from_state(state["accepted"], start.topology)
    if phase == "unit" and accepted.scores is None:
        raise ValueError("scores: there are none to prune units by")
    return Branch(
        state["trial"], start, phase, accepted, state["threshold"], search, unit_step, edge_step,
        [Round(**one) for one in state["rounds"]],
    )  # fmt: skip


def _result_to_state(result: RoundResult) -> dict[str, Any]:
    network = result.state
    wiring = network.topology
    return {
        "wiring": [wiring.indptr, wiring.sources, wiring.inputs, wiring.outputs],
        "nodes": network.nodes,
        "edges": network.edges,
        "weight": network.weight,
        "bias": network.bias,
        "merit": result.merit,
        "scores": result.scores,
        "epochs": result.epochs,
    }


def _result_from_state(state: Mapping[str, Any], whole: Topology) -> RoundResult:
    nodes = _positions(state["nodes"], whole.num_nodes, "nodes")
    edges = _positions(state["edges"], whole.num_edges, "edges")
    topology = Topology(len(nodes), *state["wiring"])
    kept = np.zeros(whole.num_edges, dtype=np.bool_)
    kept[edges] = True
    if topology != whole.keep(kept).subgraph(nodes):
        raise ValueError("wiring: it is not what nodes and edges leave of the start")
    weight = _values(state["weight"], np.float32, len(edges), "weight")
    bias = _values(state["bias"], np.float32, len(nodes), "bias")
    scores = state["scores"]
    if scores is not None:
        _values(scores, np.float64, len(nodes), "scores")
    expect_like({"merit": 0.0, "epochs": 0}, {k: state[k] for k in ("merit", "epochs")}, "result")
    network = NetworkState(topology, nodes, edges, weight, bias)
    return RoundResult(network, state["merit"], scores, state["epochs"])


def _positions(given: object, count: int, name: str) -> NDArray[np.int64]:
    """Give an array that must name some of so many nodes or edges, rising."""
    if not isinstance(given, np.ndarray) or given.dtype != np.int64 or given.ndim != 1:
        raise ValueError(f"{name}: expected a list of int64, got {type(given).__name__}")
    if len(given) and not (given[0] >= 0 and given[-1] < count and (given[:-1] < given[1:]).all()):
        raise ValueError(f"{name}: expected rising numbers of 0 to {count - 1}")
    return given


def _values(given: object, dtype: type[np.generic], count: int, name: str) -> NDArray[Any]:
    if not isinstance(given, np.ndarray) or given.dtype != dtype or given.shape != (count,):
        raise ValueError(f"{name}: expected {count} values of {np.dtype(dtype)}")
    return given
