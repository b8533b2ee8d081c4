"""Losses beside cross-entropy and the mean squared error."""

from __future__ import annotations

from torch import Tensor

from nervure.errors import EngineError


def max_abs_error(output: Tensor, target: Tensor) -> Tensor:
    """Give the largest absolute error of a batch, its L-infinity distance from the target.

    Parameters
    ----------
    output, target : Tensor
        Of one shape, with at least one value.

    Returns
    -------
    Tensor, shape ()
        Differentiable: the gradient is the sign of the error where it is largest, shared equally
        where several are, and zero elsewhere. So a step looks at one sample of the batch.

    Raises
    ------
    EngineError
        If the shapes differ, because (n, 1) and (n,) would be compared each with each, or nothing
        is in them.

    Notes
    -----
    The loss of the polynomial tasks in the FreeNets authors' code.

    Examples
    --------
    >>> import torch
    >>> from nervure.training.losses import max_abs_error
    >>> max_abs_error(torch.tensor([1.0, 5.0]), torch.tensor([2.0, 2.0]))
    tensor(3.)
    """
    if output.shape != target.shape or not output.numel():
        raise EngineError(
            "expected output and target of one shape and not empty, got "
            f"{tuple(output.shape)} and {tuple(target.shape)}"
        )
    return (output - target).abs().amax()
