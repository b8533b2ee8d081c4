"""`SparseTraining`: drop weak edges, grow others, by exchangeable parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure.errors import EngineError
from nervure.networks import GraphLayer, SparseMLP
from nervure.networks.sparse_mlp import Init
from nervure.rules.absent_gradient import AbsentGradient, as_array
from nervure.rules.parts import DROPS, Budget, Drop, DropName, Growth, Schedule
from nervure.rules.rule import Rewiring
from nervure.rules.total import Total
from nervure.rules.trained_layer import core_of, trains
from nervure.topology import FreeCells, Topology, is_layered, shared_densities

NewWeight = Literal["zero"] | Init
OptimizerState = Literal["carry", "reset", "drop"]
Distribution = Literal["layer", "erk", "global"]


@dataclass(frozen=True)
class Group:
    """Edges that share a budget: those between two layers, or all there are.

    Attributes
    ----------
    sources, targets : range
        Motifs (nodes where there are no motifs) of the two layers, whose pairs are the cells.
    """

    sources: range
    targets: range

    def edges(self, topology: Topology) -> slice:
        """Give the place of the group in edge order."""
        return slice(*topology.indptr[[self.targets.start, self.targets.stop]].tolist())

    @property
    def cells(self) -> int:
        """Number of possible edges."""
        return len(self.sources) * len(self.targets)

    def cells_of(self, topology: Topology) -> NDArray[np.int64]:
        """Give the numbers of the cells that are taken, in edge order."""
        rows = topology.indptr[self.targets.start : self.targets.stop + 1].astype(np.int64)
        row = np.repeat(np.arange(len(self.targets)), np.diff(rows))
        here = topology.sources[self.edges(topology)].astype(np.int64)
        return row * len(self.sources) + here - self.sources.start

    def pairs(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the edges of some cells, shape (cells, 2), columns source and target."""
        target, source = np.divmod(cells, len(self.sources))
        return np.stack([source + self.sources.start, target + self.targets.start], axis=1)


