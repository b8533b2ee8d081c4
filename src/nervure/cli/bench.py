"""`nervure bench [NAME]`."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import torch
import typer
from rich.console import Console

from nervure.benchmarks import BENCHMARKS, Benchmark, Settings, rendered
from nervure.errors import NervureError
from nervure.textual import did_you_mean


def bench(
    name: Annotated[
        str | None, typer.Argument(help=f"One of {', '.join(BENCHMARKS)}; all if left out.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small sizes, to see that everything runs.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads to use; by default as many as PyTorch does.")
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Timed repetitions of every call.")
    ] = None,
) -> None:
    """Time nervure against other libraries, checking every result first."""
    chosen = list(BENCHMARKS.values()) if name is None else [_found(name)]
    settings = Settings(quick=quick, repeats=repeats or (3 if quick else 11))
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        reports = []
        for benchmark in chosen:
            reports.append(benchmark.run(settings))
            if not as_json:
                Console().print(rendered(reports[-1]))
    finally:
        torch.set_num_threads(before)
    if as_json:
        values = [report.to_json() for report in reports]
        sys.stdout.write(json.dumps({"reports": values} if name is None else values[0]) + "\n")


def _found(name: str) -> Benchmark:
    if name not in BENCHMARKS:
        raise NervureError(
            f"unknown benchmark {name!r}{did_you_mean(name, BENCHMARKS)}; "
            f"known are {', '.join(BENCHMARKS)}"
        )
    return BENCHMARKS[name]
