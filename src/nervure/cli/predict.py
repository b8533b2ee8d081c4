"""`nervure predict RUN --data FILE`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nervure.cli.completion import runs
from nervure.cli.options import Force, Json
from nervure.jobs import predict_table, write_predictions
from nervure.jobs.predict import check_output, model_file


def predict(
    run: Annotated[
        Path, typer.Argument(help="Run folder or model.safetensors file.", autocompletion=runs)
    ],
    data: Annotated[Path, typer.Option(help="CSV, Parquet or NPZ file with the same columns.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="CSV file to write.")],
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Predict every row of a table with a trained run."""
    check_output(output, force=force, inputs=(data, model_file(run)))
    predictions = predict_table(run, data)
    write_predictions(predictions, output, force=force)
    if as_json:
        summary = {
            "rows": len(predictions.labels),
            "output": str(output),
            "warnings": list(predictions.warnings),
        }
        sys.stdout.write(json.dumps(summary) + "\n")
        return
    console = Console(stderr=True)
    for warning in predictions.warnings:
        console.print(f"note: {warning}", highlight=False, markup=False)
    typer.echo(f"{len(predictions.labels)} predictions written to {output}")
