"""Whether the modules of a network are the sub-functions of the task that it has learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx

from nervure.modules.hierarchy import Hierarchy, Module
from nervure.modules.subfunctions import SubFunction


@dataclass(frozen=True)
class Agreement:
    """Which sub-functions of a task a network shows.

    Attributes
    ----------
    found : dict of str to str or None
        For each sub-function the module that is it, or None.
    extra : tuple of str
        Modules that are none of them.
    """

    found: dict[str, str | None]
    extra: tuple[str, ...]

    @property
    def all_found(self) -> bool:
        """Whether every sub-function is there."""
        return all(name is not None for name in self.found.values())

    @property
    def exact(self) -> bool:
        """Whether every sub-function is there and nothing else."""
        return self.all_found and not self.extra


def agreement(hierarchy: Hierarchy, expected: Sequence[SubFunction]) -> Agreement:
    """Compare the modules of a network with the sub-functions of its task.

    A module is the sub-function that has exactly the same inputs and outputs of its own. A
    sub-function with neither is a module with neither that depends on the same inputs, and leads to
    the same outputs, through other modules.

    Parameters
    ----------
    hierarchy : Hierarchy
    expected : sequence of SubFunction
        Such as ``BooleanTask.modules_expected_at(layers)``; their inputs and outputs are called
        x0, x1, ... and y0, y1, ... by their places.

    Returns
    -------
    Agreement

    Notes
    -----
    O(modules^2 + pairs of modules that feed each other). Paper: neural-sculpting, sections 5.1 to
    5.4, where success is told from pictures; this is what can be said of it without looking.

    Examples
    --------
    >>> from nervure import Topology
    >>> from nervure.modules import boolean_task, detect_modules
    >>> pairs = [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (4, 7), (5, 8), (5, 9)]
    >>> hierarchy = Hierarchy.from_detection(detect_modules(Topology.from_edges(pairs)))
    >>> agreement(hierarchy, boolean_task("[4, 2, 4]").expected_modules).exact
    True
    """
    inputs_of_task = {name for part in expected for name in part.inputs}
    above = _outputs_above(
        {part.name: part.read_by for part in expected},
        {part.name: {_place(name) for name in part.outputs} for part in expected},
    )
    reached = _outputs_above(
        {module.name: tuple(module.feeds) for module in hierarchy.modules},
        {module.name: set(module.outputs) for module in hierarchy.modules},
    )
    found: dict[str, str | None] = {}
    free = list(hierarchy.modules)
    for part in expected:
        own = {_place(name) for name in part.nodes if name in inputs_of_task}
        outputs = {_place(name) for name in part.outputs}
        depends = {_place(name) for name in part.inputs}

        def fits(
            module: Module,
            own: set[int] = own,
            outputs: set[int] = outputs,
            depends: set[int] = depends,
            leads_to: set[int] = above[part.name],
        ) -> bool:
            if (set(module.inputs), set(module.outputs)) != (own, outputs):
                return False
            if own or outputs:
                return True
            return set(module.depends_on) == depends and reached[module.name] == leads_to

        match = next((module for module in free if fits(module)), None)
        found[part.name] = None if match is None else match.name
        if match is not None:
            free.remove(match)
    return Agreement(found, tuple(module.name for module in free))


def _place(name: str) -> int:
    return int(name[1:])


def _outputs_above(
    feeds: dict[str, tuple[str, ...]], outputs: dict[str, set[int]]
) -> dict[str, set[int]]:
    """Give the outputs of each module and of all that it leads to."""
    graph = nx.DiGraph({name: list(others) for name, others in feeds.items()})
    return {
        name: outputs[name].union(*(outputs[other] for other in nx.descendants(graph, name)))
        for name in feeds
    }
