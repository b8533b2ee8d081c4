"""Datasets by name: those at hand, and official files in the forms their publishers use."""

import csv
import gzip
import hashlib
import io
import json
import os
import struct
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.stats import kurtosis, skew

from nervure.data import list_datasets, load, open_source, prepare, split_rows
from nervure.data.activity import FEATURES, segment_feature_names, segment_features
from nervure.data.catalogue import CATALOGUE, Official
from nervure.data.download import fetch
from nervure.data.official import load_official, read_idx
from nervure.errors import DataError


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No data folder and an empty cache."""
    monkeypatch.delenv("NERVURE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("nowhere")
def test_digits_are_always_there():
    data = load("digits")
    assert data.x.shape == (1797, 64)
    assert data.x.max() == 1.0
    assert next(i for i in list_datasets() if i.name == "digits").found == "scikit-learn"


@pytest.mark.parametrize(
    "name", [n for n in CATALOGUE if n not in ("lung", "digits", "mnist", "20newsgroups")]
)
def test_files_at_hand_have_the_listed_form(name):
    entry = CATALOGUE[name]
    folder = os.environ.get("NERVURE_DATA")
    if folder is None or not (Path(folder) / entry.repacked).exists():
        pytest.skip(f"NERVURE_DATA does not hold {entry.repacked}")
    data = load(name)
    assert data.x.shape == (entry.rows, entry.features)
    assert len(data.class_names) == entry.classes == len(np.unique(data.y))
    assert (None if data.edges is None else data.edges.shape) == (
        (171_002, 2) if name == "facebook" else None
    )
    prepared = prepare(data, seed=0)
    if data.subset is not None:
        assert data.subset in prepared.messages[0]
        assert "subset" in data.subset


@pytest.mark.parametrize("edges", [[[0, 1797]], [[-1, 3]], [[0, 1, 2]]])
def test_edges_must_be_pairs_of_rows(edges):
    with pytest.raises(DataError, match="edges: expected pairs of rows 0 to 1796"):
        replace(load("digits"), edges=np.array(edges, dtype=np.int32))


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(DataError, match=r"did you mean codon\?"):
        load("condon")


def test_a_changed_file_is_refused(nowhere, monkeypatch):
    (nowhere / "codon_usage.npz").write_bytes(b"something else")
    monkeypatch.setenv("NERVURE_DATA", str(nowhere))
    with pytest.raises(DataError, match="sha256"):
        load("codon")


@pytest.mark.usefixtures("nowhere")
def test_what_cannot_be_downloaded_says_where_to_put_it():
    with pytest.raises(DataError, match=r"emnist47_subset.npz.*NERVURE_DATA"):
        load("emnist")


# -- downloads -------------------------------------------------------------------------------------


class Response(io.BytesIO):
    def __init__(self, content, length=None):
        super().__init__(content)
        self.headers = {} if length is None else {"Content-Length": str(length)}


def test_download_is_kept_and_not_repeated(tmp_path):
    digest = hashlib.md5(b"data", usedforsecurity=False).hexdigest()
    official = Official("https://example.org/file.bin", f"md5:{digest}")
    calls = []

    def opener(url):
        calls.append(url)
        return Response(b"data", 4)

    assert fetch(official, tmp_path, opener=opener).read_bytes() == b"data"
    fetch(official, tmp_path, opener=opener)
    assert calls == ["https://example.org/file.bin"]


@pytest.mark.parametrize(
    ("response", "word"),
    [
        (lambda: Response(b"other", 5), "md5"),
        (lambda: Response(b"da", 4), "broke off"),
    ],
)
def test_bad_download_leaves_no_file(tmp_path, response, word):
    digest = hashlib.md5(b"data", usedforsecurity=False).hexdigest()
    official = Official("https://example.org/file.bin", f"md5:{digest}")
    with pytest.raises(DataError, match=word):
        fetch(official, tmp_path, opener=lambda _: response())
    assert list(tmp_path.iterdir()) == []


def test_no_connection_is_said_in_words(tmp_path):
    def opener(_):
        raise ConnectionRefusedError("refused")

    with pytest.raises(DataError, match="NERVURE_DATA"):
        fetch(Official("https://example.org/file.bin"), tmp_path, opener=opener)


def test_without_a_published_checksum_the_first_download_sets_it(tmp_path):
    official = Official("https://example.org/file.bin")
    path = fetch(official, tmp_path, opener=lambda _: Response(b"data"))
    path.write_bytes(b"changed")
    with pytest.raises(DataError, match="sha256"):
        fetch(official, tmp_path)


# -- official formats ------------------------------------------------------------------------------


def idx_bytes(array):
    magic = 2051 if array.ndim == 3 else 2049
    header = struct.pack(f">{1 + array.ndim}I", magic, *array.shape)
    return gzip.compress(header + array.tobytes())


def test_mnist_from_idx_files(tmp_path):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (n, 28, 28), dtype=np.uint8) for n in (6, 4)]
    labels = [rng.integers(0, 10, n, dtype=np.uint8) for n in (6, 4)]
    files = []
    for i, array in enumerate((images[0], labels[0], images[1], labels[1])):
        files.append(tmp_path / f"{i}.gz")
        files[-1].write_bytes(idx_bytes(array))
    data = load_official(CATALOGUE["mnist"], files)
    np.testing.assert_allclose(data.x[6] * 255, images[1][0].ravel(), rtol=1e-6)
    assert data.official_test.tolist() == [False] * 6 + [True] * 4
    assert data.y.tolist() == [*labels[0], *labels[1]]
    assert data.subset is None


def test_truncated_idx_is_refused(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(struct.pack(">II", 2049, 10) + b"123"))
    with pytest.raises(DataError, match="expected 10 values, got 3"):
        read_idx(path)


def test_cifar10_from_its_binary_archive(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "cifar.tar.gz"
    names = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            content = rng.integers(0, 10, (2, 3073), dtype=np.uint8).tobytes()
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        meta = "\n".join(f"class{i}" for i in range(10)).encode()
        info = tarfile.TarInfo("cifar-10-batches-bin/batches.meta.txt")
        info.size = len(meta)
        archive.addfile(info, io.BytesIO(meta))
    data = load_official(CATALOGUE["cifar10"], [path])
    assert data.x.shape == (12, 3072)
    assert data.official_test.sum() == 2
    assert data.class_names[3] == "class3"


def test_gas_from_its_batches(tmp_path):
    path = tmp_path / "gas.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for batch in (10, 2):
            pairs = " ".join(f"{i + 1}:{batch + i}" for i in range(128))
            archive.writestr(f"Dataset/batch{batch}.dat", f"{batch % 6 + 1};10.0 {pairs}\n")
    data = load_official(CATALOGUE["gas"], [path])
    assert data.groups["batch"].tolist() == [2, 10]
    assert data.y.tolist() == [2, 4]
    assert data.x[1, :2].tolist() == [10, 11]


def test_codon_from_its_csv_without_the_shifted_rows(tmp_path):
    codons = [f"C{i:02d}" for i in range(63)]
    header = ["Kingdom", "DNAtype", "SpeciesID", "Ncodons", "SpeciesName", "UUU", *codons]
    rows = [
        ["vrl", 0, 1, 100, "a, b", *[0.25] * 64],
        ["bct", 0, 2, 100, "shifted", "text", *[0.5] * 63],
        ["bct", 0, 3, 100, "c", *[0.5] * 64],
    ]
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    path = tmp_path / "codon.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("codon_usage.csv", text.getvalue())
    data = load_official(CATALOGUE["codon"], [path])
    assert data.class_names == ("bct", "vrl")
    assert data.y.tolist() == [1, 0]
    assert data.x.shape == (2, 64)


def test_facebook_from_its_archive(tmp_path):
    path = tmp_path / "fb.zip"
    with zipfile.ZipFile(path, "w") as archive:
        features = json.dumps({"0": [5, 2], "1": [4713], "2": []})
        archive.writestr("facebook_large/musae_facebook_features.json", features)
        target = "id,facebook_id,page_name,page_type\n0,9,a,tvshow\n1,8,b,company\n2,7,c,tvshow\n"
        archive.writestr("facebook_large/musae_facebook_target.csv", target)
        archive.writestr("facebook_large/musae_facebook_edges.csv", "id_1,id_2\n0,2\n1,1\n")
    data = load_official(CATALOGUE["facebook"], [path])
    assert data.x.shape == (3, 4714)
    assert data.x[0].indices.tolist() == [2, 5]
    assert data.y.tolist() == [1, 0, 1]
    assert data.edges.tolist() == [[0, 2], [1, 1]]


def test_activity_features_are_what_they_are_called(tmp_path):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(125, 45)).cumsum(axis=0)
    path = tmp_path / "activity.zip"
    with zipfile.ZipFile(path, "w") as archive:
        text = "\n".join(",".join(f"{v:.6f}" for v in row) for row in signal)
        archive.writestr("data/a03/p2/s01.txt", text)
    data = load_official(CATALOGUE["activity"], [path])
    assert data.y.tolist() == [2]
    assert data.groups["subject"].tolist() == [2]
    assert data.x.shape == (1, 720)
    features = dict(zip(segment_feature_names(), segment_features(signal), strict=True))
    x = signal[:, 0]
    assert features["T_xacc_skew"] == pytest.approx(skew(x))
    assert features["T_xacc_kurt"] == pytest.approx(kurtosis(x, fisher=False))
    assert features["T_xacc_var"] == pytest.approx(x.var())
    centred = x - x.mean()
    lagged = (centred[:-5] * centred[5:]).mean() / x.var()
    assert features["T_xacc_ac5"] == pytest.approx(lagged)
    assert len(FEATURES) == 16


def test_activity_peak_of_a_sine_stands_at_its_frequency():
    time = np.arange(125) / 25.0
    features = segment_features(np.sin(2 * np.pi * 2.0 * time)[:, None])
    assert features[11] == pytest.approx(2.0)
    assert features[10] == pytest.approx(0.5, rel=1e-3)


def matlab_file(path, rows=203, features=3312, classes=5):
    """Write a file of scikit-feature's form: X, and Y as a column of labels from 1."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(rows) % classes + 1)
    savemat(path, {"X": rng.normal(size=(rows, features)), "Y": labels[:, None]})
    return labels


