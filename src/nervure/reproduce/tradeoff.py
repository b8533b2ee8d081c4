"""The experiments of connectivity-tradeoff: what is run, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nervure.data import COLOUR_IMAGES, colour_images
from nervure.errors import EngineError
from nervure.measures import edge_dynamics
from nervure.networks import BlockDAG, count_parameters, fitted_channels
from nervure.reproduce.completed import completed
from nervure.reproduce.ledger import Cell, Ledger
from nervure.reproduce.plain import plain
from nervure.rules import ResourceTradeoff
from nervure.textual import not_among
from nervure.topology import Topology, dense_dag
from nervure.training import (
    THRESHOLDS,
    Fitted,
    FlipAndCrop,
    TrainingOptions,
    evaluate,
    fit,
    threshold_sweep,
)
from nervure.training.loop import RuleMaker
from nervure.training.model_file import save_model

EXPERIMENT = "tradeoff"
CLASSES = 10
# Another initialisation than that of the network whose wiring is trained again.
_AGAIN = 1000


@dataclass(frozen=True)
class Settings:
    """What all cells have in common; what is given here is the paper's.

    Attributes
    ----------
    nodes, stages, channels, entry_stride : int
        Of the complete DAG of convolutional nodes.
    train, test : int, optional
        Rows of the training and the test part; None for all.
    side : int
        Of the images, a divisor of 32: pixels are averaged if it is less.
    epochs, batch_size : int
    learning_rate, momentum, weight_decay : float
        Of SGD; the rate is divided by ten after 80 % and 90 % of the epochs.
    augment : bool
        Whether images are mirrored and shifted by up to four pixels at random.
    penalty : float
        Lambda, the price of an edge.
    edge_rate : float
        How many times faster than all other weights those of the edges learn.
    threshold : float
        Strength below which edges go in the end.
    """

    nodes: int = 60
    stages: int = 3
    channels: int = 11
    entry_stride: int = 1
    train: int | None = None
    test: int | None = None
    side: int = 32
    epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    augment: bool = True
    penalty: float = 1e-3
    edge_rate: float = 1.0
    threshold: float = 0.006


QUICK = Settings(
    nodes=15,
    channels=8,
    train=6_000,
    test=2_000,
    side=16,
    entry_stride=2,
    epochs=20,
    batch_size=64,
    augment=False,
    penalty=2e-3,
    edge_rate=5.0,
)
"""For two cores: half the side, and fewer nodes, channels, images and epochs. With so few steps the
paper's price moves nothing; ours, and faster edges, were chosen on validation images."""


def wiring_cells(
    datasets: Sequence[str], seeds: Sequence[int], settings: Settings, *, reach: int | None = None
) -> list[dict[str, Any]]:
    """List the networks that learn a wiring, those of a seed together.

    Parameters
    ----------
    datasets : sequence of str
        Among `COLOUR_IMAGES`.
    seeds : sequence of int
    settings : Settings
    reach : int, optional
        Greatest distance of joined nodes in the graph to start from; the complete DAG if None.

    Raises
    ------
    EngineError
        If a dataset is not one of the paper's.
    """
    unknown = [name for name in datasets if name not in COLOUR_IMAGES]
    if unknown:
        raise EngineError(not_among("data", unknown, COLOUR_IMAGES))
    return [
        {"kind": "wiring", "data": data, "seed": seed, "reach": reach, **asdict(settings)}
        for seed in seeds
        for data in datasets
    ]


def retraining_cells(wirings: Sequence[Cell], *, fit_channels: bool) -> list[dict[str, Any]]:
    """List the trainings from scratch of wirings that have been learned.

    Parameters
    ----------
    wirings : sequence of mapping
        From `wiring_cells`.
    fit_channels : bool
        Whether channels are chosen such that there are as many parameters as in the complete DAG,
        or stay as they were.
    """
    channels = "fitted" if fit_channels else "same"
    return [{**cell, "kind": "retraining", "widths": channels} for cell in wirings]


def run(cell: Cell, ledger: Path, models: Path) -> dict[str, Any]:
    """Compute one cell.

    Parameters
    ----------
    cell : mapping
        From `wiring_cells` or `retraining_cells`.
    ledger : Path
        Of the ledger in which a retraining finds its wiring.
    models : Path
        Folder in which thresholded networks are left as ``NAME.safetensors``.

    Returns
    -------
    dict
        As `learn_wiring` or `retrain` gives it.
    """
    if cell["kind"] == "wiring":
        return learn_wiring(cell, models)
    learned = ledger_wiring(cell, ledger)
    return retrain(cell, learned)


