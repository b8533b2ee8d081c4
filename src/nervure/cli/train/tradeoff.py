"""`nervure train tradeoff`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from nervure.cli.completion import tradeoff_tasks
from nervure.cli.train import options
from nervure.cli.train.method import Method
from nervure.cli.train.tables import Row, edges_row, merit_row, time_row
from nervure.jobs import TradeoffRequest, train_tradeoff

_EDGES = "Edges"


def tradeoff(
    data: Annotated[
        str,
        typer.Option(
            help="Dataset name (see 'nervure data list') or a CSV, Parquet or NPZ file; or a task "
            "of the paper: cmnist, ckmnist, cfashion_mnist, cifar10, cifar10_t8.",
            autocompletion=tradeoff_tasks,
            rich_help_panel=options.DATA,
        ),
    ] = "digits",
    target: options.Target = None,
    task: options.TaskName = None,
    split_by: options.SplitBy = None,
    rows: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Use at most so many rows to train on, and to validate on.",
            rich_help_panel=options.DATA,
        ),
    ] = None,
    nodes: Annotated[
        int,
        typer.Option(
            min=2,
            max=2000,
            help="Blocks; each begins joined to all after it.",
            rich_help_panel=options.NETWORK,
        ),
    ] = TradeoffRequest.nodes,
    stages: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Stages of equally many nodes; from one to the next widths double and the sides "
            "of images halve. 3 for images, else 1.",
            rich_help_panel=options.NETWORK,
        ),
    ] = None,
    channels: Annotated[
        int,
        typer.Option(min=1, help="Width of the first stage.", rich_help_panel=options.NETWORK),
    ] = TradeoffRequest.channels,
    entry_stride: Annotated[
        int,
        typer.Option(
            min=1,
            help="Factor by which the first node shrinks the sides of images; 2 is four times "
            "faster.",
            rich_help_panel=options.NETWORK,
        ),
    ] = TradeoffRequest.entry_stride,
    reach: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Greatest distance of nodes that begin joined; any.",
            rich_help_panel=options.NETWORK,
        ),
    ] = None,
    penalty: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="Price of an edge of strength 1, added to the loss (lambda).",
            rich_help_panel=_EDGES,
        ),
    ] = TradeoffRequest.penalty,
    edge_rate: Annotated[
        float,
        typer.Option(
            min=1e-9,
            help="Factor by which the edges learn faster than all else.",
            rich_help_panel=_EDGES,
        ),
    ] = TradeoffRequest.edge_rate,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Strength below which edges go in the end; the highest that validation allows.",
            rich_help_panel=_EDGES,
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="What that one may add to the validation error: a share of the rows, or of the "
            f"target's standard deviation; {TradeoffRequest.tolerance:g}.",
            rich_help_panel=_EDGES,
        ),
    ] = None,
    augment: Annotated[
        bool | None,
        typer.Option(
            "--augment/--no-augment",
            help="Mirror and shift images at random in training; by default only cifar10 and "
            "cifar10_t8.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    recompute: Annotated[
        bool,
        typer.Option(
            "--recompute",
            help="Compute blocks again in the backward pass: less memory, more time.",
            rich_help_panel=options.TRAINING,
        ),
    ] = False,
    epochs: options.Epochs = TradeoffRequest.epochs,
    batch_size: options.BatchSize = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-9,
            help="Of SGD at the start; 0.1. A tenth of it after 80 % of the epochs, and again "
            "after 90 %.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    seed: options.Seed = 0,
    baseline: options.Baseline = True,
) -> TradeoffRequest:
    """Performance-resources trade-off: every edge has a price, and those that do not pay go.

    Blocks of layers, each joined to all after it, learn the strengths of their edges; in the end
    the weak edges go, and what then leads nowhere. The network beside it is a chain of as many of
    the same blocks. With no options it trains on scikit-learn's digits in one to two minutes.
    """
    if threshold is not None and tolerance is not None:
        raise typer.BadParameter("pass either --threshold or --tolerance, not both")
    return TradeoffRequest(
        data=data,
        target=target,
        task=task,
        split_by=split_by,
        rows=rows,
        nodes=nodes,
        stages=stages,
        channels=channels,
        entry_stride=entry_stride,
        reach=reach,
        penalty=penalty,
        edge_rate=edge_rate,
        threshold=threshold,
        tolerance=TradeoffRequest.tolerance if tolerance is None else tolerance,
        augment=augment,
        recompute=recompute,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
        baseline=baseline,
    )


def _rows(summary: Mapping[str, Any]) -> list[Row]:
    classes = "test_error" in summary
    merit = "test_error" if classes else "test_rmse"
    chain = summary.get("baseline_parameters")
    name, kept, _ = edges_row(summary)
    whole = summary[f"{merit}_all_edges"]
    stages = summary["nodes_by_stage"]
    by_stage = f" ({' + '.join(map(str, stages))})" if len(stages) > 1 else ""
    start = summary["nodes_start"]
    return [
        merit_row(summary),
        ("before edges went", f"{100 * whole:.2f} %" if classes else f"{whole:.4g}", "-"),
        ("parameters", f"{summary['parameters']:,} of {summary['parameters_start']:,}",
         "-" if chain is None else f"{chain:,}"),
        (name, kept, f"{start - 1:,}"),
        ("threshold on strength", f"{summary['threshold']:g}", "-"),
        ("nodes" + (" (by stage)" if by_stage else ""),
         f"{summary['live_nodes']:,} of {start:,}{by_stage}", f"{start:,}"),
        ("longest path", f"{summary['depth']:,} edges", f"{start - 1:,} edges"),
        time_row(summary),
    ]  # fmt: skip


METHOD = Method(
    "tradeoff",
    tradeoff,
    train_tradeoff,
    label="DAG of blocks",
    rows=_rows,
    baseline="chain of blocks",
    kept="the network as it was, without its weak edges, was kept",
)
