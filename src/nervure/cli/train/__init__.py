"""`nervure train METHOD`: a module per method, and what they share."""

from __future__ import annotations

import typer

from nervure.cli.train import freenet, neural_modules, sculpt, sparse_mlp, tradeoff

app = typer.Typer(help="Train a network by one of the methods.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Train a network by one of the methods."""


app.command("neural-modules")(neural_modules.neural_modules)
app.command("freenet")(freenet.freenet)
app.command("set")(sparse_mlp.sparse_training)
app.command("sculpt")(sculpt.sculpting)
app.command("tradeoff")(tradeoff.tradeoff)

__all__ = ["app"]
