"""Texts that were meant as numbers: told apart, and what to write instead."""

from collections import Counter

import pytest

from nervure.data import TableEncoder, open_source, read_table
from nervure.data.number_texts import meant_as_numbers
from nervure.errors import DataError

LIKE_NUMBERS = "they look like numbers, such as {!r}; write these with a decimal point"


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["1.5", "2", "-3e4", "?"], "3 of 4 are numbers, not '?'; replace or empty those"),
        (["1", "2", "3", "?", "-", "$5"], "3 of 6 are numbers, not '?'"),
        (["1.5", "2"], "all are numbers, stored as text"),
        (["4", "3,14", "2,7", "x"], LIKE_NUMBERS.format("3,14")),
        (["1,200", "3,400,500"], LIKE_NUMBERS.format("1,200")),
        (["1.234,56", "7,8"], LIKE_NUMBERS.format("1.234,56")),
        (["$5", "$ 7.50"], LIKE_NUMBERS.format("$5")),
        (["12 %", "3 €"], LIKE_NUMBERS.format("12 %")),
        (["05.01.2021", "1/5/21"], "they look like dates, such as '05.01.2021'"),
    ],
)
def test_numbers_and_dates_are_recognised(texts, reason):
    assert (meant_as_numbers(Counter(texts)) or "").startswith(reason)


@pytest.mark.parametrize(
    "texts", [["a", "b"], ["1", "b"], ["007", "12"], ["A-1,200", "12-34-567"], ["3,", ",3"]]
)
def test_words_and_codes_are_left_alone(texts):
    assert meant_as_numbers(Counter(texts)) is None


def test_often_seen_texts_count_more():
    assert meant_as_numbers({"1": 1, "?": 9}) is None
    assert meant_as_numbers({"1": 9, "?": 1}) is not None


def lost(tmp_path, cell):
    path = tmp_path / "t.csv"
    path.write_text("a,x,y\n" + "".join(f'{cell(i)},{i},"{i},5"\n' for i in range(70)))
    return path


def test_a_column_that_is_left_out_says_so(tmp_path):
    path = lost(tmp_path, lambda i: i * 1.5 if i else "?")
    notes = TableEncoder.fit(read_table(path), exclude="y").notes
    assert "column a left out" in notes[0]
    assert "69 of 70 are numbers, not '?'" in notes[0]
    names = TableEncoder.fit(read_table(lost(tmp_path, lambda i: f"n{i}")), exclude="y").notes
    assert "only name the rows" in names[0]


def test_a_column_of_which_rare_texts_are_taken_together_says_so(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "".join(f"{i % 60 or '?'},{i}\n" for i in range(180)))
    notes = TableEncoder.fit(read_table(path), exclude="y").notes
    assert "rarest of 60" in notes[0]
    assert "177 of 180 are numbers, not '?'" in notes[0]


def test_a_prediction_table_and_a_target_say_so(tmp_path):
    path = lost(tmp_path, lambda i: i)
    encoder = TableEncoder.fit(read_table(path), exclude="y")
    with pytest.raises(DataError, match=r"got text \(69 of 70 are numbers, not 'none'"):
        encoder.transform(read_table(lost(tmp_path, lambda i: i or "none")))
    assert "such as '0,5'" in open_source(str(path), target="y").messages[-1]
    with pytest.raises(DataError, match=r"needs numbers \(they look like numbers, such as '0,5'"):
        open_source(str(path), target="y", task="regression")
