"""The Boolean cells of a sculpting ledger, trial by trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from nervure.modules import (
    Agreement,
    Detection,
    Hierarchy,
    SubFunction,
    agreement,
    boolean_task,
    detect_modules,
)
from nervure.modules.clustering_method import PAPER_CLUSTERING, ClusteringMethod
from nervure.reproduce.ledger import Cell
from nervure.topology import Topology

Found = Sequence[tuple[Cell, Mapping[str, Any]]]


@dataclass(frozen=True)
class Trial:
    """What became of one start.

    Attributes
    ----------
    cell : mapping
        Where it belongs.
    told : mapping or None
        What the cell says of it; None if the dense networks of the cell did not learn their task.
    """

    cell: Cell
    told: Mapping[str, Any] | None

    @property
    def sculpted(self) -> bool:
        """Whether there is a pruned network that knows its task."""
        return self.told is not None and "modules" in self.told

    @property
    def exact(self) -> bool:
        """Whether its modules are the sub-functions of the task and nothing else."""
        return self.told is not None and bool(self.told["exact"])

    @property
    def all_found(self) -> bool:
        """Whether every sub-function is among its modules."""
        return (
            self.told is not None and bool(self.told["found"]) and all(self.told["found"].values())
        )

    @property
    def lowest_found(self) -> bool:
        """Whether the sub-functions that read the inputs are among its modules."""
        return bool(self.shows(*(part.name for part in self.expected() if part.level == 0)))

    def shows(self, *parts: str) -> bool | None:
        """Say whether these sub-functions are among its modules; None if they are not expected."""
        expected = {part.name for part in self.expected()}
        if not expected.issuperset(parts):
            return None
        return self.told is not None and all(self.told["found"].get(part, False) for part in parts)

    def expected(self) -> tuple[SubFunction, ...]:
        """Give the sub-functions that a network with its layers should show."""
        return _expected(self.cell["task"], self.cell["depth"])

    def detection(self, method: ClusteringMethod = PAPER_CLUSTERING) -> Detection:
        """Find the modules of its wiring once more.

        Raises
        ------
        TopologyError
            If it has none.
        """
        assert self.told is not None
        return detect_modules(
            wiring_of(self.told["wiring"], self.told["sizes"]),
            layers=self.told["sizes"],
            method=method,
        )

    def agreement(self, method: ClusteringMethod) -> Agreement:
        """Compare modules that are found by another method with the sub-functions."""
        return agreement(Hierarchy.from_detection(self.detection(method)), self.expected())


@lru_cache
def _expected(task: str, depth: int) -> tuple[SubFunction, ...]:
    return boolean_task(task).modules_expected_at(depth + 2)


def trials(found: Found, part: str) -> list[Trial]:
    """List the trials of a part; of a cell without any, as many as it should have."""
    return [
        Trial(cell, told)
        for cell, result in found
        if cell["part"] == part
        for told in result.get("trials", [None] * cell["seeds"])
    ]


def wiring_of(edges: Sequence[Sequence[int]], sizes: Sequence[int]) -> Topology:
    """Make a topology of the edges that a ledger has, (source, target), between layers."""
    nodes = sum(sizes)
    return Topology.from_edges(
        [(source, target) for source, target in edges],
        num_nodes=nodes,
        inputs=range(sizes[0]),
        outputs=range(nodes - sizes[-1], nodes),
    )
