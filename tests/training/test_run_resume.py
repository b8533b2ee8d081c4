"""A run that was stopped or killed is gone on with, by one writer at a time."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

from nervure.errors import RunError
from nervure.networks import NeuralModules
from nervure.rules import Repulsion
from nervure.topology import Topology
from nervure.training import Run, TrainingOptions, fit
from nervure.training.model_file import load_model
from nervure.training.run import RewiringRow
from nervure.training.run_folder import is_taken, take_folder

X, Y = load_iris(return_X_y=True)
X = X.astype("float32")
NONE = np.empty((0, 2), dtype=np.int32)


def epochs_of(folder):
    with Run.open(folder) as run:
        return [epoch["epoch"] for epoch in run.epochs()]


def test_a_second_writer_is_refused(tmp_path):
    code = (
        "import sys, time; from nervure.training import Run\n"
        "run = Run.create(sys.argv[1], config={})\n"
        "print('here', flush=True); time.sleep(60)"
    )
    folder = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "here\n"
        with Run.open(folder) as reader:
            assert reader.status == "running"
            assert not reader.abandoned
        with pytest.raises(RunError, match="being written by another process"):
            Run.resume(folder)
        with pytest.raises(RunError, match="being written by another process"):
            Run.create(folder, config={}, force=True)
        other.send_signal(signal.SIGKILL)
    with Run.open(folder) as reader:
        assert reader.status == "running"
        assert reader.abandoned
    with Run.resume(folder) as run:
        with pytest.raises(RunError, match="being written"):
            Run.resume(folder)
        run.finish({})
    with pytest.raises(RunError, match="has finished"):
        Run.resume(folder)


def test_a_run_that_finishes_before_the_lock_stays_as_it_is(tmp_path, monkeypatch):
    writer = Run.create(tmp_path, config={})
    writer.record_epoch(1, {"train_loss": 0.5})

    def taken_after_the_end(folder):
        writer.finish({"test_error": 0.1})
        writer.close()
        return take_folder(folder)

    monkeypatch.setattr("nervure.training.run.take_folder", taken_after_the_end)
    with pytest.raises(RunError, match="has finished"):
        Run.resume(tmp_path)
    assert not is_taken(tmp_path)
    with Run.open(tmp_path) as run:
        assert (run.status, run.result) == ("finished", {"test_error": 0.1})
        assert len(run.epochs()) == 1


def test_what_is_recorded_after_a_checkpoint_is_forgotten(tmp_path):
    run = Run.create(tmp_path, config={"n": 1}, request={"method": "none"})
    for epoch in (1, 2, 3):
        run.record_rewirings([RewiringRow(epoch, epoch, NONE, np.array([[0, 1]], np.int32))])
        run.record_topology(epoch, Topology.complete(4))
        run.record_epoch(epoch, {"loss": epoch})
    run.checkpoint_path("network").write_bytes(b"state")
    run.fail("no good")
    run.close()
    with Run.resume(tmp_path) as run:
        assert run.status == "running"
        assert run.reason is run.ended is run.result is None
        assert run.request == {"method": "none"}
        run.rewind(2)
        assert epochs_of(tmp_path) == [1, 2]
        assert [row.epoch for row in run.rewirings()] == [1, 2]
        assert [epoch for epoch, _ in run.topologies()] == [1, 2]
        run.finish({}, interrupted=True)
    assert (tmp_path / "checkpoint-network.safetensors").exists()
    (tmp_path / ".checkpoint-network.safetensors.0a1b.tmp").write_bytes(b"half")
    with Run.resume(tmp_path) as run:
        assert not list(tmp_path.glob(".*.tmp"))
        run.finish({})
    assert not list(tmp_path.glob("*checkpoint*"))


def test_without_a_checkpoint_it_begins_anew(tmp_path):
    with Run.create(tmp_path, config={}) as run:
        run.record_topology(0, Topology.complete(4))
        run.record_epoch(1, {})
        run.fail("killed")
    with Run.resume(tmp_path) as run:
        assert run.epochs() == []
        assert [epoch for epoch, _ in run.topologies()] == [0]


def trained(folder, *, resume=False, epochs=6, until=None, seed=0):
    network = NeuralModules(4, 3, nodes=15, seed=seed)

    def rule(network, optimizer):
        return Repulsion(network, optimizer, keep=30, alpha=0.05)

    with Run.resume(folder) if resume else Run.create(folder, config={}) as run:
        fitted = fit(
            network, X[::2], Y[::2], task="classification", rule=rule, run=run, until=until,
            options=TrainingOptions(epochs=epochs, learning_rate=0.1),
            validation=(X[1::2], Y[1::2]),
        )  # fmt: skip
        if until is not None:
            # As if it were killed here: the context must not say that it has finished.
            run.fail("killed")
    return network, fitted


def test_fit_goes_on_with_a_run(tmp_path):
    whole, fitted = trained(tmp_path / "whole")
    trained(tmp_path / "run", until=lambda metrics: metrics["epoch"] == 2)
    again, resumed = trained(tmp_path / "run", resume=True, seed=5)
    assert [m["train_loss"] for m in resumed.history] == [m["train_loss"] for m in fitted.history]
    assert torch.equal(again.core.weight, whole.core.weight)
    assert again.topology == whole.topology
    assert epochs_of(tmp_path / "run") == epochs_of(tmp_path / "whole") == [1, 2, 3, 4, 5, 6]
    rewirings = []
    for name in ("run", "whole"):
        with Run.open(tmp_path / name) as run:
            assert run.status == "finished"
            rewirings.append([(row.step, row.pruned.tolist()) for row in run.rewirings()])
    assert rewirings[0] == rewirings[1]
    loaded = load_model(tmp_path / "run" / "model.safetensors").network
    assert torch.equal(loaded.core.weight, whole.core.weight)


KILLED_THERE = """
import os, sys
import numpy as np, pathlib
from nervure.networks import NeuralModules
from nervure.rules import Repulsion
from nervure.training import Run, TrainingOptions, fit
sys.path.insert(0, sys.argv[2])
from test_run_resume import X, Y, trained
moment, count = sys.argv[3], [0]

