"""Colour images as rows of pixels, by name."""

from dataclasses import replace

import numpy as np
import pytest

from nervure.data import Dataset, colour_images, encoder_from_json
from nervure.errors import DataError
from nervure.jobs import TradeoffRequest, colour_tasks, predict_table, train_tradeoff
from nervure.jobs.colour_tasks import colour_task, open_colour_task
from nervure.training import predict_values
from nervure.training.model_file import load_model


def noise(shape, count=130, testing=30):
    rng = np.random.default_rng(0)
    return Dataset(
        name="noise",
        x=rng.random((count, int(np.prod(shape))), dtype=np.float32),
        y=np.arange(count) % 10,
        task="classification",
        class_names=tuple("abcdefghij"),
        feature_names=tuple(f"x{i}" for i in range(int(np.prod(shape)))),
        official_test=np.arange(count) >= count - testing,
        image_shape=shape,
    )


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    def load(name):
        return noise((32, 32, 3) if name == "cifar10" else (28, 28))

    monkeypatch.setattr(colour_tasks, "load", load)


def test_names_are_forgiving():
    assert colour_task("CIFAR10-T8") == "cifar10_t8"
    assert colour_task("cmnist") == "cmnist"
    assert colour_task("mnist") is None
    assert colour_task("table.csv") is None


def test_pixels_are_in_the_order_of_the_image_shape():
    data = open_colour_task("cifar10", seed=3)
    assert data.image_shape == (32, 32, 3)
    assert data.x_train.shape == (90, 3072)
    assert (len(data.y_validation), len(data.y_test)) == (10, 30)
    made = colour_images("cifar10", train=90, validation=10, seed=3, images=noise((32, 32, 3)))
    raw = data.x_train * data.encoder.std + data.encoder.mean
    images = raw.reshape(90, 32, 32, 3).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(images, made.x_train, atol=1e-3)
    np.testing.assert_array_equal(data.y_test, made.y_test)
    # Fitted on the training rows, and on no others.
    np.testing.assert_allclose(data.x_train.mean(axis=0), 0, atol=1e-5)
    assert abs(data.x_test.mean(axis=0)).max() > 0.1


def test_rows_bound_training_and_validation():
    data = open_colour_task("cmnist", seed=0, rows=60)
    assert [len(part) for part in (data.y_train, data.y_validation, data.y_test)] == [60, 10, 30]
    data = open_colour_task("cmnist", seed=0, rows=4)
    assert [len(part) for part in (data.y_train, data.y_validation, data.y_test)] == [4, 4, 30]
    assert data.messages == (
        "split (the published test part): 4 training, 4 validation, 30 test rows",
    )


def test_a_subset_is_called_one(monkeypatch):
    subset = replace(noise((28, 28)), subset="a subset: of nothing")
    monkeypatch.setattr(colour_tasks, "load", lambda _: subset)
    messages = open_colour_task("ckmnist", seed=0).messages
    assert messages[0] == "noise is a subset: of nothing"
    assert "not the published one" in messages[1]
    monkeypatch.setattr(colour_tasks, "load", lambda _: replace(subset, official_test=None))
    with pytest.raises(DataError, match="expected a published test part"):
        open_colour_task("ckmnist", seed=0)


def test_a_run_on_a_task_predicts_bytes_of_pixels(tmp_path):
    request = TradeoffRequest(
        data="cmnist", rows=60, nodes=3, channels=2, epochs=1, entry_stride=4, out=tmp_path / "run"
    )
    result = train_tradeoff(request)
    assert result.summary["dataset"] == "cmnist"
    data = open_colour_task("cmnist", seed=0, rows=60)
    # Pixels of the frame are 0 in all images.
    std = np.where(np.isfinite(data.encoder.std), data.encoder.std, 0)
    pixels = np.rint(data.x_test * std + data.encoder.mean)
    file = tmp_path / "new.npz"
    np.savez(file, X=pixels.astype(np.uint8))
    found = predict_table(result.folder, file)
    loaded = load_model(result.model)
    known = predict_values(loaded.network, data.x_test).argmax(1).numpy()
    assert [data.class_names[k] for k in known] == found.labels.tolist()
    assert result.summary["test_error"] == pytest.approx(np.mean(known != data.y_test))
    twin = encoder_from_json(loaded.metadata["data"]["encoder"])
    np.testing.assert_array_equal(twin.std, data.encoder.std)
