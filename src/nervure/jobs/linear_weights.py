"""Weights of linear layers in a safetensors file, as `state_dict` of an `nn.Sequential` names them.

Such a file holds numbers and names, not the network: the order of the layers is that of the numbers
in their names, and what stands between them is not in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from nervure.errors import ModelFileError

_SAVE = "safetensors.torch.save_file(network.state_dict(), 'weights.safetensors')"
# What may stand between two linear layers here; all treat every unit alone.
BETWEEN: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU, "silu": nn.SiLU, "identity": nn.Identity,
}  # fmt: skip


@dataclass(frozen=True)
class LinearWeights:
    """Linear layers in their order.

    Attributes
    ----------
    network : nn.Sequential
        The layers, with the activation asked for between them.
    names : tuple of str
        Of the weights, as in the file.
    ignored : tuple of str
        Tensors of something else, such as BatchNorm: the wiring is known without them, what the
        network computes is not.
    """

    network: nn.Sequential
    names: tuple[str, ...]
    ignored: tuple[str, ...]


def is_nervure_file(path: Path) -> bool:
    """Say whether a safetensors file is one that nervure saved.

    Raises
    ------
    ModelFileError
        If it is no safetensors file.
    """
    with _opened(path) as file:
        return "nervure" in (file.metadata() or {})


def read_linear_weights(path: Path, *, activation: str = "relu") -> LinearWeights:
    """Read the linear layers of a network from its weights.

    Parameters
    ----------
    path : Path
        A safetensors file whose matrices, in the order of the numbers in their names, chain: each
        is [units, units of the layer before]. ``0.weight`` and ``0.bias``, ``layers.0.weight``;
        ``0.weight_orig`` with ``0.weight_mask`` as `torch.nn.utils.prune` leaves them.
    activation : str
        What stands between the layers: one of `BETWEEN`.

    Returns
    -------
    LinearWeights

    Raises
    ------
    ModelFileError
        If it is no such file.
    """
    if activation not in BETWEEN:
        raise ModelFileError(f"activation: expected {', '.join(BETWEEN)}, got {activation!r}")
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    matrices, rest = _matrices(path, tensors)
    parts: list[nn.Module] = []
    for name, weight in matrices.items():
        bias = rest.pop(f"{name.removesuffix('weight')}bias", None)
        if bias is not None and bias.shape != weight.shape[:1]:
            raise ModelFileError(
                f"{path}: {name} gives {len(weight)} units, its bias has shape {tuple(bias.shape)}"
            )
        if parts:
            parts.append(BETWEEN[activation]())
        parts.append(_linear(weight, bias))
    return LinearWeights(nn.Sequential(*parts), tuple(matrices), tuple(rest))


def _matrices(
    path: Path, tensors: dict[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Give the weights of the layers in order, and all other tensors."""
    rest = dict(tensors)
    found: dict[str, Tensor] = {}
    for name in sorted(tensors, key=_numbers_first):
        if name.endswith("weight_orig") and f"{name.removesuffix('orig')}mask" in rest:
            whole = rest.pop(name) * rest.pop(f"{name.removesuffix('orig')}mask")
            found[name.removesuffix("_orig")] = whole
        elif name.rpartition(".")[2] == "weight" and tensors[name].dim() >= 2:
            found[name] = rest.pop(name)
    if not found:
        raise ModelFileError(
            f"{path} holds no weights of linear layers: expected matrices named like 0.weight, got "
            f"{', '.join(sorted(tensors)[:5]) or 'no tensor'}; save yours with {_SAVE}"
        )
    before = ""
    for name, weight in found.items():
        shape = tuple(weight.shape)
        if weight.dim() != 2 or not weight.is_floating_point():
            raise ModelFileError(
                f"{path}: expected {name} to be a matrix [units, inputs] of a linear layer, got "
                f"{weight.dtype} of shape {shape}; save the linear layers alone, in a file of "
                "their own"
            )
        if not torch.isfinite(weight).all():
            raise ModelFileError(f"{path}: {name} is not finite; training has diverged")
        if before and shape[1] != len(found[before]):
            raise ModelFileError(
                f"{path}: {name} of shape {shape} reads {shape[1]} units, but {before} before it "
                f"gives {len(found[before])}; expected linear layers that follow each other in the "
                "order of the numbers in their names. For another network build a Topology and "
                "call nervure.modules.detect_modules"
            )
        before = name
    return found, rest


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    # On no device at first: initial weights would be drawn from torch's own generator.
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    layer.weight = nn.Parameter(weight.double(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.double(), requires_grad=False)
    return layer


def _numbers_first(name: str) -> tuple[tuple[int, ...], str]:
    return tuple(map(int, re.findall(r"\d+", name))), name


def _opened(path: Path) -> safe_open:
    try:
        return safe_open(path, framework="pt", device="cpu")
    except SafetensorError as error:
        raise ModelFileError(
            f"cannot read {path}: it is empty, damaged or no safetensors file ({error}); save a "
            f"PyTorch network with {_SAVE}"
        ) from error
    except OSError as error:
        raise ModelFileError(
            f"cannot read {path}: {error.strerror or error}; check its permissions"
        ) from error
