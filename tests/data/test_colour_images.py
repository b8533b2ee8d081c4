"""Colour images: what is drawn, how it looks, and that parts keep apart."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from nervure.data import COLOUR_IMAGES, Dataset, colour_images, load
from nervure.data.catalogue import CATALOGUE
from nervure.errors import DataError

PARTS = ("train", "validation", "test")
SIZES = {"train": 50, "validation": 20, "test": 30}
GREY = COLOUR_IMAGES[:3]
PHOTOGRAPHS = COLOUR_IMAGES[3:]
SOURCES = dict(zip(COLOUR_IMAGES, ("mnist", "kmnist", "fashion_mnist", "cifar10", "cifar10"),
                   strict=True))  # fmt: skip


def dataset(shape, count=400, testing=150, seed=0):
    """Images of noise, in classes of very different sizes."""
    rng = np.random.default_rng(seed)
    y = rng.choice(4, size=count, p=[0.5, 0.3, 0.15, 0.05])
    pixels = rng.integers(0, 256, size=(count, *shape))
    pixels[:, 0, 0] = 255  # which colour it has
    if shape == (28, 28):
        pixels[:, 0, 1:3] = 0
    return Dataset(
        name="noise",
        x=(pixels.reshape(count, -1) / 255).astype(np.float32),
        y=y,
        task="classification",
        class_names=tuple("abcd"),
        feature_names=tuple(f"x{i}" for i in range(int(np.prod(shape)))),
        official_test=np.arange(count) >= count - testing,
        image_shape=shape,
        citation="nobody",
    )


GREYS, COLOURS = dataset((28, 28)), dataset((32, 32, 3))


def source_of(name):
    return GREYS if name in GREY else COLOURS


def tiles(images):
    """Shape (rows, 16, 3, 8, 8), row by row."""
    return np.stack(
        [images[:, :, i : i + 8, j : j + 8] for i in range(0, 32, 8) for j in range(0, 32, 8)], 1
    )


def pixels_of(data):
    """The dataset's images as bytes, channels first."""
    x = np.rint(np.asarray(data.x) * 255).astype(int).reshape(-1, *data.image_shape)
    return x if x.ndim == 3 else x.transpose(0, 3, 1, 2)


def rows_of(images, name, data):
    """The row of the dataset that each image was made of, from its content alone."""
    if name in GREY:
        # The brightest channel has the grey values themselves.
        seen, known = images.max(1)[:, 2:30, 2:30], pixels_of(data)
    else:
        # Any order and turn of tiles has the same values.
        seen, known = images, pixels_of(data)
    flat = np.sort(seen.reshape(len(seen), -1).astype(int), axis=1)
    listed = {
        row.tobytes(): i
        for i, row in enumerate(np.sort(known.reshape(len(known), -1).astype(int), axis=1))
    }
    return np.array([listed[row.tobytes()] for row in flat], dtype=int)


@pytest.mark.parametrize("name", COLOUR_IMAGES)
def test_form_and_where_rows_come_from(name):
    data = source_of(name)
    made = colour_images(name, **SIZES, seed=3, images=data)
    rows = {}
    for part in PARTS:
        x, y = getattr(made, f"x_{part}"), getattr(made, f"y_{part}")
        assert (x.shape, x.dtype) == ((SIZES[part], 3, 32, 32), np.uint8)
        assert (y.shape, y.dtype) == ((SIZES[part],), np.int64)
        assert x.flags.c_contiguous
        rows[part] = rows_of(x, name, data)
        assert np.array_equal(data.y[rows[part]], y)
        assert (data.official_test[rows[part]] == (part == "test")).all()
    together = np.concatenate(list(rows.values()))
    assert len(set(together.tolist())) == 100
    assert (made.name, made.class_names, made.citation) == (name, ("a", "b", "c", "d"), "nobody")


@pytest.mark.parametrize("name", COLOUR_IMAGES)
def test_all_rows_unless_told(name):
    data = source_of(name)
    made = colour_images(name, images=data)
    assert (len(made.x_train), len(made.x_validation), len(made.x_test)) == (250, 0, 150)
    assert made.x_validation.shape == (0, 3, 32, 32)
    assert len(set(rows_of(made.x_train, name, data).tolist())) == 250
    fewer = colour_images(name, validation=40, images=data)
    assert (len(fewer.x_train), len(fewer.x_validation)) == (210, 40)
    assert colour_images(name, test=0, images=data).x_test.shape == (0, 3, 32, 32)


