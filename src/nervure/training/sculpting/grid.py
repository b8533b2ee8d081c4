"""`sculpt`: train, prune units, then edges, as a whole grid of steps at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from nervure.networks import GraphLayer
from nervure.rules import HalvingSearch
from nervure.training.sculpting.checks import check_starts
from nervure.training.sculpting.options import SculptingOptions
from nervure.training.sculpting.result import Phase, Round, Sculpted
from nervure.training.sculpting.round_of_many import RoundOfMany, RoundOptions, RoundResult
from nervure.training.sculpting.state import NetworkState
from nervure.training.sculpting.task import Task
from nervure.training.sculpting.weakest import without_weakest_edges, without_weakest_units


@dataclass(frozen=True)
class Progress:
    """Where a sculpting stands after a round.

    Attributes
    ----------
    round : int
        Counted from 0, the training of the dense networks.
    active : int
        Networks trained in it.
    finished : int
        Networks that will not be pruned further.
    edges : int
        Of all networks trained in it.
    seconds : float
        Since the beginning.
    """

    round: int
    active: int
    finished: int
    edges: int
    seconds: float


@dataclass(eq=False)
class _Branch:
    """One network on its way down."""

    trial: int
    phase: Phase
    accepted: RoundResult
    threshold: float
    search: HalvingSearch | None = None
    unit_step: float | None = None
    edge_step: float | None = None
    rounds: list[Round] = field(default_factory=list)


def sculpt(
    starts: Sequence[GraphLayer],
    task: Task,
    options: SculptingOptions,
    *,
    seeds: Sequence[int],
    on_round: Callable[[Progress], None] | None = None,
) -> list[list[Sculpted]]:
    """Prune units, then edges, of networks side by side, with every pair of steps.

    All that trains at the same time is one graph with one optimizer, a round at a time: first the
    starts as they are, once each; then a branch for each unit step; then, where no unit more can be
    spared, a branch for each edge step. A branch that is done leaves the graph.

    Parameters
    ----------
    starts : sequence of GraphLayer
        Acyclic, sparse, without blocks, float32, with as many inputs and outputs as the task; left
        as they are.
    task : Task
    options : SculptingOptions
    seeds : sequence of int
        Of each start, for the order of its samples and their noise. Starts with the same seed see
        the same, as do all branches of one.
    on_round : callable, optional
        Told where it stands after each round.

    Returns
    -------
    list of list of Sculpted
        For each start its networks, those of the first unit step first; see `sparsest`.

    Raises
    ------
    EngineError
        If a start or a seed does not fit.

    Notes
    -----
    What a start becomes does not depend on those beside it, up to rounding, and one that diverges
    leaves the others untouched: it comes back once, as it was, and is not pruned. Time is that of
    the edges left in all networks together.

    Paper: neural-sculpting, section 3 and appendix H; as in the authors' code, pruned units and
    edges count as zeros when the weakest are chosen, and units that read nothing have no bias.

    Examples
    --------
    >>> from nervure import SparseMLP
    >>> from nervure.modules import boolean_task
    >>> from nervure.training.sculpting import sparsest
    >>> x, y = boolean_task("both").truth_table()
    >>> start = SparseMLP([6, 24, 3], density=1.0, seed=0).core
    >>> options = SculptingOptions(learning_rate=0.05, noise=0.1, threshold=1.0)
    >>> ((*networks,),) = sculpt([start], Task.of(x, y, x, y, "bits"), options, seeds=[0])
    >>> len(networks), sparsest(networks).topology.num_edges
    (4, 12)
    """
    check_starts(starts, task, seeds)
    begin = time.perf_counter()
    activations = [np.array(start.activation) for start in starts]
    finished: list[list[_Branch]] = [[] for _ in starts]
    number = 0

    def run(
        branches: list[tuple[int, NetworkState]], stop_at: list[float] | None, *, scored: bool
    ) -> list[RoundResult]:
        nonlocal number
        many = RoundOfMany(
            [state for _, state in branches],
            [activations[trial] for trial, _ in branches],
            [seeds[trial] for trial, _ in branches],
            task,
            RoundOptions(
                options.epochs, options.batch_size, options.learning_rate, options.weight_decay,
                options.noise,
            ),
            leak=starts[0].leak,
        )  # fmt: skip
        results = many.train(number, scored=scored, stop_at=stop_at if options.stop_early else None)
        number += 1
        if on_round is not None:
            on_round(
                Progress(
                    number - 1, len(branches), sum(map(len, finished)),
                    many.layer.topology.num_edges, time.perf_counter() - begin,
                )
            )  # fmt: skip
        return results

    fixed = None if options.threshold is None else [options.threshold] * len(starts)
    dense = run(
        [(i, NetworkState.of(start)) for i, start in enumerate(starts)], fixed,
        scored=bool(options.unit_steps),
    )  # fmt: skip
    active = []
    for trial, result in enumerate(dense):
        limit = options.threshold
        if limit is None:
            limit = result.merit - options.tolerance
        first = Round(
            "dense", 0.0, result.merit, result.merit >= limit, len(starts[trial].topology.interior),
            starts[trial].topology.num_edges, result.epochs,
        )  # fmt: skip
        root = _Branch(trial, "dense", result, limit, rounds=[first])
        if np.isnan(result.merit):
            finished[trial].append(root)
        else:
            active += _next_phase(root, starts[trial], options, finished[trial])
    while active:
        stop_at = [branch.threshold for branch in active]
        candidates = [_candidate(branch, starts[branch.trial]) for branch in active]
        results = run(
            [(b.trial, c) for b, c in zip(active, candidates, strict=True)], stop_at,
            scored=any(branch.phase == "unit" for branch in active),
        )  # fmt: skip
        following: list[_Branch] = []
        for branch, result in zip(active, results, strict=True):
            if _judged(branch, result, starts[branch.trial]):
                following += _next_phase(
                    branch, starts[branch.trial], options, finished[branch.trial]
                )
            else:
                following.append(branch)
        active = following
    return [
        [_finished(branch, starts[trial]) for branch in _in_order(branches, options)]
        for trial, branches in enumerate(finished)
    ]


def _candidate(branch: _Branch, start: GraphLayer) -> NetworkState:
    """Prune what the branch tries next."""
    state = branch.accepted.state
    if branch.phase == "settle":
        return state
    assert branch.search is not None
    if branch.phase == "edge":
        return without_weakest_edges(state, branch.search.proposal, start.topology.num_edges)
    scores = branch.accepted.scores
    assert scores is not None
    units = len(start.topology.interior)
    return without_weakest_units(state, scores, branch.search.proposal, units)


def _judged(branch: _Branch, result: RoundResult, start: GraphLayer) -> bool:
    """Take a round into account; whether the phase is over."""
    accepted = result.merit >= branch.threshold
    share = 0.0 if branch.search is None else branch.search.proposal
    topology = result.state.topology
    gone = start.topology.num_nodes - topology.num_nodes
    branch.rounds.append(
        Round(
            branch.phase, share, result.merit, accepted, len(start.topology.interior) - gone,
            topology.num_edges, result.epochs,
        )
    )  # fmt: skip
    if accepted:
        branch.accepted = result
    if branch.search is None:
        return True
    branch.search.judge(accepted=accepted)
    return branch.search.done


def _next_phase(
    branch: _Branch, start: GraphLayer, options: SculptingOptions, finished: list[_Branch]
) -> list[_Branch]:
    """Give the branches that follow a phase which is over; one that ends here is finished."""

    def following(phase: Phase, search: HalvingSearch | None, **steps: float) -> _Branch:
        known = {"unit_step": branch.unit_step, "edge_step": branch.edge_step} | steps
        return _Branch(
            branch.trial, phase, branch.accepted, branch.threshold, search, **known,
            rounds=list(branch.rounds),
        )  # fmt: skip

    hidden, edges = len(start.topology.interior), start.topology.num_edges
    if branch.phase == "dense" and options.unit_steps and hidden:
        branches = [
            following("unit", HalvingSearch(step, 1 / hidden), unit_step=step)
            for step in options.unit_steps
        ]
    elif branch.phase == "unit" and options.edge_steps:
        branches = [following("settle", None)]
    elif branch.phase in ("dense", "settle") and options.edge_steps:
        gone = 1 - branch.accepted.state.topology.num_edges / edges
        branches = [
            following("edge", HalvingSearch(step, 1 / edges, gone), edge_step=step)
            for step in options.edge_steps
        ]
    else:
        finished.append(branch)
        branches = []
    # A search may have nothing to try, as when a single unit or edge is left.
    over = [b.search is not None and b.search.done for b in branches]
    return [
        later
        for b, done in zip(branches, over, strict=True)
        for later in (_next_phase(b, start, options, finished) if done else [b])
    ]


def _in_order(branches: list[_Branch], options: SculptingOptions) -> list[_Branch]:
    unit_steps, edge_steps = [None, *options.unit_steps], [None, *options.edge_steps]
    return sorted(
        branches, key=lambda b: (unit_steps.index(b.unit_step), edge_steps.index(b.edge_step))
    )


def _finished(branch: _Branch, start: GraphLayer) -> Sculpted:
    state = branch.accepted.state
    kept = np.zeros(start.topology.num_edges, dtype=np.bool_)
    kept[state.edges] = True
    bias = np.zeros(start.topology.num_nodes, dtype=np.float32)
    bias[state.nodes] = state.bias
    return Sculpted(
        start.topology.keep(kept), state.weight, bias, branch.accepted.merit, branch.threshold,
        branch.unit_step, branch.edge_step, tuple(branch.rounds),
    )  # fmt: skip
