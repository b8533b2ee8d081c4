"""`train_sculpted`: what a run of sculpting leaves behind, for every kind of target."""

from dataclasses import replace

import numpy as np
import pytest

from nervure import SparseMLP
from nervure.data import load, open_source, prepare
from nervure.errors import DataError, FunctionGraphError
from nervure.jobs import (
    FreeNetRequest,
    SculptRequest,
    bit_tasks,
    predict_table,
    train_freenet,
    train_sculpted,
    write_predictions,
)
from nervure.jobs.bit_tasks import open_bit_task, recipe_for
from nervure.report.pruning import histories
from nervure.training import evaluate
from nervure.training.model_file import load_model
from nervure.training.run import Run

ONE = {"unit_steps": (0.4,), "edge_steps": (0.05,)}


class Heard:
    """Hears rounds, and may interrupt one."""

    def __init__(self, interrupt_at=None):
        self.rounds, self.interrupt_at = [], interrupt_at

    def started(self, prepared, epochs):  # noqa: ARG002
        assert epochs is None

    def epoch(self, network, metrics):  # noqa: ARG002
        self.rounds.append(metrics)
        if metrics["epoch"] == self.interrupt_at:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def boolean_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("boolean") / "run"
    heard = Heard()
    request = SculptRequest(data="[6, 3, 3, 3]", edge_steps=(0.02,), out=folder)
    return train_sculpted(request, heard), heard


def test_a_boolean_task_ends_with_the_paper_s_edges_and_modules(boolean_run):
    summary = boolean_run[0].summary
    assert (summary["test_error"], summary["baseline_test_error"]) == (0, 0)
    assert (summary["edges"], summary["edges_possible"]) == (12, 9 * 24)
    assert (summary["units"], summary["units_possible"]) == (3, 24)
    assert summary["modules_by_level"] == summary["modules_expected"] == [3, 3]
    lowest = [module for module in summary["hierarchy"] if module["level"] == 0]
    assert sorted(module["inputs"] for module in lowest) == [
        ["x0", "x1"], ["x2", "x3"], ["x4", "x5"],
    ]  # fmt: skip
    assert summary["reached"]


def test_rounds_are_recorded_as_they_end_for_every_network(boolean_run):
    result, heard = boolean_run
    with Run.open(result.folder) as run:
        epochs, snapshots = run.epochs(), dict(run.topologies())
        config = run.config
    assert epochs == heard.rounds
    assert [row["epoch"] for row in epochs] == list(range(1, result.summary["rounds"] + 1))
    networks = histories(epochs)
    assert set(networks) == {(0.2, 0.02), (0.4, 0.02)}
    for own in result.summary["networks"]:
        steps = networks[own["unit_step"], own["edge_step"]]
        phases = [step.phase for step in steps]
        assert phases == sorted(phases, key=["dense", "unit", "settle", "edge"].index)
        assert phases.count("dense") == phases.count("settle") == 1
        assert len(steps) == own["rounds"]
        assert min(step.edges for step in steps if step.accepted) == own["edges"]
        assert all(step.accepted == (step.merit >= 1) for step in steps)
    sparsest = 216
    for row in epochs:
        accepted = [branch["edges"] for branch in row["branches"] if branch["accepted"]]
        sparsest = min([sparsest, *accepted])
        assert (row["accepted"], row["edges"]) == (len(accepted), sparsest)
    assert sparsest == result.summary["edges"]
    assert [snapshots[k].num_edges for k in (0, len(epochs))] == [216, 12]
    # The paper's, where the request says nothing.
    assert (config["method"], config["task"], config["hidden"]) == ("sculpt", "bits", [24])
    assert (config["noise"], config["threshold"], config["learning_rate"]) == (0.1, 1.0, 0.05)


def test_the_model_is_a_sparse_network_with_what_the_run_found(boolean_run):
    result, _ = boolean_run
    network = load_model(result.model).network
    assert isinstance(network, SparseMLP)
    assert network.topology == result.network.topology
    data = open_bit_task("[6, 3, 3, 3]", seed=0)
    assert evaluate(network, data.x_test, data.y_test, "bits").error == 0


def test_bits_of_a_table_are_predicted_by_name(boolean_run, tmp_path):
    result, _ = boolean_run
    table = tmp_path / "rows.csv"
    # The outputs are a|b, a|c, b|c with a = x0 & x1, b = x2 & x3, c = x4 & x5.
    table.write_text("x5,x4,x3,x2,x1,x0\n0,1,1,0,1,1\n0,0,1,1,0,0\n1,0,1,0,0,1\n")
    found = predict_table(result.folder, table)
    assert found.labels.tolist() == [[1, 1, 0], [1, 0, 1], [0, 0, 0]]
    write_predictions(found, tmp_path / "out.csv")
    header = (tmp_path / "out.csv").read_text().splitlines()[0].replace('"', "")
    assert header == ",".join(f"{kind}_y{k}" for kind in ("prediction", "probability")
                              for k in range(3))  # fmt: skip


def test_the_report_shows_the_rounds(boolean_run):
    page = boolean_run[0].report.read_text()
    assert "Pruning, round by round" in page
    assert "A network for each pair" in page
    assert "the paper expects 6" in page
    body = page[page.index("<body>") :]
    assert ">epoch" not in body.replace(">epochs<", "")
    assert "No epoch" not in body