@pytest.mark.parametrize("name", COLOUR_IMAGES)
def test_the_seed_says_everything(name):
    data = source_of(name)
    one, two, three = (colour_images(name, **SIZES, seed=s, images=data) for s in (1, 1, 2))
    for part in PARTS:
        for kind in "xy":
            key = f"{kind}_{part}"
            assert np.array_equal(getattr(one, key), getattr(two, key))
        assert not np.array_equal(getattr(one, f"x_{part}"), getattr(three, f"x_{part}"))


@pytest.mark.parametrize("name", COLOUR_IMAGES)
def test_an_image_looks_the_same_however_many_are_drawn(name):
    data = source_of(name)
    every = colour_images(name, seed=4, images=data)
    by_row = {}
    for x in (every.x_train, every.x_test):
        by_row |= dict(zip(rows_of(x, name, data).tolist(), x, strict=True))
    some = colour_images(name, train=7, validation=5, test=9, seed=4, images=data)
    for part in PARTS:
        x = getattr(some, f"x_{part}")
        for row, image in zip(rows_of(x, name, data).tolist(), x, strict=True):
            assert np.array_equal(image, by_row[row])
    # Nor do test images depend on how many there are to train on.
    assert np.array_equal(some.x_test, every.x_test[:9])


def test_bytes_or_shares_of_one():
    """Which of the two, the whole dataset says: a few dark images of bytes stay dark."""
    dark = np.array(GREYS.x)
    dark[:] = 1 / 255
    dark[0] = 1
    shares = replace(GREYS, x=dark)
    whole = replace(GREYS, x=np.rint(dark * 255).astype(np.float32))
    options = {"train": 3, "test": 5, "seed": 0}
    one, two = (colour_images("cmnist", **options, images=data) for data in (shares, whole))
    assert one.x_test.max() == 1
    assert np.array_equal(one.x_test, two.x_test)
    assert np.array_equal(one.x_train, two.x_train)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 5), st.integers(1, 150), st.integers(0, 100), st.integers(0, 150))
def test_classes_are_in_proportion(seed, train, validation, test):
    made = colour_images(
        "cmnist", train=train, validation=validation, test=test, seed=seed, images=GREYS
    )
    learning, testing = GREYS.y[~GREYS.official_test], GREYS.y[GREYS.official_test]
    drawn = np.concatenate([made.y_validation, made.y_train])
    for found, of, error in (
        (drawn, learning, 1),
        (made.y_validation, learning, 1),
        (made.y_train, learning, 2),
        (made.y_test, testing, 1),
    ):
        expected = np.bincount(of, minlength=4) / len(of) * len(found)
        # Each class is off by less than one row, and so is the count of the last rows of all.
        assert (np.abs(np.bincount(found, minlength=4) - expected) < error + 1).all()


@pytest.mark.parametrize("name", GREY)
def test_a_colour_scales_grey(name):
    made = colour_images(name, seed=2, images=GREYS)
    rows = rows_of(made.x_train, name, GREYS)
    grey = pixels_of(GREYS)[rows]
    inner = made.x_train[:, :, 2:30, 2:30]
    frame = made.x_train.astype(int).sum() - inner.astype(int).sum()
    assert frame == 0
    colours = inner[:, :, 0, 0] / 255  # where grey is 255
    assert (colours.max(1) == 1).all()
    assert np.abs(inner - grey[:, None] * colours[:, :, None, None]).max() <= 1
    # Drawn from the cube, so all over it: each channel is the brightest of a third.
    share = np.bincount(colours.argmax(1), minlength=3) / len(colours)
    assert share == pytest.approx([1 / 3] * 3, abs=0.1)
    assert len(np.unique(colours, axis=0)) > 240


def test_photographs_are_as_they_are():
    made = colour_images("cifar10", seed=1, images=COLOURS)
    rows = rows_of(made.x_test, "cifar10", COLOURS)
    assert np.array_equal(made.x_test, pixels_of(COLOURS)[rows])


