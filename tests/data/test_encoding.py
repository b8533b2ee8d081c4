"""Arrays are encoded in parts, and that is not to be seen."""

import numpy as np

from nervure.data import ArrayEncoder, encoding
from nervure.data.encoding import CLIP


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
