"""Find the modules of a trained, pruned network and write them down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nervure.errors import RunError
from nervure.jobs.pruned_network import read_pruned
from nervure.modules import (
    BOOLEAN_SHARE,
    BOOLEAN_THRESHOLD,
    FEW_INPUTS,
    Detection,
    Hierarchy,
    Module,
    detect_modules,
    recovered_formulas,
)
from nervure.networks import node_topology
from nervure.report import hierarchy_drawing, network_by_module

FILES = (
    "modules.svg", "modules.png", "hierarchy.svg", "hierarchy.png", "hierarchy.graphml",
    "modules.json",
)  # fmt: skip
_DOTS_PER_INCH = 200


@dataclass(frozen=True)
class ModulesRequest:
    """What to look for modules in, and how.

    Attributes
    ----------
    target : Path
        A run folder, a model file, or a safetensors file with the weights of linear layers.
    threshold, merge_share : float, optional
        As for `detect_modules`. None: those of the run, or the paper's for Boolean inputs.
    prune_below : float
        Edges whose weight is at most so large are taken as absent.
    activation : str
        Between the layers of a file that holds weights only.
    formulas : bool or None
        Whether to write formulas of Boolean inputs. None: of weights alone yes, of a run only if
        its settings say ``"boolean": true``.
    names : Path or None
        JSON file with ``inputs`` and ``outputs``, lists of names.
    """

    target: Path
    threshold: float | None = None
    merge_share: float | None = None
    prune_below: float = 0.0
    activation: str = "relu"
    formulas: bool | None = None
    names: Path | None = None


@dataclass(frozen=True)
class FoundModules:
    """The modules of a network.

    Attributes
    ----------
    request : ModulesRequest
        With the threshold and the share that were taken.
    detection : Detection
    hierarchy : Hierarchy
        With formulas, where there are any.
    notes : tuple of str
        What a reader should know.
    """

    request: ModulesRequest
    detection: Detection
    hierarchy: Hierarchy
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Give everything found as JSON values."""
        return {
            "target": str(self.request.target),
            "threshold": self.request.threshold,
            "merge_share": self.request.merge_share,
            "prune_below": self.request.prune_below,
            "nodes": int((self.detection.module_of >= 0).sum()),
            "edges": self.detection.num_edges,
            "dropped_nodes": len(self.detection.dropped),
            "levels": len(self.hierarchy.levels),
            "unused_inputs": [self.hierarchy.input_names[i] for i in self.hierarchy.unused],
            "modules": [_module_json(self.hierarchy, module) for module in self.hierarchy.modules],
            "notes": list(self.notes),
        }


def find_modules(request: ModulesRequest) -> FoundModules:
    """Find the modules of a network and, where few inputs are Boolean, what they compute.

    Parameters
    ----------
    request : ModulesRequest

    Returns
    -------
    FoundModules

    Raises
    ------
    RunError, ModelFileError
        If there is no such network, or its file or that of the names cannot be used.
    TopologyError
        If nothing is pruned, all is pruned, or an option is out of range.
    ConvergenceError
        If the network has cycles that cannot be solved.
    """
    source = read_pruned(
        request.target, prune_below=request.prune_below, activation=request.activation
    )
    threshold = _first(request.threshold, source.threshold, BOOLEAN_THRESHOLD)
    share = _first(request.merge_share, source.merge_share, BOOLEAN_SHARE)
    request = replace(request, threshold=threshold, merge_share=share)
    detection = detect_modules(
        node_topology(source.network), threshold=threshold, merge_share=share
    )
    names = _names(request.names, source.names)
    hierarchy = Hierarchy.from_detection(
        detection, input_names=names.get("inputs"), output_names=names.get("outputs")
    )
    notes = list(source.notes)
    if request.formulas is None and source.no_formulas:
        notes.append(source.no_formulas)
    elif request.formulas is not False:
        found = recovered_formulas(source.network, detection, hierarchy)
        hierarchy = hierarchy.with_formulas(found)
        if any(found.values()):
            notes.append(f"Formulas hold for inputs of 0 and 1{source.assumed}.")
        if any(len(module.depends_on) > FEW_INPUTS for module in hierarchy.modules):
            notes.append(f"Units that depend on more than {FEW_INPUTS} inputs have no formula.")
    return FoundModules(request, detection, hierarchy, tuple(notes))


def _first(asked: float | None, of_run: float | None, usual: float) -> float:
    return next((value for value in (asked, of_run) if value is not None), usual)


def write_modules(found: FoundModules, folder: Path, *, force: bool = False) -> dict[str, str]:
    """Write pictures and tables of modules into a folder.

    Parameters
    ----------
    found : FoundModules
    folder : Path
        Made with its parents.
    force : bool
        Replace files of the same names.

    Returns
    -------
    dict of str to str
        Path of each file by its name: ``modules.svg`` and ``modules.png`` (the network coloured by
        module), ``hierarchy.svg``, ``hierarchy.png`` and ``hierarchy.graphml`` (modules as nodes),
        ``modules.json`` (what `FoundModules.to_json` gives).

    Raises
    ------
    RunError
        If a file exists and `force` is false, or cannot be written.
    """
    paths = {name: folder / name for name in FILES}
    there = [str(path) for path in paths.values() if path.exists()]
    if there and not force:
        raise RunError(f"{there[0]} exists; pass --force to replace it, or choose another folder")
    pictures = {
        "modules": network_by_module(found.detection, found.hierarchy),
        "hierarchy": hierarchy_drawing(found.hierarchy),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in pictures.items():
            for kind in ("svg", "png"):
                figure.savefig(paths[f"{name}.{kind}"], dpi=_DOTS_PER_INCH)
        found.hierarchy.write_graphml(paths["hierarchy.graphml"])
        text = json.dumps(found.to_json(), indent=1, ensure_ascii=False)
        paths["modules.json"].write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise RunError(
            f"cannot write to {folder}: {error.strerror or error}; choose a folder that you may "
            "write to"
        ) from error
    return {name: str(path) for name, path in paths.items()}


def _names(path: Path | None, known: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    if path is None:
        return dict(known)
    expected = '{"inputs": ["age", ...], "outputs": ["yes", ...]}, or one of the two'
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"cannot read names from {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise RunError(f"{path} is no JSON ({error}); expected {expected}") from error
    fits = isinstance(given, dict) and given.keys() <= {"inputs", "outputs"} and all(
        isinstance(names, list) and all(isinstance(name, str) for name in names)
        for names in given.values()
    )  # fmt: skip
    if not fits:
        raise RunError(f"{path}: expected a JSON object {expected}")
    return {**known, **given}


def _module_json(hierarchy: Hierarchy, module: Module) -> dict[str, Any]:
    inputs, outputs, needs = hierarchy.names_of(module)
    return {
        "name": module.name,
        "level": module.level,
        "nodes": list(module.nodes),
        "layers": list(module.layers),
        "takes_in": list(inputs),
        "depends_on": list(needs),
        "reads": module.reads,
        "feeds": module.feeds,
        "gives": list(outputs),
        "formulas": [
            {
                "name": f.name,
                "node": f.node,
                "of_inputs": f.of_inputs,
                "of_signals": f.of_signals,
                "note": f.note,
            }
            for f in module.formulas
        ],
    }
