"""Pruning of units and edges in rounds: what the network cannot bear is taken back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure.errors import EngineError
from nervure.rules.halving import HalvingSearch
from nervure.rules.hidden_units import HiddenUnits
from nervure.rules.percentile import percentile_with_zeros
from nervure.rules.rule import Rewiring
from nervure.rules.total import Total, of_one, share_of_rows
from nervure.rules.trained_layer import core_of, trains
from nervure.rules.unit_sensitivity import unit_sensitivity


class IterativePruning:
    """Prune in rounds of training; a round that ends worse than asked for is taken back.

    The network first trains as it is. Then, round by round, the weakest are pruned, what is left
    trains for as many steps, the optimizer begun anew, and the round is
    accepted if the measure reached the threshold at some check; the weights of its best check are
    kept. Otherwise the last accepted network comes back and the step is halved (`HalvingSearch`).

    Parameters
    ----------
    network : GraphLayer, or a module whose `core` is one
        Without blocks, in either storage; `compact()` saves a network with dense storage from
        training edges that it has not.
    optimizer : torch.optim.Optimizer
        The one that trains it.
    measure : callable
        Gives the merit of the network as it is, the larger the better, such as its accuracy on
        validation data.
    threshold : float
        Merit that a network must reach to be accepted.
    interval : int
        Optimizer steps per round.
    check_every : int, optional
        Steps between measurements, such as an epoch; the end of the round only if None.
    step : float
        Share pruned at a time, of the units or edges of the start.

    Attributes
    ----------
    search : HalvingSearch
    done : bool
        Whether pruning is over; the network is then the last accepted one.
    rounds : list of (float, float, bool)
        Share pruned, best merit, and whether it was accepted, of each round.

    Raises
    ------
    EngineError
        If the network or an option does not fit.

    Notes
    -----
    The network that the rounds begin from need not reach the threshold; then nothing is pruned and
    `done` is set after the first round.

    Paper: neural-sculpting, section 3 and appendix H.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        measure: Callable[[], float],
        threshold: float,
        interval: int,
        check_every: int | None = None,
        step: float,
    ) -> None:
        layer = core_of(network)
        problems = []
        if layer.block != 1:
            problems.append(
                f"network: expected single nodes, got blocks of {layer.block}; build it without "
                "blocks"
            )
        if not trains(optimizer, layer.weight):
            problems.append("optimizer: does not hold the weights of this network")
        if interval < 1:
            problems.append(f"interval: expected at least 1, got {interval}")
        if check_every is not None and check_every < 1:
            problems.append(f"check_every: expected at least 1, got {check_every}")
        if problems:
            raise EngineError("; ".join(problems))
        self.layer = layer
        self.threshold = threshold
        self.interval = interval
        self.check_every = interval if check_every is None else check_every
        self._network = network
        self._optimizer = optimizer
        self._measure = measure
        self._total: Total = of_one
        self.search = HalvingSearch(step, 1 / max(1, self._count()), self._share_gone())
        self.done = False
        self.rounds: list[tuple[float, float, bool]] = []
        self._steps = 0
        self._tried: float | None = None  # None in the first round, which prunes nothing
        self._accepted: dict[str, Any] | None = None
        self._best: tuple[float, dict[str, Any]] | None = None

    def _count(self) -> int:
        """Units or edges of the start."""
        raise NotImplementedError

    def _share_gone(self) -> float:
        """Share of the start that was pruned before."""
        return 0.0

    def _prune(self, share: float) -> None:
        """Prune the weakest, so that a share of the start is gone."""
        raise NotImplementedError

    def share_statistics(self, total: Total) -> None:
        """Judge by the mean merit of all processes that train together, so that they agree."""
        self._total = total

    def step(self) -> Rewiring:
        """Count an optimizer step; at the end of a round judge it, and prune for the next."""
        before = self.layer.topology
        self.layer.project_()
        if self.done:
            return Rewiring(before, before)
        self._steps += 1
        within = self._steps % self.interval
        if within % self.check_every == 0 or within == 0:
            self._check()
        if within == 0:
            self._judge()
        return Rewiring(before, self.layer.topology)

    def _check(self) -> None:
        merits = self._total(torch.tensor([float(self._measure()), 1.0], dtype=torch.float64))
        merit = float(merits[0] / merits[1])
        if math.isnan(merit):
            merit = -math.inf
        if self._best is None or merit > self._best[0]:
            self._best = merit, _copied(self._network)

    def _judge(self) -> None:
        assert self._best is not None
        merit, state = self._best
        accepted = merit >= self.threshold
        self._best = None
        self.rounds.append((self._tried or 0.0, merit, accepted))
        if self._tried is not None:
            self.search.judge(accepted=accepted)
        elif not accepted:
            self.done = True
            self._restore(state)
            return
        if accepted:
            self._accepted = state
        assert self._accepted is not None
        self._restore(self._accepted)
        if self.search.done:
            self.done = True
            return
        self._tried = self.search.proposal
        self._prune(self._tried)

    def _restore(self, state: dict[str, Any]) -> None:
        # Loading alone would leave the optimizer with the shapes of another wiring.
        self._optimizer.state.pop(self.layer.weight, None)
        self._network.load_state_dict(state)

    def _keep(self, edges: NDArray[np.bool_]) -> None:
        self._optimizer.state.clear()
        self.layer.rewire_(self.layer.topology.keep(edges), self._optimizer)

    def state_dict(self) -> dict[str, Any]:
        """Give everything that a resumed run needs besides network and optimizer."""
        return {
            "search": self.search.state_dict(),
            "done": self.done,
            "rounds": list(self.rounds),
            "steps": self._steps,
            "tried": self._tried,
            "accepted": self._accepted,
            "best": self._best,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave.

        Raises
        ------
        EngineError
            If it is nowhere that pruning can stand, or of another network.
        """
        tried, accepted, best = state["tried"], state["accepted"], state["best"]
        pair = isinstance(best, tuple) and len(best) == 2 and isinstance(best[0], int | float)
        # After the first round there is always a network to come back to.
        if (
            not (best is None or (pair and self._is_copy(best[1])))
            or not (accepted is None or self._is_copy(accepted))
            or not (tried is None or (isinstance(tried, int | float) and accepted is not None))
        ):
            raise EngineError(
                "no state of this pruning: its networks are not those of its rounds; take one that "
                "state_dict gave"
            )
        self.search.load_state_dict(state["search"])
        self.done, self.rounds = state["done"], list(state["rounds"])
        self._steps, self._tried = state["steps"], tried
        self._accepted, self._best = accepted, best

    def _is_copy(self, state: object) -> bool:
        """Whether something may be a copy of the network, pruned more or less than it is now."""
        return (
            isinstance(state, dict)
            and state.keys() == self._network.state_dict().keys()
            and all(isinstance(value, Tensor) for value in state.values())
        )


class EdgePruning(IterativePruning):
    """Prune the edges with the smallest |w|, wherever in the core they are.

    Parameters
    ----------
    network, optimizer, measure, threshold, interval, check_every
        As for `IterativePruning`.
    step : float
        Share of the edges pruned at a time; the paper tries 0.005 to 0.025.
    edges_of_start : int, optional
        What shares are of, at least the edges present; as many if None.

    Notes
    -----
    Linear layers around a core, such as encoder and decoder of a `FreeNet`, are left as they are.

    Edges that are there no more count as zeros in the percentile, as the authors have it: a share
    that earlier pruning has reached already prunes nothing and is accepted without a round.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        measure: Callable[[], float],
        threshold: float,
        interval: int,
        check_every: int | None = None,
        step: float = 0.025,
        edges_of_start: int | None = None,
    ) -> None:
        present = core_of(network).topology.num_edges
        if edges_of_start is not None and edges_of_start < present:
            raise EngineError(
                f"edges_of_start: expected at least the {present} edges present, got "
                f"{edges_of_start}"
            )
        self._edges_of_start = present if edges_of_start is None else edges_of_start
        super().__init__(
            network, optimizer, measure=measure, threshold=threshold, interval=interval,
            check_every=check_every, step=step,
        )  # fmt: skip

    def _count(self) -> int:
        return self._edges_of_start

    def _share_gone(self) -> float:
        return 1 - self.layer.topology.num_edges / max(1, self._count())

    def _prune(self, share: float) -> None:
        strength = self.layer.edge_weight.abs().double().cpu().numpy()
        self._keep(strength > percentile_with_zeros(strength, self._count(), 100 * share))


