"""How a sweep goes on, and what came of it, for people and for machines."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from nervure.cli.console import result_console
from nervure.jobs.sweep import SweepResult, Trial
from nervure.jobs.sweep.space import text_of

_SHOWN = 10  # trials in the table


class TrialBar:
    """A live bar over the trials, on standard error."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bar = Progress(
            TextColumn("trials"),
            BarColumn(bar_width=12),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[shown]}"),
            console=console,
        )
        self.best = float("inf")

    def started(self, folder: Path, total: int, known: int) -> None:
        """Show the bar."""
        if known:
            print_line(self.console, f"going on with {folder}: {known} of {total} trials are there")
        self.bar.start()
        self.task = self.bar.add_task("", total=total, completed=known, shown="")

    def trial(self, trial: Trial) -> None:
        """Move the bar."""
        if trial.state == "complete" and trial.error is not None:
            self.best = min(self.best, trial.error)
        shown = "" if self.best == float("inf") else f"best {self.best:.4g}"
        self.bar.update(self.task, advance=1, shown=shown)

    def stopping(self, under_way: int) -> None:
        """Say that the trials under way come to the end of their epoch."""
        if under_way:
            print_line(
                self.console,
                f"stopping: {under_way} trials end their epoch; Ctrl-C again ends them at once",
            )

    def stop(self) -> None:
        """Leave the terminal to others."""
        self.bar.stop()


def print_line(console: Console, text: str) -> None:
    """Print text that may be copied from a narrow terminal."""
    console.print(text, soft_wrap=True, highlight=False, markup=False)


def show(method: str, result: SweepResult, command: str | None, again: str) -> None:
    """Print the best trials, the test error of the very best, and how to train it again."""
    console = result_console()
    if result.best is not None and command is not None:
        classes = "test_error" in result.result
        table = Table(title=f"{method}: the best of {len(result.trials)} trials")
        for heading in ("trial", *(n.replace("_", "-") for n in result.best.values)):
            table.add_column(heading, justify="right")
        for heading in ("validation " + ("error" if classes else "RMSE"), "status"):
            table.add_column(heading, justify="right")
        for trial in result.trials[:_SHOWN]:
            values = (shown(trial, name) for name in trial.values)
            error = merit(trial.error, classes=classes)
            table.add_row(str(trial.number), *values, error, status(trial))
        console.print(table)
        test = result.result["test_error" if classes else "test_rmse"]
        print_line(
            console,
            f"test {'error' if classes else 'RMSE'} of trial {result.best.number}: "
            f"{merit(test, classes=classes)} (looked at for this trial alone, in the end; what "
            "was searched by is the validation error)",
        )
        print_line(console, f"run:    {result.folder / result.best.run}")
        print_line(console, f"again:  {command}")
    if result.interrupted:
        print_line(console, f"interrupted, nothing is lost; go on with: {again}")


def as_json(method: str, result: SweepResult, command: str | None) -> dict[str, Any]:
    """Give the same as JSON has it."""
    best = None
    if result.best is not None:
        test = {k: v for k, v in result.result.items() if k in ("test_error", "test_rmse")}
        best = {**_trial(result.best), **test, "command": command}
    return {
        "method": method,
        "sweep": str(result.folder),
        "interrupted": result.interrupted,
        "best": best,
        "trials": [_trial(trial) for trial in result.trials],
    }


def command_for(method: str, options: Mapping[str, Any]) -> str:
    """Give the command that trains with these options."""
    words = ["nervure", "train", method]
    for name, value in options.items():
        option, text = name.replace("_", "-"), text_of(value)
        if text in ("true", "false"):
            words.append(f"--{'' if text == 'true' else 'no-'}{option}")
        else:
            words += [f"--{option}", text]
    return shlex.join(words)


def merit(value: float | None, *, classes: bool) -> str:
    """Write an error as people read it."""
    if value is None:
        return "-"
    return f"{100 * value:.2f} %" if classes else f"{value:.4g}"


def status(trial: Trial) -> str:
    """Say how a trial ended, in few words."""
    return trial.reason.split(":")[0] if trial.state == "pruned" else trial.state


def shown(trial: Trial, name: str) -> str:
    """Write the value of a setting with as many digits as one reads."""
    value = trial.values[name]
    return f"{value:.4g}" if isinstance(value, float) else trial.texts[name]


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "values": trial.values,
        "state": trial.state,
        "validation": trial.error,
        "reason": trial.reason,
        "run": trial.run,
    }
