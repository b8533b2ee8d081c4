"""Sweeps: what they find, that they go on after anything, and that they lose nothing."""

import json
import multiprocessing
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from nervure.cli.app import app
from nervure.errors import DataError, EngineError, MissingDependencyError, RunError
from nervure.jobs import FreeNetRequest, train_freenet
from nervure.jobs.sweep import Between, OneOf, SweepRequest, run_sweep
from nervure.jobs.sweep import running as running_module
from nervure.jobs.sweep.engines import engine_of
from nervure.jobs.sweep.study import Study
from nervure.jobs.sweep.trial import Work, run_trial
from nervure.training import Run, Training

optuna = pytest.importorskip("optuna")

SMALL = FreeNetRequest(neurons=6, epochs=3)
SPACE = {"learning_rate": Between(1e-3, 0.3, log=True), "optimizer": OneOf(("adam", "sgd"))}


def sweep(folder, **options):
    settings = {"request": SMALL, "space": SPACE, "trials": 3, **options}
    return SweepRequest(method="freenet", train=train_freenet, out=folder, **settings)


def tried(result):
    """Values and errors, in the order of the trials."""
    told = sorted(result.trials, key=lambda trial: trial.number)
    return [(trial.values, trial.state, trial.error) for trial in told]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run_sweep(sweep(tmp_path_factory.mktemp("whole") / "sweep"))


def test_the_best_has_the_lowest_validation_error_and_the_only_test_error(whole):
    errors = [trial.error for trial in whole.trials]
    assert errors == sorted(errors)
    assert len(errors) == 3
    for trial in whole.trials:
        with Run.open(whole.folder / trial.run) as run:
            assert run.status == "finished"
            assert run.config["learning_rate"] == trial.values["learning_rate"]
            # The objective is the error of the epoch that was kept, on validation rows.
            assert trial.error == min(epoch["validation_error"] for epoch in run.epochs())
            assert "baseline_test_error" not in run.result
    assert whole.best == whole.trials[0]
    with Run.open(whole.folder / whole.best.run) as run:
        assert whole.result["test_error"] == run.result["test_error"]


def test_optuna_itself_reads_the_storage(whole):
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{whole.folder}/sweep.sqlite")
    assert study.best_value == whole.best.error
    assert study.best_params["learning_rate"] == whole.best.values["learning_rate"]
    assert [len(trial.intermediate_values) for trial in study.trials] == [3, 3, 3]


@pytest.mark.slow
def test_a_sweep_that_was_killed_again_and_again_is_the_same_sweep(whole, tmp_path, monkeypatch):
    folder = tmp_path / "sweep"
    original, count = Training.epoch, 0

    class Kill(BaseException):
        """What nobody handles, as nobody handles SIGKILL."""

    def epoch(self):
        nonlocal count
        count += 1
        if count in (2, 6):
            raise Kill
        if count == 10:
            raise KeyboardInterrupt
        return original(self)

    monkeypatch.setattr(Training, "epoch", epoch)
    monkeypatch.setattr(Run, "__exit__", lambda self, *_: self.close())
    with pytest.raises(Kill):
        run_sweep(sweep(folder))
    with pytest.raises(Kill):
        run_sweep(sweep(folder))
    monkeypatch.undo()
    result = run_sweep(sweep(folder))
    assert tried(result) == tried(whole)
    assert sorted(path.name for path in (folder / "trials").iterdir()) == sorted(
        trial.run.split("/")[1] for trial in result.trials
    )


def test_ctrl_c_ends_it_and_it_goes_on(whole, tmp_path, monkeypatch):
    folder, count = tmp_path / "sweep", 0
    original = Training.epoch

    def epoch(self):
        nonlocal count
        count += 1
        if count == 5:
            raise KeyboardInterrupt
        return original(self)

    monkeypatch.setattr(Training, "epoch", epoch)
    first = run_sweep(sweep(folder))
    assert first.interrupted
    assert len(first.trials) == 1
    again = run_sweep(sweep(folder))
    assert not again.interrupted
    assert tried(again) == tried(whole)
    # More trials can be asked for; those that are there are not trained again.
    before = count
    more = run_sweep(sweep(folder, trials=4))
    assert count - before == 3
    assert tried(more)[:3] == tried(whole)


