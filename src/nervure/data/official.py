"""Parse official files into datasets; one function per format."""

from __future__ import annotations

import csv
import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError
from scipy.sparse import csr_matrix

from nervure.data.activity import (
    ACTIVITIES,
    CHANNELS,
    as_published,
    segment_feature_names,
    segment_features,
)
from nervure.data.catalogue import Entry
from nervure.data.dataset import Dataset
from nervure.data.repacked import pixel_names
from nervure.errors import DataError

Parser = Callable[[Entry, Sequence[Path]], Dataset]

GASES = ("Ethanol", "Ethylene", "Ammonia", "Acetaldehyde", "Acetone", "Toluene")
_IDX_IMAGES, _IDX_LABELS = 2051, 2049
# A recorded checksum would refuse the right file after a wrong one.
_AGAIN = "delete the file, and its .sha256 if there is one, and let it be downloaded again"
# In two rows of the published codon file text stands where numbers should.
_SHIFTED_CODON_ROWS = 2


def load_official(entry: Entry, files: Sequence[Path]) -> Dataset:
    """Parse the official files of a dataset.

    Raises
    ------
    DataError
        If they do not have the expected form.
    """
    try:
        return _PARSERS[entry.name](entry, files)
    except (
        OSError, EOFError, ValueError, KeyError, IndexError, struct.error,
        zipfile.BadZipFile, tarfile.TarError, MatReadError,
    ) as error:  # fmt: skip
        if isinstance(error, DataError):
            raise
        names = ", ".join(f.name for f in files)
        raise DataError(
            f"{names}: not the expected {entry.name} data ({type(error).__name__}: {error}); "
            f"{_AGAIN}"
        ) from error


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an idx file of MNIST's form: images (n, rows, columns) or labels (n,)."""
    with gzip.open(path, "rb") as file:
        raw = file.read()
    magic, count = struct.unpack(">II", raw[:8])
    if magic == _IDX_LABELS:
        shape: tuple[int, ...] = (count,)
        start = 8
    elif magic == _IDX_IMAGES:
        shape = (count, *struct.unpack(">II", raw[8:16]))
        start = 16
    else:
        raise DataError(f"{path.name}: expected an idx file of images or labels, magic {magic}")
    if len(raw) - start != int(np.prod(shape)):
        raise DataError(
            f"{path.name}: expected {int(np.prod(shape))} values, got {len(raw) - start}"
        )
    return np.frombuffer(raw, dtype=np.uint8, offset=start).reshape(shape)


def _idx(entry: Entry, files: Sequence[Path]) -> Dataset:
    train_x, train_y, test_x, test_y = (read_idx(f) for f in files)
    return _images(
        entry, np.concatenate([train_x, test_x]), np.concatenate([train_y, test_y]), len(train_y),
        tuple(str(i) for i in range(entry.classes)),
    )  # fmt: skip


def _images(
    entry: Entry, x: NDArray[np.uint8], y: NDArray[Any], train: int, names: tuple[str, ...]
) -> Dataset:
    test = np.zeros(len(y), dtype=bool)
    test[train:] = True
    flat = x.reshape(len(x), -1).astype(np.float32) / 255.0
    return Dataset(
        name=entry.name,
        x=flat,
        y=y.astype(np.int64),
        task="classification",
        class_names=names,
        feature_names=pixel_names(flat.shape[1]),
        official_test=test,
        image_shape=x.shape[1:],
        citation=entry.citation,
    )


def _cifar10(entry: Entry, files: Sequence[Path]) -> Dataset:
    record = 1 + 3072
    parts: dict[str, bytes] = {}
    names: tuple[str, ...] = ()
    with tarfile.open(files[0], "r:gz") as archive:
        for member in archive:
            base = member.name.rsplit("/", 1)[-1]
            content = archive.extractfile(member)
            if content is None:
                continue
            if base.endswith(".bin"):
                parts[base] = content.read()
            elif base == "batches.meta.txt":
                names = tuple(content.read().decode().split())
    order = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    rows = [np.frombuffer(parts[name], dtype=np.uint8).reshape(-1, record) for name in order]
    every = np.concatenate(rows)
    # Stored plane by plane; images elsewhere in the library are (row, column, colour).
    x = every[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return _images(entry, x, every[:, 0], len(every) - len(rows[-1]), names)


def _gas(entry: Entry, files: Sequence[Path]) -> Dataset:
    x, y, batch = [], [], []
    with zipfile.ZipFile(files[0]) as archive:
        names = {_batch_number(n): n for n in archive.namelist() if n.endswith(".dat")}
        # In the order of numbers: batch10 must follow batch9.
        for number, name in sorted(names.items()):
            for line in archive.read(name).decode("ascii").splitlines():
                if not line.strip():
                    continue
                head, *pairs = line.split()
                y.append(int(head.split(";")[0]) - 1)
                x.append([float(pair.split(":")[1]) for pair in pairs])
                batch.append(number)
    values = np.array(x, dtype=np.float32)
    return Dataset(
        name=entry.name,
        x=values,
        y=np.array(y, dtype=np.int64),
        task="classification",
        class_names=GASES,
        feature_names=pixel_names(values.shape[1]),
        groups={"batch": np.array(batch)},
        citation=entry.citation,
    )


def _batch_number(name: str) -> int:
    # Of the file alone: folders may hold digits too.
    return int("".join(c for c in name.rsplit("/", 1)[-1] if c.isdigit()))


def _codon(entry: Entry, files: Sequence[Path]) -> Dataset:
    with zipfile.ZipFile(files[0]) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".csv"))
        rows = csv.reader(io.StringIO(archive.read(name).decode("latin-1")))
        header = next(rows)
        start = header.index("UUU")
        kingdoms, x, shifted = [], [], 0
        for row in rows:
            try:
                x.append([float(v) for v in row[start : start + 64]])
            except ValueError:
                shifted += 1
                continue
            kingdoms.append(row[0])
    if shifted > _SHIFTED_CODON_ROWS:
        raise DataError(
            f"{name}: expected numbers in all but {_SHIFTED_CODON_ROWS} rows, got {shifted} without"
        )
    names = tuple(sorted(set(kingdoms)))
    return Dataset(
        name=entry.name,
        x=np.array(x, dtype=np.float32),
        y=np.array([names.index(k) for k in kingdoms], dtype=np.int64),
        task="classification",
        class_names=names,
        feature_names=tuple(header[start : start + 64]),
        citation=entry.citation,
    )


