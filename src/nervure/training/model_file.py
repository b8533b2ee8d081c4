"""Model files: weights, wiring and how to rebuild the network, in safetensors; no pickle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from nervure.errors import ModelFileError, NervureError
from nervure.folders import write_whole
from nervure.training import json_values
from nervure.training.json_values import JSON
from nervure.training.model_kinds import BUILDERS, expect_shapes, is_known

FORMAT = "nervure-model"
VERSION = 1

_KEY = "nervure"
_RESERVED = ("format", "version", "network")
_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class LoadedModel:
    """What `load_model` gives back.

    Attributes
    ----------
    network : torch.nn.Module
        In evaluation mode, on the CPU, in the precision it was saved in.
    metadata : dict
        As from `read_metadata`.
    """

    network: nn.Module
    metadata: dict[str, Any]


class _ForeignError(ModelFileError):
    """A sound file that this nervure cannot use; the message has its own remedy."""


# -- saving ---------------------------------------------------------------------------------------


def save_model(path: str | Path, network: nn.Module, *, metadata: Mapping[str, JSON]) -> None:
    """Write a network to a file, entirely or not at all.

    Parameters
    ----------
    path : path
        Replaced in one step if it exists. The suffix is ``.safetensors`` by custom.
    network : torch.nn.Module
        Of a registered kind; it is not changed.
    metadata : mapping
        What else belongs to the model (how data was prepared, how it was trained), as JSON.
        ``"format"``, ``"version"`` and ``"network"`` are taken.

    Raises
    ------
    ModelFileError
        If the network's kind is not registered, its weights are not finite, the metadata is no
        JSON, or the file cannot be written.

    Notes
    -----
    The file holds each tensor once and the same bytes for the same model. A second copy of the
    tensors is in memory meanwhile.
    """
    path = Path(path)
    kind = type(network).__name__
    if not is_known(network):
        if kind in BUILDERS:
            raise ModelFileError(
                f"cannot save a {kind} to {path}: it is not nervure's class of that name but one "
                f"of {type(network).__module__}; give it another name and make that known with "
                "register_network"
            )
        raise ModelFileError(
            f"cannot save a {kind} to {path}: known are {', '.join(sorted(BUILDERS))}; "
            "make it known with register_network"
        )
    taken = [key for key in _RESERVED if key in metadata]
    if taken:
        raise ModelFileError(f"metadata: {', '.join(taken)} is taken; use another name")
    tensors = {}
    for name, value in network.state_dict().items():
        if not isinstance(value, Tensor):
            raise ModelFileError(f"cannot save {name} to {path}: it is no tensor")
        # Copies: parameters that share memory are legal in torch and illegal in the format.
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
    broken = _not_finite(tensors)
    if broken:
        raise ModelFileError(
            f"not saved to {path}: {broken} is not finite; training has diverged, so lower the "
            "learning rate"
        )
    header: dict[str, JSON] = {
        "format": FORMAT,
        "version": VERSION,
        "network": {"kind": kind, "arguments": cast(Any, network).config()},
        **metadata,
    }
    try:
        text = json_values.dumps(header)
    except TypeError as error:
        raise ModelFileError(f"metadata of {path} is no JSON: {error}") from error
    try:
        write_whole(path, save(tensors, {_KEY: text}))
    except OSError as error:
        raise ModelFileError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose a folder "
            "that you may write to (a model that was there before is unchanged)"
        ) from error


# -- loading --------------------------------------------------------------------------------------


def load_model(path: str | Path) -> LoadedModel:
    """Read a network from a file.

    Everything in the file is checked before it is used; memory is spent in proportion to the
    file's size.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, of another kind or of a newer nervure.
    """
    path = Path(path)
    with _opened(path) as file:
        metadata = _metadata(file)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        network = _rebuilt(metadata["network"], tensors)
    return LoadedModel(network, metadata)


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Read what a model file says about itself, without its tensors.

    Returns
    -------
    dict
        "format", "version", "network" (with "kind" and "arguments"), and what `save_model` was
        given.

    Raises
    ------
    ModelFileError
        As for `load_model`, as far as the header shows it.
    """
    with _opened(Path(path)) as file:
        return _metadata(file)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a model file; whatever goes wrong inside becomes an error that names it."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise ModelFileError(
            f"cannot read the model {path}: it {what}; expected a file that nervure saved"
        )
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            yield file
    except SafetensorError as error:
        raise ModelFileError(
            f"cannot read the model {path}: it is empty, truncated, damaged or no safetensors "
            f"file ({error}); restore it from a copy or train again"
        ) from error
    except OSError as error:
        raise ModelFileError(
            f"cannot read the model {path}: {error.strerror or error}; check its permissions"
        ) from error
    except _ForeignError as error:
        raise ModelFileError(f"cannot read the model {path}: {error}") from error
    except (NervureError, ValueError, TypeError, LookupError, RuntimeError, OverflowError) as error:
        raise ModelFileError(
            f"cannot read the model {path}: {error}; restore it from a copy or train again"
        ) from error


