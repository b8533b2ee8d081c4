"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nervure.report.curves import has
from nervure.report.exploration import Exploration
from nervure.report.module_section import METHODS, ModulesOfRun
from nervure.report.updates import Update
from nervure.topology import Topology


@dataclass
class Material:
    """Everything a report is made of; any part may be empty.

    Attributes
    ----------
    config, versions, status, reason, started, result, epochs
        As of `Run`.
    snapshots : sequence of (epoch, topology)
    topology, weights, origin
        The wiring at the end, and where it comes from in words.
    notes : sequence of str
        Sentences a reader should see.
    updates : sequence of Update
        Empty where updates leave the number of edges alone.
    sizes : tuple of int
        Nodes of each layer in the snapshots, where they are layers; else empty.
    exploration : Exploration or None
        What the updates of such layers did.
    importances : tuple of float
        Of each feature; empty where that is not known.
    feature_names : tuple of str
        As many as importances.
    modules : ModulesOfRun or None
        Of networks pruned for their modules.
    stages : ndarray of int64, shape (nodes,), or None
        Of the nodes of a DAG of blocks.
    """

    config: Mapping[str, Any]
    versions: Mapping[str, Any]
    status: str
    reason: str | None
    started: str | None
    result: Mapping[str, Any]
    epochs: Sequence[Mapping[str, Any]]
    snapshots: Sequence[tuple[int, Topology]]
    topology: Topology | None
    weights: NDArray[np.floating] | None
    origin: str
    notes: Sequence[str]
    updates: Sequence[Update]
    sizes: tuple[int, ...]
    exploration: Exploration | None
    importances: tuple[float, ...]
    feature_names: tuple[str, ...]
    modules: ModulesOfRun | None
    stages: NDArray[np.int64] | None

    def get(self, key: str) -> Any:  # noqa: ANN401
        """Look a value up in the result, else in the settings."""
        return self.result.get(key, self.config.get(key))

    @property
    def baseline_label(self) -> str:
        """Name of the fixed network beside this one."""
        return str(self.config.get("baseline_label", "plain network"))

    @property
    def sculpted(self) -> bool:
        """Whether the network was pruned in rounds."""
        return self.config.get("method") in METHODS

    @property
    def tradeoff(self) -> bool:
        """Whether edges had a price, and weak ones went in the end."""
        return self.config.get("method") == "tradeoff"

    @property
    def period(self) -> str:
        """What is recorded one after the other: epochs, or rounds of many epochs."""
        return "round" if self.sculpted else "epoch"

    @property
    def cyclic(self) -> bool:
        """Whether the network may have cycles, and so modules; it may happen to have none."""
        if self.sculpted:
            # What it calls modules are groups of units in a graph without cycles.
            return False
        return (
            (self.topology is not None and not self.topology.is_acyclic)
            or has(self.epochs, "modules")
            or "modules" in self.result
        )