def test_lung_is_downloaded_once_and_read(nowhere, capsys):
    labels = matlab_file(nowhere / "source.mat")
    asked = []

    def opener(url):
        asked.append(url)
        return Response((nowhere / "source.mat").read_bytes())

    data = load("lung", opener=opener)
    assert data.x.shape == (203, 3312)
    assert data.x.dtype == np.float32
    assert data.class_names == ("1", "2", "3", "4", "5")
    assert data.y.tolist() == (labels - 1).tolist()
    assert data.image_shape is None
    load("lung", opener=opener)
    (url,) = asked
    assert url.startswith("https://github.com/jundongl/scikit-feature/")
    assert url.endswith("/lung.mat")
    assert "publisher gives no checksum" in capsys.readouterr().err
    found = next(info.found for info in list_datasets() if info.name == "lung")
    assert found == str(nowhere / "nervure" / "lung")
    prepared = prepare(data, seed=0)
    assert len(prepared.y_train) + len(prepared.y_validation) + len(prepared.y_test) == 203


@pytest.mark.parametrize(
    ("form", "got"),
    [
        ({"rows": 73, "features": 325}, "73 x 325 with 5 classes"),
        ({"features": 3311}, "203 x 3311 with 5 classes"),
        ({"classes": 7}, "203 x 3312 with 7 classes"),
        ({"classes": 4}, "203 x 3312 with 4 classes"),
    ],
)
def test_another_lung_file_is_refused(nowhere, form, got):
    matlab_file(nowhere / "source.mat", **form)
    content = (nowhere / "source.mat").read_bytes()
    with pytest.raises(DataError) as caught:
        load("lung", opener=lambda _: Response(content))
    assert f"lung.mat: expected 203 x 3312 with 5 classes, got {got}; " in str(caught.value)
    assert "and its .sha256" in str(caught.value)


