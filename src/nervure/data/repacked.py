"""Read the repacked files (one .npz or .jsonl.gz per dataset) of a data folder."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from nervure.data.catalogue import Entry
from nervure.data.dataset import Dataset
from nervure.data.download import file_checksum
from nervure.data.texts import Texts, read_texts
from nervure.errors import DataError

NEWSGROUP_TERMS = 10_000


def load_repacked(entry: Entry, path: Path) -> Dataset:
    """Load a repacked file after checking its checksum.

    Raises
    ------
    DataError
        If the file is not the one the catalogue knows.
    """
    _check(entry, path)
    if entry.name == "20newsgroups":
        return _newsgroups(entry, path)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    if entry.name == "facebook":
        return _facebook(entry, arrays)
    return _dense(entry, arrays)


def load_repacked_texts(entry: Entry, path: Path) -> Texts:
    """Load a repacked file of texts after checking its checksum.

    Raises
    ------
    DataError
        If the file is not the one the catalogue knows.
    """
    _check(entry, path)
    return read_texts(entry, path)


def _check(entry: Entry, path: Path) -> None:
    found = file_checksum(path, "sha256")
    if found != entry.sha256:
        raise DataError(
            f"{path.name} has sha256 {found}, expected {entry.sha256}: the file is damaged or of "
            "another version; replace it"
        )


def class_names(arrays: dict[str, NDArray[Any]], classes: int) -> tuple[str, ...]:
    """Names given with the data, or the numbers."""
    given = arrays.get("class_names")
    return tuple(str(n) for n in (range(classes) if given is None else given))


def pixel_names(count: int) -> tuple[str, ...]:
    """Names of features that have none."""
    return tuple(f"x{i}" for i in range(count))


def _dense(entry: Entry, arrays: dict[str, NDArray[Any]]) -> Dataset:
    if "X_train" in arrays:
        x = np.concatenate([arrays["X_train"], arrays["X_test"]])
        y = np.concatenate([arrays["y_train"], arrays["y_test"]])
        test = np.zeros(len(y), dtype=bool)
        test[len(arrays["y_train"]) :] = True
    else:
        x, y, test = arrays["X"], arrays["y"], None
    shape = x.shape[1:] if x.ndim > 2 else None
    flat = x.reshape(len(x), -1).astype(np.float32)
    if x.dtype == np.uint8:
        flat /= 255.0
    given = arrays.get("feature_names")
    names = pixel_names(flat.shape[1]) if given is None else tuple(str(n) for n in given)
    groups: dict[str, NDArray[Any]] = {
        key: arrays[key] for key in arrays if key in ("subject", "batch")
    }
    return Dataset(
        name=entry.name,
        x=flat,
        y=y.astype(np.int64),
        task="classification",
        class_names=class_names(arrays, entry.classes),
        feature_names=names,
        groups=groups,
        official_test=test,
        image_shape=shape,
        subset=entry.subset,
        citation=entry.citation,
    )


def _facebook(entry: Entry, arrays: dict[str, NDArray[Any]]) -> Dataset:
    indptr, indices = arrays["indptr"], arrays["indices"]
    features = int(arrays["n_features"])
    x = csr_matrix(
        (np.ones(len(indices), dtype=np.float32), indices, indptr),
        shape=(len(indptr) - 1, features),
    )
    return Dataset(
        name=entry.name,
        x=x,
        y=arrays["y"].astype(np.int64),
        task="classification",
        class_names=class_names(arrays, entry.classes),
        feature_names=pixel_names(features),
        edges=arrays["edges"].astype(np.int32),
        subset=entry.subset,
        citation=entry.citation,
    )


def _newsgroups(entry: Entry, path: Path) -> Dataset:
    posts = read_texts(entry, path)
    held = posts.official_test
    terms = TfidfVectorizer(sublinear_tf=True, max_features=NEWSGROUP_TERMS, dtype=np.float32)
    # Vocabulary and document frequencies come from the training part alone.
    terms.fit([text for text, away in zip(posts.texts, held, strict=True) if not away])
    return Dataset(
        name=entry.name,
        x=csr_matrix(terms.transform(posts.texts)),
        y=posts.y,
        task="classification",
        class_names=posts.class_names,
        feature_names=tuple(terms.get_feature_names_out()),
        official_test=held,
        subset=entry.subset,
        citation=entry.citation,
    )
