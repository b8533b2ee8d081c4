"""`nervure reproduce neural-modules`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from nervure.cli.console import result_console
from nervure.cli.options import Json
from nervure.cli.reproduce.shared import cell_progress
from nervure.errors import DataError, MissingDependencyError, NervureError
from nervure.reproduce import Ledger
from nervure.reproduce.neural_modules.methods import METHODS
from nervure.reproduce.neural_modules.part import DATASETS, QUICK, Configuration, Outcome, Part
from nervure.reproduce.neural_modules.parts import PARTS
from nervure.reproduce.neural_modules.running import Heard, run_part
from nervure.textual import not_among

_FULL = Configuration()
# Fewer have no room for twice as many edges as nodes.
_LEAST_NODES = 3


def reproduce_neural_modules(
    parts: Annotated[
        list[str] | None,
        typer.Argument(help=f"{', '.join(PARTS)}; all if not given.", show_default=False),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{', '.join(DATASETS)}; repeat for several. All, quick two. Of Table 1 and "
            "Figures 2, 8 (facebook or nothing), 9 and 11; the other parts have their own."
        ),
    ] = None,
    nodes: Annotated[
        list[int] | None,
        typer.Option(help="Sizes of Table 1; repeat for several. The paper's seven, quick three."),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help=f"Of Table 1: {', '.join(METHODS)}; repeat for several. All."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, help=f"Per cell; {_FULL.seeds}, quick {QUICK.seeds} (Figures 4, 9, 11: 1)."
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1, help=f"Of each search by Optuna; {_FULL.trials}, quick {QUICK.trials}."
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="At most, of every training but those of Figure 3; "
            f"{_FULL.epochs}, quick {QUICK.epochs}.",
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="Seconds of a training of Table 1 and Figures 2 and 8, after which it is over "
            "time; a search has half of it for each trial. "
            f"{_FULL.seconds:g}, quick {QUICK.seconds:g}.",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Two datasets, three sizes, few trials: fifteen minutes."),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Processes of one thread each; all cores. Timings run alone."),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the ledger and figures; go on where it stopped.")
    ] = Path("reproduced/neural-modules"),
    as_json: Json = False,
) -> None:
    """Reproduce neural modules: Table 1 and the figures, against real baselines.

    Every method is searched with as many trials on validation rows, and trained by the same loop,
    with the same early stopping and time budget. Results are kept cell by cell, under the settings
    that they depend on; stopped and started again, it goes on where it was. With another --epochs,
    --trials or --budget it begins anew beside them.
    """
    chosen = _chosen(parts)
    given: dict[str, Any] = {
        # Once each: a cell that is there twice would count twice.
        "datasets": tuple(dict.fromkeys(data)) if data else None,
        "sizes": tuple(dict.fromkeys(nodes)) if nodes else None,
        "methods": tuple(dict.fromkeys(method)) if method else None,
        "seeds": seeds,
        "trials": trials,
        "epochs": epochs,
        "seconds": budget,
    }
    configuration = replace(
        QUICK if quick else _FULL, **{k: v for k, v in given.items() if v is not None}
    )
    _check(configuration)
    ledger = Ledger(out / "ledger.sqlite")
    console = result_console()
    values: dict[str, Any] = {"configuration": asdict(configuration), "parts": {}}
    for part in chosen:
        try:
            outcome = _run(part, configuration, ledger, jobs)
        except (MissingDependencyError, DataError) as error:
            if len(chosen) == 1:
                raise
            values["parts"][part.name] = {"left_out": str(error)}
            if not as_json:
                console.print(f"{part.name} left out: {error}", highlight=False, markup=False)
            continue
        drawn = _draw(outcome, out)
        values["parts"][part.name] = {
            **outcome.values,
            "sentences": list(outcome.sentences),
            "figures": [str(path) for path in drawn],
        }
        if not as_json:
            _print(console, part, outcome)
    if as_json:
        sys.stdout.write(json.dumps(values, allow_nan=False) + "\n")
    else:
        console.print(f"figures and ledger: {out}", soft_wrap=True, highlight=False)


def _chosen(parts: list[str] | None) -> list[Part]:
    if not parts or "all" in parts:
        return list(PARTS.values())
    # figure-10 is figure-10a and figure-10b.
    of = {name: [key for key in PARTS if name in (key, key.rstrip("ab"))] for name in parts}
    unknown = [name for name, keys in of.items() if not keys]
    if unknown:
        raise NervureError(not_among("parts", unknown, [*PARTS, "all"]))
    return [PARTS[key] for key in dict.fromkeys(key for keys in of.values() for key in keys)]


def _check(configuration: Configuration) -> None:
    unknown = [name for name in configuration.datasets if name not in DATASETS]
    if unknown:
        raise NervureError(not_among("data", unknown, DATASETS))
    strange = [name for name in configuration.methods if name not in METHODS]
    if strange:
        raise NervureError(not_among("method", strange, METHODS))
    if min(configuration.sizes) < _LEAST_NODES:
        raise NervureError(
            f"nodes: expected at least {_LEAST_NODES}, got {min(configuration.sizes)}"
        )


def _run(part: Part, configuration: Configuration, ledger: Ledger, jobs: int | None) -> Outcome:
    with cell_progress() as bars:
        found = run_part(
            part,
            configuration,
            ledger,
            jobs=jobs,
            on_stage=lambda total: _bar(bars, part.name, total),
        )
    return part.outcome(configuration, found)


def _bar(bars: Progress, name: str, total: int) -> Heard:
    task = bars.add_task(name, total=total, last="")

    def done(cell: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        where = " ".join(
            str(cell[key])
            for key in ("kind", "method", "model", "data", "nodes", "seed")
            if cell.get(key) is not None
        )
        error = result.get("test_error", result.get("validation_error"))
        figure = "" if error is None else f": {100 * error:.2f} %"
        bars.update(task, advance=1, last=where + figure)

    return done


def _draw(outcome: Outcome, folder: Path) -> list[Path]:
    paths = []
    for name, figure in outcome.figures.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=150)
    return paths


def _print(console: Console, part: Part, outcome: Outcome) -> None:
    console.rule(f"{part.name}: {part.about}", align="left")
    for table in outcome.tables:
        # Escaped, since words in square brackets are markup, and would not be seen.
        shown = Table(
            title=escape(table.title), show_lines=any("\n" in c for r in table.rows for c in r)
        )
        for index, name in enumerate(table.columns):
            # An ellipsis would hide which row it is.
            shown.add_column(escape(name), justify="right" if index else "left", overflow="fold")
        for row in table.rows:
            shown.add_row(*map(escape, row))
        console.print(shown)
    for sentence in outcome.sentences:
        console.print(sentence, highlight=False, markup=False)
