"""Sculpting networks that look at two images of digits, and how their modules divide them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nervure.data.composed import hierarchical_digits, two_digits
from nervure.errors import TopologyError
from nervure.modules import (
    MNIST_SHARE,
    MNIST_THRESHOLD,
    Detection,
    Hierarchy,
    Module,
    detect_modules,
    path_products,
)
from nervure.networks import GraphLayer, SparseMLP
from nervure.reproduce.ledger import Cell
from nervure.training.sculpting import Sculpted, SculptingOptions, Task, sculpt


def image_trial(cell: Cell) -> dict[str, Any]:
    """Sculpt one network on two images side by side.

    Returns
    -------
    dict
        Merits of the sculpted network on validation and test rows and of the dense one, its wiring,
        the rounds, and what `sides` says of its modules.
    """
    make = two_digits if cell["part"] == "two-digits" else hierarchical_digits
    # The pairs are the same for all seeds of the networks.
    images = make(train=cell["train"], validation=cell["validation"], test=cell["test"], seed=0)
    data = Task.of(images.x_train, images.y_train, images.x_validation, images.y_validation, "bits")
    sizes = [
        images.x_train.shape[1], *[cell["width"]] * cell["depth"], images.y_train.shape[1]
    ]  # fmt: skip
    network = SparseMLP(sizes, density=1.0, seed=cell["seed"])
    options = SculptingOptions(
        epochs=cell["epochs"],
        batch_size=cell["batch_size"],
        learning_rate=cell["learning_rate"],
        threshold=cell["threshold"],
        tolerance=cell["tolerance"],
        stop_early=cell["stop_early"],
        recovery=cell["recovery"],
        unit_steps=(cell["unit_step"],),
        edge_steps=(cell["edge_step"],),
    )
    ((sculpted,),) = sculpt([network.core], data, options, seeds=[cell["seed"]])
    told: dict[str, Any] = {
        "merit": sculpted.merit,
        "reached": sculpted.reached,
        "threshold": sculpted.threshold,
        "dense_merit": sculpted.rounds[0].merit,
        "rounds": [
            [r.phase, r.share, r.merit, r.accepted, r.nodes, r.edges] for r in sculpted.rounds
        ],
        "edges": sculpted.topology.num_edges,
        "sizes": sizes,
    }
    if not sculpted.reached:
        return told
    told["wiring"] = sculpted.topology.edges.tolist()
    told["test_merit"] = _test_merit(network.core, sculpted, images.x_test, images.y_test)
    try:
        detection = detect_modules(
            sculpted.topology, layers=sizes, threshold=MNIST_THRESHOLD, merge_share=MNIST_SHARE
        )
    except TopologyError as error:
        return told | {"no_modules": str(error)}
    return told | sides(detection, images.side_of_pixel, images.sides_of_target)


def _test_merit(
    layer: GraphLayer, sculpted: Sculpted, x: NDArray[np.float32], y: NDArray[np.float32]
) -> float:
    sculpted.into(layer)
    with torch.no_grad():
        bits = layer(torch.from_numpy(x)).numpy() > 0
    return float((bits == (y > 0.5)).mean())


def sides(
    detection: Detection,
    side_of_pixel: NDArray[np.int64],
    sides_of_target: Sequence[Sequence[int]],
) -> dict[str, Any]:
    """Say how the modules divide two images.

    Parameters
    ----------
    detection : Detection
        Of a network that reads the pixels of both.
    side_of_pixel : ndarray of int64, shape (pixels,)
        0 or 1.
    sides_of_target : sequence of sequence of int
        On which sides each output depends.

    Returns
    -------
    dict
        For each module the "pixels" of either side, its outputs and level; "separate": whether
        there are two modules, each with the pixels of one side and the outputs of that side;
        "crossing": of the connected pairs of a pixel and an output the share whose output does not
        depend on the side of the pixel; and for the hierarchical task whether there are two modules
        with "inputs", each of one side, whether each of the "outputs" is a module's only one, and
        whether the "middle" is divided among these modules.
    """
    found = Hierarchy.from_detection(detection).modules
    pixels = [_by_side(module, side_of_pixel) for module in found]
    of_one_side = [sorted(both) for both in pixels if sum(both)]
    first_of = [both.index(max(both)) for both in pixels if sum(both)]
    pure = all(least == 0 for least, _ in of_one_side) and sorted(first_of) == [0, 1]
    ones = np.ones(detection.topology.num_edges)
    connected = path_products(detection.topology, ones) > 0
    foreign = np.array([[side not in on for on in sides_of_target] for side in side_of_pixel])
    giving = [module.outputs for module in found if module.outputs]
    return {
        "clusters": list(detection.clusters_per_layer),
        "modules": [
            {
                "name": module.name,
                "level": module.level,
                "nodes": len(module.nodes),
                "pixels": both,
                "outputs": list(module.outputs),
                "feeds": dict(module.feeds),
            }
            for module, both in zip(found, pixels, strict=True)
        ],
        "live_edges": detection.num_edges,
        "live_nodes": int((detection.module_of >= 0).sum()),
        "crossing": float((connected & foreign).sum() / max(1, connected.sum())),
        "separate": len(found) == 2
        and pure
        and all(
            tuple(sides_of_target[output]) == (both.index(max(both)),)
            for module, both in zip(found, pixels, strict=True)
            for output in module.outputs
        ),
        "inputs": pure,
        "outputs": len(giving) == len(sides_of_target),
        "middle": all(module.inputs or module.outputs for module in found),
    }


def _by_side(module: Module, side_of_pixel: NDArray[np.int64]) -> list[int]:
    return [int((side_of_pixel[list(module.inputs)] == side).sum()) for side in (0, 1)]
