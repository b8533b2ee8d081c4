"""Training neural modules on one of the paper's datasets, and what their wiring has become."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nervure.data import Prepared
from nervure.errors import ConvergenceError, EngineError
from nervure.modules import module_statistics
from nervure.networks import NeuralModules
from nervure.reproduce.completed import completed
from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules.job import data_of
from nervure.reproduce.neural_modules.part import Configuration
from nervure.rules import Repulsion
from nervure.topology import Topology
from nervure.training import Fitted, TrainingOptions, evaluate, fit


def grid(
    part: str,
    configuration: Configuration,
    *,
    nodes: int,
    epochs: int,
    degrees: Sequence[float],
    alphas: Sequence[float],
) -> list[Cell]:
    """List trainings; those of one split follow each other, as their data are then loaded once."""
    seeds = 1 if configuration.quick else configuration.seeds
    return [
        {
            "part": part,
            "data": data,
            "seed": seed,
            "nodes": nodes,
            "epochs": min(epochs, configuration.epochs),
            "alpha": alpha,
            "degree": degree,
        }
        for data in configuration.datasets
        for seed in range(seeds)
        for degree in degrees
        for alpha in alphas
    ]


def train(cell: Cell) -> tuple[NeuralModules, Fitted] | EngineError:
    """Train neural modules with the library's defaults.

    Parameters
    ----------
    cell : mapping
        data, seed (of validation rows, initial weights and order), nodes, degree (edges kept, by
        nodes), alpha and epochs.

    Returns
    -------
    (NeuralModules, Fitted), or EngineError
        With the weights of the epoch with the lowest validation error; or why there are none, an
        equilibrium that was not found or a loss that was no longer finite.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C ended the training.
    """
    data = data_of(cell["data"], cell["seed"])
    nodes, seed = int(cell["nodes"]), int(cell["seed"])
    network = NeuralModules(data.x_train.shape[1], len(data.class_names), nodes=nodes, seed=seed)
    try:
        fitted = fit(
            network,
            data.x_train,
            data.y_train,
            task="classification",
            options=TrainingOptions(epochs=cell["epochs"], seed=seed),
            rule=lambda _, optimizer: Repulsion(
                network, optimizer, keep=round(cell["degree"] * nodes), alpha=cell["alpha"]
            ),
            validation=(data.x_validation, data.y_validation),
        )
    except EngineError as error:
        return error
    return network, completed(fitted)


def errors(network: NeuralModules, fitted: Fitted, data: Prepared) -> dict[str, Any]:
    """Give the kept epoch's error on validation and test rows, and the sweeps of its steps.

    The test error is None where a test row has no equilibrium. Training and validation went well by
    then, and a failure that only test rows show must not decide anything.
    """
    kept = fitted.history[fitted.best_epoch - 1]
    try:
        test: float | None = evaluate(network, data.x_test, data.y_test, "classification").error
    except ConvergenceError:
        test = None
    return {
        "validation_error": kept["validation_error"],
        "validation_loss": kept["validation_loss"],
        "validation_rows": len(data.y_validation),
        "test_error": test,
        "test_rows": len(data.y_test),
        "best_epoch": fitted.best_epoch,
        "seconds": fitted.seconds,
        "sweeps": kept["sweeps_mean"],
        "sweeps_max": kept["sweeps_max"],
        "converged": fitted.converged,
    }


def wiring(topology: Topology) -> dict[str, Any]:
    """Measure modules and degrees of a core's wiring.

    Returns
    -------
    dict
        modules, largest_module, module_sizes, balance (entropy of the sizes by that of equal ones;
        None below two modules, of which it says nothing), largest_share (nodes in the largest
        module, by all), covered (nodes in any), wired_nodes (those that have an edge) and
        wired_degree (edges of such a node).

    Notes
    -----
    Every node of a core is input and output, hence live: mean degree and density of the live part
    are 2 k / n and k / (n (n - 1)) whatever is learned. What is learned is where the edges lie.
    """
    found = module_statistics(topology)
    wired = int(np.count_nonzero(topology.in_degree + topology.out_degree))
    return {
        "modules": found.count,
        "largest_module": found.largest,
        "module_sizes": list(found.sizes),
        "balance": found.balance if found.count > 1 else None,
        "largest_share": found.largest / topology.num_nodes,
        "covered": found.covered,
        "wired_nodes": wired,
        "wired_degree": 2 * topology.num_edges / wired,
    }
