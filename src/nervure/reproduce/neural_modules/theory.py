"""Theorem 3.3 and Appendix A: its premise, its gradient, and networks of layers as graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nervure.networks import NeuralModules
from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules.codon import (
    COMMON,
    modules_training,
    options_of,
    training_rows,
)
from nervure.reproduce.neural_modules.part import Configuration, Found, Part
from nervure.reproduce.neural_modules.premise import Premise
from nervure.reproduce.neural_modules.special_cases import KINDS, compare
from nervure.reproduce.neural_modules.theory_outcome import (
    EXACT,
    PENALTIES,
    TRAINING,
    WIRING,
    outcome,
)

# Few enough that the matrix of a learned wiring can be seen.
_DRAWN_NODES = 60


def cells(configuration: Configuration, _: Found) -> Sequence[Cell]:
    """List the trainings, the learned wiring that is drawn, and the networks of layers.

    Notes
    -----
    The trainings of the theorem have a constant learning rate, as it says; the one that is drawn
    has the library's schedule.
    """
    quick = configuration.quick
    common = {
        "part": "theory", **COMMON, "alpha": 0.01, "epochs": configuration.epochs,
        "rows": 2000 if quick else None,
    }  # fmt: skip
    nodes = 60 if quick else 200
    theorem = {**common, "kind": TRAINING, "nodes": nodes, "keep": 2 * nodes}
    theorem |= {"schedule": "constant", "gradient_rows": 500 if quick else 2000}
    drawn = {**common, "kind": WIRING, "nodes": _DRAWN_NODES, "keep": 2 * _DRAWN_NODES}
    exact = {"part": "theory", "kind": EXACT, "inputs": 20, "width": 30, "outputs": 10}
    seeds = range(configuration.seeds)
    return [
        *({**theorem, "penalty": p, "seed": seed} for p in PENALTIES for seed in seeds),
        {**drawn, "penalty": "repulsion", "seed": 0},
        *({**exact, "network": kind, "seed": seed} for kind in KINDS for seed in seeds),
    ]


def run(cell: Cell) -> dict[str, Any]:
    """Run one cell.

    Parameters
    ----------
    cell : mapping
        As from `cells`.

    Returns
    -------
    dict
        Of a training: points, largest, last_above and holding, as of `Premise`. Of a wiring: nodes
        and edges, rows of (source, target). Of a network of layers: what `compare` gives.
    """
    if cell["kind"] == EXACT:
        sizes = cell["inputs"], cell["width"], cell["outputs"]
        return compare(cell["network"], *sizes, cell["seed"])
    if cell["kind"] == WIRING:
        training = modules_training(cell)
        while not training.done:
            training.epoch()
        assert isinstance(training.network, NeuralModules)
        topology = training.network.topology
        return {"nodes": topology.num_nodes, "edges": topology.edges.tolist()}
    data = training_rows(cell["seed"], cell["rows"])
    chosen = training_rows(cell["seed"], cell["gradient_rows"])
    steps = cell["epochs"] * options_of(cell).steps_per_epoch(len(data.y))
    premise = Premise(steps, chosen.x, chosen.y)
    training = modules_training(cell, premise)
    while not training.done:
        training.epoch()
    return {
        "points": premise.points,
        "largest": premise.largest,
        "last_above": premise.last_above,
        "holding": premise.holding,
    }


PART = Part(
    name="theory",
    about="Theorem 3.3 in training, and networks of layers as graphs (Figures 5 to 7)",
    stages=(cells,),
    run=run,
    outcome=outcome,
)
