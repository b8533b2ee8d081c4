"""Figure 3: a ResNet and a Transformer, unchanged and with graphs for fully connected parts."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from nervure.baselines import PlainNetwork
from nervure.errors import ConvergenceError, EngineError
from nervure.modules import module_statistics
from nervure.networks import GraphLinear, count_parameters
from nervure.reproduce.completed import completed
from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules.figure_3_data import ThreeParts, parts_of
from nervure.reproduce.neural_modules.figure_3_outcome import DATA, MODELS, NAME, outcome
from nervure.reproduce.neural_modules.part import Configuration, Found, Part
from nervure.reproduce.neural_modules.residual_network import ResidualNetwork
from nervure.reproduce.neural_modules.transformer import TextTransformer
from nervure.rules import Repulsion, Rule, RuleGroup
from nervure.training import Fitted, FlipAndCrop, TrainingOptions, evaluate, fit

# The paper says no more than "a standard ResNet" and "a Transformer architecture". Both are small
# here, such that all cells take a third of an hour on two cores. A fully connected part is a hidden
# layer and a linear one; the graph has the nodes of that hidden layer, and its activation.
_SHARED: dict[str, Any] = {"activation": "tanh", "batch_size": 64, "learning_rate": 1e-3}
_FULL: dict[str, dict[str, Any]] = {
    "cifar10": {
        "train": 12_000, "validation": 3_000, "test": None, "epochs": 18, "nodes": 64,
        "channels": [16, 32, 64], "blocks": 1,
    },
    "20newsgroups": {
        "train": None, "validation": 1_131, "test": None, "epochs": 10, "nodes": 128,
        "words": 10_000, "length": 64, "width": 64, "heads": 4, "layers": 2,
    },
}  # fmt: skip
_FEWER: dict[str, dict[str, Any]] = {
    "cifar10": {"train": 1_200, "validation": 400, "test": 600, "epochs": 3},
    "20newsgroups": {"train": 1_500, "validation": 400, "test": 600, "epochs": 3, "words": 3_000},
}
# An edge shrinks by rate times alpha in a step: the default alpha is made for SGD at a rate
# of 0.3, and at Adam's rate here it leaves one module of most of the nodes. 1 was chosen by the
# wirings of short trainings: modules are small, and there still are some.
_RULE = {"edges_per_node": 2, "alpha": 1.0}


def cells(configuration: Configuration, found: Found = ()) -> list[Cell]:
    """List the cells, those of a seed together.

    Parameters
    ----------
    configuration : Configuration
        Its seeds, and whether it is quick; the rest is not used.
    found : sequence
        Not used: there is one stage.

    Returns
    -------
    list of dict
    """
    del found
    made: list[Cell] = []
    for seed in range(configuration.seeds):
        for data in DATA:
            settings = _SHARED | _FULL[data] | (_FEWER[data] if configuration.quick else {})
            for model in MODELS:
                rule = _RULE if model == "graph" else {}
                made.append(
                    {"part": NAME, "data": data, "model": model, "seed": seed, **settings, **rule}
                )
    return made


def run(cell: Cell) -> dict[str, Any]:
    """Train one model and measure it on the published test part.

    Parameters
    ----------
    cell : mapping
        As from `cells`.

    Returns
    -------
    dict
        converged (whether every batch of training and validation had its equilibria, and the loss
        was finite) and parameters; where it converged also parameters_kept (absent edges left out),
        test_accuracy (None if a test row has no equilibrium) and validation_accuracy of the epoch
        with the best validation error, best_epoch, curve (validation accuracy per epoch),
        epoch_seconds (mean, of steps and rewirings alone), and for each graph edges and
        module_sizes.

    Notes
    -----
    Both models of a seed have the same split, order, augmentation and initial weights outside of
    the parts that are replaced.
    """
    rows = parts_of(cell)
    network = build(cell, rows)
    result: dict[str, Any] = {"parameters": count_parameters(network)}
    try:
        fitted = _trained(network, cell, rows)
    except EngineError:
        return result | {"converged": False}
    accuracy: float | None
    try:
        accuracy = 1 - evaluate(network, *rows.test, "classification").error
    except ConvergenceError:
        accuracy = None
    graphs = _graphs(network)
    absent = sum(count_parameters(g) - count_parameters(g.compact()) for g in graphs)
    curve = [1 - metrics["validation_error"] for metrics in fitted.history]
    seconds = [metrics["train_seconds"] for metrics in fitted.history]
    return result | {
        "converged": True,
        "parameters_kept": result["parameters"] - absent,
        "test_accuracy": accuracy,
        "validation_accuracy": curve[fitted.best_epoch - 1],
        "best_epoch": fitted.best_epoch,
        "curve": curve,
        "epoch_seconds": sum(seconds) / len(seconds),
        "edges": [graph.topology.num_edges for graph in graphs],
        "module_sizes": [list(module_statistics(graph.topology).sizes) for graph in graphs],
    }


def build(cell: Cell, rows: ThreeParts) -> nn.Module:
    """Give the model of a cell before its training."""
    if cell["data"] == "cifar10":
        head = _fully_connected(cell, cell["channels"][-1], rows.classes, cell["seed"])
        return ResidualNetwork(
            head, channels=cell["channels"], blocks=cell["blocks"], seed=cell["seed"]
        )
    width = cell["width"]
    parts = [
        # Two layers of one network are not to start alike.
        _fully_connected(cell, width, width, cell["layers"] * cell["seed"] + i)
        for i in range(cell["layers"])
    ]
    return TextTransformer(
        parts, tokens=rows.tokens, length=cell["length"], width=width, heads=cell["heads"],
        classes=rows.classes, seed=cell["seed"],
    )  # fmt: skip


def _fully_connected(cell: Cell, inputs: int, outputs: int, seed: int) -> nn.Module:
    options = {"nodes": cell["nodes"], "activation": cell["activation"], "seed": seed}
    if cell["model"] == "graph":
        return GraphLinear(inputs, outputs, **options)
    return PlainNetwork(inputs, outputs, **options)


def _graphs(network: nn.Module) -> list[GraphLinear]:
    return [module for module in network.modules() if isinstance(module, GraphLinear)]


def _trained(network: nn.Module, cell: Cell, rows: ThreeParts) -> Fitted:
    def rule(model: nn.Module, optimizer: torch.optim.Optimizer) -> Rule:
        return RuleGroup(
            Repulsion(
                graph,
                optimizer,
                keep=cell["edges_per_node"] * graph.topology.num_nodes,
                alpha=cell["alpha"],
            )
            for graph in _graphs(model)
        )

    options = TrainingOptions(
        epochs=cell["epochs"],
        batch_size=cell["batch_size"],
        learning_rate=cell["learning_rate"],
        optimizer="adam",
        seed=cell["seed"],
    )
    fitted = fit(
        network,
        *rows.train,
        task="classification",
        options=options,
        rule=rule if cell["model"] == "graph" else None,
        validation=rows.validation,
        augment=FlipAndCrop() if cell["data"] == "cifar10" else None,
    )
    return completed(fitted)


PART = Part(
    name=NAME,
    about="a ResNet and a Transformer, their fully connected parts replaced by graphs",
    stages=(cells,),
    run=run,
    outcome=outcome,
)
