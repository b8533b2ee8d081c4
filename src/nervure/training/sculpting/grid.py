"""`sculpt`: train, prune units, then edges, as a whole grid of steps at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nervure.errors import EngineError
from nervure.networks import GraphLayer
from nervure.training.checkpoint import Checkpoint
from nervure.training.sculpting.branch import Branch
from nervure.training.sculpting.checks import check_starts
from nervure.training.sculpting.options import SculptingOptions
from nervure.training.sculpting.result import Judged, Sculpted
from nervure.training.sculpting.round_of_many import RoundOfMany, RoundResult
from nervure.training.sculpting.state import NetworkState
from nervure.training.sculpting.stored import branch_from_state, branch_to_state
from nervure.training.sculpting.task import Task
from nervure.training.stored_state import expect_like


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
    judged : tuple of Judged
        What the round was for each network trained in it.
    """

    round: int
    active: int
    finished: int
    edges: int
    seconds: float
    judged: tuple[Judged, ...] = ()


def sculpt(
    starts: Sequence[GraphLayer],
    task: Task,
    options: SculptingOptions,
    *,
    seeds: Sequence[int],
    on_round: Callable[[Progress], None] | None = None,
    checkpoint: Checkpoint | None = None,
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
        Told where it stands after each round. Ctrl-C, there or in training, ends the pruning: the
        networks are what they were last accepted as, and those that were not done say so. Before
        the dense networks are trained there is nothing to keep, and it goes on.
    checkpoint : Checkpoint, optional
        Written after the rounds; if it is there, the sculpting goes on from it, and comes to the
        same networks bit for bit.

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
    grid = Grid(starts, task, options, seeds, on_round)
    restored = False
    if checkpoint is not None:
        checkpoint.join("grid", grid)
        restored = checkpoint.restore()

    def keep() -> None:
        if checkpoint is not None:
            checkpoint.save(due=not grid.active)

    if not restored:
        # Before the dense networks are trained there is nothing to give back.
        grid.train_dense()
    try:
        if not restored:
            grid.tell(grid.roots, finished=0)
            keep()
        while grid.active:
            grid.train_round()
            keep()
    except KeyboardInterrupt:
        # Each has its last accepted network, whatever the round has come to.
        return grid.networks(cut_short=grid.active)
    return grid.networks(cut_short=[])


class Grid:
    """All networks of a grid, and which of them still train."""

    def __init__(
        self,
        starts: Sequence[GraphLayer],
        task: Task,
        options: SculptingOptions,
        seeds: Sequence[int],
        on_round: Callable[[Progress], None] | None = None,
    ) -> None:
        check_starts(starts, task, seeds)
        self._begin = time.perf_counter()
        self._starts, self._task, self._options, self._seeds = starts, task, options, seeds
        self._on_round = on_round
        self._activations = [np.array(start.activation) for start in starts]
        self._number = 0
        self.roots: list[Branch] = []
        self.active: list[Branch] = []
        self.finished: list[list[Branch]] = [[] for _ in starts]

    def state_dict(self) -> dict[str, Any]:
        """Give where the grid stands between two rounds, for a checkpoint."""
        return {
            "number": self._number,
            "seconds": time.perf_counter() - self._begin,
            "roots": [branch_to_state(branch) for branch in self.roots],
            "active": [branch_to_state(branch) for branch in self.active],
            "finished": [[branch_to_state(b) for b in branches] for branches in self.finished],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave.

        Raises
        ------
        EngineError
            If it is of other starts.
        """

        def branches(states: Sequence[Mapping[str, Any]]) -> list[Branch]:
            starts = dict(enumerate(self._starts))
            return [branch_from_state(one, starts[one["trial"]]) for one in states]

        try:
            plain = {"number": 0, "seconds": 0.0}
            expect_like(plain, {name: state[name] for name in plain}, "sculpting")
            self._number = state["number"]
            self._begin = time.perf_counter() - state["seconds"]
            self.roots, self.active = branches(state["roots"]), branches(state["active"])
            self.finished = [branches(states) for states in state["finished"]]
            if len(self.finished) != len(self._starts):
                raise ValueError(f"{len(self.finished)} lists of finished branches")
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise EngineError(
                f"the state does not fit this sculpting: {error}; make it with the starts, task "
                "and options of the first"
            ) from error

    def train_dense(self) -> None:
        """Train the starts as they are."""
        limit = self._options.threshold
        results = self._train(
            [(i, NetworkState.of(start)) for i, start in enumerate(self._starts)],
            None if limit is None else [limit] * len(self._starts),
            scored=bool(self._options.unit_steps),
        )
        self.roots = [
            Branch.of_dense(trial, self._starts[trial], result, self._options)
            for trial, result in enumerate(results)
        ]
        self.active = [branch for root in self.roots for branch in self._after(root)]

    def train_round(self) -> None:
        """Prune and train whatever is active once, and go on from what was accepted."""
        trained = self.active
        results = self._train(
            [(branch.trial, branch.candidate()) for branch in trained],
            [branch.threshold for branch in trained],
            scored=any(branch.phase == "unit" for branch in trained),
        )
        before = sum(map(len, self.finished))
        following: list[Branch] = []
        for branch, result in zip(trained, results, strict=True):
            over = branch.judge(result)
            following += self._after(branch) if over else [branch]
        self.active = following
        self.tell(trained, finished=before)

    def _train(
        self,
        states: list[tuple[int, NetworkState]],
        stop_at: list[float] | None,
        *,
        scored: bool,
    ) -> list[RoundResult]:
        options = self._options
        many = RoundOfMany(
            [state for _, state in states],
            [self._activations[trial] for trial, _ in states],
            [self._seeds[trial] for trial, _ in states],
            self._task,
            options,
            leak=self._starts[0].leak,
        )
        results = many.train(
            self._number, scored=scored, stop_at=stop_at if options.stop_early else None
        )
        self._number += 1
        return results

    def _after(self, branch: Branch) -> list[Branch]:
        """Give what follows a branch whose phase is over, and keep it if nothing does."""
        branches = branch.following(self._options)
        if not branches:
            self.finished[branch.trial].append(branch)
        # A search may have nothing to try, as when a single unit or edge is left.
        return [
            later
            for b in branches
            for later in (self._after(b) if b.search is not None and b.search.done else [b])
        ]

    def tell(self, trained: list[Branch], *, finished: int) -> None:
        """Say where it stands after a round."""
        if self._on_round is None:
            return
        judged = tuple(branch.judged() for branch in trained)
        self._on_round(
            Progress(
                self._number - 1, len(trained), finished, sum(j.round.edges for j in judged),
                time.perf_counter() - self._begin, judged,
            )
        )  # fmt: skip

    def networks(self, *, cut_short: list[Branch]) -> list[list[Sculpted]]:
        """Give the networks of each start, in the order of the steps."""
        options = self._options
        unit_steps, edge_steps = [None, *options.unit_steps], [None, *options.edge_steps]
        found: list[list[Sculpted]] = []
        for trial, finished in enumerate(self.finished):
            left = [b for b in cut_short if b.trial == trial and b not in finished]
            branches = sorted(
                [*finished, *left],
                key=lambda b: (unit_steps.index(b.unit_step), edge_steps.index(b.edge_step)),
            )
            dense = self.roots[trial].sculpted()
            found.append(
                [replace(b.sculpted(), dense=dense, interrupted=b in left) for b in branches]
            )
        return found
