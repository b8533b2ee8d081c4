"""`write_report`: a run as one self-contained page."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nervure.errors import ModelFileError, RunError
from nervure.folders import write_whole
from nervure.networks import BlockDAG, GraphLayer, single_nodes
from nervure.report import sections
from nervure.report.exploration import explored
from nervure.report.material import Material
from nervure.report.module_section import METHODS, ModulesOfRun, modules_of_run
from nervure.report.page import page
from nervure.report.updates import Update
from nervure.report.words import escape, finite
from nervure.topology import Topology, is_layered
from nervure.training.model_file import load_model, read_metadata
from nervure.training.run import Run


def write_report(run: Run, *, model: nn.Module | None = None) -> Path:
    """Write ``report.html`` into a run folder.

    The page needs nothing but itself: pictures are inlined, no script runs, no address is called.
    It is written for whatever the run holds, down to a run that failed in its first epoch.

    Parameters
    ----------
    run : Run
        Open for writing or reading.
    model : torch.nn.Module, optional
        The trained network, for the wiring with its weights. Without it the folder's model file
        is used, and without that the last recorded wiring.

    Returns
    -------
    Path
        ``run.report_path``.

    Raises
    ------
    RunError
        If the run cannot be read or the page cannot be written.
    """
    material = _gather(run, model)
    title, body = sections.body(material)
    _write(run.report_path, page(escape(title), body))
    return run.report_path


@dataclass
class Wiring:
    """What is wired at the end of the run, and how strongly.

    Attributes
    ----------
    topology : Topology or None
        None for networks without a learned wiring.
    weights : ndarray, shape (edges,), or None
    origin : str
        Where both come from, in words.
    """

    topology: Topology | None = None
    weights: NDArray[np.floating] | None = None
    origin: str = ""


def _gather(run: Run, model: nn.Module | None) -> Material:
    notes = [str(message) for message in _listed(run.config.get("messages"))]
    notes += [str(note) for note in _listed((run.result or {}).get("notes"))]
    if model is None and run.model_path.is_file():
        try:
            model = load_model(run.model_path).network
        except ModelFileError as error:
            notes.append(str(error))
    snapshots = list(run.topologies())
    sculpted = run.config.get("method") in METHODS
    wiring = _wiring(model, snapshots, sculpted=sculpted)
    sizes = _sizes(run, snapshots)
    importances = _importances(run)
    modules = None
    if sculpted:
        found = modules_of_run(run.config, model, wiring.topology, _names(run))
        modules = found if isinstance(found, ModulesOfRun) else None
        notes += [found] if isinstance(found, str) else []
    return Material(
        config=run.config,
        versions=run.versions,
        status=run.status,
        reason=run.reason,
        started=run.started,
        result=_result(run),
        epochs=_in_units(run.config, _with_counts(run)),
        snapshots=snapshots,
        topology=wiring.topology,
        weights=wiring.weights,
        origin=wiring.origin,
        notes=notes,
        updates=_updates(run),
        sizes=sizes,
        exploration=explored(sizes, snapshots, run.rewirings()) if sizes else None,
        importances=importances,
        feature_names=_feature_names(run, len(importances)),
        modules=modules,
        stages=model.stages if isinstance(model, BlockDAG) else None,
    )


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value] if value else []


def _result(run: Run) -> dict[str, Any]:
    result = dict(run.result or {})
    baseline = result.get("baseline_epochs")
    if isinstance(baseline, list):
        rows = [row for row in baseline if isinstance(row, dict)]
        result["baseline_epochs"] = _in_units(run.config, rows)
    return result


def _in_units(config: Mapping[str, Any], epochs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Epochs with RMSE in units of the target; recorded it is in its standard deviations."""
    unit = config.get("target_std", 1.0)
    if not isinstance(unit, int | float):
        return epochs
    key = "validation_rmse"
    return [
        {**row, key: unit * row[key]} if isinstance(row.get(key), int | float) else row
        for row in epochs
    ]


def _with_counts(run: Run) -> list[dict[str, Any]]:
    """Epochs, with the rewired edges counted from the rewirings where metrics lack them."""
    counts = {count.epoch: count for count in run.rewiring_counts()}
    epochs = run.epochs()
    for epoch in epochs:
        count = counts.get(epoch["epoch"])
        if count is not None:
            epoch.setdefault("pruned", count.pruned)
            epoch.setdefault("grown", count.grown)
    return epochs


def _updates(run: Run) -> list[Update]:
    """Give the rewirings one by one, where they change the number of edges."""
    if all(count.pruned == count.grown for count in run.rewiring_counts()):
        return []
    return [Update(row.step, len(row.pruned), len(row.grown)) for row in run.rewirings()]


def _sizes(run: Run, snapshots: list[tuple[int, Topology]]) -> tuple[int, ...]:
    """Give the sizes of the layers that result or settings name, if all snapshots have them."""
    sizes = _listed((run.result or {}).get("sizes", run.config.get("sizes")))
    if not snapshots or not all(type(size) is int for size in sizes):
        return ()
    layered = all(is_layered(topology, sizes) for _, topology in snapshots)
    return tuple(sizes) if layered else ()


def _importances(run: Run) -> tuple[float, ...]:
    values = _listed((run.result or {}).get("feature_importances"))
    numbers = [number for number in map(finite, values) if number is not None]
    return tuple(numbers) if len(numbers) == len(values) else ()


def _feature_names(run: Run, count: int) -> tuple[str, ...]:
    """Give the names that the model file holds, or the places of the features."""
    names = _names(run).get("inputs", ()) if count else ()
    return names if len(names) == count else tuple(f"feature {i}" for i in range(count))


def _names(run: Run) -> dict[str, tuple[str, ...]]:
    """Give the names of inputs and outputs that the model file holds."""
    data = None
    if run.model_path.is_file():
        # If it cannot be read: the wiring has been looked for in it, and a note says what it lacks.
        with contextlib.suppress(ModelFileError):
            data = read_metadata(run.model_path).get("data")
    if not isinstance(data, dict):
        return {}
    keys = {"inputs": "feature_names", "outputs": "class_names"}
    return {role: tuple(map(str, _listed(data.get(key)))) for role, key in keys.items()}


def _wiring(
    model: nn.Module | None, snapshots: list[tuple[int, Topology]], *, sculpted: bool
) -> Wiring:
    if isinstance(model, BlockDAG):
        weights = model.edge_weight.detach().tanh().double().cpu().numpy()
        return Wiring(model.topology, weights, "of the saved network")
    layers = [] if model is None else [m for m in model.modules() if isinstance(m, GraphLayer)]
    if layers:
        layer = layers[0] if layers[0].block == 1 else single_nodes(layers[0])
        return Wiring(
            layer.topology,
            layer.edge_weight.double().cpu().numpy(),
            "of the saved network"
            + ("" if sculpted else " (that of the best epoch, if validated)"),
        )
    if snapshots:
        epoch, topology = snapshots[-1]
        return Wiring(topology, None, f"as recorded in epoch {epoch}; weights were not saved")
    return Wiring()


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text.encode("utf-8"))
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose a folder "
            "that you may write to"
        ) from error
