"""One writer at a time has a folder, whoever looks at it meanwhile."""

import threading

import pytest
from filelock import FileLock

from nervure.errors import RunError
from nervure.training import run_folder
from nervure.training.run import Run


def test_a_folder_that_fills_before_the_lock_is_left_as_it_is(tmp_path, monkeypatch):
    locked = run_folder._locked

    def after_another(folder, patience):
        (folder / run_folder.MODEL).write_text("another's")
        return locked(folder, patience)

    monkeypatch.setattr(run_folder, "_locked", after_another)
    with pytest.raises(RunError, match="is not empty"):
        run_folder.make_folder(tmp_path, force=False)
    assert (tmp_path / run_folder.MODEL).read_text() == "another's"
    monkeypatch.undo()
    assert not run_folder.is_taken(tmp_path)


def test_a_writer_waits_for_whoever_only_looks(tmp_path):
    # What `is_taken` holds for a moment.
    look = FileLock(tmp_path / run_folder._LOCK, thread_local=False)
    look.acquire()
    timer = threading.Timer(0.05, look.release)
    timer.start()
    with Run.create(tmp_path, config={}) as run:
        assert run_folder.is_taken(tmp_path)
        assert run.status == "running"
    timer.join()
