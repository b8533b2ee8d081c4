"""What TensorBoard reads is what the run has."""

import math
import sys

import pytest

from nervure.errors import MissingDependencyError
from nervure.jobs import FreeNetRequest, train_freenet
from nervure.training import Run, TensorBoard

SMALL = {"neurons": 6, "epochs": 2}


def scalars(folder):
    """Read with TensorBoard's own reader: by tag, values by step."""
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    ).EventAccumulator(str(folder))
    accumulator.Reload()
    return {
        tag: {event.step: event.value for event in accumulator.Scalars(tag)}
        for tag in accumulator.Tags()["scalars"]
    }


@pytest.fixture(autouse=True)
def _installed(request):
    if "missing" not in request.node.name:
        pytest.importorskip("tensorboard")


def test_a_job_writes_both_networks(tmp_path):
    train_freenet(FreeNetRequest(**SMALL, out=tmp_path / "run", tensorboard=True))
    found = scalars(tmp_path / "run" / "tensorboard" / "FreeNet")
    with Run.open(tmp_path / "run") as run:
        for name, tag in (
            ("train_loss", "loss/train_loss"),
            ("validation_error", "error/validation_error"),
            ("edges", "wiring/edges"),
        ):
            assert found[tag] == pytest.approx({e["epoch"]: e[name] for e in run.epochs()})
        assert "tensorboard" not in run.request["arguments"]
    plain = scalars(tmp_path / "run" / "tensorboard" / "plain-network")
    assert set(plain["loss/train_loss"]) == {1, 2}


def test_epochs_written_again_replace_those_that_were_there(tmp_path):
    for values in ({1: 0.5, 2: 0.4, 3: 0.3}, {2: 0.45, 3: math.nan}):
        with TensorBoard(tmp_path) as board:
            for epoch, loss in values.items():
                board({"epoch": epoch, "train_loss": loss, "module_sizes": [3], "odd": True})
    found = scalars(tmp_path)
    assert found["loss/train_loss"] == pytest.approx({1: 0.5, 2: 0.45, 3: math.nan}, nan_ok=True)
    assert set(found) == {"loss/train_loss", "training/odd"}


def test_a_missing_package_is_named_before_a_run_is_made(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "nervure\[tensorboard\]"'):
        train_freenet(FreeNetRequest(**SMALL, out=tmp_path / "run", tensorboard=True))
    assert not (tmp_path / "run").exists()
