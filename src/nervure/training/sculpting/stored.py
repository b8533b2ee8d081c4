"""Where a grid stands, as plain values: what a checkpoint keeps of its branches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from nervure.networks import GraphLayer
from nervure.rules import HalvingSearch
from nervure.topology import Topology
from nervure.training.sculpting.branch import Branch
from nervure.training.sculpting.result import Round
from nervure.training.sculpting.round_of_many import RoundResult
from nervure.training.sculpting.state import NetworkState


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
    """Rebuild a branch of a start from what `branch_to_state` gave."""
    search = None
    if state["search"] is not None:
        search = HalvingSearch(state["search"]["step"], state["search"]["least"])
        search.load_state_dict(state["search"])
    return Branch(
        state["trial"], start, state["phase"], _result_from_state(state["accepted"]),
        state["threshold"], search, state["unit_step"], state["edge_step"],
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


def _result_from_state(state: Mapping[str, Any]) -> RoundResult:
    topology = Topology(len(state["nodes"]), *state["wiring"])
    network = NetworkState(topology, state["nodes"], state["edges"], state["weight"], state["bias"])
    return RoundResult(network, state["merit"], state["scores"], state["epochs"])
