import math
import os
import resource
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from nervure.errors import RunError
from nervure.topology import Topology
from nervure.training.run import SCHEMA_VERSION, RewiringRow, Run

NONE = np.empty((0, 2), dtype=np.int32)


def pairs(*rows):
    return np.array(rows, dtype=np.int32)


@pytest.fixture
def run(tmp_path):
    with Run.create(tmp_path / "run", config={"nodes": 4, "messages": ["ä"]}) as run:
        yield run


def test_everything_comes_back(run):
    topology = Topology.from_edges(
        [(0, 1), (1, 0), (1, 3)], num_nodes=4, inputs=[2], outputs=[3, 1]
    )
    run.record_rewirings(
        [
            RewiringRow(1, 1, pairs((0, 1), (2, 3)), NONE, 0.5),
            RewiringRow(2, 1, NONE, pairs((3, 2))),
        ]
    )
    run.record_topology(1, topology)
    run.record_epoch(1, {"train_loss": 1.5, "module_sizes": (2,), "edges": np.int64(3)})
    run.record_epoch(2, {"train_loss": 1.0})
    run.finish({"test_error": np.float32(0.25)})
    with Run.open(run.folder) as again:
        assert again.config == {"nodes": 4, "messages": ["ä"]}
        assert again.status == "finished"
        assert again.result == {"test_error": 0.25}
        assert again.started <= again.ended
        assert {"nervure", "torch", "numpy", "python", "instruction_set", "threads"} <= set(
            again.versions
        )
        assert again.epochs() == [
            {"epoch": 1, "train_loss": 1.5, "module_sizes": [2], "edges": 3},
            {"epoch": 2, "train_loss": 1.0},
        ]
        assert list(again.topologies()) == [(1, topology)]
        first, second = again.rewirings()
        assert first.pruned.tolist() == [[0, 1], [2, 3]]
        assert first.grown.shape == (0, 2)
        assert (first.step, first.epoch, first.gamma) == (1, 1, 0.5)
        assert second.grown.dtype == np.int32
        assert math.isnan(second.gamma)
        assert list(again.rewirings(2)) == []
        assert again.rewiring_counts() == [(1, 2, 2, 1)]


def test_numbers_that_json_lacks_survive_as_strict_json(run):
    run.record_epoch(1, {"a": math.nan, "b": [math.inf, -math.inf], "c": {"float": "other"}})
    (row,) = run.epochs()
    assert math.isnan(row["a"])
    assert row["b"] == [math.inf, -math.inf]
    assert row["c"] == {"float": "other"}
    # SQLite's own parser is strict.
    with sqlite3.connect(run.database_path) as other:
        assert other.execute("SELECT json_valid(metrics) FROM epochs").fetchone() == (1,)
    other.close()


def test_a_reader_sees_whole_epochs_of_a_run_being_written(run):
    run.record_epoch(1, {})
    run.record_rewirings([RewiringRow(9, 2, pairs((0, 1)), NONE)])
    with Run.open(run.folder) as reader:
        assert reader.status == "running"
        assert [epoch["epoch"] for epoch in reader.epochs()] == [1]
        assert reader.rewiring_counts() == []
        run.record_epoch(2, {})
        assert len(reader.epochs()) == 2
        assert reader.rewiring_counts() == [(2, 1, 1, 0)]


def test_a_kill_keeps_every_finished_epoch(tmp_path):
    folder = tmp_path / "run"
    code = (
        "import os, sys; from nervure.training.run import Run\n"
        "run = Run.create(sys.argv[1], config={})\n"
        "for epoch in range(1, 4): run.record_epoch(epoch, {})\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    with Run.open(folder) as run:
        assert len(run.epochs()) == 3
        assert run.status == "running"


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("no good"), "failed"), (KeyboardInterrupt(), "interrupted")],
)
def test_exceptions_mark_the_run(tmp_path, error, status):
    run = Run.create(tmp_path, config={})
    run.record_epoch(1, {})
    with pytest.raises(type(error)), run:
        raise error
    with Run.open(tmp_path) as run:
        assert run.status == status
        assert run.reason == (str(error) or "KeyboardInterrupt")
        assert len(run.epochs()) == 1


