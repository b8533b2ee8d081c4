import os

import numpy as np
import pytest
import torch

from nervure.data import COLOUR_IMAGES, ColourImages


@pytest.fixture(autouse=True, scope="session")
def _one_thread_per_worker():
    # Parallel test workers with two threads each would wait for one another.
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(1)


def _coloured_squares(name, *, train, test, seed):
    """Give images whose class is the place of a bright square; harder datasets are noisier."""
    generator = np.random.default_rng(seed)
    noise = 40 * (1 + COLOUR_IMAGES.index(name))

    def part(rows):
        y = generator.integers(10, size=rows)
        x = generator.integers(noise, size=(rows, 3, 32, 32))
        for i, label in enumerate(y):
            x[
                i, :, 6 * (label // 5) : 6 * (label // 5) + 6, 6 * (label % 5) : 6 * (label % 5) + 6
            ] = 255
        return x.astype(np.uint8), y.astype(np.int64)

    (x, y), (x_test, y_test) = part(train), part(test)
    nothing = part(0)
    return ColourImages(name, x, y, *nothing, x_test, y_test, tuple("0123456789"), "made up")


@pytest.fixture(scope="session")
def coloured_squares():
    """Stand in for `colour_images`: images that are made up in no time."""
    return _coloured_squares
