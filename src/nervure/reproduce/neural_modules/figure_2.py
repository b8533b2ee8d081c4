"""Figure 2: neural modules against a cyclic network trained forward-forward, and DARTS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from nervure.baselines import CyclicForwardForward, DartsCell
from nervure.report.style import title
from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules import contest
from nervure.reproduce.neural_modules.comparison import compare
from nervure.reproduce.neural_modules.contest_words import error_text, remarks
from nervure.reproduce.neural_modules.job import BINARY, Job
from nervure.reproduce.neural_modules.methods import METHODS as ALL_METHODS
from nervure.reproduce.neural_modules.methods import Method, Range
from nervure.reproduce.neural_modules.part import (
    Configuration,
    Found,
    Outcome,
    Part,
    TextTable,
)
from nervure.reproduce.panels import legend_below, panel_grid
from nervure.rules import DartsSearch

NAME = "figure-2"
NODES = 200
_QUICK_NODES = 80
_TARGETS = {BINARY: "most frequent class against the others", "classes": "all classes"}


def _forward_forward(job: Job) -> nn.Module:
    network = CyclicForwardForward(job.inputs, job.outputs, nodes=job.nodes, seed=job.seed)
    # At the rates that suit the others its units fall silent; with Adam they do not.
    job.fit(network, loss=network.loss, optimizer="adam")
    return network


def _darts(order: Literal[1, 2]) -> Callable[[Job], nn.Module]:
    def train(job: Job) -> nn.Module:
        cell = DartsCell(job.inputs, job.outputs, nodes=job.nodes, seed=job.seed)
        shuffled = np.random.default_rng(job.seed).permutation(len(job.data.y_train))
        halves = np.sort(shuffled[::2]), np.sort(shuffled[1::2])
        weights, held = ((job.data.x_train[half], job.data.y_train[half]) for half in halves)

        def search(network: nn.Module, optimizer: torch.optim.Optimizer) -> DartsSearch:
            return DartsSearch(
                network,
                optimizer,
                validation=held,
                training=weights,
                order=order,
                learning_rate=job.values["architecture_rate"],
                seed=job.seed,
            )

        job.fit(cell, rule=search, data=replace(job.data, x_train=weights[0], y_train=weights[1]))
        network = cell.discretised(seed=job.seed)
        job.fit(network)
        return network

    return train


# DARTS has 3e-4 for the architecture in about 20,000 steps; here there are about a thousand.
_DARTS = {
    "learning_rate": Range(0.03, 0.1, 0.5),
    "architecture_rate": Range(3e-3, 1e-2, 3e-2),
}
METHODS: dict[str, Method] = {
    "nms-nm": ALL_METHODS["nms-nm"],
    "forward-forward": Method(
        "cyclic forward-forward", _forward_forward, {"learning_rate": Range(2e-3, 1e-2, 3e-2)}
    ),
    "darts-1": Method("DARTS, first order", _darts(1), _DARTS),
    "darts-2": Method("DARTS, second order", _darts(2), _DARTS),
}
_LABELS = {name: method.label for name, method in METHODS.items()}


def searches(configuration: Configuration, _: Found) -> Sequence[Cell]:
    """List the searches of each method on each dataset, with two classes and with all."""
    nodes = _QUICK_NODES if configuration.quick else NODES
    targets = [BINARY] if configuration.quick else list(_TARGETS)
    places = [(data, nodes) for data in configuration.datasets]
    return [
        cell
        for target in targets
        for cell in contest.search_cells(NAME, METHODS, places, configuration, target)
    ]


def run(cell: Cell) -> dict[str, Any]:
    """Run a search or a training."""
    return contest.run(cell, METHODS)


def outcome(_: Configuration, found: Found) -> Outcome:
    """Compare neural modules with the others, dataset by dataset and over all."""
    places = list(
        dict.fromkeys((c["target"], c["data"], c["nodes"]) for c, _r in contest.trained(found))
    )
    targets = [target for target in _TARGETS if any(place[0] == target for place in places)]
    tables, sentences = [], []
    for target in targets:
        here = [place for place in places if place[0] == target]
        tables.append(_table(found, target, [data for _, data, _ in here], int(here[0][2])))
        for other in [name for name in METHODS if name != "nms-nm"]:
            pairs = [
                (place[1], _errors(found, "nms-nm", *place), _errors(found, other, *place))
                for place in here
            ]
            told = compare("nms-nm", other, pairs).sentence(_LABELS)
            sentences.append(f"{_TARGETS[target]}: {told}")
    sentences += remarks(found, _LABELS)
    if places:
        sentences.append("The paper's Figure 2 is a bar chart without figures to set beside these.")
    return Outcome(
        tables=tables,
        sentences=sentences,
        figures={NAME: _figure(found, targets, places)} if places else {},
        values=contest.training_values(found, "method", "data", "target", "nodes", "seed"),
    )


def _errors(found: Found, method: str, target: str, data: str, nodes: int) -> dict[int, float]:
    return contest.by_seed(found, method, data, nodes, target)


def _table(found: Found, target: str, names: Sequence[str], nodes: int) -> TextTable:
    return TextTable(
        f"Figure 2, {_TARGETS[target]}, {nodes} nodes: test error, mean ± standard deviation",
        ["method", *names],
        [
            [
                label,
                *(error_text(found, method, data, nodes, target) for data in names),
            ]
            for method, label in _LABELS.items()
        ],
    )


def _figure(found: Found, targets: Sequence[str], places: Sequence[tuple[str, str, int]]) -> Figure:
    figure, panels = panel_grid(len(targets), 2)
    for panel, target in zip(panels, targets, strict=True):
        here = [place for place in places if place[0] == target]
        for index, (method, label) in enumerate(_LABELS.items()):
            shift = 0.18 * (index - (len(METHODS) - 1) / 2)
            points = [
                (at + shift, error)
                for at, place in enumerate(here)
                for error in _errors(found, method, *place).values()
            ]
            panel.plot(
                [at for at, _ in points], [error for _, error in points], "o",
                color=f"C{index}", alpha=0.8, label=label,
            )  # fmt: skip
        panel.set_xticks(range(len(here)), [data for _, data, _ in here])
        panel.set_ylabel("test error")
        panel.set_ylim(bottom=0)
        title(panel, _TARGETS[target])
    legend_below(figure, panels[0])
    return figure


PART = Part(
    name=NAME,
    about="neural modules against a cyclic network trained forward-forward, and DARTS",
    stages=(searches, contest.training_cells),
    run=run,
    outcome=outcome,
)
