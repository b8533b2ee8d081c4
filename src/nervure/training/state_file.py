"""Files of nested state: what optimizers, rules and trainings hold, without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nervure.errors import RunError
from nervure.folders import write_whole
from nervure.training import json_values

FORMAT = "nervure-state"
VERSION = 1

_KEY = "nervure"
# Marks what JSON has no word for; a mapping with this key is written as a list of pairs.
_TAG = "$"


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write state to a file, entirely or not at all.

    Parameters
    ----------
    path : Path
        Replaced in one step if it exists.
    state : mapping
        None, bool, int, float, str, NumPy numbers, tensors, arrays, and lists, tuples and mappings
        of them, nested as they come. An array that is there twice is written once.

    Raises
    ------
    RunError
        If the file cannot be written; what was there before is unchanged.
    TypeError
        If something else is in the state.
    """
    tensors = _Tensors()
    header = {"format": FORMAT, "version": VERSION, "state": tensors.encoded(state)}
    data = save(tensors.by_name, {_KEY: json_values.dumps(header)})
    try:
        write_whole(path, data)
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose a folder "
            "that you may write to (what was saved there before is unchanged)"
        ) from error


def load_state(path: Path) -> dict[str, Any]:
    """Read what `save_state` wrote.

    Returns
    -------
    dict
        With tensors on the CPU; those that were one come back as one.

    Raises
    ------
    RunError
        If the file is missing, damaged, of another kind or of a newer nervure. Nothing in it is
        run, and memory is spent in proportion to its size.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            text = (file.metadata() or {}).get(_KEY, "null")
            header = json_values.loads(text)
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise ValueError("it is something else")
            version = header.get("version")
            if type(version) is not int or not 1 <= version <= VERSION:
                raise RunError(
                    f"cannot read {path}: it has version {version!r}, this nervure reads up to "
                    f"{VERSION}; go on with the nervure that wrote it"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            arrays: dict[str, Any] = {}
            state = _decoded(header.get("state"), tensors, arrays)
    except (SafetensorError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise RunError(
            f"cannot read {path}: it is truncated, damaged or no state of a run ({error}); remove "
            "it to begin anew"
        ) from error
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error
    if not isinstance(state, dict):
        raise RunError(f"cannot read {path}: it holds no state; remove it to begin anew")
    return state


class _Tensors:
    """Puts tensors aside while a state becomes JSON."""

    def __init__(self) -> None:
        self.by_name: dict[str, Tensor] = {}
        self._names: dict[int, str] = {}
        # What is kept here keeps its id.
        self._seen: list[object] = []

    def encoded(self, value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, Tensor):
            return {_TAG: "tensor", "name": self._name(value, value)}
        if isinstance(value, np.ndarray):
            tensor = torch.from_numpy(np.array(value, order="C"))
            return {_TAG: "array", "name": self._name(value, tensor)}
        if isinstance(value, tuple):
            return {_TAG: "tuple", "items": [self.encoded(item) for item in value]}
        if isinstance(value, list):
            return [self.encoded(item) for item in value]
        if isinstance(value, Mapping):
            if _TAG not in value and all(isinstance(key, str) for key in value):
                return {key: self.encoded(item) for key, item in value.items()}
            pairs = [[self.encoded(key), self.encoded(item)] for key, item in value.items()]
            return {_TAG: "mapping", "items": pairs}
        return value

    def _name(self, value: object, tensor: Tensor) -> str:
        if id(value) not in self._names:
            name = f"t{len(self.by_name)}"
            self._names[id(value)] = name
            self._seen.append(value)
            # Copies: tensors that share memory are legal in torch and illegal in the format.
            self.by_name[name] = tensor.detach().to("cpu", copy=True).contiguous()
        return self._names[id(value)]


def _decoded(value: Any, tensors: Mapping[str, Tensor], arrays: dict[str, Any]) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_decoded(item, tensors, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(_TAG)
    if kind is None:
        return {key: _decoded(item, tensors, arrays) for key, item in value.items()}
    if kind == "tensor":
        return tensors[value["name"]]
    if kind == "array":
        name = value["name"]
        if name not in arrays:
            arrays[name] = tensors[name].numpy()
        return arrays[name]
    if kind == "tuple":
        return tuple(_decoded(item, tensors, arrays) for item in value["items"])
    if kind == "mapping":
        pairs = [_decoded(pair, tensors, arrays) for pair in value["items"]]
        return dict(pairs)
    raise ValueError(f"unknown kind {kind!r}")
