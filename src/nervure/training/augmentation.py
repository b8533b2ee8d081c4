"""Images changed at random, so that a network does not learn them by heart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nervure.errors import EngineError


class FlipAndCrop:
    """Shift images by a few pixels, and mirror every other one.

    Parameters
    ----------
    margin : int
        Most pixels of a shift, each way; what comes in at the edge is zero.
    flip : bool
        Whether half of the images are mirrored left to right.
    image_shape : sequence of int, optional
        (height, width) or (height, width, colours) if images come as flat rows of pixels.

    Raises
    ------
    EngineError
        If an option does not fit.

    Notes
    -----
    A crop of random place from the image with a frame of `margin` zeros, the usual augmentation of
    CIFAR-10 (He et al. 2016, section 4.2); paper: connectivity-tradeoff, by its authors' code. On
    standardised images zero is the mean colour.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from nervure.training import FlipAndCrop
    >>> x = torch.arange(1.0, 5.0).reshape(1, 1, 2, 2)
    >>> FlipAndCrop(margin=1)(x, np.random.default_rng(6)).flatten().tolist()
    [2.0, 1.0, 4.0, 3.0]
    """

    def __init__(
        self, margin: int = 4, *, flip: bool = True, image_shape: Sequence[int] | None = None
    ) -> None:
        if margin < 0:
            raise EngineError(f"margin: expected at least 0, got {margin}")
        if image_shape is not None and len(image_shape) not in (2, 3):
            raise EngineError(
                f"image_shape: expected (height, width) or (height, width, colours), got "
                f"{tuple(image_shape)}"
            )
        self.margin, self.flip = margin, flip
        self.image_shape = None if image_shape is None else tuple(image_shape)

    def __call__(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """Give images changed, of the shape that came.

        Parameters
        ----------
        x : Tensor, shape (batch, channels, height, width), or (batch, pixels)
        generator : numpy.random.Generator
        """
        if x.ndim == 4:
            return self._changed(x, generator)
        if self.image_shape is None:
            raise EngineError(
                f"expected images of shape (batch, channels, height, width), got {tuple(x.shape)}; "
                "give image_shape for flat rows"
            )
        height, width, *colours = self.image_shape
        images = x.reshape(len(x), height, width, *(colours or [1])).permute(0, 3, 1, 2)
        return self._changed(images, generator).permute(0, 2, 3, 1).reshape(x.shape)

    def _changed(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        count, channels, height, width = x.shape
        margin = self.margin
        down, right = generator.integers(2 * margin + 1, size=(2, count))
        mirrored = generator.random(count) < (0.5 if self.flip else 0.0)
        rows = down[:, None] + np.arange(height)
        columns = right[:, None] + np.arange(width)
        columns[mirrored] = columns[mirrored, ::-1]
        framed = functional.pad(x, (margin, margin, margin, margin))
        return framed[
            torch.arange(count)[:, None, None, None],
            torch.arange(channels)[None, :, None, None],
            torch.from_numpy(rows)[:, None, :, None],
            torch.from_numpy(columns)[:, None, None, :],
        ]
