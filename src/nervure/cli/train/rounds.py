"""How sculpting goes on, live: rounds, whose number nobody knows beforehand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from nervure.cli.train.progress import show_messages
from nervure.data import Prepared

_PHASES = {
    "dense": "the dense network trained",
    "unit": "pruning units",
    "settle": "training again",
    "edge": "pruning edges",
}


class RoundLine:
    """A live line on standard error: the round, what goes on in it, and the sparsest network."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.line = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
        )
        self.task: TaskID | None = None

    def started(self, prepared: Prepared, epochs: int | None) -> None:  # noqa: ARG002
        """Show what the data is, and the line."""
        show_messages(self.console, prepared)
        self.line.start()
        self.task = self.line.add_task("round 1: training the dense network")

    def stop(self) -> None:
        """Leave the terminal to others."""
        self.line.stop()

    def epoch(self, network: str, metrics: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Show where a round has led."""
        if self.task is not None:
            self.line.update(self.task, description=_described(metrics))


def _described(metrics: Mapping[str, Any]) -> str:
    phases = Counter(branch["phase"] for branch in metrics["branches"])
    parts = [
        f"round {metrics['epoch']}: "
        + ", ".join(
            text if phase == "dense" else f"{phases[phase]} {text}"
            for phase, text in _PHASES.items()
            if phases[phase]
        )
    ]
    if metrics["finished"]:
        parts.append(f"{metrics['finished']} finished")
    if "edges" in metrics:
        parts.append(f"sparsest so far {metrics['edges']:,} edges")
    else:
        merit = metrics["branches"][0]["merit"]
        parts.append(f"the threshold is not reached, best {merit:.4g}")
    return "; ".join(parts)
