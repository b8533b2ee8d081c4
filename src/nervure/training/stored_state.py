"""Compare state that comes from a file with what it is to take the place of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

OptimizerMaker = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


def expect_like(own: object, given: object, name: str) -> None:
    """Check that a value is of the type of another, and so is everything in it.

    Parameters
    ----------
    own : object
        None, bool, number, str, tensor, or lists, tuples and mappings of them. Where it has None or
        an empty list there may be anything.
    given : object
    name : str
        Of the value, for the message.

    Raises
    ------
    ValueError
        Naming the first place that differs in its keys, its type, or the type and the number of
        axes of a tensor. Lengths and shapes may change as a network is rewired.
    """
    if own is None:
        return
    if isinstance(own, Mapping):
        if not isinstance(given, Mapping) or given.keys() != own.keys():
            raise ValueError(f"{name}: expected {', '.join(map(str, own))}, got {_named(given)}")
        for key in own:
            expect_like(own[key], given[key], f"{name}.{key}")
    elif isinstance(own, list | tuple):
        if type(given) is not type(own):
            raise ValueError(f"{name}: expected a {type(own).__name__}, got {_named(given)}")
        for i, item in enumerate(given if own else ()):
            expect_like(own[0], item, f"{name}[{i}]")
    elif isinstance(own, Tensor):
        if not isinstance(given, Tensor) or (given.dtype, given.ndim) != (own.dtype, own.ndim):
            raise ValueError(f"{name}: expected {_named(own)}, got {_named(given)}")
    elif not _is_number(given) if _is_number(own) else type(given) is not type(own):
        raise ValueError(f"{name}: expected {_named(own)}, got {_named(given)}")


def expect_optimizer(
    optimizer: torch.optim.Optimizer, groups: Sequence[Mapping[str, Any]], make: OptimizerMaker
) -> None:
    """Check that the state an optimizer was given is one that it can go on with.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    groups : sequence of mapping
        Its options before. Only the learning rate may be another now.
    make : callable
        Makes an optimizer of this kind for some parameters.

    Raises
    ------
    ValueError
    """
    for own, given in zip(groups, optimizer.param_groups, strict=True):
        options = {key: value for key, value in own.items() if key not in ("params", "lr")}
        changed = [key for key, value in options.items() if key not in given or given[key] != value]
        if changed or given.keys() != own.keys():
            raise ValueError(f"the options of the optimizer differ: {', '.join(changed) or 'keys'}")
        if not _is_number(given["lr"]) or not 0 <= given["lr"] < math.inf:
            raise ValueError(f"lr: expected a number of at least 0, got {given['lr']!r}")
    # What such an optimizer keeps, and whether of each element, is seen from its first step.
    sample = nn.Parameter(torch.zeros(2, 3))
    sample.grad = torch.zeros(2, 3)
    trial = make([sample])
    trial.step()
    kept = {key: value for key, value in trial.state[sample].items() if value is not None}
    for parameter, values in optimizer.state.items():
        found = {key: value for key, value in values.items() if value is not None}
        if found and found.keys() != kept.keys():
            raise ValueError(f"the optimizer keeps {', '.join(kept)}, got {', '.join(found)}")
        for key, value in found.items():
            single = kept[key].ndim == 0
            shape = () if single else tuple(parameter.shape)
            if not isinstance(value, Tensor) or value.is_complex() or tuple(value.shape) != shape:
                raise ValueError(
                    f"{key} of the optimizer: expected shape {shape}, got {_named(value)}"
                )
            if single and not 0 <= float(value) < math.inf:
                raise ValueError(f"{key} of the optimizer: expected at least 0, got {value}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _named(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype} with shape {tuple(value.shape)}"
    if isinstance(value, Mapping):
        return f"a mapping with {', '.join(map(repr, value)) or 'nothing'}"
    return f"a {type(value).__name__}"
