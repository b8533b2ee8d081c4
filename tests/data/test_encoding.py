"""Arrays are encoded in parts, which is not to be seen; tables to numbers that are finite."""

import numpy as np
import pytest

from nervure.data import (
    ArrayEncoder,
    TableEncoder,
    encoding,
    open_source,
    prepare,
    read_table,
)
from nervure.data.encoding import CLIP, NumericColumn
from nervure.data.tables import Column, Table
from nervure.errors import DataError


def test_parts_and_bytes_give_what_one_pass_over_numbers_gives(monkeypatch):
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(200, 6), dtype=np.uint8)
    pixels[:, 0] = 7  # constant
    pixels[:, 1] = 0
    pixels[3, 1] = 255  # hardly ever
    encoder = ArrayEncoder.fit(pixels, tuple("abcdef"))
    new = np.vstack([pixels, np.full((5, 6), 255, dtype=np.uint8)])
    expected = np.clip((new.astype(np.float64) - encoder.mean) / encoder.std, -CLIP, CLIP)
    monkeypatch.setattr(encoding, "_AT_ONCE", 8)
    encoded = encoder.transform(new)
    assert encoded.dtype == np.float32
    np.testing.assert_array_equal(encoded, expected.astype(np.float32))
    assert (encoded[:, 0] == 0).all()
    assert encoded[:, 1].max() == CLIP > encoded[:200, 2:].max()
    np.testing.assert_array_equal(encoder.transform(new.astype(np.float32)), encoded)
    assert encoder.transform(new[:0]).shape == (0, 6)


@pytest.mark.parametrize(("value", "std"), [(1e300, 1.0), (1.0, 1e-300), (np.inf, 1.0)])
def test_a_table_beyond_single_precision_is_refused(value, std):
    table = Table("rows", {"a": Column("a", "numeric", np.array([0.0, value]))}, 2)
    encoder = TableEncoder([NumericColumn("a", 0.0, 0.0, std, False)])
    with pytest.raises(DataError, match="infinite, or too large for single precision"):
        encoder.transform(table)


def flags(path, words):
    path.write_text("flag,y\n" + "".join(f"{word},{i}\n" for i, word in enumerate(words)))
    return path


def test_booleans_are_recognised_however_they_are_written(tmp_path):
    trained = read_table(flags(tmp_path / "t.csv", ["true", "false", ""] * 4))
    encoder = TableEncoder.fit(trained, exclude="y")
    assert encoder.text_columns == ("flag",)
    new = flags(tmp_path / "new.csv", ["True", "FALSE", "1", "0", "unsure", ""])
    encoded = encoder.transform(read_table(new, texts=encoder.text_columns))
    assert encoder.feature_names == ("flag=false", "flag=true", "flag=(missing)")
    assert encoded.tolist() == [
        [0, 1, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1],
    ]  # fmt: skip
    assert "unsure" in encoder.warnings[0]


def test_other_words_differ_by_their_case(tmp_path):
    trained = read_table(flags(tmp_path / "t.csv", ["true", "maybe", "no"] * 4))
    encoder = TableEncoder.fit(trained, exclude="y")
    new = flags(tmp_path / "new.csv", ["True", "Maybe"])
    assert not encoder.transform(read_table(new, texts=encoder.text_columns)).any()


def test_a_table_of_the_target_alone_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("y\n1\n2\n")
    with pytest.raises(DataError, match="y is its only column; expected at least one other"):
        TableEncoder.fit(read_table(tmp_path / "t.csv"), exclude="y")


def test_values_too_large_for_a_deviation_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "".join(f"{i}e200,{i}.5e200\n" for i in range(40)))
    with pytest.raises(DataError, match=r"column a holds values too large .*3\.9e\+201"):
        TableEncoder.fit(read_table(path), exclude="y")
    path.write_text("a,y\n" + "".join(f"{i},{i}.5e200\n" for i in range(40)))
    with pytest.raises(DataError, match="target column y holds values too large"):
        prepare(open_source(str(path), target="y"), seed=0)
