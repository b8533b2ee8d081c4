"""`Texts`: documents as they were written, for models that read words in order."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nervure.data.catalogue import Entry


@dataclass(frozen=True, eq=False)
class Texts:
    """Documents and their classes.

    Attributes
    ----------
    name : str
    texts : tuple of str
    y : ndarray of int64, shape (texts,)
    class_names : tuple of str
    official_test : ndarray of bool, shape (texts,)
        Those of the published test part.
    citation : str
    """

    name: str
    texts: tuple[str, ...]
    y: NDArray[np.int64]
    class_names: tuple[str, ...]
    official_test: NDArray[np.bool_]
    citation: str = ""


def read_texts(entry: Entry, path: Path) -> Texts:
    """Read a repacked file: an object of split, y, group and text on each line."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        posts = [json.loads(line) for line in file]
    names: dict[int, str] = {post["y"]: post["group"] for post in posts}
    return Texts(
        entry.name,
        tuple(post["text"] for post in posts),
        np.array([post["y"] for post in posts], dtype=np.int64),
        tuple(names[i] for i in range(len(names))),
        np.array([post["split"] == "test" for post in posts]),
        entry.citation,
    )