class SparseTraining:
    """Rewire a network while it trains: some edges go, others come.

    Each update drops edges of every pair of layers by their strength, and grows new ones in cells
    that were free, up to the budget. `SET`, `RigL`, `MagnitudePruning` and `Static` are
    combinations of its parts.

    Parameters
    ----------
    network : SparseMLP, GraphLayer, or a module whose `core` is a GraphLayer
        With sparse storage. Growing needs layers: a SparseMLP, or `sizes`.
    optimizer : torch.optim.Optimizer
        The one that trains it; call `step` after each of its steps.
    schedule : Schedule
        When, and what share of the edges is exchanged.
    drop : {"sign", "magnitude"} or callable
        Which edges go (see `nervure.rules.parts`). The strength of a motif's edge is its mean |w|,
        with the sign of the sum; nodes that only fill up a motif do not count.
    grow : Growth, optional
        Which come; None for none.
    budget : Budget
        How many edges there are.
    distribution : {"layer", "erk", "global"}
        How a falling budget is shared out: every pair of layers keeps the same share of its edges,
        or ends at the density of `nervure.topology.shared_densities`, or the weakest edges go
        wherever they are, which leaves nothing to grow.
    new_weight : {"zero", "fan_in", "he_uniform", "glorot_uniform", "normal"}
        What grown edges start from (all but zero need a SparseMLP).
    regrow : bool
        Whether edges that have just been dropped may grow again at once. One that does was not
        dropped after all: it keeps its weight and state, as in the code of RigL's authors.
    evolve_output : bool
        Whether the last pair of layers is rewired too.
    optimizer_state : {"carry", "reset", "drop"}
        What becomes of momentum and moments at an update: surviving edges keep theirs and new ones
        start at zero; all start at zero; or the optimizer forgets the parameter entirely, its count
        of steps included, by which Adam corrects its bias.
    sizes : sequence of int, optional
        Motifs (nodes) per layer of a GraphLayer whose nodes are numbered layer by layer.
    seed : int

    Attributes
    ----------
    layer : GraphLayer
    groups : tuple of Group

    Raises
    ------
    EngineError
        If network, optimizer and parts do not fit together.

    Notes
    -----
    An update costs O(edges log edges), with growth by gradient O(batch * cells) beside it. An edge
    that is gone is gone with its weight and its optimizer state: nothing can revive it, and one
    that grows in its place later starts anew. Full pairs of layers have nothing to exchange and
    stay as they are. The numbers of edges follow the budget exactly.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        schedule: Schedule,
        drop: DropName | Drop = "magnitude",
        grow: Growth | None = None,
        budget: Budget | None = None,
        distribution: Distribution = "layer",
        new_weight: NewWeight = "zero",
        regrow: bool = False,
        evolve_output: bool = True,
        optimizer_state: OptimizerState = "carry",
        sizes: Sequence[int] | None = None,
        seed: int = 0,
    ) -> None:
        layer = core_of(network)
        layers = _layers(network, layer, sizes)
        problems = []
        if layer.storage != "sparse":
            problems.append("network: expected sparse storage; compact() gives it")
        if not trains(optimizer, layer.weight):
            problems.append("optimizer: does not hold the weights of this network")
        if isinstance(drop, str) and drop not in DROPS:
            problems.append(f"drop: expected {' or '.join(DROPS)} or a callable, got {drop!r}")
        for name, value, allowed in (
            ("distribution", distribution, ("layer", "erk", "global")),
            ("optimizer_state", optimizer_state, ("carry", "reset", "drop")),
            ("new_weight", new_weight,
             ("zero", "fan_in", "he_uniform", "glorot_uniform", "normal")),
        ):  # fmt: skip
            if value not in allowed:
                problems.append(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")
        if grow is not None and not layers:
            problems.append("growing needs layers: a SparseMLP, or sizes= of a layered GraphLayer")
        if distribution == "erk" and not layers:
            problems.append("distribution 'erk' needs layers: a SparseMLP, or sizes=")
        if grow is not None and distribution == "global":
            problems.append("distribution 'global' cannot grow edges; choose 'layer' or 'erk'")
        if not evolve_output and not layers:
            problems.append("evolve_output=False needs layers: a SparseMLP, or sizes=")
        if not evolve_output and len(layers) == 1:
            problems.append("evolve_output=False leaves nothing to rewire: there is one pair only")
        if grow is not None and new_weight != "zero" and not isinstance(network, SparseMLP):
            problems.append(f"new_weight {new_weight!r} needs a SparseMLP; choose 'zero'")
        if problems:
            raise EngineError("; ".join(problems))
        self.layer = layer
        self.schedule = schedule
        self.drop: Drop = DROPS[drop] if isinstance(drop, str) else drop
        self.grow = grow
        self.budget = budget or Budget()
        self.new_weight: NewWeight = new_weight
        self.regrow = regrow
        self.optimizer_state: OptimizerState = optimizer_state
        every = range(layer.topology.num_nodes)
        if layers and distribution != "global":
            self.groups = layers if evolve_output else layers[:-1]
        else:
            before = every if evolve_output else range(layers[-1].targets.start)
            self.groups = (Group(every, before),)
        self._network = network
        self._optimizer = optimizer
        self._rng = np.random.default_rng(seed)
        self._steps = 0
        topology = layer.topology
        places = [group.edges(topology) for group in self.groups]
        self._start = [place.stop - place.start for place in places]
        self._final = self._final_edges(distribution)
        # A motif that is filled up must not look weak for it.
        self._real = network.real_nodes if isinstance(network, SparseMLP) else None
        self._absent: AbsentGradient | None = None
        if grow is not None and grow.needs_gradient:
            self._absent = AbsentGradient(
                layer,
                optimizer,
                lambda: schedule.share(self._steps + 1) is not None,
                self._real,
            )

    def _final_edges(self, distribution: Distribution) -> list[int]:
        keep = self.budget.keep
        if distribution != "erk" or keep == 1:
            return [round(keep * start) for start in self._start]
        shapes = [(len(group.sources), len(group.targets)) for group in self.groups]
        cells = np.array([group.cells for group in self.groups])
        # A pair of layers that starts below its share keeps what it has, and the others give more.
        densities = shared_densities(
            shapes, keep * sum(self._start) / cells.sum(), most=self._start / cells
        )
        return [round(value) for value in (np.array(densities) * cells).tolist()]

    def detach(self) -> None:
        """Stop watching the network's passes (growth by gradient does)."""
        if self._absent is not None:
            self._absent.detach()

    def share_statistics(self, total: Total) -> None:
        """Take the gradient of absent edges over the rows of all processes that train together."""
        if self._absent is not None:
            self._absent.total = total

    def step(self) -> Rewiring:
        """Count an optimizer step, and update the wiring if it is time."""
        self._steps += 1
        share = self.schedule.share(self._steps)
        if share is None:
            rewiring = Rewiring(self.layer.topology, self.layer.topology)
        else:
            rewiring = self.update(share)
        self.layer.project_()
        return rewiring

    @torch.no_grad()
    def update(self, share: float) -> Rewiring:
        """Update the wiring now.

        Parameters
        ----------
        share : float
            Of the edges to exchange.

        Returns
        -------
        Rewiring

        Raises
        ------
        EngineError
            If weights are not finite, or a gradient is needed and no pass was seen.
        """
        layer = self.layer
        before = layer.topology
        if self._absent is not None and not self._absent.ready:
            raise EngineError(
                "growth by gradient: no pass was watched before this update; passes are watched in "
                "training mode when the schedule has an update at the coming step, so call step() "
                "after the forward pass, backward() and optimizer.step()"
            )
        strengths = as_array(layer.layout.strengths(layer.weight, self._real_pairs()))
        if not np.isfinite(strengths).all():
            raise EngineError("the weights are not finite any more; lower the learning rate")
        gone = np.zeros(before.num_edges, dtype=np.bool_)
        grown = [np.empty((0, 2), dtype=np.int64)]
        left = self.budget.left(self._steps)
        for group, start, final in zip(self.groups, self._start, self._final, strict=True):
            place = group.edges(before)
            wanted = final + round((start - final) * left)
            mask, cells = self._exchange(group, before, strengths[place], share, wanted)
            gone[place] = mask
            if len(cells):
                grown.append(group.pairs(cells))
        if self._absent is not None:
            self._absent.clear()
        after = before.keep(~gone) if gone.any() else before
        new = np.concatenate(grown)
        if len(new):
            after = after.grow(new)
        if after is before:
            return Rewiring(before, before)
        self._rewire(after)
        return Rewiring(before, after)

    def _real_pairs(self) -> NDArray[np.int64] | None:
        if self._real is None:
            return None
        topology = self.layer.topology
        return self._real[topology.targets] * self._real[topology.sources]

    def _exchange(
        self, group: Group, topology: Topology, strengths: NDArray[Any], share: float, wanted: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Choose which edges of a group go, and which cells come."""
        edges = len(strengths)
        nothing = np.empty(0, dtype=np.int64)
        surplus = max(0, edges - wanted)
        if self.grow is None:
            if surplus == 0:
                return np.zeros(edges, dtype=np.bool_), nothing
            mask = self.drop(strengths, surplus / edges)
            return _bounded(mask, strengths, surplus, surplus), nothing
        taken = group.cells_of(topology)
        free = FreeCells(group.cells, taken)
        if edges == 0 or (len(free) == 0 and surplus == 0):
            return np.zeros(edges, dtype=np.bool_), nothing
        # No more goes than can come, so that the budget is kept.
        most = edges if self.regrow else surplus + len(free)
        mask = self.drop(strengths, max(share, surplus / edges))
        mask = _bounded(mask, strengths, surplus, most)
        if self.regrow:
            free = FreeCells(group.cells, taken[~mask])
        count = min(wanted - (edges - int(mask.sum())), len(free))
        if count <= 0:
            return mask, nothing
        scores: Iterable[tuple[int, NDArray[np.float32]]] = ()
        if self._absent is not None:
            scores = self._absent.scores(group.sources, group.targets)
        return mask, self.grow.choose(free, count, scores, self._rng)

    def _rewire(self, after: Topology) -> None:
        layer, optimizer = self.layer, self._optimizer
        if self.optimizer_state == "drop":
            optimizer.state.pop(layer.weight, None)
        positions = layer.rewire_(after, optimizer)
        if self.optimizer_state == "reset":
            for value in optimizer.state.get(layer.weight, {}).values():
                if isinstance(value, Tensor) and value.shape == layer.weight.shape:
                    value.zero_()
        new = np.flatnonzero(positions < 0)
        if self.new_weight == "zero" or not len(new):
            return
        generator = torch.Generator().manual_seed(int(self._rng.integers(2**31)))
        places = layer.layout.per_edge(positions < 0)
        values = cast(SparseMLP, self._network).draw_weights(self.new_weight, new, generator)
        layer.weight[torch.from_numpy(places).to(layer.weight.device)] = values

    def state_dict(self) -> dict[str, Any]:
        """Give steps, state of the random generator, and numbers of edges at start and end."""
        return {
            "steps": self._steps,
            "generator": self._rng.bit_generator.state,
            "start": list(self._start),
            "final": list(self._final),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave.

        Raises
        ------
        EngineError
            If it is of a rule for another number of groups of edges, or counts them in fractions.
        """
        counts = [*state["start"], *state["final"]]
        groups = len(state["start"]), len(state["final"])
        if groups != (len(self._start), len(self._final)) or any(
            type(n) is not int for n in counts
        ):
            raise EngineError(
                f"no state of this rule: edges {state['start']} to {state['final']}, expected "
                f"whole numbers for {len(self._start)} groups"
            )
        self._steps = state["steps"]
        self._rng.bit_generator.state = state["generator"]
        self._start, self._final = list(state["start"]), list(state["final"])


def _bounded(
    mask: NDArray[np.bool_], strengths: NDArray[Any], least: int, most: int
) -> NDArray[np.bool_]:
    """Bring the number of edges that go within bounds; the weakest go first."""
    count = int(mask.sum())
    if least <= count <= most:
        return mask
    order = np.lexsort((np.abs(strengths), ~mask))
    bounded = np.zeros_like(mask)
    bounded[order[: min(max(count, least), most)]] = True
    return bounded


def _layers(
    network: nn.Module, layer: GraphLayer, sizes: Sequence[int] | None
) -> tuple[Group, ...]:
    if isinstance(network, SparseMLP):
        if sizes is not None:
            raise EngineError("sizes: a SparseMLP knows its own")
        widths: Sequence[int] = network.widths
    elif sizes is None:
        return ()
    else:
        widths = sizes
    topology = layer.topology
    if not is_layered(topology, widths):
        raise EngineError(
            f"sizes: expected the layers of {topology.num_nodes} nodes, numbered one layer after "
            f"the other and each wired to the next, got {list(widths)}"
        )
    starts = np.cumsum([0, *widths]).tolist()
    bounds = [range(a, b) for a, b in pairwise(starts)]
    return tuple(Group(sources, targets) for sources, targets in pairwise(bounds))
