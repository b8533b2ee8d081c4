"""`Vocabulary`: texts as rows of token numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

PADDING, UNKNOWN = 0, 1
_OTHERS = 2
# Two characters or more, as scikit-learn's vectorizers take words.
_WORD = re.compile(r"\b\w\w+\b")


class Vocabulary:
    """The most frequent words of some texts, numbered.

    Parameters
    ----------
    texts : iterable of str
        Of the training part.
    most : int
        Words kept, the most frequent; among equally frequent ones in alphabetical order.

    Attributes
    ----------
    words : tuple of str
        Word i has the number i + 2: 0 fills up short texts, 1 is every other word.

    Examples
    --------
    >>> from nervure.reproduce.neural_modules.words import Vocabulary
    >>> Vocabulary(["to be, or not to be"], 2).rows(["To be!", "Not so long"], 4).tolist()
    [[3, 2, 0, 0], [1, 1, 1, 0]]
    """

    def __init__(self, texts: Iterable[str], most: int) -> None:
        counts = Counter(word for text in texts for word in _words_of(text))
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        self.words = tuple(word for word, _ in ranked[:most])
        self._numbers = {word: i + _OTHERS for i, word in enumerate(self.words)}

    def __len__(self) -> int:
        """Give the number of different tokens, padding and unknown words included."""
        return len(self.words) + _OTHERS

    def rows(self, texts: Sequence[str], length: int) -> NDArray[np.int64]:
        """Give the first words of every text as numbers, shape (texts, length).

        A text without words is one unknown word.
        """
        rows = np.full((len(texts), length), PADDING, dtype=np.int64)
        rows[:, 0] = UNKNOWN
        for row, text in zip(rows, texts, strict=True):
            numbers = [self._numbers.get(word, UNKNOWN) for word in _words_of(text, length)]
            row[: len(numbers)] = numbers
        return rows


def _words_of(text: str, most: int | None = None) -> list[str]:
    found: list[str] = []
    for match in _WORD.finditer(text):
        if len(found) == most:
            break
        found.append(match.group().lower())
    return found
