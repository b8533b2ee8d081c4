"""One network of a grid on its way down: what it tries next, and what follows a phase."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nervure.networks import GraphLayer
from nervure.rules import HalvingSearch
from nervure.training.sculpting.options import SculptingOptions
from nervure.training.sculpting.result import Judged, Phase, Round, Sculpted
from nervure.training.sculpting.round_of_many import RoundResult
from nervure.training.sculpting.state import NetworkState
from nervure.training.sculpting.weakest import without_weakest_edges, without_weakest_units


@dataclass(eq=False)
class Branch:
    """A start pruned with one pair of steps, or what several of them have in common so far.

    Attributes
    ----------
    trial : int
        Number of the start.
    start : GraphLayer
    phase : {"dense", "unit", "settle", "edge"}
    accepted : RoundResult
        The last network that was accepted.
    threshold : float
    search : HalvingSearch or None
        None where nothing is pruned.
    unit_step, edge_step : float or None
    rounds : list of Round
    """

    trial: int
    start: GraphLayer
    phase: Phase
    accepted: RoundResult
    threshold: float
    search: HalvingSearch | None = None
    unit_step: float | None = None
    edge_step: float | None = None
    rounds: list[Round] = field(default_factory=list)

    @classmethod
    def of_dense(
        cls, trial: int, start: GraphLayer, result: RoundResult, options: SculptingOptions
    ) -> Branch:
        """Begin with what the first round made of a start."""
        limit = options.threshold
        if limit is None:
            limit = result.merit - options.tolerance
        branch = cls(trial, start, "dense", result, limit)
        branch.judge(result)
        return branch

    def candidate(self) -> NetworkState:
        """Prune what is tried next."""
        state = self.accepted.state
        if self.search is None:
            return state
        if self.phase == "edge":
            edges = self.start.topology.num_edges
            return without_weakest_edges(state, self.search.proposal, edges)
        scores = self.accepted.scores
        assert scores is not None
        units = len(self.start.topology.interior)
        return without_weakest_units(state, scores, self.search.proposal, units)

    def judge(self, result: RoundResult) -> bool:
        """Take a round into account; whether the phase is over."""
        accepted = result.merit >= self.threshold
        share = 0.0 if self.search is None else self.search.proposal
        whole, left = self.start.topology, result.state.topology
        units = len(whole.interior) - (whole.num_nodes - left.num_nodes)
        self.rounds.append(
            Round(
                self.phase, share, result.merit, accepted, units, left.num_edges, result.epochs
            )
        )  # fmt: skip
        if accepted:
            self.accepted = result
        if self.search is None:
            return True
        self.search.judge(accepted=accepted)
        return self.search.done

    def judged(self) -> Judged:
        """Give the last round, as `Progress` tells it."""
        return Judged(self.trial, self.unit_step, self.edge_step, self.rounds[-1])

    def following(self, options: SculptingOptions) -> list[Branch]:
        """Give the branches that follow when the phase is over; none if this one is finished."""
        hidden, edges = len(self.start.topology.interior), self.start.topology.num_edges
        if np.isnan(self.accepted.merit):
            return []
        if self.phase == "dense" and options.unit_steps and hidden:
            return [
                self._next("unit", HalvingSearch(step, 1 / hidden, recovery=options.recovery),
                           unit_step=step)
                for step in options.unit_steps
            ]  # fmt: skip
        if self.phase == "unit" and options.edge_steps:
            return [self._next("settle", None)]
        if self.phase in ("dense", "settle") and options.edge_steps:
            gone = 1 - self.accepted.state.topology.num_edges / edges
            return [
                self._next(
                    "edge", HalvingSearch(step, 1 / edges, gone, recovery=options.recovery),
                    edge_step=step,
                )
                for step in options.edge_steps
            ]  # fmt: skip
        return []

    def _next(self, phase: Phase, search: HalvingSearch | None, **steps: float) -> Branch:
        known = {"unit_step": self.unit_step, "edge_step": self.edge_step} | steps
        return Branch(
            self.trial, self.start, phase, self.accepted, self.threshold, search, **known,
            rounds=list(self.rounds),
        )  # fmt: skip

    def sculpted(self) -> Sculpted:
        """Give the last accepted network over the nodes of the start."""
        state, whole = self.accepted.state, self.start.topology
        kept = np.zeros(whole.num_edges, dtype=np.bool_)
        kept[state.edges] = True
        bias = np.zeros(whole.num_nodes, dtype=np.float32)
        bias[state.nodes] = state.bias
        return Sculpted(
            whole.keep(kept), state.weight, bias, self.accepted.merit, self.threshold,
            self.unit_step, self.edge_step, tuple(self.rounds),
        )  # fmt: skip
