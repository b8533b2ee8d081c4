"""Who asks: numbers at once, a compiler, an export, or a transform of torch.func."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

_F = TypeVar("_F", bound=Callable[..., Any])


def is_transformed() -> bool:
    """Whether a transform of torch.func is at work on values, not on a program being traced."""
    return not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active()


def is_eager(tensor: Tensor) -> bool:
    """Whether an operation on a tensor gives numbers at once, so that Python may look at them."""
    return (
        type(tensor) is Tensor
        and not torch.compiler.is_compiling()
        and not tensor.is_meta
        and not torch._C._are_functorch_transforms_active()
        and torch._C._len_torch_dispatch_stack() == 0
    )


# Before torch 2.7 an export cannot be told from a compilation; both are then taken for one.
is_exporting: Callable[[], bool] = getattr(
    torch.compiler, "is_exporting", torch.compiler.is_compiling
)


def not_traced(function: _F) -> _F:
    """Keep a function out of compiled programs, which break off before it and go on after it."""
    return cast(_F, torch.compiler.disable(function))


def constant_when_traced(function: _F) -> _F:
    """Have compilers take a function's result for a constant, and not follow it."""
    return cast(_F, torch.compiler.assume_constant_result(function))