def test_tiles_are_in_another_order_and_turned_by_quarters():
    plain = colour_images("cifar10", **SIZES, seed=6, images=COLOURS)
    tiled = colour_images("cifar10_t8", **SIZES, seed=6, images=COLOURS)
    before, after = tiles(plain.x_train), tiles(tiled.x_train)
    # The order and the turns that the first image shows put all others together again.
    origin, turns = [], []
    for place in range(16):
        (match,) = [
            (i, k)
            for i in range(16)
            for k in range(4)
            if np.array_equal(after[0, place], np.rot90(before[0, i], k, axes=(1, 2)))
        ]
        origin.append(match[0])
        turns.append(match[1])
    assert sorted(origin) == list(range(16))
    assert origin != list(range(16))
    assert len(set(turns)) > 1
    for part in PARTS:
        before, after = (tiles(getattr(task, f"x_{part}")) for task in (plain, tiled))
        restored = np.empty_like(after)
        for place, (i, k) in enumerate(zip(origin, turns, strict=True)):
            restored[:, i] = np.rot90(after[:, place], -k, axes=(2, 3))
        assert np.array_equal(restored, before)
        assert np.array_equal(getattr(plain, f"y_{part}"), getattr(tiled, f"y_{part}"))


@pytest.mark.parametrize("name", COLOUR_IMAGES)
def test_standardised_by_the_training_part(name):
    made = colour_images(name, **SIZES, images=source_of(name))
    train, validation, test = made.standardised()
    assert train.dtype == validation.dtype == test.dtype == np.float32
    assert train.mean((0, 2, 3)) == pytest.approx(np.zeros(3), abs=1e-4)
    assert train.std((0, 2, 3)) == pytest.approx(np.ones(3), abs=1e-4)
    for channel in range(3):
        values = made.x_train[:, channel].astype(float)
        expected = (made.x_test[:, channel] - values.mean()) / values.std()
        np.testing.assert_allclose(test[:, channel], expected, rtol=1e-5, atol=1e-5)
    assert validation.shape == made.x_validation.shape


def test_a_channel_of_one_value_is_standardised_to_zero():
    made = colour_images("cmnist", **SIZES, images=GREYS)
    made = replace(made, x_train=np.full_like(made.x_train, 7))
    assert (made.standardised()[0] == 0).all()


@pytest.mark.parametrize(
    ("name", "change", "options", "message"),
    [
        ("mnist", {}, {}, "no colour images named 'mnist'; known: cmnist, ckmnist, cfashion"),
        ("cmnist", {"image_shape": (14, 56)}, {}, r"noise: expected images of 28 x 28 .*\(14, 56"),
        ("cmnist", {"image_shape": None}, {}, "noise: expected images of 28 x 28 or 32 x 32 x 3"),
        ("cmnist", {"x": csr_matrix(GREYS.x)}, {}, "noise: expected images of 28 x 28"),
        ("cifar10", {}, {}, r"cifar10: cannot be made of noise with shape \(28, 28\)"),
        ("cifar10_t8", {}, {}, "cifar10_t8: cannot be made of noise"),
        ("cmnist", {"official_test": None}, {}, "noise: expected a published test part, got none"),
        ("cmnist", {}, {"train": 251}, "cmnist: expected at most 250 rows, got 251"),
        ("cmnist", {}, {"train": 200, "validation": 51}, "expected at most 250 rows, got 251"),
        ("cmnist", {}, {"validation": 250}, "250 rows for validation leave none to train on"),
        ("cmnist", {}, {"test": 151}, "cmnist: expected at most 150 rows, got 151"),
        ("cmnist", {}, {"train": 0}, "cmnist: train: expected at least 1 rows, got 0"),
        ("cmnist", {}, {"validation": -1, "test": -2}, "validation: expected .*; test: expected"),
    ],
)
def test_what_does_not_fit_is_refused(name, change, options, message):
    with pytest.raises(DataError, match=message):
        colour_images(name, images=replace(GREYS, **change), **options)


def test_photographs_are_not_coloured():
    with pytest.raises(DataError, match="cmnist: cannot be made of noise with shape"):
        colour_images("cmnist", images=COLOURS)


@pytest.mark.parametrize("name", ["ckmnist", "cifar10_t8"])
def test_of_the_datasets_themselves(name):
    entry = CATALOGUE[SOURCES[name]]
    folder = os.environ.get("NERVURE_DATA")
    if folder is None or not (Path(folder) / entry.repacked).exists():
        pytest.skip(f"NERVURE_DATA does not hold {entry.repacked}")
    made = colour_images(name, train=100, validation=50, test=50, seed=1)
    data = load(SOURCES[name])
    assert made.x_train.shape == (100, 3, 32, 32)
    assert np.bincount(made.y_train, minlength=10).tolist() == [10] * 10
    assert made.class_names == data.class_names
    assert made.citation == data.citation
    again = colour_images(name, train=100, validation=50, test=50, seed=1, images=data)
    assert np.array_equal(made.x_train, again.x_train)
    assert made.x_train.max() > 200