def test_an_error_after_the_end_does_not_undo_it(tmp_path):
    run = Run.create(tmp_path, config={})
    run.finish({"test_error": 0.1})
    with pytest.raises(ValueError, match="plot"), run:
        raise ValueError("plot")
    with Run.open(tmp_path) as run:
        assert run.status == "finished"


def test_a_folder_in_use_is_not_touched_unless_forced(tmp_path):
    Run.create(tmp_path, config={"n": 1}).close()
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(RunError, match=r"not empty.*--force"):
        Run.create(tmp_path, config={})
    with Run.open(tmp_path) as run:
        assert run.config == {"n": 1}
    with Run.create(tmp_path, config={"n": 2}, force=True) as run:
        assert run.config == {"n": 2}
        assert not run.report_path.exists()
        assert (tmp_path / "notes.txt").read_text() == "mine"


def test_parents_are_made_and_a_file_in_the_way_is_named(tmp_path):
    Run.create(tmp_path / "a" / "b", config={}).close()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot make run folder .*file"):
        Run.create(tmp_path / "file" / "run", config={})


def test_a_full_disk_is_an_error_that_names_the_folder_and_keeps_the_rest(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Run.create(tmp_path / "full", config={}) as run:
        run.record_epoch(1, {"a": 1})
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        try:
            with pytest.raises(RunError, match=r"cannot write .*full.*free some space"):
                run.record_epoch(2, {"a": "x" * 1_000_000})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert len(run.epochs()) == 1
    with Run.open(tmp_path / "full") as run:
        assert [epoch["a"] for epoch in run.epochs()] == [1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_can_be_read_and_not_written(tmp_path):
    Run.create(tmp_path / "run", config={"n": 1}).close()
    (tmp_path / "run").chmod(0o500)
    try:
        with Run.open(tmp_path / "run") as run:
            assert run.config == {"n": 1}
        with pytest.raises(RunError, match="may write"):
            Run.create(tmp_path / "run" / "new", config={})
    finally:
        (tmp_path / "run").chmod(0o700)


def make_database(folder, *statements):
    connection = sqlite3.connect(folder / "run.sqlite")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_what_is_no_run_is_refused_in_words(tmp_path):
    with pytest.raises(RunError, match="no run folder"):
        Run.open(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"holds no run\.sqlite"):
        Run.open(tmp_path)
    (tmp_path / "run.sqlite").write_bytes(b"text, and no database at all" * 50)
    with pytest.raises(RunError, match="not a database"):
        Run.open(tmp_path)
    (tmp_path / "run.sqlite").unlink()
    make_database(tmp_path, "CREATE TABLE t (a)")
    with pytest.raises(RunError, match="not of a nervure run"):
        Run.open(tmp_path)
    make_database(
        tmp_path,
        "CREATE TABLE schema (version INTEGER NOT NULL)",
        f"INSERT INTO schema VALUES ({SCHEMA_VERSION + 1})",
    )
    with pytest.raises(RunError, match="upgrade nervure"):
        Run.open(tmp_path)


@pytest.mark.parametrize(
    ("statement", "read"),
    [
        ("UPDATE epochs SET metrics = '{'", lambda run: run.epochs()),
        ("UPDATE epochs SET metrics = '[1]'", lambda run: run.epochs()),
        ("UPDATE rewirings SET pruned = x'0102'", lambda run: list(run.rewirings())),
        ("UPDATE rewirings SET grown = 7", lambda run: list(run.rewirings())),
        ("UPDATE topologies SET arrays = x'0102'", lambda run: list(run.topologies())),
        ("UPDATE topologies SET nodes = 2000000000", lambda run: list(run.topologies())),
        ("UPDATE topologies SET outputs = outputs + 1", lambda run: list(run.topologies())),
        ("UPDATE topologies SET inputs = -4", lambda run: list(run.topologies())),
        ("UPDATE topologies SET inputs = inputs + 1", lambda run: list(run.topologies())),
        ("UPDATE facts SET value = 'nope' WHERE name = 'config'", lambda run: run.config),
        ("UPDATE facts SET value = 'gone' WHERE name = 'status'", lambda run: run.status),
        ("UPDATE facts SET value = x'00' WHERE name = 'started'", lambda run: run.started),
        ("UPDATE rewirings SET step = 'x'", lambda run: list(run.rewirings())),
        ("UPDATE rewirings SET gamma = 'x'", lambda run: list(run.rewirings())),
        ("UPDATE rewirings SET epoch = 'x'", lambda run: run.rewiring_counts()),
        ("UPDATE topologies SET nodes = 'x'", lambda run: list(run.topologies())),
        ("UPDATE topologies SET edges = 12.5", lambda run: list(run.topologies())),
        ("UPDATE topologies SET arrays = 'x'", lambda run: list(run.topologies())),
    ],
)
def test_damage_is_an_error_when_it_is_read(tmp_path, statement, read):
    with Run.create(tmp_path, config={}) as run:
        run.record_rewirings([RewiringRow(1, 1, pairs((0, 1)), NONE)])
        run.record_topology(1, Topology.complete(4))
        run.record_epoch(1, {})
    make_database(tmp_path, statement)
    with Run.open(tmp_path) as run, pytest.raises(RunError, match="damaged"):
        read(run)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE epochs",
        "ALTER TABLE epochs RENAME TO older",
        "DROP TABLE rewirings; CREATE TABLE rewirings (id, epoch)",
        # A view that never ends, and one that asks for a gigabyte.
        "DROP TABLE epochs; CREATE VIEW epochs AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL "
        "SELECT n + 1 FROM r) SELECT n AS epoch, '{}' AS metrics FROM r",
        "DROP TABLE facts; CREATE VIEW facts AS SELECT 'x' AS name, zeroblob(900000000) AS value",
        "DROP TABLE facts; CREATE TABLE facts (name, value AS (zeroblob(900000000)))",
        "CREATE VIEW mine AS SELECT 1",
        "CREATE TRIGGER more AFTER INSERT ON facts BEGIN DELETE FROM epochs; END",
    ],
)
def test_a_database_with_other_tables_or_code_of_its_own_is_not_read(tmp_path, statement):
    Run.create(tmp_path, config={}).close()
    connection = sqlite3.connect(tmp_path / "run.sqlite")
    connection.executescript(statement)
    connection.close()
    for opened in (Run.open, Run.resume):
        with pytest.raises(RunError, match=r"damaged: .* is not as nervure makes it"):
            opened(tmp_path)


