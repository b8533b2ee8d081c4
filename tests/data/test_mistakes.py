"""Mistakes in tables and stored encodings are named, not guessed at."""

import numpy as np
import pytest

from nervure.data import TableEncoder, encoder_from_json, open_source, prepare, read_table
from nervure.data.splits import split_rows
from nervure.errors import DataError


def write(path, header, rows):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return str(path)


def test_long_numeric_labels_keep_every_digit(tmp_path):
    rows = [(i * 0.5, 1234560 + i % 3) for i in range(90)]
    data = prepare(open_source(write(tmp_path / "t.csv", "x,y", rows), target="y"), seed=0)
    assert data.class_names == ("1234560", "1234561", "1234562")
    halves = [(i, i % 2 + 0.5) for i in range(90)]
    path = write(tmp_path / "h.csv", "x,y", halves)
    data = prepare(open_source(path, target="y", task="classification"), seed=0)
    assert data.class_names == ("0.5", "1.5")


def test_the_column_a_table_is_split_by_is_no_feature(tmp_path):
    rows = [(i * 1.5, f"p{i % 8}", "u" if i % 3 else "v") for i in range(200)]
    path = write(tmp_path / "t.csv", "a,person,y", rows)
    data = prepare(open_source(path, target="y"), seed=0, split_by="person")
    assert data.feature_names == ("a",)
    assert any("rows are split by it" in message for message in data.messages)
    assert "person=p0" in prepare(open_source(path, target="y"), seed=0).feature_names
    with pytest.raises(DataError, match="it is the target"):
        prepare(open_source(path, target="y"), seed=0, split_by="y")


def test_a_regression_split_is_not_called_stratified(tmp_path):
    path = write(tmp_path / "t.csv", "a,y", [(i, i * 1.5) for i in range(40)])
    message = prepare(open_source(path, target="y"), seed=0).messages[-1]
    assert "(random)" in message


def test_a_class_per_row_is_refused_in_words():
    with pytest.raises(DataError, match="hardly more than one row each"):
        split_rows(np.arange(50), seed=0, classes=True)


@pytest.mark.parametrize("shares", [{"test": 1.5}, {"test": 0.0}, {"test": 0.5, "validation": 0.5}])
def test_impossible_shares_are_refused(shares):
    with pytest.raises(DataError, match="expected shares above 0"):
        split_rows(np.arange(50) % 2, seed=0, classes=True, **shares)


def test_a_malformed_line_is_given_by_its_number(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n3,4\n5\n")
    with pytest.raises(DataError, match="Row #4"):
        read_table(path)


def test_arrays_that_would_share_a_column_name_are_refused(tmp_path):
    np.savez(tmp_path / "t.npz", X=np.zeros((5, 2)), x0=np.arange(5.0))
    with pytest.raises(DataError, match="several columns named x0"):
        read_table(tmp_path / "t.npz")


@pytest.mark.parametrize("word", ["(missing)", "(other)"])
def test_reserved_words_are_refused(tmp_path, word):
    rows = [([word, "a", ""][i % 3], i) for i in range(60)]
    with pytest.raises(DataError, match="holds the text"):
        TableEncoder.fit(read_table(write(tmp_path / "t.csv", "c,y", rows)), exclude="y")


def test_a_missing_category_is_not_a_rare_one(tmp_path):
    rows = [(f"w{i % 60:02d}", i) for i in range(600)]
    encoder = TableEncoder.fit(read_table(write(tmp_path / "t.csv", "c,y", rows)), exclude="y")
    table = read_table(write(tmp_path / "new.csv", "c,y", [("", 1), ("never seen", 2)]))
    assert encoder.transform(table)[0].sum() == 0
    assert encoder.feature_names[encoder.transform(table)[1].argmax()] == "c=(other)"


NUMERIC = ["a", 0.0, 0.0, 1.0, False]
ARRAY = {"kind": "array", "names": ["a"], "mean": [0.0], "std": [1.0], "sparse": False}


def numeric(**changes):
    fields = dict(zip(("name", "median", "mean", "std", "indicator"), NUMERIC, strict=True))
    entry = list((fields | changes).values())
    return {"kind": "table", "numeric": [entry], "categorical": []}


@pytest.mark.parametrize(
    "state",
    [
        None,
        [],
        numeric(median=10**400),
        numeric(mean=float("nan")),
        numeric(std=0.0),
        numeric(std=float("inf")),
        numeric(indicator="no"),
        numeric(name=3),
        {"kind": "table", "numeric": [], "categorical": [["a", "abc"]]},
        ARRAY | {"mean": [float("nan")]},
        ARRAY | {"mean": [True]},
        ARRAY | {"names": "a"},
        ARRAY | {"std": [10**400]},
        ARRAY | {"sparse": 0},
    ],
)
def test_hostile_encodings_are_refused(state):
    with pytest.raises(DataError, match="damaged"):
        encoder_from_json(state)


def test_the_forms_that_hostile_ones_vary_are_good():
    assert encoder_from_json(numeric()).feature_names == ("a",)
    assert encoder_from_json(ARRAY).feature_names == ("a",)
