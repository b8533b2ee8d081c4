"""`nervure train freenet`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from nervure.cli.train import options
from nervure.cli.train.method import Method
from nervure.cli.train.tables import Row, edges_row, merit_row, time_row
from nervure.jobs import FreeNetRequest, train_freenet
from nervure.rules.coactivation import EPSILON
from nervure.training.evolve import StatisticsOver
from nervure.training.options import OptimizerName


def freenet(
    data: options.Data = "digits",
    target: options.Target = None,
    task: options.TaskName = None,
    split_by: options.SplitBy = None,
    neurons: Annotated[
        int, typer.Option(min=1, max=20000, help="Neurons.", rich_help_panel=options.NETWORK)
    ] = 100,
    epsilon: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Neurons go together if they do on more than 1 - epsilon of the samples.",
            rich_help_panel=options.NETWORK,
        ),
    ] = EPSILON,
    interval: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Steps between updates of the wiring; one epoch.",
            rich_help_panel=options.NETWORK,
        ),
    ] = None,
    statistics: Annotated[
        StatisticsOver,
        typer.Option(
            help="Update by all training data, or by the batches since the last update.",
            rich_help_panel=options.NETWORK,
        ),
    ] = "data",
    activation: options.Activation = "relu",
    epochs: options.Epochs = 30,
    batch_size: options.BatchSize = None,
    optimizer: Annotated[
        OptimizerName, typer.Option(help="Of both networks.", rich_help_panel=options.TRAINING)
    ] = "adam",
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-9,
            help="At the start; 0.003 for classes, 0.001 for regression.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    seed: options.Seed = 0,
    baseline: options.Baseline = True,
) -> FreeNetRequest:
    """FreeNets: neurons without layers, wired by which of them are active together.

    The plain network beside it has as many parameters. With no options it trains on scikit-learn's
    digits in under a minute.
    """
    return FreeNetRequest(
        data=data,
        target=target,
        task=task,
        split_by=split_by,
        neurons=neurons,
        epsilon=epsilon,
        interval=interval,
        statistics=statistics,
        activation=activation,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        seed=seed,
        baseline=baseline,
    )


def _rows(summary: Mapping[str, Any]) -> list[Row]:
    plain = summary.get("baseline_parameters")
    return [
        merit_row(summary),
        ("parameters", f"{summary['parameters']:,}", "-" if plain is None else f"{plain:,}"),
        edges_row(summary),
        ("pruned and grown", f"{summary['pruned']:,} and {summary['grown']:,} edges", "-"),
        ("longest path", f"{summary['depth']} edges", "-"),
        time_row(summary),
    ]


METHOD = Method("freenet", freenet, train_freenet, label="FreeNet", rows=_rows)
