"""`train_tradeoff`: what a run leaves behind, and that its figures are those of its model."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from nervure.errors import DataError, EngineError
from nervure.jobs import TradeoffRequest, predict_table, train_tradeoff
from nervure.jobs import tradeoff as job
from nervure.jobs.train import prepared
from nervure.networks import BlockDAG, count_parameters
from nervure.topology import dense_dag
from nervure.training import FlipAndCrop, evaluate
from nervure.training.model_file import load_model
from nervure.training.run import Run

# A price by which some edges go within twenty steps.
SMALL = {
    "rows": 150, "nodes": 6, "channels": 3, "epochs": 4, "penalty": 1.0, "batch_size": 32,
}  # fmt: skip


@pytest.fixture
def no_report(monkeypatch):
    """Pictures take longer than these trainings."""
    monkeypatch.setattr("nervure.jobs.train.write_report", lambda run, model: run.report_path)  # noqa: ARG005


class Heard:
    """Hears epochs, and may interrupt one."""

    def __init__(self, interrupt_at=None):
        self.prepared, self.epochs, self.interrupt_at = None, [], interrupt_at

    def started(self, prepared, epochs):
        self.prepared = prepared
        assert epochs > 0

    def epoch(self, network, metrics):
        self.epochs.append((network, metrics["epoch"]))
        if metrics["epoch"] == self.interrupt_at:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits") / "run"
    heard = Heard()
    result = train_tradeoff(TradeoffRequest(**SMALL, threshold=0.05, out=folder), heard)
    return result, heard


def test_figures_are_those_of_the_saved_model(digits_run):
    result, heard = digits_run
    summary, data = result.summary, heard.prepared
    network = load_model(result.model).network
    assert isinstance(network, BlockDAG)
    topology = network.topology
    assert topology == topology.trimmed() == result.network.topology
    assert 0 < topology.num_edges < 15
    found = evaluate(network, data.x_test, data.y_test, "classification").error
    assert summary["test_error"] == pytest.approx(found)
    assert summary["parameters"] == count_parameters(network)
    whole = BlockDAG(dense_dag(6), 3, 3, image_shape=(8, 8))
    assert summary["parameters_start"] == count_parameters(whole) > summary["parameters"]
    chain = BlockDAG(dense_dag(6, reach=1), 3, 3, image_shape=(8, 8))
    assert summary["baseline_parameters"] == count_parameters(chain)
    assert (summary["edges"], summary["edges_possible"]) == (topology.num_edges, 15)
    assert summary["sparsity"] == 1 - topology.num_edges / 15
    assert summary["live_nodes"] == sum(summary["nodes_by_stage"]) == topology.live.sum()
    assert (summary["nodes_start"], len(summary["nodes_by_stage"])) == (6, 3)
    assert summary["depth"] == topology.depth
    assert summary["threshold"] == 0.05
    row = next(row for row in summary["threshold_sweep"] if row["threshold"] == 0.05)
    assert row["edges"] == topology.num_edges
    assert row["parameters"] == summary["parameters"]
    error = evaluate(network, data.x_validation, data.y_validation, "classification").error
    assert row["validation_error"] == pytest.approx(error)
    assert summary["characteristics"]["max_path"] == topology.depth
    assert summary["characteristics_start"]["max_path"] == 5


def test_strengths_are_recorded_with_each_epoch_as_they_were(digits_run):
    result, heard = digits_run
    network = load_model(result.model).network
    with Run.open(result.folder) as run:
        epochs, snapshots, config = run.epochs(), dict(run.topologies()), run.config
    assert sorted(snapshots) == [0, 4]
    assert snapshots[0] == dense_dag(6)
    assert snapshots[4] == network.topology
    assert [len(epoch["strengths"]) for epoch in epochs] == [15, 15, 15, 15]
    for epoch in epochs:
        assert all(len(f"{s:e}".split("e")[0].rstrip("0")) <= 5 for s in epoch["strengths"])
    assert len({tuple(epoch["strengths"]) for epoch in epochs}) == 4
    # Those that are left are in the model as they were at the end.
    last = np.array(epochs[-1]["strengths"])
    places = network.topology.edge_positions_in(dense_dag(6))
    np.testing.assert_allclose(network.strengths, last[places], rtol=1e-3)
    assert network.strengths.min() >= 0.05
    gone = np.setdiff1d(np.arange(15), places)
    assert last[gone].min() < 0.05
    assert (config["method"], config["node"], config["stages"]) == ("tradeoff", "conv", 3)
    assert (config["schedule"], config["momentum"], config["weight_decay"]) == ("steps", 0.9, 1e-4)
    assert (config["learning_rate"], config["batch_size"], config["augment"]) == (0.1, 32, False)
    assert heard.epochs == [
        (network, k) for network in ("DAG of blocks", "chain of blocks") for k in (1, 2, 3, 4)
    ]


def test_rows_are_cut_and_that_is_said(digits_run):
    data = digits_run[1].prepared
    assert (len(data.y_train), len(data.y_validation), len(data.y_test)) == (150, 150, 359)
    assert "150 training and 150 validation rows are used" in data.messages[-1]
    full = prepared(TradeoffRequest())
    # Of the training part, and of no other.
    known = {row.tobytes() for row in full.x_train}
    assert all(row.tobytes() in known for row in data.x_train)
    assert all((data.x_test == full.x_test).all(axis=1))


def test_the_report_shows_wiring_strengths_thresholds_and_measures(digits_run):
    page = digits_run[0].report.read_text()
    for words in ("The learned graph", "Edges over time", "Thresholds", "The graph in numbers"):
        assert words in page
    assert len(page) < 3_000_000


@pytest.mark.usefixtures("no_report")
def test_without_a_threshold_validation_alone_chooses_it(tmp_path, monkeypatch):
    def with_other_test_labels(request, *others):
        data = prepared(request, *others)
        return replace(data, y_test=(data.y_test + 1) % 10)

    def with_other_validation_labels(request, *others):
        data = prepared(request, *others)
        return replace(data, y_validation=(data.y_validation + 1) % 10)

    request = TradeoffRequest(**SMALL, baseline=False, tolerance=0.01)
    found = []
    for k, opened in enumerate((prepared, with_other_test_labels, with_other_validation_labels)):
        monkeypatch.setattr(job, "prepared", opened)
        found.append(train_tradeoff(replace(request, out=tmp_path / str(k))).summary)
    one, other, third = found
    same = ("threshold", "threshold_sweep", "edges", "characteristics")
    assert [one[key] for key in same] == [other[key] for key in same]
    assert one["test_error"] != other["test_error"]
    assert one["threshold_sweep"] != third["threshold_sweep"]
    # It is the highest that costs no more than the tolerance.
    costs = {row["threshold"]: row["validation_error"] for row in one["threshold_sweep"]}
    most = one["validation_error_all_edges"] + 0.01
    allowed = [t for t, cost in costs.items() if cost is not None and cost <= most]
    assert one["threshold"] in allowed
    assert all(t in allowed for t in costs if t < one["threshold"])
    assert not any(t > one["threshold"] and all(s in allowed for s in costs if s <= t)
                   for t in costs)  # fmt: skip


@pytest.mark.usefixtures("no_report")
def test_the_same_request_gives_the_same_figures(tmp_path, digits_run):
    again = train_tradeoff(
        TradeoffRequest(**SMALL, threshold=0.05, baseline=False, out=tmp_path / "run")
    )
    assert again.summary["test_error"] == digits_run[0].summary["test_error"]
    assert again.summary["characteristics"] == digits_run[0].summary["characteristics"]
    assert "baseline_parameters" not in again.summary


def test_ctrl_c_keeps_the_network_as_it_was(tmp_path):
    request = TradeoffRequest(**SMALL | {"epochs": 50}, out=tmp_path / "run")
    result = train_tradeoff(request, Heard(interrupt_at=2))
    assert result.interrupted
    assert result.summary["best_epoch"] == 2
    assert "baseline_test_error" not in result.summary
    network = load_model(result.model).network
    assert network.topology.num_edges == result.summary["edges"]
    assert "interrupted" in result.report.read_text()
    with Run.open(result.folder) as run:
        assert run.status == "interrupted"
        assert dict(run.topologies())[2] == network.topology


@pytest.fixture
def shop(tmp_path):
    """A table with text, missing values, a number and classes to predict."""
    rng = np.random.default_rng(0)
    file = tmp_path / "shop.csv"
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["size", "town", "age", "price", "sold"])
        for _ in range(240):
            size, town = rng.normal(), ("Rome", "Oslo", "Bern")[rng.integers(3)]
            price = 100 + 20 * size + 15 * (town == "Oslo") + rng.normal()
            age = "" if rng.random() < 0.2 else f"{rng.integers(90)}"
            sold = "yes" if price > 105 else "no"
            writer.writerow([f"{size:.3f}", town, age, f"{price:.2f}", sold])
    return file


@pytest.mark.parametrize(("target", "merit"), [("price", "rmse"), ("sold", "error")])
def test_tables_have_blocks_of_full_layers_on_one_stage(shop, tmp_path, target, merit):
    run = tmp_path / "run"
    request = TradeoffRequest(
        data=str(shop), target=target, nodes=6, channels=6, epochs=10, learning_rate=0.03, out=run
    )
    summary = train_tradeoff(request).summary
    network = load_model(run / "model.safetensors").network
    assert network.config()["node"] == "mlp"
    assert summary["nodes_by_stage"] == [summary["live_nodes"]]
    # Guessing costs 24 of price, and 40 % of sold.
    assert summary[f"test_{merit}"] < (14 if merit == "rmse" else 0.2)
    assert f"test_{merit}_all_edges" in summary
    assert f"validation_{merit}_all_edges" in summary
    predictions = predict_table(run, shop).labels
    with shop.open(newline="") as file:
        known = [row[target] for row in csv.DictReader(file)]
    if merit == "error":
        assert np.mean(predictions == np.array(known)) > 0.8
    else:
        assert np.corrcoef(predictions, np.array(known, dtype=float))[0, 1] > 0.8
    assert "Thresholds" in (run / "report.html").read_text()


@pytest.mark.usefixtures("no_report")
def test_photographs_are_mirrored_and_shifted_in_the_training_of_both(tmp_path, monkeypatch):
    seen = []

    class Watched(FlipAndCrop):
        def __call__(self, x, generator):
            seen.append(len(x))
            return super().__call__(x, generator)

    def photographs(request):
        # The digits stand in for images of the name.
        data = prepared(replace(request, data="digits"))
        data = replace(data, name="cifar10")
        return replace(data, x_train=data.x_train[:60], y_train=data.y_train[:60])

    monkeypatch.setattr(job, "FlipAndCrop", Watched)
    monkeypatch.setattr(job, "_opened", photographs)
    request = TradeoffRequest(**SMALL | {"rows": None, "epochs": 1}, out=tmp_path / "run")
    train_tradeoff(request)
    assert sum(seen) == 2 * 60
    with Run.open(tmp_path / "run") as run:
        assert run.config["augment"] is True
    train_tradeoff(replace(request, augment=False, out=tmp_path / "2"))
    assert sum(seen) == 2 * 60


@pytest.mark.parametrize(
    ("side", "name", "asked", "margin"),
    [
        (32, "cifar10", None, 4), (32, "cifar10_t8", None, 4), (32, "cmnist", None, None),
        (28, "fashion_mnist", None, None), (28, "fashion_mnist", True, 3),
        (32, "cifar10", False, None),
    ],
)  # fmt: skip
def test_only_photographs_are_augmented_by_themselves(side, name, asked, margin):
    data = replace(prepared(TradeoffRequest()), name=name, image_shape=(side, side))
    found = job._augmentation(TradeoffRequest(augment=asked), data)
    assert (None if found is None else found.margin) == margin


@pytest.mark.usefixtures("no_report")
def test_options_reach_the_network(tmp_path):
    request = TradeoffRequest(
        **SMALL | {"epochs": 1, "rows": 60}, stages=2, reach=2, entry_stride=2, recompute=True,
        baseline=False, threshold=0.0, out=tmp_path / "run",
    )  # fmt: skip
    result = train_tradeoff(request)
    network = load_model(result.model).network
    assert network.topology == dense_dag(6, reach=2)
    config = network.config()
    assert (config["stages"], config["channels"]) == ([0, 0, 0, 1, 1, 1], 3)
    assert (config["entry_stride"], config["recompute"]) == (2, True)
    assert result.summary["edges"] == result.summary["edges_possible"] == 9
    assert result.summary["sparsity"] == 0


@pytest.mark.usefixtures("no_report")
def test_the_price_and_the_rate_of_edges_count(tmp_path):
    strengths = {}
    for penalty, edge_rate in ((0.0, 1.0), (0.3, 1.0), (0.3, 3.0)):
        request = TradeoffRequest(
            **SMALL | {"epochs": 1, "rows": 60, "penalty": penalty}, edge_rate=edge_rate,
            baseline=False, threshold=0.0, out=tmp_path / f"{penalty}-{edge_rate}",
        )  # fmt: skip
        network = load_model(train_tradeoff(request).model).network
        strengths[penalty, edge_rate] = network.strengths.mean()
    assert strengths[0.0, 1.0] > strengths[0.3, 1.0] > strengths[0.3, 3.0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"stages": 7}, EngineError, "stages: expected 1 to 6"),
        ({"data": "codon", "entry_stride": 2}, EngineError, "entry stride: expected 1, since"),
        ({"data": "codon", "augment": True}, EngineError, "augment: expected images, got"),
        ({"penalty": -1.0}, EngineError, "penalty: expected at least 0"),
        ({"data": "cmnist", "target": "x"}, DataError, "--target is for files and datasets"),
        ({"data": "cifar10", "split_by": "x"}, DataError, "--split-by is for files"),
        ({"data": "[4, 2, 4]"}, DataError, "nervure train sculpt"),
        ({"data": "cmnst"}, DataError, "no dataset and no file"),
    ],
)
def test_bad_requests_name_cause_and_remedy(tmp_path, change, error, message, monkeypatch):
    if change.get("data") == "codon":
        features = replace(prepared(TradeoffRequest()), image_shape=None)
        monkeypatch.setattr(job, "_opened", lambda _: features)
    with pytest.raises(error, match=message):
        train_tradeoff(TradeoffRequest(**SMALL | change, out=tmp_path / "run"))
