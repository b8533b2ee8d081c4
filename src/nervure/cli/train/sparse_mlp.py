"""`nervure train set`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from nervure.cli.train import options
from nervure.cli.train.method import Method
from nervure.cli.train.tables import Row, edges_row, merit_row, time_row
from nervure.jobs import SparseMLPRequest, train_sparse_mlp
from nervure.training.options import OptimizerName
from nervure.training.sparse_rules import SparseOptions, SparseRule


def _motif_size(text: str) -> str:
    if text != "auto" and not (text.isdecimal() and int(text) > 0):
        raise typer.BadParameter(f"expected a number of nodes or auto, got {text!r}")
    return text


def sparse_training(
    data: options.Data = "digits",
    target: options.Target = None,
    task: options.TaskName = None,
    split_by: options.SplitBy = None,
    hidden: Annotated[
        str,
        typer.Option(
            callback=options.numbers_of_nodes,
            metavar="N,N,...",
            help="Nodes of each hidden layer.",
            rich_help_panel=options.NETWORK,
        ),
    ] = "300,300",
    epsilon: Annotated[
        float,
        typer.Option(
            min=1e-6,
            help="Density of layers of n and m nodes: epsilon (n + m) / (n m).",
            rich_help_panel=options.NETWORK,
        ),
    ] = SparseOptions.epsilon,
    rule: Annotated[
        SparseRule,
        typer.Option(
            help="Exchange weak edges for random ones, or for those of the largest gradient; prune "
            "a dense network; or leave the edges alone.",
            rich_help_panel=options.NETWORK,
        ),
    ] = "set",
    zeta: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Share of the edges exchanged at an update.",
            rich_help_panel=options.NETWORK,
        ),
    ] = SparseOptions.zeta,
    interval: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Steps between updates of the wiring; one epoch.",
            rich_help_panel=options.NETWORK,
        ),
    ] = None,
    motif_size: Annotated[
        str,
        typer.Option(
            callback=_motif_size,
            metavar="N|auto",
            help="Nodes per motif; edges join whole motifs, which is faster. auto chooses among 1, "
            "2 and 4 in the first epochs, by time and validation accuracy.",
            rich_help_panel=options.NETWORK,
        ),
    ] = "1",
    tied: Annotated[
        bool,
        typer.Option(
            "--tied", help="One weight for a motif's edge.", rich_help_panel=options.NETWORK
        ),
    ] = False,
    activation: options.Activation = "relu",
    epochs: options.Epochs = 30,
    batch_size: options.BatchSize = None,
    optimizer: Annotated[
        OptimizerName, typer.Option(help="Of both networks.", rich_help_panel=options.TRAINING)
    ] = "sgd",
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-9,
            help="At the start; 0.05 for classes, 0.01 for regression.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    momentum: Annotated[
        float,
        typer.Option(min=0.0, max=0.9999, help="Of SGD.", rich_help_panel=options.TRAINING),
    ] = 0.9,
    weight_decay: Annotated[
        float, typer.Option(min=0.0, help="L2 penalty.", rich_help_panel=options.TRAINING)
    ] = 2e-4,
    seed: options.Seed = 0,
    baseline: options.Baseline = True,
) -> SparseMLPRequest:
    """Sparse evolutionary training: layers whose weak edges make way for new ones.

    The network beside it has the same layers with every edge. With no options it trains on
    scikit-learn's digits in under a minute.
    """
    return SparseMLPRequest(
        data=data,
        target=target,
        task=task,
        split_by=split_by,
        hidden=tuple(int(part) for part in hidden.split(",")),
        epsilon=epsilon,
        rule=rule,
        zeta=zeta,
        interval=interval,
        motif_size=None if motif_size == "auto" else int(motif_size),
        tied=tied,
        activation=activation,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        momentum=momentum,
        weight_decay=weight_decay,
        seed=seed,
        baseline=baseline,
    )


def _rows(summary: Mapping[str, Any]) -> list[Row]:
    dense = summary.get("baseline_parameters")
    name, kept, _ = edges_row(summary)
    return [
        merit_row(summary),
        ("parameters", f"{summary['parameters']:,}", "-" if dense is None else f"{dense:,}"),
        (name, kept, "all"),
        ("pruned and grown", f"{summary['pruned']:,} and {summary['grown']:,} edges", "-"),
        ("motif size", _motif(summary), "-"),
        time_row(summary),
    ]


def _motif(summary: Mapping[str, Any]) -> str:
    size = summary["motif_size"]
    tried = sorted({trial["motif_size"] for trial in summary.get("motif_trials", ())})
    return f"{size} (of {', '.join(map(str, tried))})" if tried else str(size)


METHOD = Method(
    "set",
    sparse_training,
    train_sparse_mlp,
    label="sparse network",
    rows=_rows,
    baseline="dense network",
)
