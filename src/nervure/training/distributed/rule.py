"""`DistributedRule`: one rule in several processes."""

from __future__ import annotations

from typing import Any

from nervure.errors import DistributedError
from nervure.rules import Rewiring, Rule
from nervure.rules.rule import detach
from nervure.training.distributed.network import DistributedNetwork


class DistributedRule:
    """A rule that decides the same in every process.

    Every process runs the rule: on equal weights, with the options and random generator of process
    0, and with statistics (co-activity, gradients of absent edges, measured merit, sensitivity)
    that are those of the rows of all processes. After every update wirings and weights are
    compared.

    Parameters
    ----------
    rule : Rule
        Made in every process for ``network.module`` and its own optimizer.
    network : DistributedNetwork

    Attributes
    ----------
    rule : Rule

    Raises
    ------
    DistributedError
        If the networks differ after the rule was made.

    Notes
    -----
    A rule of one's own works as it is if it decides by weights alone. One that gathers statistics
    has a method ``share_statistics(total)``, which is given a function from a tensor to its sum
    over all processes; all of them must call it alike.

    Statistics since the last update are of a process's own rows, and so are they in `state_dict`:
    to go on exactly, every process saves and loads its own.
    """

    def __init__(self, rule: Rule, network: DistributedNetwork) -> None:
        self.rule = rule
        self._network = network
        processes = network.processes
        with processes.telling():
            state = processes.from_first(rule.state_dict)
            if processes.rank > 0:
                rule.load_state_dict(state)
            share = getattr(rule, "share_statistics", None)
            if share is not None:
                share(processes.total)
        network.check()

    def step(self) -> Rewiring:
        """Step the rule, and see that all processes did the same.

        Raises
        ------
        DistributedError
            If gradients were not averaged before, or another process failed, ended, or differs.
        """
        if not self._network.averaged:
            raise DistributedError(
                "the gradients of the last pass were not averaged; call synchronise() of the "
                "DistributedNetwork after backward() and before optimizer.step()"
            )
        with self._network.processes.telling():
            rewiring = self.rule.step()
        if rewiring.after is not rewiring.before:
            self._network.check()
        return rewiring

    def detach(self) -> None:
        """Detach the rule, if it holds on to an optimizer or to passes."""
        detach(self.rule)

    def state_dict(self) -> dict[str, Any]:
        """Give the state of this process's rule."""
        return self.rule.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave in this process."""
        self.rule.load_state_dict(state)