def test_another_sweep_in_the_folder_is_refused_and_replaced_by_force(whole, tmp_path):
    other = replace(SMALL, epochs=2)
    with pytest.raises(RunError, match=r"is another one \(epochs\)"):
        run_sweep(sweep(whole.folder, request=other))
    with pytest.raises(RunError, match=r"is another one \(.*space"):
        run_sweep(sweep(whole.folder, space={"epsilon": Between(0.1, 0.4)}))
    # What cannot begin replaces nothing.
    with pytest.raises(DataError):
        run_sweep(sweep(whole.folder, request=replace(SMALL, data="digitz"), force=True))
    assert tried(run_sweep(sweep(whole.folder))) == tried(whole)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    for force in (False, True):
        with pytest.raises(RunError, match="no sweep"):
            run_sweep(sweep(mine, force=force))
    assert (mine / "letter.txt").read_text() == "dear"


def test_what_cannot_begin_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match="did you mean digits"):
        run_sweep(sweep(tmp_path / "sweep", request=replace(SMALL, data="digitz")))
    assert not (tmp_path / "sweep").exists()


def test_force_begins_anew(tmp_path):
    one = {"epsilon": OneOf((0.2,))}
    request = replace(SMALL, epochs=1)
    run_sweep(sweep(tmp_path, request=request, space=one))
    again = run_sweep(sweep(tmp_path, request=replace(request, epochs=2), space=one, force=True))
    with Run.open(tmp_path / again.best.run) as run:
        assert len(run.epochs()) == 2
    assert not list(tmp_path.glob(".replaced*"))


def test_a_small_space_is_tried_point_by_point(tmp_path):
    space = {"optimizer": OneOf(("adam", "sgd")), "epochs": OneOf((1, 2))}
    result = run_sweep(sweep(tmp_path, space=space, trials=30))
    points = {(t.values["optimizer"], t.values["epochs"]) for t in result.trials}
    assert len(result.trials) == len(points) == 4
    assert len(run_sweep(sweep(tmp_path, space=space, trials=30)).trials) == 4


def test_bad_trials_are_pruned_and_their_runs_say_so(tmp_path):
    space = {"learning_rate": OneOf((0.03, 0.031, 0.032, 0.033, 0.034, 1e-9))}
    result = run_sweep(sweep(tmp_path, space=space, trials=6))
    (pruned,) = (trial for trial in result.trials if trial.state == "pruned")
    assert pruned.values == {"learning_rate": 1e-9}
    assert pruned == result.trials[-1]
    with Run.open(tmp_path / pruned.run) as run:
        assert run.status == "interrupted"
        assert run.reason.startswith("pruned after epoch 1: ")
        assert len(run.epochs()) == 1
    kept = run_sweep(sweep(tmp_path / "all", space=space, trials=6, prune=False))
    assert {trial.state for trial in kept.trials} == {"complete"}


def test_trials_that_fail_are_told_and_all_failing_is_an_error(tmp_path):
    def fails(request, listener):
        if request.learning_rate > 0.01:
            raise EngineError("the training loss became nan in epoch 1")
        return train_freenet(request, listener)

    space = {"learning_rate": OneOf((0.005, 5.0))}
    request = replace(sweep(tmp_path / "one", space=space), train=fails)
    (best, failed) = run_sweep(request).trials
    assert best.state == "complete"
    assert failed.state == "failed"
    assert failed.reason == "the training loss became nan in epoch 1"
    request = replace(sweep(tmp_path / "all", space={"learning_rate": OneOf((5.0, 6.0))}))
    with pytest.raises(EngineError, match="every trial failed; the first: the training loss"):
        run_sweep(replace(request, train=fails))


