"""Tasks made of two images side by side: which digits they are, and Boolean functions of these.

Paper: neural-sculpting, section 5.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nervure.data.dataset import Dataset
from nervure.data.registry import load
from nervure.data.splits import TEST_SHARE
from nervure.errors import DataError

Rows = NDArray[np.float32]
Numbers = NDArray[np.int64]

# The share of the images kept for validation, as of the pairs in the paper.
VALIDATION_SHARE = 0.2


@dataclass(frozen=True, eq=False)
class ComposedImages:
    """Pairs of images with bits to predict, in three parts that have no image in common.

    Attributes
    ----------
    name : str
    x_train, x_validation, x_test : ndarray of float32, shape (rows, pixels)
        In [0, 1]: the pixels of the wide image, row by row.
    y_train, y_validation, y_test : ndarray of float32, shape (rows, targets)
        Bits. The paper's accuracy is the share of bits that are right.
    digits_train, digits_validation, digits_test : ndarray of int64, shape (rows, 2)
        Classes of the left and of the right image.
    target_names : tuple of str
    feature_names : tuple of str
    image_shape : tuple of int
        Rows and columns of the wide image.
    side_of_pixel : ndarray of int64, shape (pixels,)
        0 where a pixel is of the left image, 1 where of the right: the two sets of inputs that
        modules should separate.
    sides_of_target : tuple of tuple of int
        The images on which each target depends.
    messages : tuple of str
        Sentences a reader should see.
    citation : str
        Of the images.
    """

    name: str
    x_train: Rows
    y_train: Rows
    digits_train: Numbers
    x_validation: Rows
    y_validation: Rows
    digits_validation: Numbers
    x_test: Rows
    y_test: Rows
    digits_test: Numbers
    target_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    image_shape: tuple[int, int]
    side_of_pixel: Numbers
    sides_of_target: tuple[tuple[int, ...], ...]
    messages: tuple[str, ...]
    citation: str


def two_digits(
    *,
    train: int = 80_000,
    validation: int = 20_000,
    test: int = 10_000,
    seed: int = 0,
    images: Dataset | None = None,
) -> ComposedImages:
    """Give pairs of digits side by side; the targets say which digit each is.

    Twenty bits for ten classes: one of the first ten is 1, for the left image, and one of the
    others, for the right.

    Parameters
    ----------
    train, validation, test : int
        Pairs of each part, spread evenly over the combinations of classes. By default as in the
        paper, 800 and 200 for each, and 100 to test on.
    seed : int
    images : Dataset, optional
        What to compose; MNIST by default, from ``NERVURE_DATA``, the cache or its source.

    Returns
    -------
    ComposedImages

    Raises
    ------
    DataError
        If the data is no set of grey images, has too few of a class, or numbers are not positive.

    Notes
    -----
    Paper: neural-sculpting, section 5.5 (module counts ``[2]``). Differs from the authors' files on
    purpose: they draw from all 70,000 images and then divide the pairs, so that one image can be in
    both parts. Here the images are divided first, 8 : 2 within each class, and the official test
    images are used to test only. The defaults take 690 MB.

    Examples
    --------
    >>> from nervure.data import load
    >>> task = two_digits(train=500, validation=100, test=100, images=load("digits"))
    >>> task.x_train.shape, task.y_train.shape, task.image_shape
    ((500, 128), (500, 20), (8, 16))
    """
    images = load("mnist") if images is None else images
    classes = images.class_names

    def bits(digits: Numbers) -> Rows:
        both = np.zeros((len(digits), 2 * len(classes)), dtype=np.float32)
        rows = np.arange(len(digits))
        both[rows, digits[:, 0]] = 1
        both[rows, len(classes) + digits[:, 1]] = 1
        return both

    return _compose(
        f"two {images.name}", images, len(classes), (train, validation, test), seed, bits,
        tuple(f"{side} is {name}" for side in ("left", "right") for name in classes),
        tuple((side,) for side in range(2) for _ in classes),
    )  # fmt: skip


def hierarchical_digits(
    *,
    train: int = 51_200,
    validation: int = 12_800,
    test: int = 6_400,
    seed: int = 0,
    images: Dataset | None = None,
) -> ComposedImages:
    """Give pairs of the digits 0 to 7; the targets are the XOR of their numbers, bit by bit.

    Each digit is three bits, the highest first; target i is 1 where bit i of the two differs.

    Parameters
    ----------
    train, validation, test : int
        Pairs of each part, spread evenly over the 64 combinations. By default as in the paper, 800
        and 200 for each, and 100 to test on.
    seed : int
    images : Dataset, optional
        What to compose; MNIST by default, from ``NERVURE_DATA``, the cache or its source.

    Returns
    -------
    ComposedImages

    Raises
    ------
    DataError
        If the data is no set of grey images, has fewer than eight classes or too few images of one,
        or numbers are not positive.

    Notes
    -----
    Paper: neural-sculpting, section 5.5 and figure 13 (module counts ``[2, 3]``: a module for each
    image, and one for each target). The text does not name the three functions; XOR is what the
    authors' files hold. For how images are divided see `two_digits`. The defaults take 440 MB.
    """
    images = load("mnist") if images is None else images
    if len(images.class_names) < 8:
        raise DataError(f"expected at least 8 classes, got {len(images.class_names)}")

    def bits(digits: Numbers) -> Rows:
        differing = digits[:, 0] ^ digits[:, 1]
        return np.asarray(differing[:, None] >> np.array([2, 1, 0]) & 1, dtype=np.float32)

    return _compose(
        f"hierarchical {images.name}", images, 8, (train, validation, test), seed, bits,
        tuple(f"bit {weight} differs" for weight in (4, 2, 1)), ((0, 1),) * 3,
    )  # fmt: skip


def _compose(
    name: str,
    images: Dataset,
    classes: int,
    sizes: tuple[int, int, int],
    seed: int,
    bits: Callable[[Numbers], Rows],
    target_names: tuple[str, ...],
    sides_of_target: tuple[tuple[int, ...], ...],
) -> ComposedImages:
    if images.image_shape is None or len(images.image_shape) != 2:
        raise DataError(f"{images.name}: expected grey images, got shape {images.image_shape}")
    if isinstance(images.x, csr_matrix):
        raise DataError(f"{images.name}: expected pixels in a dense array, got a sparse matrix")
    height, width = images.image_shape
    pixels = images.x.reshape(-1, height, width)
    if min(sizes) < 1:
        raise DataError(f"expected at least 1 pair in every part, got {sizes}")
    generator = np.random.default_rng(seed)
    pools = _divide(images, classes, generator)
    parts = []
    for size, pool in zip(sizes, pools, strict=True):
        digits = _combinations(size, classes, generator)
        x = _draw(pixels, pool, digits, generator)
        parts.append((x, bits(digits), digits))
    return ComposedImages(
        name, *parts[0], *parts[1], *parts[2],
        target_names=target_names,
        feature_names=tuple(f"x{i}" for i in range(2 * height * width)),
        image_shape=(height, 2 * width),
        side_of_pixel=np.tile(np.repeat([0, 1], width), height),
        sides_of_target=sides_of_target,
        messages=(
            f"{sizes[0]:,} training, {sizes[1]:,} validation and {sizes[2]:,} test pairs, of "
            f"{', '.join(f'{sum(map(len, pool)):,}' for pool in pools)} images; no image is in two "
            "parts",
        ),
        citation=images.citation,
    )  # fmt: skip


def _divide(
    images: Dataset, classes: int, generator: np.random.Generator
) -> tuple[list[Numbers], list[Numbers], list[Numbers]]:
    """Give the rows of each class in the training, validation and test part."""
    pools: tuple[list[Numbers], list[Numbers], list[Numbers]] = ([], [], [])
    for label in range(classes):
        rows = generator.permutation(np.flatnonzero(images.y == label))
        if images.official_test is None:
            held = round(TEST_SHARE * len(rows))
            test, rows = rows[:held], rows[held:]
        else:
            official = images.official_test[rows]
            test, rows = rows[official], rows[~official]
        checked = round(VALIDATION_SHARE * len(rows))
        parts = (rows[checked:], rows[:checked], test)
        if not all(map(len, parts)):
            raise DataError(
                f"{images.name}: expected images of class {images.class_names[label]} for three "
                f"parts, got {len(rows) + len(test)}"
            )
        for pool, part in zip(pools, parts, strict=True):
            pool.append(part)
    return pools


def _combinations(size: int, classes: int, generator: np.random.Generator) -> Numbers:
    """Give pairs of classes in random order, each as often as every other, or once more."""
    pairs = classes**2
    rest = generator.permutation(pairs)[: size % pairs]
    drawn = generator.permutation(np.concatenate([np.tile(np.arange(pairs), size // pairs), rest]))
    return np.stack(np.divmod(drawn, classes), axis=1)


def _draw(
    pixels: Rows, pool: list[Numbers], digits: Numbers, generator: np.random.Generator
) -> Rows:
    _, height, width = pixels.shape
    wide = np.empty((len(digits), height, 2 * width), dtype=np.float32)
    for side in range(2):
        rows = np.empty(len(digits), dtype=np.int64)
        for label, candidates in enumerate(pool):
            wanted = digits[:, side] == label
            rows[wanted] = generator.choice(candidates, size=int(wanted.sum()))
        # Straight into its half: these arrays are large.
        wide[:, :, side * width : (side + 1) * width] = pixels[rows]
    return wide.reshape(len(digits), -1)
