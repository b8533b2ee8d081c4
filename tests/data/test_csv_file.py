"""CSV as other programs write it: read where that is certain, else refused in words."""

import gzip

import numpy as np
import pytest

from nervure.data import open_source, read_table
from nervure.errors import DataError

ROWS = [(1.5, "größer", 3), (-0.25, "kleiner", 4), (12.125, "größer", 5)]


def written(path, separator=",", point=".", encoding="utf-8"):
    lines = ["Länge,Wort,Zahl", *(f"{a},{b},{c}" for a, b, c in ROWS)]
    text = "\n".join(line.replace(",", separator).replace(".", point) for line in lines) + "\n"
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize(
    ("name", "separator", "point", "encoding", "said"),
    [
        ("t.csv", ",", ".", "utf-8", ()),
        ("t.csv", ",", ".", "utf-8-sig", ()),
        ("t.csv", ";", ".", "utf-8-sig", ("semicolons",)),
        ("t.csv", ";", ",", "utf-8", ("semicolons", "decimal commas")),
        ("t.csv.gz", ";", ",", "utf-8", ("semicolons", "decimal commas")),
        ("t.csv", "\t", ",", "utf-8", ("tabs", "decimal commas")),
        ("t.csv", "\t", ".", "utf-16", ("tabs", "UTF-16")),
        ("t.csv", ",", ".", "utf-16", ("UTF-16",)),
    ],
)
def test_what_is_certain_is_read_and_said(tmp_path, name, separator, point, encoding, said):
    table = read_table(written(tmp_path / name, separator, point, encoding))
    assert list(table.columns) == ["Länge", "Wort", "Zahl"]
    assert table.columns["Länge"].values.tolist() == [row[0] for row in ROWS]
    assert table.columns["Wort"].values.tolist() == [row[1] for row in ROWS]
    assert table.columns["Zahl"].values.tolist() == [row[2] for row in ROWS]
    assert len(table.messages) == bool(said)
    assert all(word in table.messages[0] for word in said)
    assert table.take(np.array([1])).messages == table.messages


def test_what_was_read_otherwise_is_among_the_messages(tmp_path):
    source = open_source(str(written(tmp_path / "t.csv", ";", ",")), target="Zahl")
    assert source.messages[0] == "t.csv read with semicolons between columns, decimal commas"


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ("1,200 3,400", "categorical"),  # thousands, or three digits after the point
        ("1,200 3,4", "numeric"),
        ("0,200 3,400", "numeric"),
        ("1,2 3.4", "categorical"),
    ],
)
def test_a_comma_in_a_number_is_read_where_it_cannot_be_one_of_thousands(tmp_path, cells, kind):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n" + "".join(f"{cell};1\n" for cell in cells.split()))
    assert read_table(path).columns["a"].kind == kind


def test_a_column_with_points_keeps_commas_from_being_decimal(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n1,5;1.5\n2,5;2.5\n")
    columns = read_table(path).columns
    assert (columns["a"].kind, columns["b"].kind) == ("categorical", "numeric")


@pytest.mark.parametrize(("line", "block"), [(1, 100), (3, 100), (3, 2)])
def test_a_file_in_latin_1_is_refused_with_its_line(tmp_path, monkeypatch, line, block):
    monkeypatch.setattr("nervure.data.csv_file._BLOCK", block)
    lines = ["a,b", "1,x", "2,y"]
    lines[line - 1] = lines[line - 1].replace(",", "ü,")
    path = tmp_path / "t.csv"
    path.write_bytes("\n".join(lines).encode("latin-1"))
    with pytest.raises(DataError, match=rf"not UTF-8: line {line} holds the byte 0xfc.*'ü'.*iconv"):
        read_table(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("a,b\n1,2\n".encode("utf-16-le"), "zero bytes"),
        (b"\xff\xfea,b\n1,2\nx", "begins as UTF-16 does but is not"),
        (b"a;b,c;d\n1;2,3;4\n1;2\n", "first line holds ';'; expected commas"),
    ],
)
def test_what_is_not_certain_is_refused_with_what_is_expected(tmp_path, data, words):
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(DataError, match=words):
        read_table(tmp_path / "t.csv")


def test_a_first_line_longer_than_a_block_is_looked_at_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("nervure.data.csv_file._BLOCK", 4)
    (tmp_path / "t.csv").write_bytes(b"\n\nlong_name\tother\r\n1\t2\r\n")
    assert list(read_table(tmp_path / "t.csv").columns) == ["long_name", "other"]


def test_separators_in_quotes_do_not_count(tmp_path):
    (tmp_path / "t.csv").write_text('"a,b";c\n1;2\n')
    assert list(read_table(tmp_path / "t.csv").columns) == ["a,b", "c"]


def test_columns_asked_for_as_text_stay_as_written(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("code,day,flag,x\n01,2024-01-01,True,01\n,,,\n")
    table = read_table(path, texts=("code", "day", "flag", "absent"))
    assert table.columns["code"].values.tolist() == ["01", None]
    assert table.columns["day"].values.tolist() == ["2024-01-01", None]
    assert table.columns["flag"].values.tolist() == ["True", None]
    np.testing.assert_array_equal(table.columns["x"].values, [1.0, np.nan])
