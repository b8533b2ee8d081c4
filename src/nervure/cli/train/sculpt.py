"""`nervure train sculpt`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from nervure.cli.completion import sculpting_tasks
from nervure.cli.train import options
from nervure.cli.train.method import Method
from nervure.cli.train.rounds import RoundLine
from nervure.cli.train.tables import Row, edges_row, merit_row, time_row
from nervure.jobs import SculptRequest, train_sculpted
from nervure.training.sculpting import PAPER_EDGE_STEPS, PAPER_UNIT_STEPS, SculptingOptions

_PRUNING = "Pruning"


def _steps(text: str) -> str:
    if text not in ("paper", "none"):
        try:
            shares = [float(part) for part in text.split(",")]
        except ValueError:
            shares = [0.0]
        if not all(0 < share <= 1 for share in shares):
            raise typer.BadParameter(
                f"expected shares above 0 and at most 1, such as 0.2,0.4, or paper or none, "
                f"got {text!r}"
            )
    return text


def _parsed(text: str, paper: tuple[float, ...]) -> tuple[float, ...]:
    named: dict[str, tuple[float, ...]] = {"paper": paper, "none": ()}
    return named[text] if text in named else tuple(float(part) for part in text.split(","))


def _joined(steps: tuple[float, ...]) -> str:
    return ",".join(f"{step:g}" for step in steps)


def sculpting(
    data: Annotated[
        str,
        typer.Option(
            help="Dataset name (see 'nervure data list') or a CSV, Parquet or NPZ file; or a task "
            "of the paper: a Boolean one such as '[4, 2, 4]' or boolean:input-separable, "
            "two-digits, hierarchical-digits.",
            autocompletion=sculpting_tasks,
            rich_help_panel=options.DATA,
        ),
    ] = "digits",
    target: options.Target = None,
    task: options.TaskName = None,
    split_by: options.SplitBy = None,
    train_rows: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Pairs of images, for two-digits and hierarchical-digits; 10,000.",
            rich_help_panel=options.DATA,
        ),
    ] = None,
    validation_rows: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The same to validate on, and as many to test on; 2,000.",
            rich_help_panel=options.DATA,
        ),
    ] = None,
    hidden: Annotated[
        str | None,
        typer.Option(
            callback=options.numbers_of_nodes,
            metavar="N,N,...",
            help="Nodes of each hidden layer at the start; 36,36, or what suits a task of the "
            "paper.",
            rich_help_panel=options.NETWORK,
        ),
    ] = None,
    activation: options.Activation = "relu",
    unit_steps: Annotated[
        str,
        typer.Option(
            callback=_steps,
            metavar="S,S,...",
            help="Shares of the hidden units pruned at a time; each is tried, with each edge step. "
            "paper: its 14; none: only edges are pruned.",
            rich_help_panel=_PRUNING,
        ),
    ] = _joined(SculptingOptions.unit_steps),
    edge_steps: Annotated[
        str,
        typer.Option(
            callback=_steps,
            metavar="S,S,...",
            help="Shares of the edges pruned at a time. paper: its 5; none: only units are pruned.",
            rich_help_panel=_PRUNING,
        ),
    ] = _joined(SculptingOptions.edge_steps),
    threshold: Annotated[
        float | None,
        typer.Option(
            max=1.0,
            help="Accuracy, share of right bits or R^2 on the validation rows that a pruned "
            "network must reach. 1 for Boolean tasks, else by --tolerance.",
            rich_help_panel=_PRUNING,
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="What it may lose of the dense network's; 0.01, for pairs of images 0.003.",
            rich_help_panel=_PRUNING,
        ),
    ] = None,
    stop_early: Annotated[
        bool,
        typer.Option(
            help="End a round once the threshold is reached: faster, less settled weights.",
            rich_help_panel=_PRUNING,
        ),
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Of each round; 15, or what suits a task of the paper.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    batch_size: options.BatchSize = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-9,
            help="Of Adam; 0.01, or what suits a task of the paper.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    weight_decay: Annotated[
        float, typer.Option(min=0.0, help="L2 penalty.", rich_help_panel=options.TRAINING)
    ] = SculptingOptions.weight_decay,
    noise: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Standard deviation of noise on training inputs; 0.1 for Boolean tasks, else 0.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    seed: options.Seed = 0,
) -> SculptRequest:
    """Neural sculpting: prune units, then edges, as far as the task allows; read off modules.

    A round trains as long as the first; of all pairs of steps the sparsest network that is good
    enough is kept, and held against itself before pruning. Ctrl-C keeps the sparsest so far. With
    no options it trains on scikit-learn's digits in about two minutes.
    """
    if threshold is not None and tolerance is not None:
        raise typer.BadParameter("pass either --threshold or --tolerance, not both")
    return SculptRequest(
        data=data,
        target=target,
        task=task,
        split_by=split_by,
        train_rows=train_rows,
        validation_rows=validation_rows,
        hidden=None if hidden is None else tuple(int(part) for part in hidden.split(",")),
        activation=activation,
        unit_steps=_parsed(unit_steps, PAPER_UNIT_STEPS),
        edge_steps=_parsed(edge_steps, PAPER_EDGE_STEPS),
        threshold=threshold,
        tolerance=tolerance,
        stop_early=stop_early,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        noise=noise,
        seed=seed,
    )


def _rows(summary: Mapping[str, Any]) -> list[Row]:
    name, kept, _ = edges_row(summary)
    steps = [f"{summary[key]:g}" for key in ("unit_step", "edge_step") if summary[key] is not None]
    missed = "" if summary["reached"] else " missed: nothing was pruned"
    levels = " + ".join(map(str, summary["modules_by_level"]))
    modules = f"{summary['modules']} (by level {levels})" if levels else "0: no path is left"
    expected = summary.get("modules_expected")
    return [
        merit_row(summary),
        ("merit on validation rows",
         f"{summary['validation_merit']:.4g} (threshold {summary['threshold']:.4g}{missed})", "-"),
        (name, kept, "all"),
        ("hidden units", f"{summary['units']:,} of {summary['units_possible']:,}", "all"),
        ("modules", modules, "-"),
        *([("modules the paper expects", " + ".join(map(str, expected)), "-")] if expected else []),
        ("steps of this network", " and ".join(steps) or "-",
         f"of {len(summary['networks'])} networks"),
        ("rounds", f"{summary['rounds']:,}", "1"),
        time_row(summary),
    ]  # fmt: skip


METHOD = Method("sculpt", sculpting, train_sculpted, label="sculpted network", rows=_rows,
                baseline="dense network", progress=RoundLine,
                kept="the sparsest network so far was kept")  # fmt: skip
