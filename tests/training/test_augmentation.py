"""Images shifted and mirrored."""

import numpy as np
import pytest
import torch

from nervure.errors import EngineError
from nervure.training import FlipAndCrop


def all_changes(image, margin):
    """Give every shift of an image, as it is and mirrored, by slices of a frame of zeros."""
    channels, height, width = image.shape
    frame = np.zeros((channels, height + 2 * margin, width + 2 * margin), dtype=image.dtype)
    frame[:, margin : margin + height, margin : margin + width] = image
    crops = [
        frame[:, i : i + height, j : j + width]
        for i in range(2 * margin + 1)
        for j in range(2 * margin + 1)
    ]
    return crops, [crop[:, :, ::-1] for crop in crops]


def test_an_image_becomes_one_of_its_shifts_and_mirror_images_each_as_often():
    image = np.arange(1, 25, dtype=np.float32).reshape(2, 4, 3)
    crops, mirrored = all_changes(image, 1)
    x = torch.from_numpy(np.repeat(image[None], 1800, axis=0))
    changed = FlipAndCrop(1)(x, np.random.default_rng(0)).numpy()
    counts = [(changed == choice).all(axis=(1, 2, 3)).sum() for choice in (*crops, *mirrored)]
    assert sum(counts) == 1800
    # 18 choices of 100 each; five deviations of the binomial to both sides.
    assert 50 < min(counts) <= max(counts) < 150
    shifted = FlipAndCrop(1, flip=False)(x, np.random.default_rng(0)).numpy()
    assert sum((shifted == crop).all(axis=(1, 2, 3)).sum() for crop in crops) == 1800


@pytest.mark.parametrize("image_shape", [(4, 3), (4, 3, 2)])
def test_flat_rows_are_changed_as_their_images(image_shape):
    x = torch.rand(20, int(np.prod(image_shape)))
    images = x.reshape(20, 4, 3, -1).permute(0, 3, 1, 2)
    flat = FlipAndCrop(1, image_shape=image_shape)(x, np.random.default_rng(3))
    apart = FlipAndCrop(1)(images, np.random.default_rng(3))
    assert torch.equal(flat, apart.permute(0, 2, 3, 1).reshape(20, -1))


def test_nothing_changes_without_margin_and_mirror():
    x = torch.rand(3, 1, 4, 4)
    assert torch.equal(FlipAndCrop(0, flip=False)(x, np.random.default_rng(0)), x)


def test_what_does_not_fit_is_said():
    with pytest.raises(EngineError, match="margin: expected at least 0, got -1"):
        FlipAndCrop(-1)
    with pytest.raises(EngineError, match=r"got \(4,\)"):
        FlipAndCrop(image_shape=(4,))
    with pytest.raises(EngineError, match=r"got \(2, 12\); give image_shape for flat rows"):
        FlipAndCrop()(torch.zeros(2, 12), np.random.default_rng(0))