def _facebook(entry: Entry, files: Sequence[Path]) -> Dataset:
    with zipfile.ZipFile(files[0]) as archive:
        # Archives packed on a Mac hold a twin "__MACOSX/.../._name" of every file.
        members = [n for n in archive.namelist() if not n.startswith("__MACOSX/")]
        by_suffix = {n.rsplit("_", 1)[-1]: n for n in members}
        features = json.loads(archive.read(by_suffix["features.json"]))
        target = archive.read(by_suffix["target.csv"]).decode("utf-8")
        links = archive.read(by_suffix["edges.csv"]).decode("utf-8")
    kinds = {row["id"]: row["page_type"] for row in csv.DictReader(io.StringIO(target))}
    count = len(kinds)
    indices = [np.sort(np.array(features[str(i)], dtype=np.int32)) for i in range(count)]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in indices])])
    flat = np.concatenate(indices)
    width = max(entry.features, int(flat.max(initial=-1)) + 1)
    names = tuple(sorted(set(kinds.values())))
    return Dataset(
        name=entry.name,
        x=csr_matrix((np.ones(len(flat), dtype=np.float32), flat, indptr), shape=(count, width)),
        y=np.array([names.index(kinds[str(i)]) for i in range(count)], dtype=np.int64),
        task="classification",
        class_names=names,
        feature_names=pixel_names(width),
        edges=np.loadtxt(io.StringIO(links), dtype=np.int32, delimiter=",", skiprows=1, ndmin=2),
        citation=entry.citation,
    )


def _activity(entry: Entry, files: Sequence[Path]) -> Dataset:
    x, y, subjects = [], [], []
    with zipfile.ZipFile(files[0]) as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".txt") and "/s" in n)
        for name in names:
            activity, subject, _ = name.split("/")[-3:]
            signal = np.loadtxt(io.BytesIO(archive.read(name)), delimiter=",", ndmin=2)
            if signal.shape[1] != len(CHANNELS):
                raise DataError(f"{name}: expected {len(CHANNELS)} channels, got {signal.shape[1]}")
            x.append(segment_features(signal))
            y.append(int(activity[1:]) - 1)
            subjects.append(int(subject[1:]))
    return Dataset(
        name=entry.name,
        x=as_published(np.array(x)),
        y=np.array(y, dtype=np.int64),
        task="classification",
        class_names=ACTIVITIES,
        feature_names=segment_feature_names(),
        groups={"subject": np.array(subjects)},
        citation=entry.citation,
    )


def _matlab(entry: Entry, files: Sequence[Path]) -> Dataset:
    content = loadmat(files[0])
    x, y = np.asarray(content["X"], dtype=np.float32), np.asarray(content["Y"]).ravel()
    labels, codes = np.unique(y, return_inverse=True)
    if x.shape != (entry.rows, entry.features) or len(labels) != entry.classes:
        raise DataError(
            f"{files[0].name}: expected {entry.rows} x {entry.features} with {entry.classes} "
            f"classes, got {' x '.join(map(str, x.shape))} with {len(labels)} classes; {_AGAIN}"
        )
    return Dataset(
        name=entry.name,
        x=x,
        y=codes.astype(np.int64),
        task="classification",
        class_names=tuple(str(label) for label in labels),
        feature_names=pixel_names(x.shape[1]),
        citation=entry.citation,
    )


_PARSERS: dict[str, Parser] = {
    "mnist": _idx,
    "fashion_mnist": _idx,
    "cifar10": _cifar10,
    "gas": _gas,
    "codon": _codon,
    "facebook": _facebook,
    "activity": _activity,
    "coil20": _matlab,
    "lung_discrete": _matlab,
    "tox171": _matlab,
    "lung": _matlab,
}
