"""What is known of a run, and how it is written in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nervure.report.words import duration


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run; None where it is not known, or not yet.

    Attributes
    ----------
    folder : Path
    name : str
        Short, and unlike those of the others.
    dataset, task : str
    status : str
        "finished", "running, epoch 3", "killed after epoch 3", "interrupted", "failed: ...".
    settings : dict
        Those in which the runs on this data differ.
    test, validation : float
        Share of wrong classes, or RMSE in units of the target. Validation is that of the network
        that was kept; of a run that has not finished, that of the best epoch.
    edges, edges_possible, modules, parameters : int
    seconds : float
        Of training.
    epochs : list of dict
        Its metrics.
    scale : float
        Units of the errors of epochs.
    """

    folder: Path
    name: str
    dataset: str
    task: str
    status: str
    settings: dict[str, Any]
    test: float | None
    validation: float | None
    edges: int | None
    edges_possible: int | None
    modules: int | None
    parameters: int | None
    seconds: float | None
    epochs: list[dict[str, Any]]
    scale: float


def heading_of(group: Sequence[RunFacts]) -> str:
    """Say what the runs of a group learned."""
    return f"{group[0].dataset} ({group[0].task})"


def shown_settings(run: RunFacts) -> dict[str, str]:
    """Write the settings of a run that differ from those of others."""
    return {key.replace("_", " "): plain_text(value) for key, value in run.settings.items()}


def shown_facts(run: RunFacts) -> dict[str, str]:
    """Write what is known of a run for a table, by headings."""
    regression = run.task == "regression"
    edges = "-" if run.edges is None else f"{run.edges:,}"
    if run.edges is not None and run.edges_possible:
        edges += f" ({100 * run.edges / run.edges_possible:.3g} %)"

    def merit(value: float | None) -> str:
        if value is None:
            return "-"
        return f"{value:.4g}" if regression else f"{100 * value:.2f} %"

    def count(value: int | None) -> str:
        return "-" if value is None else f"{value:,}"

    name = "RMSE" if regression else "error"
    return {
        f"test {name}": merit(run.test),
        f"validation {name}": merit(run.validation),
        "edges kept": edges,
        "modules": count(run.modules),
        "parameters": count(run.parameters),
        "time": "-" if run.seconds is None else duration(run.seconds),
        "status": run.status,
    }


def plain_text(value: object) -> str:
    """Write a setting, or a figure that is no count."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ",".join(map(plain_text, value))
    return str(value)
