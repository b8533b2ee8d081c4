"""In what order the nodes of a `BlockDAG` run, who reads what, and when it is read last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nervure.topology import Topology

Given = tuple[int, int]
"""What a node gives, as its number and the stage that it is for."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """A forward pass, worked out once for a wiring.

    Attributes
    ----------
    order : list of int
        Live nodes, each after its sources; the output is the last.
    stages : list of int
        Stage of each node.
    reads : dict of int to (Tensor, list of Given)
        Positions of a node's edges from live sources, and what comes in by them.
    done_with : dict of int to list of Given
        What no node after this one reads.
    reduced : dict of int to list of int
        Later stages that a node is read in.
    read_as_is : dict of int to bool
        Whether a node is read in its own stage.
    """

    order: list[int]
    stages: list[int]
    reads: dict[int, tuple[Tensor, list[Given]]]
    done_with: dict[int, list[Given]]
    reduced: dict[int, list[int]]
    read_as_is: dict[int, bool]

    @classmethod
    def of(cls, topology: Topology, stages: NDArray[np.int64]) -> Schedule:
        """Work it out; O(nodes log nodes + edges)."""
        t, live = topology, topology.live
        by_level = np.lexsort((np.arange(t.num_nodes), t.levels))
        order = [int(i) for i in by_level if live[i]]
        reads: dict[int, tuple[Tensor, list[Given]]] = {}
        last_reader: dict[Given, int] = {}
        for i in order:
            row = np.arange(t.indptr[i], t.indptr[i + 1])
            row = row[live[t.sources[row]]]
            given = [(int(source), int(stages[i])) for source in t.sources[row]]
            reads[i] = torch.from_numpy(row.astype(np.int64)), given
            last_reader.update(dict.fromkeys(given, i))
        done_with: dict[int, list[Given]] = {i: [] for i in order}
        reduced: dict[int, list[int]] = {i: [] for i in order}
        read_as_is = dict.fromkeys(order, False)
        for (source, stage), reader in last_reader.items():
            done_with[reader].append((source, stage))
            if stage > stages[source]:
                reduced[source].append(stage)
            else:
                read_as_is[source] = True
        return cls(order, stages.tolist(), reads, done_with, reduced, read_as_is)