def _metadata(file: Any) -> dict[str, Any]:  # noqa: ANN401
    text = (file.metadata() or {}).get(_KEY)
    if text is None:
        raise _ForeignError(
            "it is a safetensors file of something else; expected one that nervure saved"
        )
    try:
        metadata = json_values.loads(text)
    except ValueError as error:
        raise ModelFileError(f"its metadata is no JSON ({error})") from error
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise ModelFileError(f"its metadata does not name the format {FORMAT}")
    version = metadata.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise _ForeignError(
            f"it has version {version!r} of the format, this nervure reads up to {VERSION}; "
            "a newer nervure may read it"
        )
    network = metadata.get("network")
    if not isinstance(network, dict) or not isinstance(network.get("arguments"), dict):
        raise ModelFileError("its metadata does not say how to build the network")
    return metadata


def _rebuilt(description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    kind = description.get("kind")
    if not isinstance(kind, str) or kind not in BUILDERS:
        raise _ForeignError(
            f"it holds a network of kind {kind!r}, known are {', '.join(sorted(BUILDERS))}; "
            "import what registers the kind, or upgrade nervure"
        )
    # Wirings and counters are integers; each is compared with the network's own below.
    dtypes = {t.dtype for t in tensors.values() if t.is_floating_point()}
    if len(dtypes) != 1 or not dtypes <= set(_FLOATS):
        names = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in dtypes))
        raise ModelFileError(f"expected all weights in one float type, got {names or 'none'}")
    broken = _not_finite(tensors)
    if broken:
        raise ModelFileError(f"tensor {broken} is not finite")
    network = BUILDERS[kind](description["arguments"], tensors).to(dtypes.pop())
    own = network.state_dict()
    if own.keys() != tensors.keys():
        missing, surplus = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
        problems = [f"missing: {', '.join(missing)}"] * bool(missing)
        problems += [f"unknown: {', '.join(surplus)}"] * bool(surplus)
        raise ModelFileError(f"tensors do not fit the network ({'; '.join(problems)})")
    for name, tensor in own.items():
        if tensor.dtype != tensors[name].dtype:
            raise ModelFileError(
                f"tensor {name}: expected {tensor.dtype}, got {tensors[name].dtype}"
            )
    expect_shapes(tensors, {name: tuple(tensor.shape) for name, tensor in own.items()})
    network.load_state_dict(tensors)
    _check_arguments(description["arguments"], network)
    _check_variances(network)
    return network.eval()


def _check_arguments(arguments: Mapping[str, Any], network: nn.Module) -> None:
    """Check that a network took its arguments as they are: 8.0, true and "8" may pass for 8."""
    own = json_values.loads(json_values.dumps(cast(Any, network).config()))
    for name in arguments.keys() & own.keys():
        if json_values.dumps(arguments[name]) != json_values.dumps(own[name]):
            raise ModelFileError(f"{name}: expected {own[name]!r}, got {arguments[name]!r}")


def _check_variances(network: nn.Module) -> None:
    for name, variance in network.named_buffers():
        if name.endswith("running_var") and bool((variance < 0).any()):
            raise ModelFileError(f"tensor {name} holds a negative variance")


def _not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """Name the first tensor that holds a nan or an infinity."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            return name
    return None
