"""Figure 8: neural modules against graph networks on the Facebook graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import nn

from nervure.baselines import GraphAttention, GraphConvolution, node_rows
from nervure.data import Dataset, Prepared, load
from nervure.data.splits import split_rows
from nervure.errors import DataError
from nervure.report.style import title
from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules import contest
from nervure.reproduce.neural_modules.comparison import compare
from nervure.reproduce.neural_modules.contest_words import AVERAGED, error_text, remarks
from nervure.reproduce.neural_modules.job import Job, data_of, tested
from nervure.reproduce.neural_modules.methods import METHODS as ALL_METHODS
from nervure.reproduce.neural_modules.methods import Method, Range
from nervure.reproduce.neural_modules.part import (
    QUICK,
    Configuration,
    Found,
    Outcome,
    Part,
    TextTable,
)
from nervure.reproduce.panels import panel_grid

NAME = "figure-8"
DATA = "facebook"
SIZES = (80, 300)
_QUICK_SIZES = (80,)
# A step goes over the whole graph, so there are as many steps as others have epochs, times this.
STEPS_PER_EPOCH = 7
_WEIGHT_DECAY = 5e-4  # Kipf and Welling 2017, section 5.2
_RATES = {"learning_rate": Range(5e-3, 2e-2, 5e-2)}


@lru_cache(maxsize=1)
def _loaded() -> Dataset:
    return tested(load(DATA))


def _graph() -> tuple[csr_matrix, NDArray[np.int32]]:
    dataset = _loaded()
    if dataset.edges is None:
        raise DataError(f"{dataset.name} has no edges between its rows")
    return csr_matrix(dataset.x), dataset.edges


@lru_cache(maxsize=2)
def nodes_of(name: str, seed: int, target: str) -> Prepared:
    """Give the rows of `data_of` as node numbers of the graph."""
    dataset = _loaded()
    split = split_rows(dataset.y, seed=seed, classes=True, official_test=dataset.official_test)
    data = data_of(name, seed, target)
    return replace(
        data,
        x_train=node_rows(split.train),
        x_validation=node_rows(split.validation),
        x_test=node_rows(split.test),
    )


def _graph_network(
    kind: type[GraphConvolution] | type[GraphAttention],
) -> Callable[[Job], nn.Module]:
    def train(job: Job) -> nn.Module:
        features, edges = _graph()
        network = kind(features, edges, job.outputs, nodes=job.nodes, seed=job.seed)
        job.fit(
            network,
            batch_size=len(job.data.y_train),
            optimizer="adam",
            epochs=STEPS_PER_EPOCH * job.epochs,
            weight_decay=_WEIGHT_DECAY,
        )
        return network

    return train


METHODS: dict[str, Method] = {
    "nms-nm": ALL_METHODS["nms-nm"],
    "nn": ALL_METHODS["nn"],
    "gcn": Method("graph convolution", _graph_network(GraphConvolution), _RATES),
    "gat": Method("graph attention", _graph_network(GraphAttention), _RATES),
}
_ON_GRAPH = ("gcn", "gat")
_LABELS = {name: method.label for name, method in METHODS.items()}


def searches(configuration: Configuration, _: Found) -> Sequence[Cell]:
    """List the searches; none where the Facebook data is not asked for."""
    if not _asked(configuration):
        return []
    sizes = _QUICK_SIZES if configuration.quick else SIZES
    return contest.search_cells(NAME, METHODS, [(DATA, n) for n in sizes], configuration)


def _asked(configuration: Configuration) -> bool:
    # The quick form has two datasets of its own, and this figure beside them.
    own = configuration.quick and configuration.datasets == QUICK.datasets
    return own or DATA in configuration.datasets


def run(cell: Cell) -> dict[str, Any]:
    """Run a search or a training."""
    return contest.run(cell, METHODS, nodes_of if cell["method"] in _ON_GRAPH else data_of)


def outcome(configuration: Configuration, found: Found) -> Outcome:
    """Compare networks that see the features alone with those that see the edges too."""
    sizes = sorted({int(c["nodes"]) for c, _r in contest.trained(found)})
    if not sizes:
        left_out = f"nothing run: this figure is of {DATA}, which --data leaves out"
        return Outcome(sentences=[] if _asked(configuration) else [left_out])

    def errors(method: str, nodes: int) -> dict[int, float]:
        return contest.by_seed(found, method, DATA, nodes)

    rows = [
        [label, *(error_text(found, method, DATA, n) for n in sizes)]
        for method, label in _LABELS.items()
    ]
    sentences = [
        compare(
            "nms-nm", other, [(DATA, errors("nms-nm", n), errors(other, n)) for n in sizes]
        ).sentence(_LABELS)
        for other in ("nn", *_ON_GRAPH)
    ]
    return Outcome(
        tables=[
            TextTable(
                "Figure 8, facebook: test error, mean ± standard deviation over seeds",
                ["method", *(f"{n} nodes" for n in sizes)],
                rows,
            )
        ],
        sentences=[
            *sentences,
            AVERAGED,
            *remarks(found, _LABELS),
            "Graph networks see the edges between pages, and while they train the features of all "
            "of them; the others see the features of their training pages alone. The "
            "paper's Figure 8 is a bar chart without figures to set beside these.",
        ],
        figures={NAME: _figure(errors, sizes)},
        values=contest.training_values(found, "method", "nodes", "seed"),
    )


def _figure(errors: Callable[[str, int], dict[int, float]], sizes: Sequence[int]) -> Figure:
    figure, panels = panel_grid(len(sizes), 2)
    for panel, nodes in zip(panels, sizes, strict=True):
        for at, method in enumerate(METHODS):
            values = list(errors(method, nodes).values())
            panel.plot([at] * len(values), values, "o", color=f"C{at}", alpha=0.8)
            if values:
                panel.hlines(np.mean(values), at - 0.2, at + 0.2, color=f"C{at}")
        panel.set_xticks(
            range(len(METHODS)), [label.replace(" ", "\n") for label in _LABELS.values()]
        )
        panel.set_ylabel("test error")
        panel.set_ylim(bottom=0)
        title(panel, f"{nodes} nodes")
    return figure


PART = Part(
    name=NAME,
    about="neural modules against graph convolution and attention on the Facebook graph",
    stages=(searches, contest.training_cells),
    run=run,
    outcome=outcome,
)
