"""Figures 11 and 12: the matrix of a trained network, and its graph beside biological ones."""

from __future__ import annotations

import math
from typing import Any

from nervure.errors import EngineError
from nervure.measures import small_world
from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules.figure_11_figures import beside_biology, matrix
from nervure.reproduce.neural_modules.figure_11_tables import (
    biology_table,
    failures,
    learned_graphs,
    modules_table,
    sentences,
    values,
)
from nervure.reproduce.neural_modules.job import data_of
from nervure.reproduce.neural_modules.module_training import errors, grid, train, wiring
from nervure.reproduce.neural_modules.part import Configuration, Found, Outcome, Part
from nervure.rules.repulsion import ALPHA

NAME = "figure-11"
DEGREE = 2.0  # k / nodes
ALPHAS = (ALPHA, 0.0)  # with the penalty, and without
NODES, NODES_QUICK = 300, 100
EPOCHS = 30


def cells(configuration: Configuration, _: Found = ()) -> list[Cell]:
    """List a network with the penalty and one without for each dataset and seed."""
    nodes = NODES_QUICK if configuration.quick else NODES
    return grid(NAME, configuration, nodes=nodes, epochs=EPOCHS, degrees=(DEGREE,), alphas=ALPHAS)


def run(cell: Cell) -> dict[str, Any]:
    """Train one network and measure its graph.

    Returns
    -------
    dict
        As `module_training.errors` and `module_training.wiring`, and edges ((source, target) rows),
        weights (in their order) and small_world (`nervure.measures.SmallWorld` of the graph); or
        failed, the reason why there is no network.
    """
    trained = train(cell)
    if isinstance(trained, EngineError):
        return {"failed": str(trained)}
    network, fitted = trained
    topology = network.topology
    world = small_world(topology, seed=cell["seed"])
    return (
        errors(network, fitted, data_of(cell["data"], cell["seed"]))
        | wiring(topology)
        | {
            "edges": topology.edges.tolist(),
            "weights": network.core.edge_weight.detach().tolist(),
            "small_world": {
                "nodes": world.nodes,
                "clustering": _json(world.clustering),
                "path_length": _json(world.path_length),
                "random_clustering": _json(world.random_clustering),
                "random_path_length": _json(world.random_path_length),
            },
        }
    )


def outcome(configuration: Configuration, found: Found) -> Outcome:
    """Draw a matrix for each dataset, and put the graphs beside biological ones."""
    wanted = cells(configuration)
    solved = [(cell, result) for cell, result in found if cell in wanted and "failed" not in result]
    failed = [cell for cell, result in found if cell in wanted and "failed" in result]
    if not solved:
        return Outcome(sentences=failures(failed))
    learned = learned_graphs(solved)
    drawn = {
        f"{NAME}-{cell['data']}": matrix(cell, result)
        for cell, result in reversed(solved)  # so that the first seed is drawn last, and stays
        if cell["alpha"]
    }
    return Outcome(
        tables=(modules_table(learned), biology_table(learned)),
        sentences=sentences(learned, failed),
        figures=dict(reversed(drawn.items())) | {"figure-12": beside_biology(learned)},
        values=values(learned),
    )


def _json(value: float) -> float | None:
    return None if math.isnan(value) else value


PART = Part(
    name=NAME,
    about="module matrices, and density, degree and small-worldness beside biological networks",
    stages=(cells,),
    run=run,
    outcome=outcome,
)
