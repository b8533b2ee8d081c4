"""`nervure modules TARGET`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nervure.cli.completion import runs
from nervure.cli.console import result_console
from nervure.cli.options import Json
from nervure.jobs import FoundModules, ModulesRequest, find_modules, write_modules
from nervure.modules import (
    BOOLEAN_SHARE,
    BOOLEAN_THRESHOLD,
    MNIST_SHARE,
    MNIST_THRESHOLD,
    Module,
    formula_lines,
)
from nervure.modules.wording import listed

_DETECTION = "Detection"
_FORMULAS = "Formulas"
_WIDEST = 10_000  # columns of a terminal that breaks nothing
_NAMED = 6  # inputs or outputs in a cell of the table

HELP = "\n\n".join(
    [
        "Find the modules of a trained, pruned network: groups of units that belong together.",
        "Units that feed the same later units are a module; modules that feed modules are its "
        "hierarchy. Where a unit depends on few inputs of 0 and 1, what it computes is written as "
        "a formula: ~ is not, & and, | or, ^ either but not both.",
        "TARGET is one of",
        "[bold]a run folder[/bold] of nervure train, or the model.safetensors in it;",
        "[bold]a .safetensors file with the weights[/bold] of any PyTorch network of linear "
        "layers, named as its state_dict names them (0.weight, 0.bias, 2.weight, ...): zeros are "
        "absent edges.",
    ]
)


def modules(
    target: Annotated[
        Path,
        typer.Argument(
            help="Run folder, model.safetensors, or file of weights.", autocompletion=runs
        ),
    ],
    threshold: Annotated[
        float | None,
        typer.Option(
            min=-1.0,
            max=0.0,
            help=f"Modularity above which clusters of a layer are tested again; "
            f"that of the run, or {BOOLEAN_THRESHOLD}.",
            rich_help_panel=_DETECTION,
        ),
    ] = None,
    merge_share: Annotated[
        float | None,
        typer.Option(
            min=0.5,
            max=1.0,
            help="Clusters of two layers are joined if more than this share of their edges runs "
            f"between them; that of the run, or {BOOLEAN_SHARE}.",
            rich_help_panel=_DETECTION,
        ),
    ] = None,
    images: Annotated[
        bool,
        typer.Option(
            "--images",
            help=f"Inputs are pixels: threshold {MNIST_THRESHOLD} and merge share {MNIST_SHARE}, "
            "as in the paper for digits, and no formulas.",
            rich_help_panel=_DETECTION,
        ),
    ] = False,
    prune_below: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="Take edges as absent whose weight is at most this large.",
            rich_help_panel=_DETECTION,
        ),
    ] = 0.0,
    formulas: Annotated[
        bool | None,
        typer.Option(
            "--formulas/--no-formulas",
            help="Write formulas of inputs taken as 0 and 1. By default for a file of weights, and "
            "for runs that say that their inputs are Boolean.",
            rich_help_panel=_FORMULAS,
            show_default=False,
        ),
    ] = None,
    activation: Annotated[
        str,
        typer.Option(
            help="What stands between the layers of a file of weights, which does not say it: "
            "relu, leaky_relu, tanh, sigmoid, gelu, silu, identity.",
            rich_help_panel=_FORMULAS,
        ),
    ] = "relu",
    names: Annotated[
        Path | None,
        typer.Option(
            help='JSON file with names: {"inputs": ["age", ...], "outputs": ["yes", ...]}. By '
            "default those of the run, else x0, x1, ... and y0, y1, ...",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write pictures and tables to: modules.svg, modules.png, hierarchy.svg, "
            "hierarchy.png, hierarchy.graphml, modules.json.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace these files in the folder.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find the modules of a trained, pruned network; `HELP` says it at length."""
    usual = (MNIST_THRESHOLD, MNIST_SHARE) if images else (None, None)
    found = find_modules(
        ModulesRequest(
            target=target,
            threshold=usual[0] if threshold is None else threshold,
            merge_share=usual[1] if merge_share is None else merge_share,
            prune_below=prune_below,
            activation=activation,
            formulas=False if images and formulas is None else formulas,
            names=names,
        )
    )
    files = {} if out is None else write_modules(found, out, force=force)
    if as_json:
        sys.stdout.write(json.dumps({**found.to_json(), "files": files}) + "\n")
        return
    console = result_console()
    table = _table(found, formulas=True)
    lines = [line for m in found.hierarchy.modules for line in formula_lines(m.formulas)]
    # Formulas that would be broken in their column stand better below the table.
    below = bool(lines) and Console(width=_WIDEST).measure(table).maximum > console.width
    console.print(_table(found, formulas=False) if below else table)
    for line in lines if below else ():
        console.print(line, highlight=False, markup=False)
    for note in found.notes:
        console.print(note, highlight=False, markup=False)
    for path in files.values():
        # Unwrapped, so that paths can be copied from a narrow terminal.
        console.print(f"written: {path}", soft_wrap=True, highlight=False, markup=False)


def _table(found: FoundModules, *, formulas: bool) -> Table:
    hierarchy = found.hierarchy
    count = len(hierarchy.modules)
    caption = f"{found.detection.num_edges:,} edges between "
    caption += f"{(found.detection.module_of >= 0).sum():,} nodes"
    if len(hierarchy.levels) > 1:
        caption += "; in parentheses the edges between modules"
    if len(found.detection.dropped):
        caption += f"; {len(found.detection.dropped):,} nodes left out: on no path from an input "
        caption += "to an output"
    table = Table(
        title=escape(f"{count} module{'' if count == 1 else 's'} in {found.request.target}"),
        caption=caption,
        show_lines=formulas and any(module.formulas for module in hierarchy.modules),
    )
    columns: dict[str, Callable[[Module], str]] = {
        "module": lambda m: m.name,
        "level": lambda m: str(m.level),
        "nodes": lambda m: f"{len(m.nodes):,}",
        "layers": lambda m: _layers(m.layers),
        "takes in": lambda m: listed(hierarchy.names_of(m)[0], _NAMED),
        "reads": lambda m: _edges(m.reads),
        "feeds": lambda m: _edges(m.feeds),
        "gives": lambda m: listed(hierarchy.names_of(m)[1], _NAMED),
        "computes": lambda m: "\n".join(formula_lines(m.formulas)),
    }
    for name, cell in columns.items():
        cells = [cell(module) for module in hierarchy.modules]
        # A column that has nothing to say takes room from the others.
        if any(cells) and (formulas or name != "computes"):
            right = name in ("level", "nodes")
            table.add_column(name, justify="right" if right else "left", overflow="fold")
    shown = [column.header for column in table.columns]
    for module in hierarchy.modules:
        table.add_row(*(columns[str(name)](module) for name in shown))
    return table


def _layers(layers: tuple[int, ...]) -> str:
    return str(layers[0]) if len(layers) == 1 else f"{layers[0]} to {layers[-1]}"


def _edges(modules: dict[str, int]) -> str:
    return listed([f"{name}({edges:,})" for name, edges in modules.items()], _NAMED)
