"""What is to be done when an optimizer's step has its gradients, closure or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.hooks import RemovableHandle

Work = Callable[[torch.optim.Optimizer, bool], None]


def before_step(
    optimizer: torch.optim.Optimizer, work: Work, *, each: bool = False, first: bool = False
) -> RemovableHandle:
    """Have something done at each step of an optimizer, between its gradients and its move.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    work : callable
        Given the optimizer, and whether the gradients come from a closure, ``step(closure)``. Then
        it is done after the closure, as there are none before.
    each : bool
        Whether it is done each time that the step calls its closure, not at the first only.
    first : bool
        Whether it is done before what others have asked for.

    Returns
    -------
    torch.utils.hooks.RemovableHandle
    """

    def hook(
        optimizer: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        # torch counts the optimizer itself among the arguments of its step.
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is None:
            work(optimizer, False)
            return None
        worked = False

        def closure_and_work() -> Any:  # noqa: ANN401 - whatever the closure gives
            nonlocal worked
            loss = closure()
            if each or not worked:
                work(optimizer, True)
            worked = True
            return loss

        if len(args) > 1:
            return (args[0], closure_and_work, *args[2:]), kwargs
        return args, {**kwargs, "closure": closure_and_work}

    handle = optimizer.register_step_pre_hook(hook)
    if first:
        hooks = handle.hooks_dict_ref()
        assert hooks is not None
        hooks.move_to_end(handle.id, last=False)
    return handle