def learn_wiring(cell: Cell, models: Path) -> dict[str, Any]:
    """Train the complete DAG under the price, and sweep over thresholds.

    Returns
    -------
    dict
        parameters, accuracy (test, of all edges), epoch_seconds (median), train_loss (of each
        epoch); points (of each threshold: threshold, edges, nodes, parameters, accuracy); edges
        (those left at the threshold of the settings, as positions in the start; none if no path is
        left); strengths (records x edges of the start, after each epoch, rounded), and dynamics
        (A to D of Table 4).
    """
    x, y, x_test, y_test = _data(cell["data"], cell["train"], cell["test"], cell["side"])
    start = starting_graph(cell)
    network = _network(cell, start, cell["channels"], cell["seed"])
    parameters = count_parameters(network)
    rules: list[ResourceTradeoff] = []

    def rule(graph: torch.nn.Module, optimizer: torch.optim.Optimizer) -> ResourceTradeoff:
        interval = options_of(cell).steps_per_epoch(len(x))
        rules.append(
            ResourceTradeoff(
                graph, optimizer, penalty=cell["penalty"], edge_rate=cell["edge_rate"],
                interval=interval,
            )
        )  # fmt: skip
        return rules[0]

    fitted = _fit(cell, network, x, y, rule)
    whole = evaluate(network, x_test, y_test, "classification")
    thresholds = sorted({*THRESHOLDS, cell["threshold"]})
    points = threshold_sweep(network, thresholds, x_test, y_test)
    strengths = np.stack(rules[0].history.strengths)
    chosen = points[thresholds.index(cell["threshold"])]
    kept = chosen.topology
    edges = [] if kept is None else kept.edge_positions_in(start).tolist()
    retained = np.zeros(start.num_edges, dtype=bool)
    retained[edges] = True
    if kept is not None:
        network.rewire_(kept)
        save_model(models / f"{name_of(cell)}.safetensors", network, metadata={"cell": dict(cell)})
    # The start is no epoch.
    dynamics = edge_dynamics(strengths[1:], cell["threshold"], retained=retained)
    return {
        "parameters": parameters,
        "accuracy": 1 - whole.error,
        "train_loss": [metrics["train_loss"] for metrics in fitted.history],
        "epoch_seconds": epoch_seconds(fitted),
        "points": [
            {
                "threshold": point.threshold,
                "edges": point.edges,
                "nodes": point.nodes,
                "parameters": point.parameters,
                "accuracy": None if point.topology is None else 1 - point.error,
            }
            for point in points
        ],
        "edges": edges,
        "strengths": [[float(f"{s:.4g}") for s in row] for row in strengths.tolist()],
        "dynamics": plain(asdict(dynamics)),
    }  # fmt: skip


def retrain(cell: Cell, learned: Topology) -> dict[str, Any]:
    """Train a wiring again, from another initialisation and without a price.

    Returns
    -------
    dict
        accuracy (test), channels, parameters, epoch_seconds (median) and train_loss.
    """
    x, y, x_test, y_test = _data(cell["data"], cell["train"], cell["test"], cell["side"])
    seed = cell["seed"] + _AGAIN
    network = _network(cell, learned, cell["channels"], seed)
    if cell["widths"] == "fitted":
        # As many as the complete DAG has, also where the start was sparser.
        budget = _network(cell, dense_dag(cell["nodes"]), cell["channels"], 0).num_parameters
        network = network.renewed(channels=fitted_channels(network, budget), seed=seed)
        network.to(_device())
    fitted = _fit({**cell, "seed": seed}, network, x, y, None)
    return {
        "accuracy": 1 - evaluate(network, x_test, y_test, "classification").error,
        "channels": network.channels,
        "parameters": network.num_parameters,
        "epoch_seconds": epoch_seconds(fitted),
        "train_loss": [metrics["train_loss"] for metrics in fitted.history],
    }


def starting_graph(cell: Cell) -> Topology:
    """Give the graph that a cell begins with."""
    return dense_dag(cell["nodes"], reach=cell["reach"])


def stages_of(cell: Cell) -> NDArray[np.int64]:
    """Give the stage of each node, shape (nodes,)."""
    stages: NDArray[np.int64] = np.arange(cell["nodes"]) * cell["stages"] // cell["nodes"]
    return stages


