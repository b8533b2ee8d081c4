"""The job `nervure compare`: runs beside each other, finished or not."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nervure.errors import ModelFileError, RunError
from nervure.folders import write_whole
from nervure.jobs.run_facts import RunFacts, heading_of, shown_facts, shown_settings
from nervure.jobs.sweep.folder import TRIALS
from nervure.jobs.sweep.study import DATABASE as SWEEP
from nervure.report.comparison import (
    ComparedGroup,
    ComparedRun,
    comparison_curves,
    comparison_page,
)
from nervure.training.model_file import load_model
from nervure.training.run import Run

# Of a run's settings, what says nothing about how it was trained, or follows from the data.
_NOT_SETTINGS = (
    "messages", "target_std", "image_shape", "dataset", "data", "task", "target",
)  # fmt: skip
_PICTURES = (".svg", ".png")
_DOTS_PER_INCH = 200


@dataclass(frozen=True)
class Comparison:
    """Runs by what they learned: only errors on the same data compare."""

    groups: tuple[tuple[RunFacts, ...], ...]
    notes: tuple[str, ...]


def compare_runs(folders: Sequence[Path]) -> Comparison:
    """Gather what is known of several runs.

    Parameters
    ----------
    folders : sequence of Path
        Of runs that are finished, stopped, killed or under way; of sweeps, for their trials.

    Returns
    -------
    Comparison

    Raises
    ------
    RunError
        If there are fewer than two, one is given twice, or one cannot be read.
    """
    folders = [one for folder in folders for one in _runs_in(folder)]
    if len(folders) < 2:
        raise RunError(f"expected at least two runs to compare, got {len(folders)}")
    resolved = [folder.resolve() for folder in folders]
    twice = [f for i, f in enumerate(folders) if resolved[i] in resolved[:i]]
    if twice:
        raise RunError(f"{twice[0]} is given twice")
    runs: dict[tuple[str, str, str], list[tuple[RunFacts, dict[str, Any]]]] = {}
    for folder, name in zip(folders, _names(folders), strict=True):
        facts, config, source = _facts(folder, name)
        runs.setdefault((facts.dataset, facts.task, source), []).append((facts, config))
    groups = tuple(
        _with_settings([(replace(facts, dataset=dataset), config) for facts, config in group])
        for dataset, group in zip(_headings(list(runs)), runs.values(), strict=True)
    )
    notes: tuple[str, ...] = ()
    if len(groups) > 1:
        kinds = "; ".join(f"{len(group)} on {heading_of(group)}" for group in groups)
        notes = (f"Errors on different data do not compare, so each has its own table: {kinds}.",)
    return Comparison(groups, notes)


def write_comparison(comparison: Comparison, path: Path, *, force: bool = False) -> None:
    """Write the curves: a page with tables too (.html), or a picture (.svg, .png).

    Raises
    ------
    RunError
        If the file is there and is not to be replaced, is of another kind, cannot be written, or
        is a picture where the runs learned different things.
    """
    kind = path.suffix.lower()
    if kind not in (".html", *_PICTURES):
        raise RunError(f"{path}: expected a name that ends in .html, .svg or .png")
    if path.exists() and not force:
        raise RunError(f"{path} exists; pass --force to replace it, or choose another name")
    groups = [_compared(group) for group in comparison.groups]
    if kind == ".html":
        data = comparison_page(groups, comparison.notes).encode("utf-8")
    elif len(groups) > 1:
        raise RunError(f"{comparison.notes[0]} A picture holds one; write a page (.html)")
    else:
        data = _picture(groups[0], kind[1:])
    try:
        write_whole(path, data)
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}; choose a folder that you may write to"
        ) from error


def _runs_in(folder: Path) -> list[Path]:
    """Give the trials of a sweep, and any other folder as it is."""
    return sorted((folder / TRIALS).glob("*")) if (folder / SWEEP).is_file() else [folder]


def _headings(sources: Sequence[tuple[str, str, str]]) -> list[str]:
    """Name datasets by their files where two of one name were learned."""
    known = [(dataset, task) for dataset, task, _ in sources]
    return [
        f"{source}, {dataset}" if known.count((dataset, task)) > 1 and source else dataset
        for dataset, task, source in sources
    ]


def _facts(folder: Path, name: str) -> tuple[RunFacts, dict[str, Any], str]:
    """Give what is known of a run, its settings, and the file that it was asked to learn."""
    with Run.open(folder) as run:
        config, result, epochs = run.config, run.result or {}, run.epochs()
        arguments = (run.request or {}).get("arguments")
        status = _status(run, len(epochs))
        parameters = _parameters(run)
    task = str(config.get("task", _task(epochs)))
    kind = "rmse" if task == "regression" else "error"
    scale = float(config.get("target_std", 1.0)) if task == "regression" else 100.0
    last = epochs[-1] if epochs else {}
    validation = result.get(f"validation_{kind}")
    if validation is None:
        found = [epoch.get(f"validation_{kind}", math.nan) for epoch in epochs]
        numbers = [value for value in found if value is not None and math.isfinite(value)]
        unit = scale if task == "regression" else 1.0
        validation = unit * min(numbers) if numbers else None
    asked = arguments if isinstance(arguments, dict) else {}
    dataset, target = str(config.get("dataset", "unknown data")), asked.get("target")
    facts = RunFacts(
        folder=folder,
        name=name,
        dataset=dataset if target is None else f"{dataset}, {target}",
        task=task,
        status=status,
        settings={},
        test=result.get(f"test_{kind}"),
        validation=validation,
        edges=result.get("edges", last.get("edges")),
        edges_possible=result.get("edges_possible"),
        modules=result.get("modules", last.get("modules")),
        parameters=parameters,
        seconds=result.get("seconds", last.get("seconds")),
        epochs=epochs,
        scale=scale,
    )
    # Datasets known by name are told by it.
    source = str(asked.get("data", ""))
    return facts, config, source if Path(source).is_absolute() else ""


def _task(epochs: Sequence[Mapping[str, Any]]) -> str:
    """Tell the task of a run that does not say it: one that `fit` wrote."""
    rmse = any("validation_rmse" in epoch for epoch in epochs)
    return "regression" if rmse else "classification"


def _status(run: Run, epochs: int) -> str:
    where = f"after epoch {epochs}" if epochs else "before the first epoch"
    if run.abandoned:
        return f"killed {where}"
    if run.status == "running":
        return f"running, {where}"
    reason = (run.reason or "").split(":")[0]
    if run.status == "interrupted" and reason.startswith("pruned"):
        return reason
    return run.status if run.status == "finished" else f"{run.status} {where}"


def _parameters(run: Run) -> int | None:
    if not run.model_path.is_file():
        return None
    try:
        network = load_model(run.model_path).network
    except ModelFileError:
        return None
    return sum(parameter.numel() for parameter in network.parameters())


def _with_settings(group: list[tuple[RunFacts, dict[str, Any]]]) -> tuple[RunFacts, ...]:
    """Add the settings in which the runs differ."""
    configs = [config for _, config in group]
    keys = [
        key
        for key in dict.fromkeys(key for config in configs for key in config)
        if not key.startswith("baseline") and key not in _NOT_SETTINGS
    ]
    # What one method alone has says something of its own runs, nothing of those of another.
    having = {key: [c[key] for c in configs if key in c] for key in keys}
    other = [key for key in keys if any(value != having[key][0] for value in having[key])]
    return tuple(
        replace(facts, settings={key: config.get(key, "-") for key in other})
        for facts, config in group
    )


def _names(folders: Sequence[Path]) -> list[str]:
    """Give the ends of paths that tell them apart."""
    parts = [folder.resolve().parts for folder in folders]
    for length in range(1, max(map(len, parts)) + 1):
        names = [str(Path(*part[-length:])) for part in parts]
        if len(set(names)) == len(names):
            return names
    return list(map(str, folders))


def _compared(group: Sequence[RunFacts]) -> ComparedGroup:
    runs = tuple(
        ComparedRun(r.name, r.epochs, shown_facts(r), shown_settings(r), r.scale) for r in group
    )
    return ComparedGroup(heading_of(group), group[0].task == "regression", runs)


def _picture(group: ComparedGroup, kind: str) -> bytes:
    buffer = io.BytesIO()
    comparison_curves(group).savefig(buffer, format=kind, dpi=_DOTS_PER_INCH)
    return buffer.getvalue()
