"""The rows of Figure 3: photographs as images, posts as token numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nervure.data import colour_images, load_texts, split_rows
from nervure.reproduce.neural_modules.words import Vocabulary

Array = NDArray[Any]


class LabelledRows(NamedTuple):
    """Rows of one part and their classes."""

    x: Array
    y: NDArray[np.int64]


class ThreeParts(NamedTuple):
    """What a model is trained on, chosen by, and measured on.

    Attributes
    ----------
    train, validation, test : LabelledRows
    classes : int
    tokens : int
        Different token numbers; 0 for images.
    """

    train: LabelledRows
    validation: LabelledRows
    test: LabelledRows
    classes: int
    tokens: int = 0


def parts_of(cell: Mapping[str, Any]) -> ThreeParts:
    """Give the rows of a cell; those of the last one asked for are kept."""
    limits = cell["train"], cell["validation"], cell["test"]
    if cell["data"] == "20newsgroups":
        return _posts(cell["seed"], *limits, cell["words"], cell["length"])
    return _photographs(cell["data"], cell["seed"], *limits)


@lru_cache(maxsize=1)
def _photographs(
    name: str, seed: int, train: int | None, validation: int, test: int | None
) -> ThreeParts:
    images = colour_images(name, train=train, validation=validation, test=test, seed=seed)
    one, two, three = images.standardised()
    return ThreeParts(
        LabelledRows(one, images.y_train),
        LabelledRows(two, images.y_validation),
        LabelledRows(three, images.y_test),
        len(images.class_names),
    )


@lru_cache(maxsize=1)
def _posts(
    seed: int, train: int | None, validation: int, test: int | None, words: int, length: int
) -> ThreeParts:
    texts = load_texts("20newsgroups")
    share = validation / np.count_nonzero(~texts.official_test)
    split = split_rows(
        texts.y, seed=seed, classes=True, validation=share, official_test=texts.official_test
    )
    # They stand by class: fewer of them are drawn, not the first.
    generator = np.random.default_rng(seed)
    learned = np.sort(generator.permutation(split.train)[:train])
    tested = np.sort(generator.permutation(split.test)[:test])
    vocabulary = Vocabulary([texts.texts[i] for i in learned], words)
    one, two, three = (
        LabelledRows(vocabulary.rows([texts.texts[i] for i in rows], length), texts.y[rows])
        for rows in (learned, split.validation, tested)
    )
    return ThreeParts(one, two, three, len(texts.class_names), len(vocabulary))
