"""Arrays are encoded in parts, which is not to be seen; tables to numbers that are finite."""

import numpy as np
import pytest

from nervure.data import ArrayEncoder, TableEncoder, encoding
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
