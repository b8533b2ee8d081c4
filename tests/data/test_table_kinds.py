"""Kinds of columns, files and arrays that tables come with."""

import datetime as dt
import io
import zipfile
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nervure.data import TableEncoder, open_source, read_table
from nervure.errors import DataError

DAY = dt.timedelta(days=1)


def parquet(path, array):
    pq.write_table(pa.table({"a": array}), path)
    return path


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([dt.time(10, 30), None], pa.time32("s")), 37800),
        (pa.array([dt.time(0, 0, 0, 250_000), None], pa.time64("ns")), 0.25),
        (pa.array([1.5 * DAY, None], pa.duration("ms")), 1.5),
        (pa.array([86_400_000_000_001, None], pa.timestamp("ns")), 1.0),
        (pa.array([dt.datetime(2300, 1, 1), None], pa.timestamp("us")), 120_530),
        (pa.array([dt.date(1970, 1, 11), None], pa.date32()), 10),
        (pa.array([dt.date(1970, 1, 11), None], pa.date64()), 10),
        (pa.array([Decimal("1.25"), None], pa.decimal128(5, 2)), 1.25),
        (pa.array([np.float16(0.5), None], pa.float16()), 0.5),
    ],
)
def test_times_and_numbers_become_doubles(tmp_path, array, expected):
    column = read_table(parquet(tmp_path / "t.parquet", array)).columns["a"]
    assert column.kind == "numeric"
    assert column.values[0] == pytest.approx(expected, rel=1e-12)
    assert column.missing.tolist() == [False, True]


def test_times_in_a_csv(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("time,stamp\n10:30:00,1970-01-02 12:00:00.000000001\n,\n")
    columns = read_table(path).columns
    assert columns["time"].values[0] == 37800
    assert columns["stamp"].values[0] == pytest.approx(1.5)


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()])
def test_ids_beyond_doubles_stay_apart_and_name_rows(tmp_path, kind):
    first = 2**53 if kind == pa.int64() else 2**63
    ids = pa.array([first + i for i in range(100)], kind)
    pq.write_table(pa.table({"id": ids, "x": range(100), "y": range(100)}), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert table.columns["id"].values[1] == str(first + 1)
    encoder = TableEncoder.fit(table, exclude="y")
    assert encoder.feature_names == ("x",)
    assert "id left out" in encoder.notes[0]
    assert "only name the rows" in encoder.notes[0]
    source = open_source(str(tmp_path / "t.parquet"), target="id", task="classification")
    assert len(set(source.table.column("id").values)) == 100


def test_small_ids_are_text_where_training_had_text(tmp_path):
    path = parquet(tmp_path / "t.parquet", pa.array([7, None]))
    assert read_table(path, texts=("a",)).columns["a"].values.tolist() == ["7", None]
    assert read_table(path).columns["a"].kind == "numeric"


@pytest.mark.parametrize(
    "array", [pa.array([[1], [2]]), pa.array([{"b": 1}]), pa.array([b"1"]), pa.array([(1, 2, 3)])]
)
def test_other_kinds_are_named(tmp_path, array):
    path = parquet(tmp_path / "t.parquet", array)
    with pytest.raises(DataError, match=r"'a' has type .*; expected numbers, text"):
        read_table(path)


def test_a_folder_is_called_one(tmp_path):
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(DataError, match=r"d\.csv is a folder"):
        read_table(tmp_path / "d.csv")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([1, 2], ">i4"), [1, 2]),
        (np.array([0.5, np.nan], ">f8"), [0.5, np.nan]),
        (np.array([0.5, 2], np.longdouble), [0.5, 2]),
        (np.array(["1970-01-03", "NaT"], "M8[D]"), [2, np.nan]),
        (np.array([12, 36], "m8[h]").astype("m8[s]"), [0.5, 1.5]),
        (np.array([True, False]), ["true", "false"]),
        (np.array(["a", ""]), ["a", None]),
        (np.array([2**53 + 1, 1]), ["9007199254740993", "1"]),
    ],
)
def test_arrays_of_an_npz(tmp_path, array, expected):
    np.savez(tmp_path / "t.npz", a=array)
    assert str(read_table(tmp_path / "t.npz").columns["a"].values.tolist()) == str(
        np.array(expected, object if isinstance(expected[0], str) else float).tolist()
    )


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"X": np.zeros((0, 3)), "y": np.zeros(0)}, r"'X' of shape \(0, 3\) holds no values"),
        ({"X": np.zeros((3, 0))}, r"'X' of shape \(3, 0\) holds no values"),
        ({"a": np.array([{}, None])}, r"'a' is a damaged array, none, or one of Python objects"),
        ({"a": np.zeros(3, complex)}, "'a' has dtype complex128; expected numbers"),
        ({"a": np.zeros(3, "S2")}, "'a' has type binary; expected numbers"),
        ({}, "holds no rows"),
    ],
)
def test_an_npz_that_is_no_table_is_refused(tmp_path, arrays, words):
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(DataError, match=words) as caught:
        read_table(tmp_path / "t.npz")
    assert "pickle" not in str(caught.value)


def test_an_npz_of_other_files_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as file:
        file.writestr("a.txt", "1")
    with pytest.raises(DataError, match=r"'a\.txt' is a damaged array, none"):
        read_table(tmp_path / "t.npz")
    single = io.BytesIO()
    np.save(single, np.zeros(3))
    (tmp_path / "t.npz").write_bytes(single.getvalue())
    with pytest.raises(DataError, match="no NPZ file"):
        read_table(tmp_path / "t.npz")