def wiring_of(cell: Cell, result: dict[str, Any]) -> Topology:
    """Give the wiring that a cell has learned, over all nodes of its start."""
    start = starting_graph(cell)
    mask = np.zeros(start.num_edges, dtype=bool)
    mask[result["edges"]] = True
    return start.keep(mask)


def ledger_wiring(cell: Cell, ledger: Path) -> Topology:
    """Look up the wiring that a retraining begins with.

    Raises
    ------
    EngineError
        If it is not in the ledger, or nothing was left of it.
    """
    wiring = {k: v for k, v in cell.items() if k != "widths"} | {"kind": "wiring"}
    result = Ledger(ledger).get(EXPERIMENT, wiring)
    if result is None or not result["edges"]:
        raise EngineError(f"{ledger}: no wiring was learned yet for {name_of(wiring)}")
    return wiring_of(wiring, result)


def is_wired(ledger: Ledger, cell: Cell) -> bool:
    """Say whether a cell's wiring has been learned and has a path left."""
    result = ledger.get(EXPERIMENT, cell)
    return result is not None and bool(result["edges"])


def accounting(settings: Settings) -> dict[str, int]:
    """Count the parameters of the complete DAG, part by part; the paper prints 863.3k in all."""
    network = BlockDAG(
        dense_dag(settings.nodes), settings.stages, settings.channels, outputs=CLASSES, seed=0
    )
    blocks = count_parameters(network.blocks)
    entry = count_parameters(network.blocks["0"])
    return {
        "input block": entry,
        f"{settings.nodes - 1} other nodes": blocks - entry,
        f"{len(network.reductions)} reductions": count_parameters(network.reductions),
        "output block": count_parameters(network.exit),
        f"{network.topology.num_edges:,} edges": network.edge_weight.numel(),
        "all": network.num_parameters,
    }


def options_of(cell: Cell) -> TrainingOptions:
    """Give the training options of a cell."""
    return TrainingOptions(
        epochs=cell["epochs"],
        batch_size=cell["batch_size"],
        learning_rate=cell["learning_rate"],
        momentum=cell["momentum"],
        weight_decay=cell["weight_decay"],
        schedule="steps",
        seed=cell["seed"],
        keep_best=False,
    )


def epoch_seconds(fitted: Fitted) -> float:
    """Give the median time of an epoch's steps."""
    return float(np.median([metrics["train_seconds"] for metrics in fitted.history]))


def name_of(cell: Cell) -> str:
    """Give the name of a cell's model file; cells of one folder do not share one."""
    reach = "" if cell["reach"] is None else f"-reach{cell['reach']}"
    size = f"{cell['nodes']}nodes-{cell['channels']}channels-{cell['epochs']}epochs"
    return f"{cell['data']}-{cell['seed']}{reach}-{size}-{cell['penalty']:g}"


def _network(cell: Cell, topology: Topology, channels: int, seed: int) -> BlockDAG:
    network = BlockDAG(
        topology, stages_of(cell), channels, outputs=CLASSES, entry_stride=cell["entry_stride"],
        seed=seed,
    )  # fmt: skip
    return network.to(_device())


def _fit(
    cell: Cell,
    network: BlockDAG,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    rule: RuleMaker | None,
) -> Fitted:
    fitted = fit(
        network, x, y, task="classification", options=options_of(cell), rule=rule,
        augment=FlipAndCrop() if cell["augment"] else None,
    )  # fmt: skip
    return completed(fitted)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


Images = NDArray[np.float32]
Labels = NDArray[np.int64]


@lru_cache(maxsize=1)
def _data(
    name: str, train: int | None, test: int | None, side: int
) -> tuple[Images, Labels, Images, Labels]:
    """Give training and test images, standardised, and their classes."""
    # The same images for all seeds, which are those of weights and order alone.
    data = colour_images(name, train=train, test=test, seed=0)
    x, _, x_test = data.standardised()
    return _reduced(x, side), data.y_train, _reduced(x_test, side), data.y_test


def _reduced(x: Images, side: int) -> Images:
    """Average squares of pixels, so that images have a given side."""
    if x.shape[-1] % side:
        raise EngineError(f"side: expected a divisor of {x.shape[-1]}, got {side}")
    squares = x.reshape(*x.shape[:2], side, x.shape[-1] // side, side, -1)
    means: Images = squares.mean(axis=(3, 5), dtype=np.float32)
    return means
