"""Options that every method has, as types of their parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nervure.cli.completion import datasets, runs
from nervure.cli.train.settings_file import take_settings
from nervure.data.dataset import Task
from nervure.engine.activations import ActivationName

DATA = "Data"
NETWORK = "Network and rule"
TRAINING = "Training"
OUTPUT = "Output"

Data = Annotated[
    str,
    typer.Option(
        help="Dataset name (see 'nervure data list') or a CSV, Parquet or NPZ file.",
        autocompletion=datasets,
        rich_help_panel=DATA,
    ),
]
Target = Annotated[
    str | None, typer.Option(help="Column to predict, for files.", rich_help_panel=DATA)
]
TaskName = Annotated[Task | None, typer.Option(help="Detected if not given.", rich_help_panel=DATA)]
SplitBy = Annotated[
    str | None,
    typer.Option(
        help="Group kept on one side of the split: subject (activity), batch (gas).",
        rich_help_panel=DATA,
    ),
]
Activation = Annotated[
    ActivationName, typer.Option(help="Of the neurons.", rich_help_panel=NETWORK)
]
Epochs = Annotated[int, typer.Option(min=1, help="Passes over the data.", rich_help_panel=TRAINING)]
BatchSize = Annotated[
    int | None,
    typer.Option(min=1, help="128, fewer for small data.", rich_help_panel=TRAINING),
]
Seed = Annotated[
    int, typer.Option(min=0, help="For split, weights and order.", rich_help_panel=TRAINING)
]
Baseline = Annotated[
    bool, typer.Option(help="Train the plain network beside it.", rich_help_panel=TRAINING)
]
Out = Annotated[
    Path | None,
    typer.Option(help="Run folder; runs/<method>-<data>-<time>.", rich_help_panel=OUTPUT),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace a run in --out.", rich_help_panel=OUTPUT)
]
Resume = Annotated[
    Path | None,
    typer.Option(
        help="Go on with the run in this folder, which was stopped or killed; all other options "
        "are those of the run.",
        autocompletion=runs,
        rich_help_panel=OUTPUT,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        callback=take_settings,
        is_eager=True,
        help="TOML file with values for these options, such as epochs = 10; those of one method "
        "may stand in a table of its name. Options given here win.",
        rich_help_panel=OUTPUT,
    ),
]
PrintConfig = Annotated[
    bool,
    typer.Option(
        "--print-config",
        help="Print all settings as such a file, and train nothing.",
        rich_help_panel=OUTPUT,
    ),
]
TensorBoard = Annotated[
    bool,
    typer.Option(
        "--tensorboard",
        help="Write the metrics of every epoch for TensorBoard too, into the run folder.",
        rich_help_panel=OUTPUT,
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object and nothing else.", rich_help_panel=OUTPUT),
]


def numbers_of_nodes(text: str | None) -> str | None:
    """Check a list of layer sizes such as 300,300."""
    parts = [] if text is None else text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise typer.BadParameter(f"expected numbers of nodes such as 300,300, got {text!r}")
    return text
