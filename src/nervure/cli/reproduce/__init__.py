"""`nervure reproduce PAPER`: a module per paper, and what they share."""

from __future__ import annotations

import typer

from nervure.cli.reproduce import (
    freenets,
    motif_set,
    neural_modules,
    polynomials,
    sculpting,
    tradeoff,
)

app = typer.Typer(help="Run a paper's experiments, its figures beside ours.", no_args_is_help=True)

app.command("neural-modules")(neural_modules.reproduce_neural_modules)
app.command("freenets")(freenets.reproduce_freenets)
app.command("polynomials")(polynomials.reproduce_polynomials)
app.command("motif-set")(motif_set.reproduce_motif_set)
app.command("sculpting")(sculpting.reproduce_sculpting)
app.command("tradeoff")(tradeoff.reproduce_tradeoff)

__all__ = ["app"]
