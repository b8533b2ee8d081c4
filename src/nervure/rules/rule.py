"""The contract of a rule: what rewires a network while it trains."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nervure.topology import Topology


@dataclass(frozen=True)
class Rewiring:
    """What one rule step changed.

    Attributes
    ----------
    before, after : Topology
        Wiring before and after the step; the same object when nothing was examined.
    """

    before: Topology
    after: Topology

    @cached_property
    def _positions(self) -> NDArray[np.int64]:
        """Where each edge of `after` stood in `before`, or -1; one search serves both ways."""
        return self.after.edge_positions_in(self.before)

    @cached_property
    def pruned(self) -> NDArray[np.int32]:
        """Edges that went, shape (pruned, 2), columns source and target."""
        if self.before is self.after:
            return np.empty((0, 2), dtype=np.int32)
        gone = np.ones(self.before.num_edges, dtype=np.bool_)
        gone[self._positions[self._positions >= 0]] = False
        return self.before.edges[gone]

    @cached_property
    def grown(self) -> NDArray[np.int32]:
        """Edges that came, shape (grown, 2), columns source and target."""
        if self.before is self.after:
            return np.empty((0, 2), dtype=np.int32)
        return self.after.edges[self._positions < 0]

    @property
    def changed(self) -> bool:
        """Whether any edge went or came."""
        return bool(len(self.pruned) or len(self.grown))


@runtime_checkable
class Rule(Protocol):
    """Rewires a network; used like a learning-rate scheduler.

    A rule is made for one network and one optimizer, and `step` is called after each
    ``optimizer.step()``::

        loss.backward(); optimizer.step(); rule.step(); optimizer.zero_grad()

    Attributes and methods that not every rule has:

    - ``layer``, what it rewires: `RuleGroup` refuses two rules for the same one.
    - ``share_statistics(total)``, of a rule that gathers statistics over samples, by which several
      processes make it one (see `nervure.training.DistributedRule`).
    - ``detach()``, of a rule that holds on to an optimizer or to passes: it lets go of them.
    """

    def step(self) -> Rewiring:
        """Look at the network, rewire it if due, and say what changed."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs besides network and optimizer."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        ...


def detach(rule: Rule) -> None:
    """Detach a rule, if it holds on to an optimizer or to passes."""
    let_go = getattr(rule, "detach", None)
    if let_go is not None:
        let_go()