def test_a_message_that_quotes_what_is_no_text_is_a_run_error(tmp_path):
    Run.create(tmp_path, config={}).close()
    path = tmp_path / "run.sqlite"
    # SQLite says which table has a definition that it cannot read, by name.
    path.write_bytes(path.read_bytes().replace(b"tableepochsepochs", b"tableepoc\xce(epochs"))
    with pytest.raises(RunError, match=r"cannot read .*run\.sqlite"):
        Run.open(tmp_path)


def test_what_is_read_in_part_can_be_given_up_after_the_end(tmp_path):
    with Run.create(tmp_path, config={}) as run:
        for epoch in (1, 2):
            run.record_rewirings([RewiringRow(epoch, epoch, pairs((0, 1)), NONE)])
            run.record_epoch(epoch, {})
    with Run.open(tmp_path) as run:
        rows = run.rewirings()
        next(rows)
    rows.close()


def test_a_version_that_is_a_view_is_not_asked_for(tmp_path):
    make_database(
        tmp_path,
        "CREATE VIEW schema AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "
        "SELECT n AS version FROM r WHERE n < 0",
    )
    with pytest.raises(RunError, match="not of a nervure run"):
        Run.open(tmp_path)


def test_what_cannot_be_recorded_is_refused(run):
    with pytest.raises(RunError, match="expected a number, text"):
        run.record_epoch(1, {"a": object()})
    with pytest.raises(RunError, match=r"shape \(m, 2\)"):
        run.record_rewirings([RewiringRow(1, 1, np.zeros(3, dtype=np.int32), NONE)])
    with Run.open(run.folder) as reader, pytest.raises(RunError, match="open for reading"):
        reader.record_epoch(1, {})
