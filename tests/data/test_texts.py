"""Texts as they were written."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from nervure.data import catalogue, load, load_texts, registry
from nervure.data.download import file_checksum
from nervure.errors import DataError

POSTS = [
    {"split": "train", "y": 1, "group": "sci.space", "text": "Orbit of the moon\nand back"},
    {"split": "train", "y": 0, "group": "rec.autos", "text": "Wheels of a car"},
    {"split": "test", "y": 1, "group": "sci.space", "text": "A comet of the moon"},
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    path = tmp_path / "20newsgroups.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, POSTS)).encode()))
    entry = replace(catalogue.CATALOGUE["20newsgroups"], sha256=file_checksum(path, "sha256"))
    monkeypatch.setattr(registry, "find_entry", lambda _: entry)
    return tmp_path


def test_texts_stand_as_they_are_in_the_file(folder):
    texts = load_texts(root=folder)
    assert texts.texts == tuple(post["text"] for post in POSTS)
    assert texts.y.tolist() == [1, 0, 1]
    assert texts.class_names == ("rec.autos", "sci.space")
    assert texts.official_test.tolist() == [False, False, True]


def test_rows_of_terms_have_the_same_order_and_parts(folder):
    texts, data = load_texts(root=folder), load("20newsgroups", root=folder)
    assert np.array_equal(data.y, texts.y)
    assert np.array_equal(data.official_test, texts.official_test)
    assert data.class_names == texts.class_names
    assert "comet" not in data.feature_names
    terms = np.array(data.feature_names)
    assert set(terms[data.x[[2]].indices]) == {"of", "the", "moon"}


def test_a_changed_file_is_refused(folder):
    (folder / "20newsgroups.jsonl.gz").write_bytes(b"something else")
    with pytest.raises(DataError, match="sha256"):
        load_texts(root=folder)


def test_what_is_not_here_or_no_text(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "data_folders", lambda _: [tmp_path])
    with pytest.raises(DataError, match=r"20newsgroups\.jsonl\.gz into a folder"):
        load_texts(root=tmp_path)
    with pytest.raises(DataError, match="codon holds no texts"):
        load_texts("codon")
