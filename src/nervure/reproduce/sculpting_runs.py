"""Computing the cells of the sculpting paper's experiments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nervure.modules import (
    Hierarchy,
    agreement,
    boolean_task,
    detect_modules,
    input_separation,
    output_strengths,
    path_products,
    units_covering,
)
from nervure.networks import SparseMLP
from nervure.reproduce.ledger import Cell
from nervure.reproduce.sculpting_images import image_trial
from nervure.topology import Topology
from nervure.training.sculpting import (
    Sculpted,
    SculptingOptions,
    Task,
    sculpt,
    shortest_training,
    sparsest,
)


def run(cell: Cell) -> dict[str, Any]:
    """Compute one cell.

    Parameters
    ----------
    cell : mapping
        Of `nervure.reproduce.sculpting.cells`.

    Returns
    -------
    dict
        Of a Boolean task: "epochs" per round, None if no number of them is enough for all dense
        networks, and then nothing else; "trials", for each seed the sparsest network of the grid
        (`_trial`), and for the part "structure" also "kinds", what is measured of dense,
        edge-pruned and sculpted networks. Of an image task what `image_trial` gives.
    """
    if "task" not in cell:
        return image_trial(cell)
    task = boolean_task(cell["task"])
    x, y = task.truth_table()
    data = Task.of(x, y, x, y, "bits")
    seeds = range(cell["seeds"])
    sizes = [x.shape[1], *[cell["width"]] * cell["depth"], y.shape[1]]
    starts = [SparseMLP(sizes, density=1.0, seed=seed).core for seed in seeds]
    options = SculptingOptions(
        batch_size=cell["batch_size"],
        learning_rate=cell["learning_rate"],
        noise=0.1,
        threshold=1.0,
        unit_steps=tuple(cell["unit_steps"]),
        edge_steps=tuple(cell["edge_steps"]),
    )
    epochs = shortest_training(starts, data, options, seeds=seeds)
    if epochs is None:
        return {"epochs": None}
    options = replace(options, epochs=epochs)
    networks = sculpt(starts, data, options, seeds=seeds)
    chosen = [sparsest(grid) for grid in networks]
    found: dict[str, Any] = {
        "epochs": epochs,
        "networks": sum(map(len, networks)),
        "trials": [_trial(network, sizes, cell["task"]) for network in chosen],
    }
    if cell["part"] == "structure":
        edges = sculpt(starts, data, replace(options, unit_steps=()), seeds=seeds)
        found["kinds"] = {
            # All networks of a start have the dense one in common.
            "dense": [_strengths_of(cast(Sculpted, grid[0].dense), sizes) for grid in networks],
            "edges": [_strengths_of(sparsest(grid), sizes) for grid in edges],
            "sculpted": [_strengths_of(network, sizes) for network in chosen],
        }
    return found


def _trial(network: Sculpted, sizes: Sequence[int], name: str) -> dict[str, Any]:
    """Say what became of one start.

    Returns
    -------
    dict
        Its merit, the steps that led to it, its edges as pairs (source, target) with weights, the
        clusters of each layer, the number of modules and of live edges, and by sub-function of the
        task whether it was "found", and whether it is "exact".
    """
    told = {
        "merit": network.merit,
        "unit_step": network.unit_step,
        "edge_step": network.edge_step,
        "wiring": network.topology.edges.tolist(),
        "weight": [float(w) for w in network.weight],
        "sizes": list(sizes),
    }
    if not network.reached:
        return told | {"found": {}, "exact": False}
    detection = detect_modules(network.topology, layers=sizes)
    expected = boolean_task(name).modules_expected_at(len(sizes))
    seen = agreement(Hierarchy.from_detection(detection), expected)
    return told | {
        "clusters": list(detection.clusters_per_layer),
        "modules": len(detection.modules),
        "live_edges": detection.num_edges,
        "found": {part: module is not None for part, module in seen.found.items()},
        "exact": seen.exact,
    }


def _strengths_of(network: Sculpted, sizes: Sequence[int]) -> dict[str, Any]:
    return _strengths(network.topology, network.weight, sizes)


def _strengths(
    topology: Topology, weight: NDArray[np.float32], sizes: Sequence[int]
) -> dict[str, Any]:
    """Measure section 2's products of weights along paths, and units that carry 90 % of them."""
    products = path_products(topology, weight)
    strengths = np.split(output_strengths(topology, weight), np.cumsum(sizes)[:-1])
    told: dict[str, Any] = {
        "products": products.tolist(),
        "n90": [units_covering(layer) for layer in strengths[1:-1]],
    }
    if list(products.shape) == [4, 4]:
        halves = ((0, 1), (2, 3))
        told["tests"] = [
            {"t": test.statistic if np.isfinite(test.statistic) else None, "p": test.p_value}
            for own, other in (halves, halves[::-1])
            for test in [input_separation(products, own, own, other)]
        ]
    return told
