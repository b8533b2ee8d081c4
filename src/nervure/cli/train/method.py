"""What the command knows of a method, and how its options become those of several commands."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console

from nervure.cli.train.progress import EpochBars, ShownProgress
from nervure.cli.train.tables import Row
from nervure.jobs import TrainRequest, TrainResult


@dataclass(frozen=True)
class Method:
    """A method of training.

    Attributes
    ----------
    name : str
        As in ``nervure train NAME``.
    ask : callable
        Makes the request of its options, which are its parameters; its docstring is the help.
    train : callable
        The job: (request, listener) -> TrainResult.
    label : str
        Heading of the network's column.
    rows : callable
        Given the summary, the rows of the table.
    baseline : str
        Heading of the column of the network that it is held against.
    progress : callable
        Given the console of standard error, shows how training goes on there.
    kept : str
        What became of the network where Ctrl-C ended training.
    """

    name: str
    ask: Callable[..., TrainRequest]
    train: Callable[..., TrainResult]
    label: str
    rows: Callable[[Mapping[str, Any]], Sequence[Row]]
    baseline: str = "plain network"
    progress: Callable[[Console], ShownProgress] = EpochBars
    kept: str = "the best network so far was kept"


def command_of(
    method: Method, act: Callable[..., None], help_text: str | None = None
) -> Callable[..., None]:
    """Give the function of a command that has the options of a method, then others.

    Parameters
    ----------
    method : Method
    act : callable
        Given the method, the context and the values of the method's own options, it does what the
        command is for. Its keyword parameters are further options.
    help_text : str, optional
        That of the method if None.
    """
    own = _options(method.ask)
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

    def command(context: typer.Context, **values: object) -> None:
        asked = {name: values.pop(name) for name in own}
        act(method, context, asked, **values)

    signature = inspect.Signature([context, *own.values(), *_options(act).values()])
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__doc__ = help_text or inspect.getdoc(method.ask)
    return command


def _options(function: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """Give the parameters that are options: those that are not positional only."""
    parameters = inspect.signature(function, eval_str=True).parameters
    return {
        name: parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in parameters.items()
        if parameter.kind is not inspect.Parameter.POSITIONAL_ONLY
    }