def test_regression_counts_in_units_of_the_target(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("a,price\n" + "\n".join(f"{i % 17},{1000.5 * (i % 17)}" for i in range(150)))
    request = replace(SMALL, data=str(table), target="price", epochs=2)
    result = run_sweep(sweep(tmp_path / "sweep", request=request, space={"epsilon": OneOf((0.2,))}))
    with Run.open(result.folder / result.best.run) as run:
        best = min(epoch["validation_rmse"] for epoch in run.epochs())
        assert result.best.error == pytest.approx(best * run.config["target_std"], rel=1e-5)
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{result.folder}/sweep.sqlite")
    assert min(study.trials[0].intermediate_values.values()) == pytest.approx(
        result.best.error, rel=1e-5
    )


@pytest.mark.slow
def test_two_processes_and_ctrl_c(tmp_path):
    folder = tmp_path / "a folder, 100 % strange?"
    command = [
        sys.executable, "-m", "nervure", "sweep", "freenet", "--neurons", "6", "--epochs", "400",
        "--search", "learning-rate=0.001:0.01", "--trials", "2", "--jobs", "2", "--no-prune",
        "--out", folder,
    ]  # fmt: skip
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    runs = [folder / "trials" / name for name in ("0000", "0001")]
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not all(map(has_epochs, runs)):
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    out, told = child.communicate(timeout=120)
    assert child.returncode == 130, told
    assert "Traceback" not in told
    assert "go on with: nervure sweep freenet" in out
    for folder_of_run in runs:
        with Run.open(folder_of_run) as run:
            assert run.status == "interrupted"
            assert "the sweep was stopped" in run.reason
    assert not (folder / ".stop").exists()


def has_epochs(folder):
    try:
        with Run.open(folder) as run:
            return len(run.epochs()) > 1
    except RunError:
        return False


@pytest.mark.slow
def test_a_killed_process_is_said(tmp_path):
    study = Study(sweep(tmp_path), tmp_path)
    study.ask()
    engine = engine_of("processes", 2)
    engine.submit(Work(0, tmp_path, kill_oneself, replace(SMALL, out=tmp_path / "x"), prune=False))
    try:
        with pytest.raises(RunError, match="killed, perhaps for want of memory"):
            engine.next()
    finally:
        engine.close(at_once=True)
    assert not multiprocessing.active_children()


def kill_oneself(request, listener):  # noqa: ARG001
    signal.raise_signal(signal.SIGKILL)


def test_one_sweep_at_a_time(tmp_path, monkeypatch):
    seen = []

    def refused(work):
        with pytest.raises(RunError, match="is running"):
            run_sweep(sweep(tmp_path))
        seen.append(work)
        return run_trial(work)

    monkeypatch.setattr("nervure.jobs.sweep.engines.run_trial", refused)
    run_sweep(sweep(tmp_path, space={"epsilon": OneOf((0.2,))}))
    assert seen


def test_command_table_and_json(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["sweep", "freenet", "--neurons", "6", "--epochs", "2", "--trials", "2",
                 "--search", "learning-rate=0.001:0.1:log"]  # fmt: skip
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    assert "the best of 2 trials" in text
    assert "looked at for this trial alone" in text
    assert text.count("test error") == 1
    again = text.split("again: ")[1].split()
    assert again[:6] == ["nervure", "train", "freenet", "--neurons", "6", "--epochs"]
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    shown = json.loads(done.stdout)
    assert shown["sweep"] == "runs/sweep-freenet-digits"
    assert "test_error" not in json.dumps(shown["trials"])
    # The command trains the best again, to the last bit.
    words = shown["best"]["command"].split()[1:]
    done = CliRunner().invoke(app, [*words, "--no-baseline", "--json"], catch_exceptions=False)
    summary = json.loads(done.stdout)
    assert summary["test_error"] == shown["best"]["test_error"]
    assert summary["validation_error"] == shown["best"]["validation"]


@pytest.mark.parametrize(("package", "extra"), [("optuna", "sweep"), ("ray", "ray")])
def test_missing_packages_are_named_before_anything_is_made(package, extra, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    engine = "ray" if package == "ray" else "processes"
    with pytest.raises(MissingDependencyError, match=rf'pip install "nervure\[{extra}\]"'):
        run_sweep(sweep(tmp_path / "sweep", engine=engine))
    assert not (tmp_path / "sweep").exists()


def test_the_listener_hears(tmp_path):
    heard = []

    class Listener:
        def started(self, folder, total, known):
            heard.append((folder, total, known))

        def trial(self, trial):
            heard.append(trial.number)

        def stopping(self, under_way):
            heard.append(under_way)

    space = {"epsilon": OneOf((0.2, 0.3))}
    running_module.run_sweep(sweep(tmp_path, space=space), Listener())
    assert heard == [(tmp_path, 2, 0), 0, 1]
