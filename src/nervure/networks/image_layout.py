"""Images, as maps or as rows of pixels, in the memory format in which convolutions are fast."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nervure.engine.tracing import is_transformed
from nervure.errors import EngineError


def rows_as_images(x: Tensor, image_shape: tuple[int, ...]) -> Tensor:
    """View rows of pixels as images; they are in torch's channels_last format.

    Parameters
    ----------
    x : Tensor, shape (batch, pixels)
    image_shape : tuple of int
        (height, width) or (height, width, colours), the order of pixels in a row.

    Returns
    -------
    Tensor, shape (batch, colours, height, width)

    Raises
    ------
    EngineError
        If there are not as many pixels as an image of that shape has.
    """
    height, width, colours = (*image_shape, 1)[:3]
    if x.shape[1] != height * width * colours:
        raise EngineError(
            f"expected rows of {math.prod(image_shape)} pixels, which images of {image_shape} "
            f"have, got {x.shape[1]}"
        )
    return x.reshape(len(x), height, width, colours).permute(0, 3, 1, 2)


def channels_last(x: Tensor) -> Tensor:
    """Give feature maps in torch's channels_last format, and anything else as it is."""
    # Transforms of torch.func know no memory formats.
    if x.ndim != 4 or is_transformed():
        return x
    return x.contiguous(memory_format=torch.channels_last)
