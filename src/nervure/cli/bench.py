"""`nervure bench [NAME]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from nervure.benchmarks import BENCHMARKS, Benchmark, Settings, rendered, rendered_costs
from nervure.cli.console import result_console
from nervure.cli.options import Json
from nervure.engine import calibration, costs
from nervure.errors import NervureError
from nervure.textual import did_you_mean

CALIBRATE = "calibrate"
_NAMES = (*BENCHMARKS, CALIBRATE)
_BENCHMARKS = "Comparisons"
_CALIBRATION = "calibrate"
_SECONDS = 20.0

HELP = "\n\n".join(
    [
        "Time nervure against other libraries, or calibrate it for this machine.",
        "Results are compared before they are timed; a disagreement ends the command. The other "
        "libraries are optional: pip install nervure\\[bench].",
        "The name is one of",
        *(f"[bold]{name}[/bold]: {benchmark.summary}." for name, benchmark in BENCHMARKS.items()),
        f"[bold]{CALIBRATE}[/bold]: no comparison; measures how long the parts of a run take here, "
        "and writes what it finds where nervure looks it up when it chooses the fastest backend "
        "for a network (backend='auto').",
    ]
)


def bench(
    name: Annotated[
        str | None,
        typer.Argument(help="Which one, from the list above; all comparisons if left out."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads to use; by default as many as PyTorch does.")
    ] = None,
    as_json: Json = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Small sizes, to see that everything runs.",
            rich_help_panel=_BENCHMARKS,
        ),
    ] = False,
    repeats: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Timed repetitions of every call; 11, or 3 if quick.",
            rich_help_panel=_BENCHMARKS,
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.0, help="About how long to measure; 20.", rich_help_panel=_CALIBRATION),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="File to write, instead of the one that nervure reads.",
            rich_help_panel=_CALIBRATION,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace an existing output.", rich_help_panel=_CALIBRATION),
    ] = False,
) -> None:
    """Time nervure against other libraries, or calibrate it for this machine."""
    calibrating = name == CALIBRATE
    if calibrating and (quick or repeats is not None):
        raise typer.BadParameter(f"--quick and --repeats do not go with {CALIBRATE}")
    if not calibrating and (seconds is not None or output is not None or force):
        raise typer.BadParameter(f"--seconds, --output and --force go with {CALIBRATE} only")
    if calibrating:
        with _limited(threads):
            _calibrate(_SECONDS if seconds is None else seconds, output, as_json, force)
        return
    chosen = list(BENCHMARKS.values()) if name is None else [_found(name)]
    settings = Settings(quick=quick, repeats=repeats or (3 if quick else 11))
    reports = []
    with _limited(threads):
        for benchmark in chosen:
            reports.append(benchmark.run(settings))
            if not as_json:
                result_console().print(rendered(reports[-1]))
    if as_json:
        values = [report.to_json() for report in reports]
        sys.stdout.write(json.dumps({"reports": values} if name is None else values[0]) + "\n")


@contextmanager
def _limited(threads: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _found(name: str) -> Benchmark:
    if name not in BENCHMARKS:
        raise NervureError(
            f"unknown benchmark {name!r}{did_you_mean(name, _NAMES)}; known are {', '.join(_NAMES)}"
        )
    return BENCHMARKS[name]


def _calibrate(seconds: float, output: Path | None, as_json: bool, force: bool) -> None:
    if output is not None and output.exists() and not force:
        raise NervureError(f"{output} exists; pass --force to replace it, or choose another name")
    # On standard error, so that standard output stays clean.
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} graphs"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        task = bars.add_task("measuring", total=None)
        table = calibration.calibrate(
            seconds, lambda done, total: bars.update(task, completed=done, total=total)
        )
    if not as_json:
        result_console().print(rendered_costs(table))
    try:
        written = costs.save_table(table, output)
    except OSError as error:
        where = output or costs.user_table_path()
        raise NervureError(f"cannot write {where}: {error.strerror}") from error
    if as_json:
        sys.stdout.write(json.dumps({**asdict(table), "output": str(written)}) + "\n")
        return
    # Unwrapped, so that the path can be copied from a narrow terminal.
    use = "from now on nervure chooses by it" if output is None else "nervure does not read it"
    result_console().print(
        f"written to {written}; {use}", soft_wrap=True, highlight=False, markup=False
    )
