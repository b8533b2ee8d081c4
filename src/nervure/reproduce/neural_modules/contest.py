"""Searches and trainings of methods on equal terms, as cells of a ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple
from typing import Any

from torch import nn

from nervure.baselines import DeepEquilibrium, OptNet
from nervure.data import Prepared
from nervure.errors import EngineError
from nervure.modules import module_statistics
from nervure.networks import NeuralModules, count_parameters
from nervure.optional import find, require
from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules.job import Job, data_of
from nervure.reproduce.neural_modules.methods import INSTALL, Method
from nervure.reproduce.neural_modules.part import Configuration, Found
from nervure.reproduce.plain import plain
from nervure.training import evaluate

# Of everything that a result depends on and that no other entry of its cell says: to be raised
# with a change of how methods are built, searched or trained.
_PROTOCOL = 1
# Searches never see a seed of the trainings that are reported.
SEARCH_SEED = 1000
_WORST = 1.0
# Of the way through the range: the learning rates of the trials after the first. All others, and
# all of the other hyper-parameters, Optuna chooses.
_SHARES = 0.75, 0.25, 0.875


def search_cells(
    part: str,
    methods: Mapping[str, Method],
    places: Iterable[tuple[str, int]],
    configuration: Configuration,
    target: str = "classes",
) -> list[dict[str, Any]]:
    """List the searches: one for each method at each (dataset, nodes)."""
    return [
        {
            "part": part,
            "kind": "search",
            "protocol": _PROTOCOL,
            "method": name,
            "ranges": {key: list(astuple(where)) for key, where in method.ranges.items()},
            "data": data,
            "target": target,
            "nodes": nodes,
            "trials": configuration.trials,
            "epochs": max(2, configuration.epochs // 2),
            "seconds": configuration.seconds / 2,
        }
        for data, nodes in places
        for name, method in methods.items()
    ]


def training_cells(configuration: Configuration, found: Found) -> list[dict[str, Any]]:
    """List the trainings with what each search has found, those of a seed together."""
    searched = [(c, r) for c, r in found if c["kind"] == "search"]
    return [
        {
            "part": cell["part"],
            "kind": "training",
            "protocol": _PROTOCOL,
            "method": cell["method"],
            "data": cell["data"],
            "target": cell["target"],
            "nodes": cell["nodes"],
            "seed": seed,
            "epochs": configuration.epochs,
            "seconds": configuration.seconds,
            "values": result["values"],
        }
        for seed in range(configuration.seeds)
        for cell, result in searched
    ]


def run(
    cell: Cell,
    methods: Mapping[str, Method],
    data_of: Callable[[str, int, str], Prepared] = data_of,
) -> dict[str, Any]:
    """Run a search or a training.

    Parameters
    ----------
    cell : mapping
        As from `search_cells` or `training_cells`.
    methods : mapping of str to Method
    data_of : callable (name, seed, target) -> Prepared
        Where the rows come from.

    Returns
    -------
    dict
        Of a search: values (of the best trial), validation_error, trials (values and error of
        each). Of a training: test_error, validation_error, over_time, seconds, epoch_seconds,
        epochs, best_epoch, parameters, and for neural modules edges, modules, largest, sweeps,
        lost; or failed, the reason.
    """
    method = methods[cell["method"]]
    if cell["kind"] == "search":
        return _search(cell, method, data_of(cell["data"], SEARCH_SEED, cell["target"]))
    return _training(cell, method, data_of(cell["data"], cell["seed"], cell["target"]))


def _search(cell: Cell, method: Method, data: Prepared) -> dict[str, Any]:
    optuna = require("optuna", "the search of hyper-parameters", INSTALL)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=SEARCH_SEED))
    study.enqueue_trial({name: where.default for name, where in method.ranges.items()})
    # Few draws at random would give one method better learning rates than another by luck.
    for share in _SHARES:
        study.enqueue_trial({"learning_rate": method.ranges["learning_rate"].at(share)})
    trials = []
    for _ in range(int(cell["trials"])):
        trial = study.ask()
        values = {
            name: float(trial.suggest_float(name, where.low, where.high, log=True))
            for name, where in method.ranges.items()
        }
        job = Job(data, cell["nodes"], SEARCH_SEED, values, cell["epochs"], cell["seconds"])
        try:
            network = method.train(job)
            error = evaluate(network, data.x_validation, data.y_validation, "classification").error
        except EngineError:
            # These values do not train at all, which is worse than any error.
            error = _WORST
        study.tell(trial, error)
        trials.append({"values": values, "validation_error": error, "seconds": job.spent})
    best = min(trials, key=lambda one: float(one["validation_error"]))  # type: ignore[arg-type]
    return {**best, "trials": trials}


def _training(cell: Cell, method: Method, data: Prepared) -> dict[str, Any]:
    job = Job(data, cell["nodes"], cell["seed"], cell["values"], cell["epochs"], cell["seconds"])
    try:
        network = method.train(job)
    except EngineError as error:
        return {"failed": f"{type(error).__name__}: {error}", "seconds": job.spent}
    errors = {
        f"{name}_error": evaluate(network, x, y, "classification").error
        for name, x, y in (
            ("validation", data.x_validation, data.y_validation),
            ("test", data.x_test, data.y_test),
        )
    }
    return {
        **errors,
        "over_time": job.over_time,
        "seconds": job.spent,
        "epoch_seconds": sum(m["train_seconds"] for m in job.history) / len(job.history),
        "epochs": len(job.history),
        "best_epoch": job.best_epoch,
        "parameters": _parameters(network),
        **_structure(network, job),
        **_unsolved(network),
    }


def _parameters(network: nn.Module) -> int:
    # Of a learned wiring only the edges that are left count.
    return count_parameters(network.compact() if isinstance(network, NeuralModules) else network)


def _structure(network: nn.Module, job: Job) -> dict[str, Any]:
    if not isinstance(network, NeuralModules):
        return {}
    modules = module_statistics(network.topology)
    return {
        "edges": network.topology.num_edges,
        "modules": modules.count,
        "largest": modules.largest,
        "sweeps": job.history[-1]["sweeps_mean"],
        "lost": sum(int(m["lost"]) for m in job.history),
    }


def _unsolved(network: nn.Module) -> dict[str, float]:
    """Give the share of samples that a solver in the network did not solve, over all passes."""
    if isinstance(network, DeepEquilibrium):
        return {
            "unsolved": network.forward_solves.share,
            "unsolved_backward": network.backward_solves.share,
        }
    return {"unsolved": network.solves.share} if isinstance(network, OptNet) else {}


def available(methods: Mapping[str, Method]) -> tuple[list[str], dict[str, str]]:
    """Give the methods whose packages are there, and for the others how to get them.

    Returns
    -------
    list of str, dict of str to str
        Names of methods; and, by the label of each that is left out, package and command.
    """
    there, missing = [], {}
    for name, method in methods.items():
        absent = {p: how for p, how in method.packages.items() if find(p) is None}
        if absent:
            package, how = next(iter(absent.items()))
            missing[method.label] = f"needs {package}: {how}"
        else:
            there.append(name)
    return there, missing


def finished(found: Found) -> list[tuple[Cell, Mapping[str, Any]]]:
    """Give the trainings that came to an end, over time or not."""
    return [(c, r) for c, r in trained(found) if "failed" not in r]


def trained(found: Found) -> list[tuple[Cell, Mapping[str, Any]]]:
    """Give all trainings, those that failed among them."""
    return [(c, r) for c, r in found if c["kind"] == "training"]


def training_values(found: Found, *keys: str) -> dict[str, Any]:
    """Give all trainings as JSON, with these entries of their cells."""
    trainings = [{**{key: c[key] for key in (*keys, "values")}, **r} for c, r in trained(found)]
    return {"trainings": plain(trainings)}


def by_seed(
    found: Found, method: str, data: str, nodes: int, target: str = "classes"
) -> dict[int, float]:
    """Give the test error of a method by seed; a failed training is not among them."""
    wanted: Sequence[object] = (method, data, nodes, target)
    return {
        int(c["seed"]): float(r["test_error"])
        for c, r in finished(found)
        if [c["method"], c["data"], c["nodes"], c["target"]] == list(wanted)
    }
