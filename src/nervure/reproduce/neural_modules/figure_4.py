"""Figure 4: seconds of an epoch against those of a DEQ, and modules on one thread and on all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from statistics import median
from typing import Any

import torch

from nervure.baselines import DeepEquilibrium
from nervure.errors import EngineError
from nervure.networks import GraphLayer
from nervure.optional import find
from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules.codon import (
    COMMON,
    modules_training,
    options_of,
    training_rows,
)
from nervure.reproduce.neural_modules.figure_4_outcome import (
    BATCHES,
    DEQ,
    METHODS,
    PARALLEL,
    TIME,
    outcome,
)
from nervure.reproduce.neural_modules.independent_modules import (
    layer_of,
    seconds_by_threads,
    step_of,
)
from nervure.reproduce.neural_modules.part import Configuration, Found, Part
from nervure.topology import Topology
from nervure.training.loop import Training

_SIZES = (80, 150, 300)
_QUICK_SIZES = (40, 80)
_LARGE_SIZES = (300, 600, 1000, 2000, 3000)
_QUICK_LARGE_SIZES = (300, 600)
# Nodes of a module, a divisor of all sizes above; with fewer, a step of the smallest network is so
# little work that the engine leaves it to one thread.
_MODULE = 25
# Table 3 has DEQ learn at a tenth of the rate.
_SLOWER = 0.1


def cells(configuration: Configuration, _: Found) -> Sequence[Cell]:
    """List the cells: those of the first panel, size by size, then those of the second.

    Notes
    -----
    A training has 2 edges per node, ten times the library's default alpha, SGD at 0.3 with
    momentum 0.5, batches of 128. One more line has 10 edges per node, at which most nodes are in
    one module: the paper takes a lower threshold for this figure than elsewhere and does not say
    which. DEQ is left out where torchdeq is not installed. With another number of threads all are
    timed again.
    """
    quick = configuration.quick
    training = {
        "part": "figure-4", "kind": TIME, "alpha": 0.01, **COMMON, "epochs": 30,
        "rows": 1000 if quick else None,
        "warm": 1 if quick else 3, "timed": 1 if quick else 3,
        "threads": torch.get_num_threads(),
    }  # fmt: skip
    has_peer = find("torchdeq") is not None
    methods = [method for method in METHODS if method.name != DEQ or has_peer]
    found = []
    for nodes in _QUICK_SIZES if quick else _SIZES:
        for seed in range(1 if quick else configuration.seeds):
            for method in methods:
                cell = {**training, "method": method.name, "nodes": nodes, "seed": seed}
                if method.penalty is None:
                    del cell["alpha"]
                    cell["learning_rate"] = _SLOWER * COMMON["learning_rate"]
                else:
                    cell |= {"penalty": method.penalty, "keep": method.edges_per_node * nodes}
                found.append(cell)
    parallel = {"part": "figure-4", "kind": PARALLEL, "module": _MODULE}
    parallel["threads"] = torch.get_num_threads()
    found += [
        {**parallel, "nodes": nodes, "batch": batch, "seed": 0, "repeats": 3 if quick else 11}
        for nodes in (_QUICK_LARGE_SIZES if quick else _LARGE_SIZES)
        for batch in BATCHES
    ]
    return found


def run(cell: Cell) -> dict[str, Any]:
    """Time one cell.

    Parameters
    ----------
    cell : mapping
        As from `cells`.

    Returns
    -------
    dict
        Of the first panel: seconds (median of the timed epochs), epochs (seconds of each), and for
        neural modules sweeps (mean of the timed epochs) and largest (nodes of the largest module);
        or failure, where the training ended before. Of the second: seconds of a step on
        one_thread and on all_threads, cores and sweeps.
    """
    return _parallel(cell) if cell["kind"] == PARALLEL else _epochs(cell)


def _epochs(cell: Cell) -> dict[str, Any]:
    training = _equilibrium(cell) if cell["method"] == DEQ else modules_training(cell)
    try:
        metrics = [training.epoch() for _ in range(cell["warm"] + cell["timed"])][cell["warm"] :]
    except EngineError as error:
        return {"failure": str(error)}
    seconds = [m["train_seconds"] for m in metrics]
    result: dict[str, Any] = {"seconds": median(seconds), "epochs": seconds}
    if any(isinstance(module, GraphLayer) for module in training.network.modules()):
        result["sweeps"] = sum(m["sweeps_mean"] for m in metrics) / len(metrics)
        result["largest"] = max(m["largest_module"] for m in metrics)
    return result


def _equilibrium(cell: Cell) -> Training:
    """Begin a training of an equilibrium over all pairs of nodes, solved by torchdeq."""
    data = training_rows(cell["seed"], cell["rows"])
    network = DeepEquilibrium(data.x.shape[1], data.classes, nodes=cell["nodes"], seed=cell["seed"])
    return Training(network, data.x, data.y, task="classification", options=options_of(cell))


def _parallel(cell: Cell) -> dict[str, Any]:
    modules = [Topology.complete(cell["module"])] * (cell["nodes"] // cell["module"])
    layer = layer_of(modules, cell["seed"])
    step = step_of(layer, cell["batch"], cell["seed"])
    threads = {"one_thread": 1, "all_threads": cell["threads"]}
    seconds = seconds_by_threads(step, threads, cell["repeats"])
    assert layer.status is not None
    return {
        **seconds,
        "cores": os.cpu_count() or 1,
        "sweeps": layer.status.sweeps,
    }


PART = Part(
    name="figure-4",
    about="time: neural modules and DEQ, modules on one thread and on all",
    stages=(cells,),
    run=run,
    outcome=outcome,
    timed=True,
)
