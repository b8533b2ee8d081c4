"""`RuleGroup`: the rules of several wirings as one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nervure.errors import EngineError
from nervure.rules.rule import Rewiring, Rule, detach
from nervure.rules.total import Total
from nervure.topology import Topology


class RuleGroup:
    """Several rules, each for a wiring of its own, used as one.

    For models with more than one learned wiring, such as those with several `GraphLinear` layers.
    `step` steps every rule in the order given and reports all wirings side by side, so that edges
    that went and came are those of all of them. There is no `gamma`: every rule has its own
    threshold.

    Parameters
    ----------
    rules : iterable of Rule
        At least one.

    Attributes
    ----------
    rules : tuple of Rule

    Raises
    ------
    EngineError
        If there is no rule, or two are for the same layer.

    Examples
    --------
    >>> import torch
    >>> from nervure.networks import GraphLinear
    >>> from nervure.rules import Repulsion, RuleGroup
    >>> model = torch.nn.Sequential(
    ...     GraphLinear(8, 8, nodes=20, seed=0), GraphLinear(8, 3, nodes=10, seed=1))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> rule = RuleGroup(Repulsion(layer, optimizer, keep=2 * layer.topology.num_nodes)
    ...                  for layer in model)
    >>> model(torch.ones(5, 8)).sum().backward()
    >>> optimizer.step()
    >>> rule.step().after.num_edges
    60
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        if not self.rules:
            raise EngineError("expected at least one rule, got none")
        layers = [id(rule.layer) for rule in self.rules if hasattr(rule, "layer")]
        if len(set(layers)) < len(layers):
            raise EngineError("expected a layer of its own for each rule, got two for one layer")
        self._joined: tuple[tuple[Topology, ...], Topology] | None = None

    def step(self) -> Rewiring:
        """Step every rule, and say what changed in all.

        Returns
        -------
        Rewiring
            Its topologies are the disjoint unions (`nervure.topology.union`) of those of the rules:
            the nodes of each are counted on from the last of the one before.
        """
        steps = [rule.step() for rule in self.rules]
        before = self._union(tuple(step.before for step in steps))
        return Rewiring(before, self._union(tuple(step.after for step in steps)))

    def share_statistics(self, total: Total) -> None:
        """Sum statistics over all processes that train together, in every rule that has some."""
        for rule in self.rules:
            share = getattr(rule, "share_statistics", None)
            if share is not None:
                share(total)

    def detach(self) -> None:
        """Detach every rule that holds on to an optimizer or to passes."""
        for rule in self.rules:
            detach(rule)

    def state_dict(self) -> dict[str, Any]:
        """Give the states of the rules, in their order."""
        return {"rules": [rule.state_dict() for rule in self.rules]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave.

        Raises
        ------
        EngineError
            If it is of another number of rules.
        """
        states = state["rules"]
        if len(states) != len(self.rules):
            raise EngineError(f"expected the states of {len(self.rules)} rules, got {len(states)}")
        for rule, own in zip(self.rules, states, strict=True):
            rule.load_state_dict(own)

    def _union(self, topologies: tuple[Topology, ...]) -> Topology:
        # What one step ends with the next begins with, and where no rule changed anything it is
        # the same object.
        if self._joined is not None and all(
            old is new for old, new in zip(self._joined[0], topologies, strict=True)
        ):
            return self._joined[1]
        first, *others = topologies
        self._joined = topologies, first.union(*others)
        return self._joined[1]