def test_images_side_by_side_have_as_many_rows_as_asked(tmp_path):
    request = SculptRequest(
        data="two-digits:digits", train_rows=400, validation_rows=100, hidden=(20,), epochs=8,
        learning_rate=0.03, batch_size=32, tolerance=0.005, stop_early=True, unit_steps=(0.4,),
        edge_steps=(0.2,), out=tmp_path / "run",
    )  # fmt: skip
    result = train_sculpted(request)
    summary = result.summary
    assert "400 training, 100 validation and 100 test pairs" in result.messages[0]
    assert summary["edges"] < 0.3 * summary["edges_possible"]
    # Of twenty bits two are 1: saying always 0 is wrong of 10 %.
    assert summary["test_error"] < 0.08
    assert summary["modules_expected"] == [2]
    with Run.open(result.folder) as run:
        assert run.config["image_shape"] == [8, 16]
        assert run.config["threshold"] is None


def test_regression_keeps_the_features_that_matter(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6))
    y = 40 + 10 * np.maximum(x[:, 0], 0) - 5 * x[:, 3]
    file = tmp_path / "table.csv"
    np.savetxt(file, np.column_stack([x, y]), delimiter=",", header="a,b,c,d,e,f,y", comments="")
    request = SculptRequest(
        data=str(file), target="y", hidden=(12,), epochs=6, batch_size=32, learning_rate=0.02,
        out=tmp_path / "run", unit_steps=(), edge_steps=(0.3,),
    )  # fmt: skip
    result = train_sculpted(request)
    summary = result.summary
    assert summary["test_rmse"] < 0.35 * y.std()
    importances = np.array(summary["feature_importances"])
    assert set(np.argsort(-importances)[:2].tolist()) == {0, 3}
    with Run.open(tmp_path / "run") as run:
        rounds = run.epochs()
    dense, rmse = rounds[0]["branches"][0]["merit"], rounds[-1]["validation_rmse"]
    assert summary["threshold"] == pytest.approx(dense - 0.01)
    data = prepare(open_source(str(file), target="y"), seed=0)
    found = evaluate(result.network, data.x_validation, data.y_validation, "regression")
    assert rmse == pytest.approx(found.error, rel=1e-3)


def test_ctrl_c_keeps_the_sparsest_network_so_far(tmp_path):
    heard = Heard(interrupt_at=4)
    result = train_sculpted(SculptRequest(data="[4, 2, 4]", out=tmp_path / "run"), heard)
    assert result.interrupted
    assert result.summary["rounds"] == 4
    accepted = [
        branch["edges"] for row in heard.rounds for branch in row["branches"] if branch["accepted"]
    ]
    assert result.summary["edges"] == min(accepted) < 192
    with Run.open(tmp_path / "run") as run:
        assert run.status == "interrupted"
    assert load_model(result.model).network.topology.num_edges == min(accepted)
    assert "Pruning, round by round" in result.report.read_text()


def test_a_threshold_nobody_reaches_leaves_the_dense_network(tmp_path):
    request = SculptRequest(
        data="boolean:single", epochs=1, hidden=(4,), out=tmp_path / "run", **ONE
    )
    result = train_sculpted(request)
    assert not result.summary["reached"]
    assert result.summary["edges"] == result.summary["edges_possible"]
    assert "did not reach the threshold" in result.report.read_text()
    with Run.open(result.folder) as run:
        assert not any("edges" in row for row in run.epochs())


@pytest.mark.parametrize(
    ("name", "hidden", "expected"),
    [
        ("[4, 1, 2, 16]", (24, 24), (1, 2)),
        ("levels", (36, 36, 36), (2, 1, 2)),
        ("overlap-1", (24,), (3, 2)),
    ],
)
def test_every_boolean_task_has_layers_for_its_levels(name, hidden, expected):
    recipe = recipe_for(f"boolean:{name}")
    assert recipe.hidden == hidden
    assert recipe.expected(len(hidden) + 2) == expected


@pytest.mark.parametrize(("options", "error", "text"), [
    ({"data": "boolean:nothing"}, FunctionGraphError, "known: input-separable"),
    ({"data": "[4, 2, 4]", "train_rows": 5}, DataError, "rows of its truth table"),
    ({"data": "[4, 2, 4]", "target": "y"}, DataError, "--target is for files and datasets"),
    ({"data": "digits", "validation_rows": 5}, DataError, "for two-digits and hierarchical-digits"),
])  # fmt: skip
def test_mistakes_name_the_remedy(options, error, text, tmp_path):
    with pytest.raises(error, match=text):
        train_sculpted(SculptRequest(**options, out=tmp_path / "run"))


def test_two_digits_need_grey_images(tmp_path, monkeypatch):
    # Any dataset will do, but those that are no images would have to be downloaded.
    monkeypatch.setattr(bit_tasks, "load", lambda _: replace(load("digits"), image_shape=None))
    with pytest.raises(DataError, match="codon holds no grey images; take mnist"):
        train_sculpted(SculptRequest(data="two-digits:codon", out=tmp_path / "run"))


def test_other_methods_say_who_learns_bits(tmp_path):
    with pytest.raises(DataError, match="nervure train sculpt learns such tasks"):
        train_freenet(FreeNetRequest(data="two-digits", out=tmp_path / "run"))