class UnitPruning(IterativePruning):
    """Prune the hidden units whose loss is least sensitive to them.

    A unit's score is |dL/da a|, its mean over samples (see `unit_sensitivity`): how much the loss
    would change, to first order, if it were silent. The weakest over all hidden units go, with all
    their edges; where an encoder drives them and a decoder reads them, their rows and columns there
    become zero and stay so.

    Parameters
    ----------
    network, optimizer, measure, threshold, interval, check_every
        As for `IterativePruning`; with hidden units, cycles or not.
    data : Tensor, shape (samples, ...)
        What scores are taken over, as the network takes it.
    loss : callable
        Given the outputs of the network for `data`, the loss of each sample, shape (samples,).
    step : float
        Share of the hidden units pruned at a time; the paper tries 0.05 to 0.7.
    units : sequence of int, optional
        Nodes of the core that may go; all hidden ones if None: those that are neither inputs nor
        outputs, and those between a linear `encoder` and a linear `decoder` of the network.

    Notes
    -----
    Scores are ranked over all units of the start, those pruned before counting as zero, and what is
    strictly above the percentile stays. Paper: neural-sculpting, eq. 1.

    Examples
    --------
    >>> import torch
    >>> from nervure import FreeNet
    >>> from nervure.rules import UnitPruning
    >>> net = FreeNet(4, 1, neurons=20, seed=0)
    >>> x = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    >>> def loss(out):
    ...     return (out[:, 0] - x[:, 0]).square()
    >>> def measure():
    ...     with torch.no_grad():
    ...         return -float(loss(net(x)).mean())
    >>> optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    >>> rule = UnitPruning(
    ...     net, optimizer, data=x, loss=loss, measure=measure, threshold=-0.05, interval=100
    ... )
    >>> while not rule.done:
    ...     optimizer.zero_grad()
    ...     loss(net(x)).mean().backward()
    ...     optimizer.step()
    ...     rewiring = rule.step()
    >>> len(rule.units_left) < 5
    True
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        data: Tensor,
        loss: Callable[[Tensor], Tensor],
        measure: Callable[[], float],
        threshold: float,
        interval: int,
        check_every: int | None = None,
        step: float = 0.4,
        units: Sequence[int] | None = None,
    ) -> None:
        self._data = data
        self._loss = loss
        self._hidden = HiddenUnits(network, units)
        super().__init__(
            network, optimizer, measure=measure, threshold=threshold, interval=interval,
            check_every=check_every, step=step,
        )  # fmt: skip
        # For its errors: data or a loss that does not fit shall not cost a round of training.
        unit_sensitivity(network, data, loss)

    @property
    def units_left(self) -> NDArray[np.int64]:
        """Numbers of the units that are still in use, rising."""
        return self._hidden.nodes[self._hidden.used]

    def _count(self) -> int:
        return len(self._hidden.nodes)

    def _prune(self, share: float) -> None:
        hidden, topology = self._hidden, self.layer.topology
        own = unit_sensitivity(self._network, self._data, self._loss)
        own *= share_of_rows(len(self._data), self._total)
        scores = self._total(torch.from_numpy(own)).numpy()[hidden.nodes]
        scores[~hidden.used] = 0
        weakest = hidden.nodes[scores <= np.percentile(scores, 100 * share)]
        gone = np.zeros(topology.num_nodes, dtype=np.bool_)
        gone[weakest] = True
        self._keep(~(gone[topology.sources] | gone[topology.targets]))
        hidden.silence_(weakest)


def _copied(network: nn.Module) -> dict[str, Any]:
    return {key: value.clone() for key, value in network.state_dict().items()}
