"""Colour images of rising difficulty: coloured digits and clothes, photographs, their tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nervure.data.dataset import Dataset
from nervure.data.registry import load
from nervure.errors import DataError

Pixels = NDArray[np.uint8]
Numbers = NDArray[np.int64]
SIDE = 32
TILE = 8


@dataclass(frozen=True, eq=False)
class ColourImages:
    """Images of three channels in a training, a validation and a test part.

    Attributes
    ----------
    name : str
    x_train, x_validation, x_test : ndarray of uint8, shape (rows, 3, 32, 32)
    y_train, y_validation, y_test : ndarray of int64, shape (rows,)
    class_names : tuple of str
    citation : str
    """

    name: str
    x_train: Pixels
    y_train: Numbers
    x_validation: Pixels
    y_validation: Numbers
    x_test: Pixels
    y_test: Numbers
    class_names: tuple[str, ...]
    citation: str

    def standardised(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Give the three parts with mean 0 and deviation 1 per channel, by the training part.

        Returns
        -------
        tuple of ndarray of float32, shape (rows, 3, 32, 32)
        """
        # Sums in float64 of bytes are exact; per channel, as every recipe for CIFAR-10 has it.
        values = self.x_train.reshape(len(self.x_train), 3, -1)
        mean = values.mean(axis=(0, 2), dtype=np.float64)[:, None, None]
        spread = values.std(axis=(0, 2), dtype=np.float64)[:, None, None]
        one, two, three = (
            ((part - mean) / np.maximum(spread, 1e-6)).astype(np.float32)
            for part in (self.x_train, self.x_validation, self.x_test)
        )
        return one, two, three


def colour_images(
    name: str,
    *,
    train: int | None = None,
    validation: int = 0,
    test: int | None = None,
    seed: int = 0,
    images: Dataset | None = None,
) -> ColourImages:
    """Make one of the five tasks of rising difficulty.

    Parameters
    ----------
    name : {"cmnist", "ckmnist", "cfashion_mnist", "cifar10", "cifar10_t8"}
        Digits, Kuzushiji or clothes, each in a colour of its own on black; photographs; photographs
        whose 16 tiles are shuffled and turned, all in the same way.
    train, test : int, optional
        Rows drawn from the training and the test part, with classes in proportion; None for all
        that there are.
    validation : int
        Rows taken from the training part besides, for choices.
    seed : int
        For rows, colours, and the order of the tiles. What an image looks like depends on it and
        on the image, not on how many are drawn.
    images : Dataset, optional
        Instead of the dataset that the name says.

    Returns
    -------
    ColourImages

    Raises
    ------
    DataError
        If the name is not known, there are too few rows, or images have another shape.

    Notes
    -----
    Paper: connectivity-tradeoff, section 4, after Janik and Witaszczyk 2020. They do not say how
    colours are drawn; here the grey value scales a colour drawn uniformly from the cube and made
    as bright as it can be, and 28 x 28 images get a frame of two black pixels.
    """
    if name not in _TASKS:
        raise DataError(f"no colour images named {name!r}; known: {', '.join(_TASKS)}")
    source, change = _TASKS[name]
    given = load(source) if images is None else images
    if isinstance(given.x, csr_matrix) or given.image_shape not in ((28, 28), (32, 32, 3)):
        raise DataError(
            f"{given.name}: expected images of 28 x 28 or 32 x 32 x 3, got {given.image_shape}"
        )
    if (given.image_shape == (28, 28)) != (change is _coloured):
        raise DataError(f"{name}: cannot be made of {given.name} with shape {given.image_shape}")
    counts = {"train": (train, 1), "validation": (validation, 0), "test": (test, 0)}
    few = [
        f"{part}: expected at least {least} rows, got {count}"
        for part, (count, least) in counts.items()
        if count is not None and count < least
    ]
    if few:
        raise DataError(f"{name}: " + "; ".join(few))
    rows = np.random.default_rng([seed, 0])
    official = given.official_test
    if official is None:
        raise DataError(f"{given.name}: expected a published test part, got none")
    if train is None and validation >= np.count_nonzero(~official):
        raise DataError(f"{name}: {validation:,} rows for validation leave none to train on")
    wanted = None if train is None else train + validation
    learning = _in_proportion(given.y, np.flatnonzero(~official), wanted, rows, name)
    parts = np.split(learning, [validation])
    testing = _in_proportion(given.y, np.flatnonzero(official), test, rows, name)
    made = [change(_bytes(given, part), part, seed) for part in (parts[1], parts[0], testing)]
    y = given.y.astype(np.int64)
    return ColourImages(
        name, made[0], y[parts[1]], made[1], y[parts[0]], made[2], y[testing],
        given.class_names, given.citation,
    )  # fmt: skip


