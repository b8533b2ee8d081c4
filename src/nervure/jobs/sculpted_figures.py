"""What came of a sculpting, as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nervure.data import Prepared
from nervure.errors import TopologyError
from nervure.modules import Hierarchy, detect_modules
from nervure.topology import Topology
from nervure.training.sculpting import Sculpted


def modules_found(
    topology: Topology, data: Prepared, modularity: float, merge_share: float
) -> dict[str, Any]:
    """Find the modules of a wiring, and say what each takes in, feeds and gives.

    Parameters
    ----------
    topology : Topology
    data : Prepared
        Whose names inputs and outputs have.
    modularity, merge_share : float
        For `detect_modules`.

    Returns
    -------
    dict
        "modules", how many; "modules_by_level"; "hierarchy", a dict for each.
    """
    outputs = None if data.task == "regression" else data.class_names
    try:
        found = detect_modules(topology, threshold=modularity, merge_share=merge_share)
    except TopologyError:
        # No path is left from an input to an output: what is said is always the same.
        return {"modules": 0, "modules_by_level": [], "hierarchy": []}
    hierarchy = Hierarchy.from_detection(
        found, input_names=data.feature_names, output_names=outputs
    )
    modules = []
    for module in hierarchy.modules:
        inputs, gives, needs = hierarchy.names_of(module)
        modules.append(
            {
                "name": module.name, "level": module.level, "nodes": len(module.nodes),
                "inputs": list(inputs), "outputs": list(gives), "depends_on": list(needs),
                "feeds": dict(module.feeds),
            }
        )  # fmt: skip
    return {
        "modules": len(modules),
        "modules_by_level": [len(level) for level in hierarchy.levels],
        "hierarchy": modules,
    }


def networks_found(networks: Sequence[Sculpted]) -> list[dict[str, Any]]:
    """Give the figures of every network of a grid."""
    return [
        {
            "unit_step": one.unit_step, "edge_step": one.edge_step, "merit": one.merit,
            "reached": one.reached, "edges": one.topology.num_edges,
            "units": int(one.topology.live[one.topology.interior].sum()),
            "rounds": len(one.rounds), "epochs": sum(r.epochs for r in one.rounds),
        }
        for one in networks
    ]  # fmt: skip