def test_a_lung_file_whose_parts_do_not_fit_is_refused(tmp_path):
    path = tmp_path / "lung.mat"
    labels = (np.arange(200) % 5 + 1)[:, None]
    savemat(path, {"X": np.zeros((203, 3312)), "Y": labels})
    with pytest.raises(DataError, match="expected 203 targets"):
        load_official(CATALOGUE["lung"], [path])
    savemat(path, {"data": np.zeros((203, 3312)), "Y": labels})
    with pytest.raises(DataError, match=r"not the expected lung data \(KeyError: 'X'\)"):
        load_official(CATALOGUE["lung"], [path])


@pytest.mark.parametrize("name", ["gas", "codon", "cifar10", "lung"])
def test_rubbish_is_refused_in_words(tmp_path, name):
    path = tmp_path / "file"
    path.write_bytes(b"no archive at all")
    with pytest.raises(DataError, match="not the expected"):
        load_official(CATALOGUE[name], [path])


def test_options_that_belong_to_files_are_refused_for_names():
    with pytest.raises(DataError, match="--target is for files"):
        open_source("digits", target="x")
    with pytest.raises(DataError, match="classification dataset"):
        open_source("digits", task="regression")


def test_scaling_of_a_dataset_sees_training_rows_only():
    data = load("digits")
    prepared = prepare(data, seed=4)
    split = split_rows(data.y, seed=4, classes=True)
    np.testing.assert_allclose(prepared.encoder.mean, data.x[split.train].mean(0), rtol=1e-5)
    assert not np.allclose(prepared.encoder.mean, data.x.mean(0), rtol=1e-3)


def test_the_shape_of_images_stays_with_their_pixels():
    data = load("digits")
    prepared = prepare(data, seed=0)
    assert prepared.image_shape == (8, 8)
    # Pixels that never change are kept, so that the others stay in their places.
    assert (data.x[:, 0] == data.x[0, 0]).all()
    assert prepared.x_train.shape[1] == 64
    assert not prepared.x_train[:, 0].any()
    assert prepare(replace(data, image_shape=None), seed=0).image_shape is None


def test_a_table_is_no_image(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "\n".join(f"{i},{i % 2}" for i in range(60)))
    assert prepare(open_source(str(path), target="y"), seed=0).image_shape is None
