"""The step that all constructors share: sound edges and a caller's roles become a topology."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nervure.topology.edges import Int32s
from nervure.topology.validation import checked_role

if TYPE_CHECKING:
    from nervure.topology.graph import Topology


def build(
    num_nodes: int,
    indptr: Int32s,
    sources: Int32s,
    inputs: npt.ArrayLike | None,
    outputs: npt.ArrayLike | None,
) -> Topology:
    """Make a topology of sound edges and of roles as a caller gave them, or of default roles."""
    # Here and not above, because the class offers the constructors as static methods.
    from nervure.topology.graph import Topology

    if inputs is None:
        inputs = np.flatnonzero(np.diff(indptr) == 0)
    if outputs is None:
        outputs = np.flatnonzero(np.bincount(sources, minlength=num_nodes) == 0)
    return Topology._trusted(
        num_nodes,
        indptr,
        sources,
        checked_role(inputs, num_nodes, "inputs"),
        checked_role(outputs, num_nodes, "outputs"),
    )
