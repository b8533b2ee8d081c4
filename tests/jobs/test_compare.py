"""Runs beside each other: figures, states, and what is refused."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from nervure.cli.app import app
from nervure.errors import RunError, StoppedError
from nervure.jobs import FreeNetRequest, train_freenet
from nervure.jobs.compare import compare_runs, write_comparison
from nervure.jobs.run_facts import shown_facts
from nervure.report.comparison import ComparedGroup, ComparedRun, comparison_curves
from nervure.training import Run
from nervure.training.model_file import load_model

SMALL = FreeNetRequest(neurons=6, epochs=2, baseline=False)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("runs")
    train_freenet(replace(SMALL, out=base / "a"))
    train_freenet(replace(SMALL, out=base / "b", neurons=9, learning_rate=0.02))
    return [base / "a", base / "b"]


def unfinished(folder, epochs=2, config=None):
    run = Run.create(folder, config=config or {"dataset": "digits", "task": "classification"})
    for epoch in range(1, epochs + 1):
        run.record_epoch(epoch, {"validation_error": 0.5 / epoch, "edges": 7, "seconds": 2.0})
    return run


def test_what_differs_and_what_came_of_it(folders):
    comparison = compare_runs(folders)
    (group,) = comparison.groups
    assert comparison.notes == ()
    assert [run.name for run in group] == ["a", "b"]
    assert [run.settings for run in group] == [
        {"learning_rate": 0.003, "neurons": 6},
        {"learning_rate": 0.02, "neurons": 9},
    ]
    for facts, folder in zip(group, folders, strict=True):
        with Run.open(folder) as run:
            assert facts.test == run.result["test_error"]
            assert facts.validation == min(e["validation_error"] for e in run.epochs())
            assert facts.edges == run.result["edges"]
        network = load_model(folder / "model.safetensors").network
        assert facts.parameters == sum(p.numel() for p in network.parameters())
        assert facts.status == "finished"


def test_a_setting_of_one_method_is_shown_where_its_runs_differ(tmp_path):
    shared = {"dataset": "digits", "task": "classification"}
    own = [{"alpha": 0.1, "keep": 9}, {"alpha": 0.2, "keep": 9}, {"zeta": 0.3}]
    folders = [tmp_path / name for name in "abc"]
    for folder, settings in zip(folders, own, strict=True):
        unfinished(folder, config=shared | settings).close()
    (group,) = compare_runs(folders).groups
    assert [run.settings for run in group] == [{"alpha": 0.1}, {"alpha": 0.2}, {"alpha": "-"}]


def test_runs_that_have_not_finished(folders, tmp_path):
    running = unfinished(tmp_path / "running")
    unfinished(tmp_path / "cut").fail("Ctrl-C", interrupted=True)
    with pytest.raises(ValueError, match="nan"), unfinished(tmp_path / "failed", epochs=0):
        raise ValueError("the loss became nan")
    with pytest.raises(StoppedError), unfinished(tmp_path / "pruned", epochs=1):
        raise StoppedError("pruned after epoch 1: worse than the others")
    code = (
        "import os, sys; from nervure.training import Run\n"
        "run = Run.create(sys.argv[1], config={'dataset': 'digits', 'task': 'classification'})\n"
        "run.record_epoch(1, {'validation_error': 0.25}); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "killed"], check=False)
    names = ["running", "cut", "failed", "pruned", "killed"]
    (group,) = compare_runs([folders[0], *(tmp_path / name for name in names)]).groups
    running.close()
    assert [run.status for run in group[1:]] == [
        "running, after epoch 2",
        "interrupted after epoch 2",
        "failed before the first epoch",
        "pruned after epoch 1",
        "killed after epoch 1",
    ]
    assert [run.validation for run in group[1:]] == [0.25, 0.25, None, 0.5, 0.25]
    assert shown_facts(group[1])["time"] == "2.0 s"
    assert shown_facts(group[3])["validation error"] == "-"


def test_different_data_are_held_apart(folders, tmp_path):
    config = {"dataset": "shop", "task": "regression", "target_std": 20.0}
    run = Run.create(tmp_path / "shop", config=config)
    run.record_epoch(1, {"validation_rmse": 0.5})
    run.finish({"test_rmse": 12.0})
    run.close()
    comparison = compare_runs([*folders, tmp_path / "shop"])
    assert [len(group) for group in comparison.groups] == [2, 1]
    (note,) = comparison.notes
    assert "2 on digits (classification); 1 on shop (regression)" in note
    # In units of the target, as the test error is.
    assert shown_facts(comparison.groups[1][0])["validation RMSE"] == "10"
    with pytest.raises(RunError, match=r"A picture holds one; write a page \(\.html\)"):
        write_comparison(comparison, tmp_path / "x.svg")
    write_comparison(comparison, tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text()
    assert page.count("<section") == 2
    assert note.split(":")[0] in page


def test_the_folder_of_a_sweep_stands_for_its_trials(folders, tmp_path):
    sweep = tmp_path / "sweep"
    for name in ("0000", "0001"):
        unfinished(sweep / "trials" / name).close()
    (sweep / "sweep.sqlite").touch()
    (group,) = compare_runs([folders[0], sweep]).groups
    assert [run.name for run in group] == ["a", "0000", "0001"]


def test_refusals(folders, tmp_path):
    with pytest.raises(RunError, match="at least two runs"):
        compare_runs(folders[:1])
    with pytest.raises(RunError, match="given twice"):
        compare_runs([folders[0], folders[0].parent / "b" / ".." / "a"])
    with pytest.raises(RunError, match="no run folder"):
        compare_runs([folders[0], tmp_path / "nothing"])
    comparison = compare_runs(folders)
    with pytest.raises(RunError, match=r"ends in \.html, \.svg or \.png"):
        write_comparison(comparison, tmp_path / "x.pdf")
    (tmp_path / "x.html").write_text("mine")
    with pytest.raises(RunError, match="pass --force"):
        write_comparison(comparison, tmp_path / "x.html")
    assert (tmp_path / "x.html").read_text() == "mine"
    write_comparison(comparison, tmp_path / "x.html", force=True)


@pytest.mark.parametrize(("kind", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_pictures(folders, tmp_path, kind, begins):
    path = tmp_path / f"x.{kind}"
    write_comparison(compare_runs(folders), path)
    assert path.read_bytes().startswith(begins)


def test_the_page_needs_nothing_but_itself(folders, tmp_path):
    write_comparison(compare_runs(folders), tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text()
    assert "<script" not in page
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)


def test_no_two_of_sixty_lines_look_alike():
    epochs = [{"epoch": e, "validation_error": 0.1 / e, "edges": 5} for e in (1, 2)]
    runs = tuple(ComparedRun(f"run {i}", epochs, {"status": "finished"}, {}) for i in range(60))
    left, right = comparison_curves(ComparedGroup("x", False, runs)).axes
    looks = {(str(w.get_linestyle()), w.get_marker(), str(w._dash_pattern)) for w in left.lines}
    colours = {(line.get_color(), look_of(line)) for line in left.lines}
    assert len(colours) == 60
    # Without colours, fifteen; the numbers at the ends tell the rest.
    assert len(looks) == 15
    assert "1, 2, 3" in right.texts[0].get_text()


def look_of(line):
    return line.get_marker(), str(line._dash_pattern)


def test_command(folders, tmp_path):
    def call(*arguments):
        return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)

    done = call("compare", *folders, "-o", tmp_path / "x.html")
    text = " ".join(done.stdout.split())
    for word in ("digits (classification)", "neurons", "test error", "parameters", "finished"):
        assert word in text
    shown = json.loads(call("compare", *folders, "--json").stdout)
    assert [run["settings"]["neurons"] for run in shown["groups"][0]["runs"]] == [6, 9]
    five = [unfinished(tmp_path / f"r{i}") for i in range(5)]
    text = call("compare", *(run.folder for run in five)).stdout
    for run in five:
        run.close()
    assert "r4:" in text


def test_other_targets_and_other_files_of_one_name_are_other_data(tmp_path):
    base = {"dataset": "shop", "task": "classification"}
    asked = [("/a/shop.csv", "sold"), ("/a/shop.csv", "city"), ("/b/shop.csv", "sold")]
    for i, (data, target) in enumerate(asked):
        request = {"method": "set", "arguments": {"data": data, "target": target}}
        run = Run.create(tmp_path / str(i), config={**base, "target": target}, request=request)
        run.record_epoch(1, {"validation_error": 0.5})
        run.finish({})
        run.close()
    groups = compare_runs([tmp_path / str(i) for i in range(3)]).groups
    assert [group[0].dataset for group in groups] == [
        "/a/shop.csv, shop, sold", "shop, city", "/b/shop.csv, shop, sold",
    ]  # fmt: skip
