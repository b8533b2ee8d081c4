"""`nervure export RUN --to FORM`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from nervure.cli.options import Force, Json
from nervure.export import FORMS, export_model
from nervure.jobs.predict import model_file

HELP = "\n\n".join(
    [
        "Write a trained network in a form that needs no nervure.",
        "[bold]onnx[/bold]: for ONNX Runtime and others; networks of any kind, cycles included.",
        "[bold]torch[/bold]: weights of a plain torch.nn.Sequential, where the network is layered.",
        "[bold]numpy[/bold]: one Python file with a function predict, for small networks.",
        "[bold]graphml[/bold], [bold]json[/bold]: the graph with its weights, for other tools.",
        "What goes in are features as the network takes them: encoded and scaled.",
    ]
)


def export(
    run: Annotated[Path, typer.Argument(help="Run folder or model.safetensors file.")],
    to: Annotated[str, typer.Option(help=f"One of {', '.join(FORMS)}.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File to write; by default one beside the model."),
    ] = None,
    sweeps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="onnx: so many sweeps of cycles, without a loop; by default as many as it takes.",
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(help="onnx, numpy: largest change of a sweep that ends a cycle's loop."),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write a trained network in another form; `HELP` says it at length."""
    done = export_model(
        model_file(run), to, output, force=force, sweeps=sweeps, tolerance=tolerance
    )
    if as_json:
        facts = {"network": done.kind, "to": to, "output": str(done.path), "bytes": done.num_bytes}
        sys.stdout.write(json.dumps(facts) + "\n")
        return
    typer.echo(f"{done.kind} written to {done.path} ({done.num_bytes:,} bytes)")
