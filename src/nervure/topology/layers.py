"""Whether a wiring consists of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nervure.topology.graph import Topology


def is_layered(topology: Topology, sizes: Sequence[int]) -> bool:
    """Whether the nodes fall into layers of these sizes, each edge leading from one to the next.

    Parameters
    ----------
    topology : Topology
    sizes : sequence of int
        Nodes of each layer, in the order of their numbers.

    Notes
    -----
    O(nodes + edges).

    Examples
    --------
    >>> from nervure.topology import Topology, is_layered
    >>> is_layered(Topology.layered([2, 3, 1]), [2, 3, 1])
    True
    """
    if len(sizes) < 2 or min(sizes) < 1 or sum(sizes) != topology.num_nodes:
        return False
    layer = np.repeat(np.arange(len(sizes)), sizes)
    return bool((layer[topology.targets] == layer[topology.sources] + 1).all())
