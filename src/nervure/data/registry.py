"""Find datasets: in the data folder, in the cache, or at the official source."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from nervure.data.catalogue import CATALOGUE, Entry, find_entry
from nervure.data.dataset import Dataset
from nervure.data.download import Opener, fetch
from nervure.data.official import load_official
from nervure.data.repacked import load_repacked, load_repacked_texts, pixel_names
from nervure.data.texts import Texts
from nervure.errors import DataError
from nervure.folders import cache_folder

DATA_VARIABLE = "NERVURE_DATA"


@dataclass(frozen=True)
class DatasetInfo:
    """One line of the list of datasets.

    Attributes
    ----------
    name, citation, licence : str
    rows, features, classes : int
    subset : str or None
        What part of the published data it is, if not all.
    found : str
        Where it is, or would come from.
    """

    name: str
    rows: int
    features: int
    classes: int
    subset: str | None
    found: str
    citation: str
    licence: str


def data_folders(root: Path | str | None = None) -> list[Path]:
    """Folders searched, in order: `root`, ``NERVURE_DATA``, the user's cache."""
    folders = [] if root is None else [Path(root)]
    named = os.environ.get(DATA_VARIABLE)
    if named:
        folders.append(Path(named))
    return [*folders, cache_folder()]


def _local(entry: Entry, root: Path | str | None) -> Path | None:
    if entry.repacked is None:
        return None
    paths = (folder / entry.repacked for folder in data_folders(root))
    return next((path for path in paths if path.is_file()), None)


def _official_folder(entry: Entry) -> Path:
    return cache_folder() / entry.name


def list_datasets(root: Path | str | None = None) -> list[DatasetInfo]:
    """List every known dataset and where it is, without loading any."""
    infos = []
    for entry in CATALOGUE.values():
        path = _local(entry, root)
        folder = _official_folder(entry)
        if entry.name == "digits":
            found = "scikit-learn"
        elif path is not None:
            found = str(path)
        elif entry.official and all((folder / f.filename).is_file() for f in entry.official):
            found = str(folder)
        elif entry.official:
            found = f"would be downloaded from {entry.official[0].url.split('/')[2]}"
        else:
            found = f"not here: put {entry.repacked} into {DATA_VARIABLE}"
        # What is downloaded is the whole set, whatever part a repacked file holds.
        whole = path is None and bool(entry.official)
        rows = entry.official_rows if whole and entry.official_rows is not None else entry.rows
        subset = None if whole else entry.subset
        infos.append(
            DatasetInfo(
                entry.name, rows, entry.features, entry.classes, subset, found,
                entry.citation, entry.licence,
            )
        )  # fmt: skip
    return infos


def load(name: str, *, root: Path | str | None = None, opener: Opener | None = None) -> Dataset:
    """Load a dataset by name.

    Parameters
    ----------
    name : str
        As in `list_datasets`; dashes and underscores are the same.
    root : Path or str, optional
        Folder searched before ``NERVURE_DATA`` and the cache.
    opener : callable, optional
        Opens URLs; `urllib.request.urlopen` by default.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        For an unknown name, a damaged file, or data that is neither here nor downloadable.
    """
    entry = find_entry(name)
    if entry.name == "digits":
        return _digits(entry)
    path = _local(entry, root)
    if path is not None:
        return load_repacked(entry, path)
    if not entry.official:
        raise _not_here(entry)
    folder = _official_folder(entry)
    files = [
        fetch(official, folder) if opener is None else fetch(official, folder, opener=opener)
        for official in entry.official
    ]
    return load_official(entry, files)


def load_texts(name: str = "20newsgroups", *, root: Path | str | None = None) -> Texts:
    """Load a dataset of texts as the texts themselves.

    Parameters
    ----------
    name : str
        "20newsgroups" is the only one.
    root : Path or str, optional
        Folder searched before ``NERVURE_DATA`` and the cache.

    Returns
    -------
    Texts

    Raises
    ------
    DataError
        For a name that is unknown or no dataset of texts, a damaged file, or data that is not here.
    """
    entry = find_entry(name)
    if entry.repacked is None or not entry.repacked.endswith(".jsonl.gz"):
        raise DataError(f"{entry.name} holds no texts; 20newsgroups does")
    path = _local(entry, root)
    if path is None:
        raise _not_here(entry)
    return load_repacked_texts(entry, path)


def _not_here(entry: Entry) -> DataError:
    return DataError(
        f"{entry.name} is not here and has no single official file to download: put "
        f"{entry.repacked} into a folder and set {DATA_VARIABLE} to it"
    )


def _digits(entry: Entry) -> Dataset:
    x, y = load_digits(return_X_y=True)
    return Dataset(
        name="digits",
        x=(x / 16.0).astype(np.float32),
        y=y.astype(np.int64),
        task="classification",
        class_names=tuple(str(i) for i in range(10)),
        feature_names=pixel_names(64),
        image_shape=(8, 8),
        citation=entry.citation,
    )
