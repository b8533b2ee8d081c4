"""Figure 9: the error of neural modules over alpha and k, and where modules are balanced."""

from __future__ import annotations

from typing import Any

from nervure.errors import EngineError
from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules.figure_9_claims import (
    contrast_table,
    sentences,
)
from nervure.reproduce.neural_modules.figure_9_figures import heat_maps, percolation_curves
from nervure.reproduce.neural_modules.figure_9_grid import Grid, grids
from nervure.reproduce.neural_modules.figure_9_tables import (
    best_table,
    percolation_table,
    settings_table,
    values,
)
from nervure.reproduce.neural_modules.job import data_of
from nervure.reproduce.neural_modules.module_training import errors, grid, train, wiring
from nervure.reproduce.neural_modules.part import Configuration, Found, Outcome, Part

NAME = "figure-9"
ALPHAS = (0.0, 1e-3, 1e-2, 3e-2, 1e-1)
DEGREES = (0.5, 1.0, 2.0, 4.0, 8.0)  # k / nodes
NODES, NODES_QUICK = 300, 100
EPOCHS = 12


def cells(configuration: Configuration, _: Found = ()) -> list[Cell]:
    """List the grid."""
    nodes = NODES_QUICK if configuration.quick else NODES
    return grid(NAME, configuration, nodes=nodes, epochs=EPOCHS, degrees=DEGREES, alphas=ALPHAS)


def run(cell: Cell) -> dict[str, Any]:
    """Train one network of the grid.

    Returns
    -------
    dict
        As `module_training.errors` and `module_training.wiring`; or failed, the reason why there is
        no network.
    """
    trained = train(cell)
    if isinstance(trained, EngineError):
        return {"failed": str(trained)}
    network, fitted = trained
    return errors(network, fitted, data_of(cell["data"], cell["seed"])) | wiring(network.topology)


def outcome(configuration: Configuration, found: Found) -> Outcome:
    """Draw the grid of each dataset, find its good settings and judge the paper's statements."""
    wanted = cells(configuration)
    drawn: list[Grid] = grids([(cell, result) for cell, result in found if cell in wanted])
    if not drawn:
        return Outcome()
    figures = {f"{NAME}-{grid.data}": heat_maps(grid) for grid in drawn}
    return Outcome(
        tables=(
            best_table(drawn),
            settings_table(drawn),
            percolation_table(drawn),
            contrast_table(drawn),
        ),
        sentences=sentences(drawn),
        figures=figures | {f"{NAME}-percolation": percolation_curves(drawn)},
        values=values(drawn),
    )


PART = Part(
    name=NAME,
    about="error, modules and sweeps over penalty strength and number of edges",
    stages=(cells,),
    run=run,
    outcome=outcome,
)
