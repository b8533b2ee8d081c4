"""The five tasks of colour images, by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nervure.data import COLOUR_IMAGES, ArrayEncoder, Prepared, colour_images, load
from nervure.data.colour_images import SIDE, source_of
from nervure.data.repacked import pixel_names
from nervure.errors import DataError

PHOTOGRAPHS = ("cifar10", "cifar10_t8")
_VALIDATION_SHARE = 0.1
_COLOURS = 3


def colour_task(name: str) -> str | None:
    """Give the name of the task meant, or None if it is none; dashes and underscores are equal."""
    key = name.lower().replace("-", "_")
    return key if key in COLOUR_IMAGES else None


def open_colour_task(name: str, *, seed: int, rows: int | None = None) -> Prepared:
    """Make the data of a task of colour images.

    Parameters
    ----------
    name : str
        Among `COLOUR_IMAGES`.
    seed : int
        For rows, colours and the order of tiles.
    rows : int, optional
        At most so many to train on, and to validate on. A tenth of the training part, at most, is
        for validation; all of the published test part is for testing.

    Returns
    -------
    Prepared
        Features are pixels, row by row, of each the three colours as bytes.

    Raises
    ------
    DataError
        If the images are not there.
    """
    images = load(source_of(name))
    official = images.official_test
    if official is None:
        raise DataError(f"{images.name}: expected a published test part, got none")
    count = int(np.count_nonzero(~official))
    validation = max(1, round(_VALIDATION_SHARE * count))
    train = count - validation
    if rows is not None:
        validation, train = min(rows, validation), min(rows, train)
    made = colour_images(name, train=train, validation=validation, seed=seed, images=images)
    x_train, x_validation, x_test = (
        _flat(part) for part in (made.x_train, made.x_validation, made.x_test)
    )
    names = pixel_names(SIDE * SIDE * _COLOURS)
    encoder = ArrayEncoder.fit(x_train, names)
    how, messages = "the published test part", []
    if images.subset is not None:
        how = "the fixed test part of this subset, not the published one"
        messages.append(f"{images.name} is {images.subset}")
    messages.append(
        f"split ({how}): {train:,} training, {validation:,} validation, {len(x_test):,} test rows"
    )
    return Prepared(
        name=name,
        task="classification",
        class_names=made.class_names,
        feature_names=names,
        x_train=encoder.transform(x_train),
        y_train=made.y_train,
        x_validation=encoder.transform(x_validation),
        y_validation=made.y_validation,
        x_test=encoder.transform(x_test),
        y_test=made.y_test,
        target_mean=0.0,
        target_std=1.0,
        encoder=encoder,
        messages=tuple(messages),
        image_shape=(SIDE, SIDE, _COLOURS),
    )


def _flat(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give rows of pixels, the colours of each together."""
    return images.transpose(0, 2, 3, 1).reshape(len(images), -1)
