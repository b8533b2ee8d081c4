"""`nervure train neural-modules`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from nervure.cli.train import options
from nervure.cli.train.method import Method
from nervure.cli.train.tables import Row, edges_row, merit_row, time_row
from nervure.engine.sweeping import OnFailure
from nervure.jobs import NeuralModulesRequest, train_neural_modules
from nervure.rules.repulsion import ALPHA, Penalty


def neural_modules(
    data: options.Data = "digits",
    target: options.Target = None,
    task: options.TaskName = None,
    split_by: options.SplitBy = None,
    nodes: Annotated[
        int, typer.Option(min=2, max=20000, help="Neurons.", rich_help_panel=options.NETWORK)
    ] = 200,
    keep: Annotated[
        int | None,
        typer.Option(min=1, help="Edges kept; twice the nodes.", rich_help_panel=options.NETWORK),
    ] = None,
    alpha: Annotated[
        float,
        typer.Option(min=0.0, help="Strength of the penalty.", rich_help_panel=options.NETWORK),
    ] = ALPHA,
    penalty: Annotated[
        Penalty,
        typer.Option(
            help="repulsion keeps modules small, l2 shrinks all weights alike.",
            rich_help_panel=options.NETWORK,
        ),
    ] = "repulsion",
    activation: options.Activation = "tanh",
    contraction: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Scale weights so that every input has exactly one equilibrium, e.g. 0.95.",
            rich_help_panel=options.NETWORK,
        ),
    ] = None,
    on_failure: Annotated[
        OnFailure,
        typer.Option(
            help="Stop at a sample without equilibrium, or leave it out.",
            rich_help_panel=options.NETWORK,
        ),
    ] = "raise",
    epochs: options.Epochs = 30,
    batch_size: options.BatchSize = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-9,
            help="Of SGD at the start; 0.3 for classes, 1 / nodes for regression.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    momentum: Annotated[
        float,
        typer.Option(min=0.0, max=0.9999, help="Of SGD.", rich_help_panel=options.TRAINING),
    ] = 0.5,
    seed: options.Seed = 0,
    baseline: options.Baseline = True,
) -> NeuralModulesRequest:
    """Neural modules: any directed graph, loops included, learned from the complete one.

    With no options it trains on scikit-learn's digits in under a minute.
    """
    return NeuralModulesRequest(
        data=data,
        target=target,
        task=task,
        nodes=nodes,
        keep=keep,
        alpha=alpha,
        penalty=penalty,
        activation=activation,
        contraction=contraction,
        on_failure=on_failure,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        momentum=momentum,
        seed=seed,
        split_by=split_by,
        baseline=baseline,
    )


def _rows(summary: Mapping[str, Any]) -> list[Row]:
    return [
        merit_row(summary),
        edges_row(summary),
        ("modules", str(summary["modules"]), "-"),
        ("largest module", f"{summary['largest_module']} nodes", "-"),
        time_row(summary),
        ("every sample solved", "yes" if summary["converged"] else "no", "-"),
    ]


METHOD = Method(
    "neural-modules", neural_modules, train_neural_modules, label="neural modules", rows=_rows
)
