"""What the list and the messages say of a dataset is true of the data that is loaded."""

import csv
import io
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nervure.data import list_datasets, load, prepare
from nervure.data.catalogue import CATALOGUE, Official
from nervure.data.download import fetch
from nervure.data.official import load_official
from nervure.errors import DataError


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    monkeypatch.delenv("NERVURE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def listed(name):
    return next(info for info in list_datasets() if info.name == name)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(("name", "rows"), [("gas", 13910), ("cifar10", 60000), ("codon", 13026)])
def test_a_whole_set_is_listed_with_all_its_rows(name, rows):
    assert listed(name).rows == rows
    assert listed(name).subset is None


def test_a_subset_is_listed_with_its_own_rows(nowhere, monkeypatch):
    monkeypatch.setenv("NERVURE_DATA", str(nowhere))
    (nowhere / "gas_drift_partial.npz").touch()
    assert listed("gas").rows == 6697
    assert listed("gas").subset is not None


def test_downloaded_files_are_listed_where_they_are(nowhere):
    folder = nowhere / "nervure" / "mnist"
    folder.mkdir(parents=True)
    files = CATALOGUE["mnist"].official
    for official in files[:-1]:
        (folder / official.filename).touch()
    assert "would be downloaded" in listed("mnist").found
    (folder / files[-1].filename).touch()
    assert listed("mnist").found == str(folder)


def test_the_folder_may_be_text(nowhere):
    (nowhere / "codon_usage.npz").write_bytes(b"other")
    with pytest.raises(DataError, match="sha256"):
        load("codon", root=str(nowhere))


@pytest.mark.parametrize("name", ["kmnist", "emnist"])
def test_the_test_part_of_a_subset_is_not_called_published(name):
    folder = os.environ.get("NERVURE_DATA")
    if folder is None or not (Path(folder) / CATALOGUE[name].repacked).exists():
        pytest.skip(f"NERVURE_DATA does not hold {CATALOGUE[name].repacked}")
    message = prepare(load(name), seed=0).messages[-1]
    assert "not the published one" in message


def test_a_published_test_part_is_called_so():
    data = replace(load("digits"), official_test=np.arange(1797) >= 1500)
    assert "(the published test part)" in prepare(data, seed=0).messages[-1]


# -- downloads -------------------------------------------------------------------------------------


def test_an_interrupted_download_leaves_no_file(tmp_path):
    class Interrupted(io.BytesIO):
        def read(self, size=-1):
            if self.tell():
                raise KeyboardInterrupt
            return super().read(min(size, 2))

    with pytest.raises(KeyboardInterrupt):
        fetch(Official("https://example.org/f"), tmp_path, opener=lambda _: Interrupted(b"data"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_url_goes_the_whole_way(tmp_path, capsys):
    source = tmp_path / "source.bin"
    source.write_bytes(b"data" * 1000)
    kept = fetch(Official(source.as_uri()), tmp_path / "cache")
    assert kept.read_bytes() == source.read_bytes()
    assert "publisher gives no checksum" in capsys.readouterr().err


def test_an_unreachable_file_says_its_address_and_where_to_save_it(nowhere):
    def opener(_):
        raise OSError("no route")

    with pytest.raises(DataError) as caught:
        load("codon", opener=opener)
    for part in ("codon+usage.zip", "archive.ics.uci.edu", str(nowhere), "NERVURE_DATA"):
        assert part in str(caught.value)


# -- official archives as they come ----------------------------------------------------------------


def test_digits_in_folder_names_do_not_number_a_batch(tmp_path):
    path = tmp_path / "gas.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for batch in (10, 9, 1):
            pairs = " ".join(f"{i + 1}:{batch}" for i in range(128))
            archive.writestr(f"Dataset2013/batch{batch}.dat", f"1;10.0 {pairs}\n")
    data = load_official(CATALOGUE["gas"], [path])
    assert data.groups["batch"].tolist() == [1, 9, 10]
    assert data.x[:, 0].tolist() == [1, 9, 10]


def test_more_shifted_codon_rows_than_published_are_refused(tmp_path):
    rows = [["vrl", 0, 1, 100, "a", *[0.25] * 64]] + [["bct", 0, 2, 9, "b", *["x"] * 64]] * 3
    text = io.StringIO()
    header = ["Kingdom", "DNAtype", "SpeciesID", "Ncodons", "SpeciesName", "UUU"]
    csv.writer(text).writerows([[*header, *(f"C{i}" for i in range(63))], *rows])
    path = tmp_path / "codon.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("codon_usage.csv", text.getvalue())
    with pytest.raises(DataError, match="got 3 without"):
        load_official(CATALOGUE["codon"], [path])


def test_twins_of_a_mac_archive_are_ignored(tmp_path):
    path = tmp_path / "fb.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("facebook_large/musae_facebook_features.json", '{"0": [1], "1": []}')
        target = "id,facebook_id,page_name,page_type\n0,9,a,tvshow\n1,8,b,company\n"
        archive.writestr("facebook_large/musae_facebook_target.csv", target)
        archive.writestr("facebook_large/musae_facebook_edges.csv", "id_1,id_2\n0,1\n")
        for name in ("features.json", "target.csv", "edges.csv"):
            archive.writestr(f"__MACOSX/facebook_large/._musae_facebook_{name}", b"\x00\x05")
    assert load_official(CATALOGUE["facebook"], [path]).y.tolist() == [1, 0]