def die(when):
    count[0] += 1
    if count[0] == when:
        os.kill(os.getpid(), 9)

if moment == "rewiring":
    whole = Repulsion.step
    def step(self):
        rewiring = whole(self)
        die(20)
        return rewiring
    Repulsion.step = step
elif moment == "half a checkpoint":
    real = os.fsync
    def fsync(file):
        die(3)
        return real(file)
    os.fsync = fsync
elif moment == "checkpoint there":
    whole = pathlib.Path.replace
    def replace(self, target):
        result = whole(self, target)
        die(3)
        return result
    pathlib.Path.replace = replace
elif moment == "epoch recorded":
    whole = Run.record_epoch
    def record(self, epoch, metrics):
        whole(self, epoch, metrics)
        die(4)
    Run.record_epoch = record
trained(sys.argv[1])
"""


@pytest.mark.parametrize(
    "moment", ["rewiring", "half a checkpoint", "checkpoint there", "epoch recorded"]
)
def test_a_kill_at_the_worst_of_moments_changes_nothing(tmp_path, moment):
    folder = tmp_path / "run"
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", KILLED_THERE, str(folder), here, moment], check=False
    )
    assert done.returncode == -signal.SIGKILL
    again, _ = trained(folder, resume=True)
    whole, _ = trained(tmp_path / "whole")
    assert torch.equal(again.core.weight, whole.core.weight)
    assert again.topology == whole.topology
    assert epochs_of(folder) == [1, 2, 3, 4, 5, 6]
    assert not list(folder.glob("*checkpoint*"))
    assert not list(folder.glob(".*.tmp"))


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path):
    def fill(metrics):
        if metrics["epoch"] == 3:
            # Enough for the records, not for the checkpoint.
            resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
        return False

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(RunError, match="free some space"):
            trained(tmp_path / "run", until=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "run" / "checkpoint-network.safetensors").exists()
    again, _ = trained(tmp_path / "run", resume=True)
    whole, _ = trained(tmp_path / "whole")
    assert torch.equal(again.core.weight, whole.core.weight)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tmp_path):
    folder = tmp_path / "run"
    with Run.create(folder, config={}) as run:
        run.fail("stopped")
    folder.chmod(0o500)
    try:
        with pytest.raises(RunError, match="may write"):
            Run.resume(folder)
    finally:
        folder.chmod(0o700)
