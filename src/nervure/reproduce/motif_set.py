"""Tables 1 to 3 of the motif paper: what is run, and the paper's figures."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from nervure.baselines import DenseMLP, MaskedMLP
from nervure.data import Prepared, load, prepare
from nervure.errors import EngineError
from nervure.networks import SparseMLP, count_parameters
from nervure.reproduce.ledger import Cell
from nervure.textual import not_among
from nervure.training import Training, TrainingOptions, evaluate
from nervure.training.sparse_rules import SparseOptions

EXPERIMENT = "motif-set"
DATASETS = ("fashion_mnist", "lung", "tox171")
HIDDEN: dict[str, tuple[int, ...]] = {"3x3000": (3000, 3000, 3000), "2x1000": (1000, 1000)}


@dataclass(frozen=True)
class Variant:
    """A sparse network of the comparison."""

    name: str
    motif_size: int
    tied: bool = False
    rule: str = "set"


VARIANTS = (
    Variant("SET", 1),
    Variant("motif 2", 2),
    Variant("motif 4", 4),
    Variant("motif 2, tied", 2, tied=True),
    Variant("motif 4, tied", 4, tied=True),
    Variant("static", 1, rule="static"),
)


@dataclass(frozen=True)
class Published:
    """What the paper gives for a motif size: tables 1 and 2, section 5.1.2."""

    seconds: float
    accuracy: float
    epoch_seconds: float | None = None


PAPER: dict[str, dict[int, Published]] = {
    "fashion_mnist": {
        1: Published(25236.2, 0.761, 17.73),
        2: Published(14307.5, 0.733, 9.14),
        4: Published(9209.3, 0.692, 6.74),
    },
    "lung": {
        1: Published(4953.2, 0.937),
        2: Published(3448.7, 0.926),
        4: Published(3417.3, 0.914),
    },
}


@dataclass(frozen=True)
class Settings:
    """What every cell has in common.

    Attributes
    ----------
    epochs : int
        The paper's 300.
    learning_rate : float
        Of SGD, the paper's, with a cosine schedule.
    momentum, weight_decay : float
        Those of SET's authors.
    epsilon, zeta : float
        Those of SET's authors. The paper says "sparsity 0.1" without saying of what.
    batch_size : int, optional
        None: 128, fewer for small data.
    """

    epochs: int = 300
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 2e-4
    epsilon: float = 20.0
    zeta: float = 0.3
    batch_size: int | None = None


def cells(
    datasets: Sequence[str],
    hidden: Sequence[str],
    seeds: Sequence[int],
    settings: Settings,
    *,
    dense: bool = True,
    dense_rate: float | None = None,
) -> list[dict[str, Any]]:
    """List the cells: of each dataset, structure and seed the sparse ones together, and peers.

    Parameters
    ----------
    datasets, hidden, seeds
    settings : Settings
    dense : bool
        Whether to train the dense network.
    dense_rate : float, optional
        Its learning rate, where that of the sparse ones does not suit it.

    Raises
    ------
    EngineError
        If a dataset or structure is not known.
    """
    for name, given, known in (("data", datasets, DATASETS), ("hidden", hidden, tuple(HIDDEN))):
        unknown = [value for value in given if value not in known]
        if unknown:
            raise EngineError(not_among(name, unknown, known))
    parts = ["sparse", *(["dense"] if dense else [])]
    rates = {"sparse": settings.learning_rate, "dense": dense_rate or settings.learning_rate}
    found = [
        {
            "part": part, "data": data, "hidden": layers, "seed": seed,
            **asdict(replace(settings, learning_rate=rates[part])),
        }
        for data in datasets
        for layers in hidden
        for part in parts
        for seed in seeds
    ]  # fmt: skip
    return found + [
        {"part": "logistic", "data": data, "seed": seed} for data in datasets for seed in seeds
    ]


@lru_cache(maxsize=1)
def _data(name: str, seed: int) -> Prepared:
    # A third to test on, as in section 4.1; Fashion-MNIST has its published test part.
    return prepare(load(name), seed=seed, test=1 / 3)


def run(cell: Cell) -> dict[str, Any]:
    """Compute one cell.

    Returns
    -------
    dict
        Of the part "sparse": by the name of each variant what `_figures` gives, or why it
        "diverged" (its loss was no longer finite), and the time that
        an epoch of the first takes as "dense" layers and as "masked" ones. Of the part "dense" what
        `_figures` gives, of "logistic" accuracy and time.

    Notes
    -----
    The variants train in turns, an epoch each, so that all meet the same moods of the machine.
    Rows for validation come off the training part; no choice is made by them: what is measured on
    the test part is the network after its last epoch.
    """
    data = _data(cell["data"], cell["seed"])
    if cell["part"] == "logistic":
        return _logistic(data)
    settings = Settings(**{key: cell[key] for key in asdict(Settings())})
    if cell["part"] == "dense":
        sizes = SparseOptions(hidden=HIDDEN[cell["hidden"]]).sizes(*_ends(data))
        training = _training(DenseMLP(sizes, seed=cell["seed"]), data, settings, cell["seed"])
        try:
            while not training.done:
                training.epoch()
        except EngineError as error:
            return {"diverged": str(error)}
        return _figures(training, data)
    trainings = {v.name: _variant(v, data, settings, cell) for v in VARIANTS}
    first = next(iter(trainings.values()))
    diverged: dict[str, str] = {}
    for _ in range(settings.epochs):
        for name, training in trainings.items():
            if name in diverged:
                continue
            try:
                training.epoch()
            except EngineError as error:
                # One network's fate is a result; the others go on.
                diverged[name] = str(error)
    found: dict[str, Any] = {
        name: {"diverged": diverged[name]} if name in diverged else _figures(training, data)
        for name, training in trainings.items()
    }
    assert isinstance(first.network, SparseMLP)
    return found | _peer_epochs(first.network, data, settings)


def _variant(variant: Variant, data: Prepared, settings: Settings, cell: Cell) -> Training:
    sparse = SparseOptions(
        hidden=HIDDEN[cell["hidden"]],
        epsilon=settings.epsilon,
        zeta=settings.zeta,
        motif_size=variant.motif_size,
        tied=variant.tied,
        rule="static" if variant.rule == "static" else "set",
    )
    network = sparse.make_network(*_ends(data), seed=cell["seed"])
    return _training(network, data, settings, cell["seed"], sparse)


def _training(
    network: nn.Module,
    data: Prepared,
    settings: Settings,
    seed: int,
    sparse: SparseOptions | None = None,
) -> Training:
    options = TrainingOptions(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        seed=seed,
        keep_best=False,
    )
    return Training(
        network,
        data.x_train,
        data.y_train,
        task="classification",
        options=options,
        rule=None if sparse is None else sparse.make_rule(options, len(data.y_train)),
        validation=(data.x_validation, data.y_validation),
    )


def _ends(data: Prepared) -> tuple[int, int]:
    return data.x_train.shape[1], len(data.class_names)


def _figures(training: Training, data: Prepared) -> dict[str, Any]:
    """Give test accuracy, times, curves and size of a trained network."""
    history = training.finish().history
    seconds = [metrics["train_seconds"] for metrics in history]
    network = training.network
    found = {
        "test_accuracy": 1 - evaluate(network, data.x_test, data.y_test, "classification").error,
        "seconds": sum(seconds),
        "epoch_seconds": statistics.median(seconds),
        "seconds_curve": seconds,
        "curve": [1 - metrics["validation_error"] for metrics in history],
        "parameters": count_parameters(network),
        "threads": torch.get_num_threads(),
    }
    if isinstance(network, SparseMLP):
        found["weights"] = network.core.layout.size
        found["pairs"] = network.core.plan.weights
        if data.image_shape is not None and network.motif_size == 1:
            found["input_strengths"] = network.input_strengths().tolist()
            found["image_shape"] = list(data.image_shape)
    return found


def _peer_epochs(network: SparseMLP, data: Prepared, settings: Settings) -> dict[str, Any]:
    """Time some steps of dense layers, with the network's masks and without."""
    options = TrainingOptions(batch_size=settings.batch_size)
    size = options.batch_size_for(len(data.y_train))
    x = torch.from_numpy(np.asarray(data.x_train[:size], dtype=np.float32))
    y = torch.from_numpy(data.y_train[:size])
    peers = {"masked": MaskedMLP(network), "dense": DenseMLP(network.sizes, seed=0)}
    optimizers = {
        name: torch.optim.SGD(peer.parameters(), lr=1e-6, momentum=settings.momentum)
        for name, peer in peers.items()
    }
    times: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(8):
        for name, peer in peers.items():
            begin = time.perf_counter()
            optimizers[name].zero_grad()
            nn.functional.cross_entropy(peer(x), y).backward()
            optimizers[name].step()
            times[name].append(time.perf_counter() - begin)
    steps = options.steps_per_epoch(len(data.y_train))
    # The first step also makes the buffers.
    return {name: {"epoch_seconds": steps * statistics.median(t[1:])} for name, t in times.items()}


def _logistic(data: Prepared) -> dict[str, Any]:
    begin = time.perf_counter()
    model = LogisticRegression(max_iter=1000).fit(data.x_train, data.y_train)
    return {
        "test_accuracy": float(model.score(data.x_test, data.y_test)),
        "seconds": time.perf_counter() - begin,
    }


def properties(name: str) -> Mapping[str, Any]:
    """Give the row of table 3: features, rows and classes of a dataset, and whether images."""
    data = load(name)
    return {
        "data": name,
        "features": data.x.shape[1],
        "rows": data.x.shape[0],
        "classes": len(data.class_names),
        "kind": "image" if data.image_shape is not None else "microarray",
    }
