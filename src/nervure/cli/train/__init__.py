"""`nervure train METHOD`: a module per method, and what they share."""

from __future__ import annotations

import typer

from nervure.cli.train import freenet, neural_modules, sculpt, sparse_mlp, tradeoff
from nervure.cli.train.method import Method, command_of
from nervure.cli.train.running import train

METHODS = (
    neural_modules.METHOD,
    freenet.METHOD,
    sparse_mlp.METHOD,
    sculpt.METHOD,
    tradeoff.METHOD,
)

app = typer.Typer(help="Train a network by one of the methods.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Train a network by one of the methods."""


for _method in METHODS:
    app.command(_method.name)(command_of(_method, train))

__all__ = ["METHODS", "Method", "app"]