def source_of(name: str) -> str:
    """Give the name of the dataset whose images a task has."""
    return _TASKS[name][0]


def _bytes(given: Dataset, rows: Numbers) -> Pixels:
    """Give images as bytes, shape (rows, height, width) or (rows, 3, 32, 32)."""
    assert given.image_shape is not None
    values = np.asarray(given.x[rows]).reshape(-1, *given.image_shape)
    # Datasets keep pixels in [0, 1] or in [0, 255]; which, all of them say, not those drawn.
    scale = 255 if float(np.asarray(given.x).max(initial=0)) <= 1 else 1
    pixels: Pixels = np.rint(values * scale).astype(np.uint8)
    return pixels.transpose(0, 3, 1, 2) if pixels.ndim == 4 else pixels


def _in_proportion(
    y: NDArray[np.integer],
    rows: Numbers,
    count: int | None,
    generator: np.random.Generator,
    name: str,
) -> Numbers:
    """Draw rows such that any number of the first ones has the classes nearly in proportion."""
    if count is not None and count > len(rows):
        raise DataError(f"{name}: expected at most {len(rows):,} rows, got {count:,}")
    shuffled = generator.permutation(rows)
    labels = y[shuffled]
    place = np.empty(len(rows))
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        place[own] = (np.arange(len(own)) + generator.random()) / len(own)
    chosen: Numbers = shuffled[np.argsort(place, kind="stable")][:count]
    return chosen


def _coloured(grey: Pixels, rows: Numbers, seed: int) -> Pixels:
    colours = np.random.default_rng([seed, 1]).random((int(rows.max(initial=0)) + 1, 3))[rows]
    colours /= colours.max(axis=1, keepdims=True, initial=1e-9)
    framed = np.zeros((len(grey), 3, SIDE, SIDE), dtype=np.uint8)
    margin = (SIDE - grey.shape[1]) // 2
    inner = slice(margin, SIDE - margin)
    framed[:, :, inner, inner] = np.rint(grey[:, None] * colours[:, :, None, None])
    return framed


def _as_is(pixels: Pixels, rows: Numbers, seed: int) -> Pixels:
    del rows, seed
    return np.ascontiguousarray(pixels)


def _in_tiles(pixels: Pixels, rows: Numbers, seed: int) -> Pixels:
    """Cut into 8 x 8 tiles, and put them in another order, each turned by quarters."""
    del rows
    across = SIDE // TILE
    generator = np.random.default_rng([seed, 2])
    order, turns = generator.permutation(across**2), generator.integers(4, size=across**2)
    tiles = pixels.reshape(-1, 3, across, TILE, across, TILE).transpose(2, 4, 0, 1, 3, 5)
    tiles = tiles.reshape(across**2, -1, 3, TILE, TILE)
    turned = np.stack(
        [np.rot90(tiles[i], k, axes=(2, 3)) for i, k in zip(order, turns, strict=True)]
    )
    laid = turned.reshape(across, across, -1, 3, TILE, TILE).transpose(2, 3, 0, 4, 1, 5)
    return np.ascontiguousarray(laid.reshape(-1, 3, SIDE, SIDE))


_TASKS: dict[str, tuple[str, Callable[[Pixels, Numbers, int], Pixels]]] = {
    "cmnist": ("mnist", _coloured),
    "ckmnist": ("kmnist", _coloured),
    "cfashion_mnist": ("fashion_mnist", _coloured),
    "cifar10": ("cifar10", _as_is),
    "cifar10_t8": ("cifar10", _in_tiles),
}
COLOUR_IMAGES = tuple(_TASKS)
"""By rising difficulty, as the paper has them."""
