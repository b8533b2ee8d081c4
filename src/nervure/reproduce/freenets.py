"""Table 2 and Figures 4 to 9 of the FreeNets paper: what is run, and the paper's figures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any, cast

import torch
from torch import nn

from nervure.baselines import PlainNetwork, matched_hidden_size
from nervure.data import Prepared, load, prepare
from nervure.errors import EngineError
from nervure.networks import FreeNet, count_parameters
from nervure.reproduce.completed import completed
from nervure.reproduce.ledger import Cell
from nervure.rules import CoActivationStatistics, Rewiring, pair_histograms
from nervure.textual import not_among
from nervure.training import TrainingOptions, evaluate, fit
from nervure.training.evolve import coactivation_rule
from nervure.training.model_file import load_model, save_model

EXPERIMENT = "freenets"
NETWORKS = ("freenet", "matched")
NEURONS = (30, 35, 40, 45, 50, 60, 70, 80, 90, 100)

# Table 2, accuracy in per cent, in the order of NEURONS.
PAPER: dict[str, dict[str, tuple[float, ...]]] = {
    "mnist": {
        "freenet": (95.63, 96.03, 96.37, 96.51, 96.65, 96.92, 97.26, 97.25, 97.4, 97.34),
        "matched": (95.74, 95.72, 96.14, 96.26, 96.54, 97.07, 97.02, 97.2, 97.23, 97.34),
    },
    "fashion_mnist": {
        "freenet": (87.59, 87.1, 87.92, 87.81, 88.07, 88.74, 88.66, 89.2, 88.95, 88.89),
        "matched": (86.94, 86.87, 87.15, 87.24, 87.5, 87.75, 87.96, 88.38, 88.14, 88.23),
    },
    "emnist": {
        "freenet": (78.77, 80.75, 81.52, 81.38, 82.58, 83.33, 84.27, 84.23, 85.29, 85.51),
        "matched": (78.55, 79.97, 80.63, 81.92, 81.7, 82.63, 84.07, 84.12, 84.6, 84.98),
    },
}
# Shares of samples are counted in so many bins for Figure 7.
BINS = 50


@dataclass(frozen=True)
class Settings:
    """What every cell has in common. The paper gives epsilon, 0.25, for one figure, and no more.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate : float
        Of Adam, with a cosine schedule.
    epsilon : float
        Of `CoActivation`. At 0.25 no pair of neurons is so often inactive together that its edge
        would go; 0.6 prunes about a sixth of the edges at the same validation accuracy.
    updates_per_epoch : int
        Updates of the wiring, each over all training data.
    """

    epochs: int = 20
    batch_size: int = 128
    learning_rate: float = 1e-3
    epsilon: float = 0.6
    updates_per_epoch: int = 1


def cells(
    datasets: Sequence[str], neurons: Sequence[int], seeds: Sequence[int], settings: Settings
) -> list[dict[str, Any]]:
    """List the cells of the table, those of a seed together.

    Raises
    ------
    EngineError
        If a dataset is not one of the paper's.
    """
    unknown = [name for name in datasets if name not in PAPER]
    if unknown:
        raise EngineError(not_among("data", unknown, PAPER))
    return [
        {"data": data, "neurons": k, "seed": seed, "network": network, **asdict(settings)}
        for seed in seeds
        for data in datasets
        for k in neurons
        for network in NETWORKS
    ]


@lru_cache(maxsize=1)
def _data(name: str, seed: int) -> Prepared:
    return prepare(load(name), seed=seed)


def run(cell: Cell, models: str | None = None) -> dict[str, Any]:
    """Train one network of the table and measure it on the published test part.

    Parameters
    ----------
    cell : mapping
        As from `cells`.
    models : str, optional
        Folder in which a FreeNet is left as ``NAME.safetensors``.

    Returns
    -------
    dict
        test_accuracy and validation_accuracy (of the epoch with the best validation error),
        curve (validation accuracy per epoch), parameters, hidden, seconds, and for FreeNets
        edges, updates and densities.

    Notes
    -----
    The split has the published test part; validation rows come off the training part by the cell's
    seed, which is also that of weights and order, so that both networks of a seed see the same.
    """
    data = _data(cell["data"], cell["seed"])
    inputs, outputs = data.x_train.shape[1], len(data.class_names)
    k = int(cell["neurons"])
    freenet = FreeNet(inputs, outputs, neurons=k, seed=cell["seed"])
    hidden = matched_hidden_size(inputs, outputs, freenet.num_parameters)
    is_freenet = cell["network"] == "freenet"
    network: nn.Module = (
        freenet
        if is_freenet
        else PlainNetwork(inputs, outputs, nodes=hidden, activation="relu", seed=cell["seed"])
    )
    options = TrainingOptions(
        epochs=cell["epochs"],
        batch_size=cell["batch_size"],
        learning_rate=cell["learning_rate"],
        optimizer="adam",
        seed=cell["seed"],
    )
    steps = options.steps_per_epoch(len(data.y_train))
    watch = _Watch(freenet)
    rule = coactivation_rule(
        freenet,
        data.x_train,
        options,
        epsilon=cell["epsilon"],
        interval=max(1, steps // cell["updates_per_epoch"]),
        on_update=watch.updated,
    )
    begin = time.perf_counter()
    fitted = completed(
        fit(
            network,
            data.x_train,
            data.y_train,
            task="classification",
            options=options,
            rule=rule if is_freenet else None,
            validation=(data.x_validation, data.y_validation),
            on_epoch=watch.epoch,
            on_rewiring=watch.rewired,
        )
    )
    seconds = time.perf_counter() - begin
    curve = [1 - m["validation_error"] for m in fitted.history]
    result: dict[str, Any] = {
        "test_accuracy": 1 - evaluate(network, data.x_test, data.y_test, "classification").error,
        "validation_accuracy": max(curve),
        "curve": curve,
        "best_epoch": fitted.best_epoch,
        "parameters": count_parameters(network),
        "hidden": k if is_freenet else hidden,
        "seconds": seconds,
    }
    if is_freenet:
        result |= {
            "edges": freenet.topology.num_edges,
            "possible": k * (k - 1) // 2,
            "updates": watch.updates,
            "densities": watch.densities,
        }
        if models is not None:
            save_model(f"{models}/{model_name(cell)}.safetensors", freenet, metadata={})
    return result


def compaction(cell: Cell, models: Path) -> dict[str, Any]:
    """Measure what pruning saves in a trained FreeNet: file size and prediction time.

    Parameters
    ----------
    cell : mapping
        Of a FreeNet that has been trained.
    models : Path
        Folder of the model files.

    Returns
    -------
    dict
        data, neurons, and before (the dense start) and after: edges, kb, ms (median time of a
        prediction of 10,000 rows in float32, all threads).
    """
    trained_file = models / f"{model_name(cell)}.safetensors"
    trained = cast(FreeNet, load_model(trained_file).network)
    start = FreeNet(**trained.config(), seed=0).eval()
    start_file = models / "start.safetensors"
    save_model(start_file, start, metadata={})
    x = torch.randn(10000, trained.encoder.in_features, generator=torch.Generator().manual_seed(0))
    times: dict[str, list[float]] = {"before": [], "after": []}
    with torch.inference_mode():
        for _ in range(9):
            for name, network in (("before", start), ("after", trained)):
                begin = time.perf_counter()
                network(x)
                times[name].append(time.perf_counter() - begin)
    return {
        "data": cell["data"],
        "neurons": cell["neurons"],
        "edges_before": start.topology.num_edges,
        "edges_after": trained.topology.num_edges,
        "kb_before": start_file.stat().st_size / 1000,
        "kb_after": trained_file.stat().st_size / 1000,
        "ms_before": 1000 * median(times["before"]),
        "ms_after": 1000 * median(times["after"]),
    }


def model_name(cell: Cell) -> str:
    """Give the name of a cell's model file."""
    # Every setting that a user can vary: cells of one folder must not share a file.
    settings = f"{cell['epochs']}epochs-epsilon{cell['epsilon']}"
    return f"{cell['data']}-{cell['neurons']}-{cell['seed']}-{settings}"


class _Watch:
    """Writes down what the rule does."""

    def __init__(self, network: FreeNet) -> None:
        self.network = network
        self.statistics: CoActivationStatistics | None = None
        self.updates: list[dict[str, int]] = []
        self.densities: list[dict[str, Any]] = []

    def updated(self, _: Rewiring, statistics: CoActivationStatistics) -> None:
        self.statistics = statistics

    def rewired(self, step: int, _: int, rewiring: Rewiring, __: float) -> None:
        self.updates.append(
            {
                "step": step,
                "edges": rewiring.after.num_edges,
                "pruned": len(rewiring.pruned),
                "grown": len(rewiring.grown),
            }
        )

    def epoch(self, metrics: dict[str, Any]) -> None:
        if self.statistics is None:
            return
        topology = self.network.topology
        counts = pair_histograms(topology, self.statistics, BINS)
        self.densities.append(
            {
                "epoch": metrics["epoch"],
                "edges": topology.num_edges,
                "ncim_of_edges": counts["inactive_joined"],
                "ncam_of_others": counts["active_apart"],
            }
        )
