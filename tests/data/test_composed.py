"""Pairs of images: what they are made of, and that nothing leaks."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from nervure.data import Dataset, hierarchical_digits, load, two_digits
from nervure.errors import DataError

PARTS = ("train", "validation", "test")
SIZES = {"train": 250, "validation": 130, "test": 100}
H, W = 3, 4


@pytest.fixture(scope="module")
def images():
    """Images that name themselves: every pixel of image i is (i + 1) / 1024."""
    count = 600
    x = np.repeat(np.arange(1, count + 1, dtype=np.float32) / 1024, H * W).reshape(count, -1)
    return Dataset(
        name="numbered",
        x=x,
        y=np.arange(count) % 10,
        task="classification",
        class_names=tuple("0123456789"),
        feature_names=tuple(f"x{i}" for i in range(H * W)),
        official_test=np.arange(count) >= 450,
        image_shape=(H, W),
    )


def numbers(x, task):
    """The image on each side, from its pixels."""
    sides = [x[:, task.side_of_pixel == side] for side in range(2)]
    assert all((side == side[:, :1]).all() for side in sides)
    return np.stack([np.rint(side[:, 0] * 1024).astype(int) - 1 for side in sides], axis=1)


@pytest.mark.parametrize("make", [two_digits, hierarchical_digits])
def test_pairs_are_of_images_of_their_own_part(make, images):
    task = make(**SIZES, seed=3, images=images)
    seen = {}
    for part in PARTS:
        x, y = getattr(task, f"x_{part}"), getattr(task, f"y_{part}")
        assert x.dtype == y.dtype == np.float32
        assert x.shape == (SIZES[part], 2 * H * W)
        assert y.shape == (SIZES[part], len(task.target_names))
        found = numbers(x, task)
        assert np.array_equal(images.y[found], getattr(task, f"digits_{part}"))
        assert (images.official_test[found] == (part == "test")).all()
        seen[part] = set(found.ravel().tolist())
    assert not seen["train"] & seen["validation"]
    assert "no image is in two parts" in task.messages[0]


def test_images_stand_side_by_side(images):
    task = two_digits(**SIZES, images=images)
    assert task.image_shape == (H, 2 * W)
    wide = task.x_train[0].reshape(task.image_shape)
    left, right = numbers(task.x_train[:1], task)[0]
    assert np.array_equal(wide[:, :W], images.x[left].reshape(H, W))
    assert np.array_equal(wide[:, W:], images.x[right].reshape(H, W))


@pytest.mark.parametrize(("make", "classes"), [(two_digits, 10), (hierarchical_digits, 8)])
def test_every_combination_is_there_as_often(make, classes, images):
    task = make(**SIZES, seed=1, images=images)
    for part in PARTS:
        digits = getattr(task, f"digits_{part}")
        counts = np.bincount(digits[:, 0] * classes + digits[:, 1], minlength=classes**2)
        assert len(counts) == classes**2
        assert counts.max() - counts.min() <= 1


def test_two_digits_are_two_of_twenty(images):
    task = two_digits(**SIZES, images=images)
    assert len(task.target_names) == 20
    assert task.target_names[13] == "right is 3"
    assert task.sides_of_target == ((0,),) * 10 + ((1,),) * 10
    assert (task.y_train[:, :10].argmax(1) == task.digits_train[:, 0]).all()
    assert (task.y_train[:, 10:].argmax(1) == task.digits_train[:, 1]).all()
    assert (task.y_train.sum(1) == 2).all()


def test_hierarchical_digits_are_the_xor_of_their_bits(images):
    task = hierarchical_digits(**SIZES, images=images)
    assert task.digits_train.max() == 7
    for (a, b), bits in zip(task.digits_train.tolist(), task.y_train.astype(int), strict=True):
        pairs = zip(f"{a:03b}", f"{b:03b}", strict=True)
        assert bits.tolist() == [int(p != q) for p, q in pairs]
    assert task.sides_of_target == ((0, 1),) * 3


@pytest.mark.parametrize("make", [two_digits, hierarchical_digits])
def test_the_seed_decides(make, images):
    one, two, other = (make(**SIZES, seed=seed, images=images) for seed in (5, 5, 6))
    assert np.array_equal(one.x_train, two.x_train)
    assert np.array_equal(one.y_test, two.y_test)
    assert not np.array_equal(one.x_train, other.x_train)


def test_without_official_test_images_some_are_held_out(images):
    task = two_digits(**SIZES, images=replace(images, official_test=None))
    seen = [set(numbers(getattr(task, f"x_{part}"), task).ravel().tolist()) for part in PARTS]
    assert not seen[0] & seen[1] | seen[0] & seen[2] | seen[1] & seen[2]


def test_what_cannot_be_composed_is_refused(images):
    with pytest.raises(DataError, match="grey images"):
        two_digits(images=replace(images, image_shape=None))
    with pytest.raises(DataError, match="dense array"):
        two_digits(images=replace(images, x=csr_matrix(images.x)))
    with pytest.raises(DataError, match="at least 1 pair"):
        two_digits(train=0, images=images)
    with pytest.raises(DataError, match="images of class 0"):
        two_digits(**SIZES, images=replace(images, official_test=images.y == 0))
    few = replace(images, y=images.y % 7, class_names=tuple("0123456"))
    with pytest.raises(DataError, match="at least 8 classes"):
        hierarchical_digits(images=few)


def test_mnist_is_what_is_composed_by_default():
    folder = os.environ.get("NERVURE_DATA")
    if folder is None or not (Path(folder) / "mnist.npz").exists():
        pytest.skip("NERVURE_DATA does not hold mnist.npz")
    mnist = load("mnist")
    task = hierarchical_digits(train=640, validation=64, test=64)
    assert task.name == "hierarchical mnist"
    assert task.image_shape == (28, 56)
    assert task.x_train.shape == (640, 1568)
    assert 0 <= task.x_train.min() < task.x_train.max() <= 1
    assert task.citation == mnist.citation
