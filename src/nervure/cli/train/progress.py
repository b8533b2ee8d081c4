"""How training by epochs goes on, live."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from nervure.data import Prepared
from nervure.jobs import Listener


class ShownProgress(Listener, Protocol):
    """A listener that shows what it hears, until it is stopped."""

    def stop(self) -> None:
        """Leave the terminal to others."""


class EpochBars:
    """A live bar per network, on standard error so that standard output stays clean."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            TextColumn("{task.completed}/{task.total}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[shown]}"),
            console=console,
        )
        self.tasks: dict[str, TaskID] = {}
        self.epochs: int | None = None
        self.first: TaskID | None = None

    def started(self, prepared: Prepared, epochs: int | None) -> None:
        """Show what the data is, and the bars."""
        self.epochs = epochs
        show_messages(self.console, prepared)
        self.bars.start()
        # The first epoch may be long, and only then is it known whose it is.
        self.first = self.bars.add_task("training", total=epochs, shown="")

    def stop(self) -> None:
        """Leave the terminal to others."""
        self.bars.stop()

    def epoch(self, network: str, metrics: Mapping[str, Any]) -> None:
        """Move the network's bar."""
        if network not in self.tasks:
            task, self.first = self.first, None
            if task is None:
                task = self.bars.add_task(network, total=self.epochs, shown="")
            self.bars.update(task, description=network)
            self.tasks[network] = task
        merit = metrics.get("validation_error", metrics.get("validation_rmse", math.nan))
        name = "error" if "validation_error" in metrics else "rmse"
        shown = f"{name} {merit:.4f}"
        if "modules" in metrics:
            shown += f", {metrics['modules']} modules"
        elif "edges" in metrics:
            shown += f", {metrics['edges']:,} edges"
        self.bars.update(self.tasks[network], completed=metrics["epoch"], shown=shown)


def show_messages(console: Console, prepared: Prepared) -> None:
    """Print what a reader should know of the data."""
    for message in prepared.messages:
        console.print(message, style="dim", highlight=False, markup=False)
