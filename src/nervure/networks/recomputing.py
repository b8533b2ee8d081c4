"""Less memory for training: what is inside a module is computed again in the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recomputed(function: Callable[..., Tensor], module: nn.Module, *x: Tensor) -> Tensor:
    """Call a function such that for gradients only its arguments and its result are held.

    Parameters
    ----------
    function : callable
        From `x` to the result; it runs `module`, and again in the backward pass.
    module : Module
        Its buffers, such as the statistics of a batch normalisation, are not changed by the second
        run.
    *x : Tensor

    Returns
    -------
    Tensor
        With the same gradients as of a plain call, if the module gives the same twice.
    """
    out: Tensor = checkpoint(
        function,
        *x,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), _BuffersApart(module)),
    )
    return out


class _BuffersApart:
    """Lets a module work on copies of its buffers, once for every backward pass.

    A batch normalisation that were told not to keep statistics would save fewer tensors than in
    the first run, which torch takes for an error.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._kept: list[tuple[nn.Module, str, Tensor]] = []

    def __enter__(self) -> None:
        self._kept = [
            (part, name, values)
            for part in self._module.modules()
            for name, values in part.named_buffers(recurse=False)
        ]
        for part, name, values in self._kept:
            setattr(part, name, values.clone())

    def __exit__(self, *error: object) -> None:
        for part, name, values in self._kept:
            setattr(part, name, values)
        self._kept = []
