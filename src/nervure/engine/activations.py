"""The activations a node can have: value, slope, Lipschitz constant and native code."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nervure.errors import EngineError

DEFAULT_LEAK = 0.01

ActivationName = Literal[
    "identity", "relu", "squared_relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu"
]

_Function = Callable[[Tensor, float], Tensor]


@dataclass(frozen=True)
class Activation:
    """One activation function.

    Attributes
    ----------
    name : str
        Name by which users ask for it.
    value, slope : callable
        f(z, leak) and f'(z, leak), elementwise.
    lipschitz : float
        Smallest Lipschitz constant (infinite for squared relu; for leaky relu with a leak of at
        most 1).
    slope_of_value : callable or None
        f'(z) from f(z) and the leak; None where it does not follow.
    """

    name: str
    value: _Function
    slope: _Function
    lipschitz: float
    slope_of_value: _Function | None = None


def _step(z: Tensor, _: float = 0.0) -> Tensor:
    return (z > 0).to(z.dtype)


def _leaky_step(z: Tensor, leak: float) -> Tensor:
    return torch.full_like(z, leak).masked_fill_(z > 0, 1.0)


def _gelu_slope(z: Tensor, _: float) -> Tensor:
    cdf = 0.5 * (1 + torch.erf(z / math.sqrt(2)))
    return cdf + z * torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def _silu_slope(z: Tensor, _: float) -> Tensor:
    s = torch.sigmoid(z)
    return s * (1 + z * (1 - s))


# The position in this table is the code that plans hold and the native kernels switch on. The
# Lipschitz constants of gelu and silu are the maxima of their slopes, at z = sqrt(2) and 2.3994.
ACTIVATIONS: tuple[Activation, ...] = (
    Activation(
        "identity",
        lambda z, _: z,
        lambda z, _: torch.ones_like(z),
        1.0,
        lambda a, _: torch.ones_like(a),
    ),
    Activation("relu", lambda z, _: torch.relu(z), _step, 1.0, _step),
    Activation(
        "squared_relu",
        lambda z, _: torch.relu(z).square(),
        lambda z, _: 2 * torch.relu(z),
        math.inf,
        lambda a, _: 2 * a.clamp_min(0).sqrt(),
    ),
    Activation(
        "leaky_relu",
        lambda z, leak: functional.leaky_relu(z, leak),
        _leaky_step,
        1.0,
        _leaky_step,
    ),
    Activation(
        "tanh",
        lambda z, _: torch.tanh(z),
        lambda z, _: 1 - torch.tanh(z).square(),
        1.0,
        lambda a, _: 1 - a.square(),
    ),
    Activation(
        "sigmoid",
        lambda z, _: torch.sigmoid(z),
        lambda z, _: torch.sigmoid(z) * (1 - torch.sigmoid(z)),
        0.25,
        lambda a, _: a * (1 - a),
    ),
    Activation("gelu", lambda z, _: functional.gelu(z), _gelu_slope, 1.129),
    Activation("silu", lambda z, _: functional.silu(z), _silu_slope, 1.1),
)
NAMES: tuple[str, ...] = tuple(a.name for a in ACTIVATIONS)


def activation_codes(activation: str | Sequence[str], num_nodes: int) -> NDArray[np.int32]:
    """Give the activation code of every node.

    Parameters
    ----------
    activation : str or sequence of str
        One name for all nodes, or one per node.
    num_nodes : int
        Number of nodes.

    Returns
    -------
    ndarray of int32, shape (num_nodes,)

    Raises
    ------
    EngineError
        If a name is unknown or the count is wrong.
    """
    names = [activation] * num_nodes if isinstance(activation, str) else list(activation)
    if len(names) != num_nodes:
        raise EngineError(
            f"expected one activation per node ({num_nodes}), got {len(names)}; "
            "pass one name for all nodes or one name per node"
        )
    code = {name: i for i, name in enumerate(NAMES)}
    unknown = sorted({name for name in names if name not in code})
    if isinstance(activation, str) and activation not in code:
        unknown = [activation]
    if unknown:
        raise EngineError(
            f"unknown activation {', '.join(unknown)}; choose from {', '.join(NAMES)}"
        )
    return np.array([code[name] for name in names], dtype=np.int32)


def apply_value(codes: Tensor, z: Tensor, leak: float) -> Tensor:
    """Apply f per node; `z` has shape (batch, nodes), `codes` (nodes,)."""
    return _apply([a.value for a in ACTIVATIONS], codes, z, leak)


def apply_slope(codes: Tensor, z: Tensor, leak: float) -> Tensor:
    """Apply f' per node; `z` has shape (batch, nodes), `codes` (nodes,)."""
    return _apply([a.slope for a in ACTIVATIONS], codes, z, leak)


def apply_slope_of_value(codes: Tensor, a: Tensor, leak: float, slope: Tensor | None) -> Tensor:
    """Give f' per node from f, or out of `slope` where it does not follow from f."""

    def known(_: Tensor, __: float) -> Tensor:
        if slope is None:
            raise EngineError("gelu and silu need the slopes that the forward solve kept")
        return slope

    return _apply([x.slope_of_value or known for x in ACTIVATIONS], codes, a, leak)


def _apply(functions: Sequence[_Function], codes: Tensor, z: Tensor, leak: float) -> Tensor:
    present: list[int] = torch.unique(codes).tolist()
    if len(present) == 1:
        return functions[present[0]](z, leak)
    out = z
    for code in present:
        out = torch.where(codes == code, functions[code](z, leak), out)
    return out
