import re
from html.parser import HTMLParser

import pytest
import torch

from nervure import NeuralModules, Topology
from nervure.errors import RunError
from nervure.report import write_report
from nervure.report.words import duration, number, percent
from nervure.rules import Repulsion
from nervure.training.model_file import save_model
from nervure.training.run import RewiringRow, Run

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Checks that tags nest, and gathers ids, headings and text."""

    def __init__(self, source):
        super().__init__()
        self.open, self.ids, self.attributes, self.headings, self.text = [], [], [], [], []
        self.feed(source)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        self.ids += [value for key, value in attrs if key == "id"]

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, *pair) for pair in attrs]
        self.ids += [value for key, value in attrs if key == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        data = data.replace("\N{NO-BREAK SPACE}", " ")
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def report(run, **options):
    path = write_report(run, **options)
    source = path.read_text(encoding="utf-8")
    return source, Page(source)


CONFIG = {
    "method": "neural-modules",
    "dataset": "digits",
    "task": "classification",
    "seed": 3,
    "nodes": 20,
    "keep": 40,
    "batch_size": None,
    "messages": ["This data is a subset."],
}


def metrics(epoch, **more):
    return {
        "seconds": 1.5 * epoch,
        "train_loss": 1 / epoch,
        "validation_error": 0.2 / epoch,
        "modules": 2,
        "module_sizes": [5, 3],
        "balance": 0.9,
        "sweeps_mean": 3.0,
        "sweeps_max": 4,
        **more,
    }


@pytest.fixture
def run(tmp_path):
    net = NeuralModules(4, 2, nodes=20, seed=0)
    rule = Repulsion(net, torch.optim.SGD(net.parameters(), lr=0.1), keep=40)
    with Run.create(tmp_path / "run", config=CONFIG) as run:
        for epoch in (1, 2, 3):
            change = rule.step()
            run.record_rewirings([RewiringRow(epoch, epoch, net.topology.edges[:2], change.grown)])
            run.record_topology(epoch, net.topology)
            run.record_epoch(epoch, metrics(epoch))
        save_model(run.model_path, net.compact(), metadata={})
        yield run


@pytest.fixture
def small(tmp_path):
    with Run.create(tmp_path / "small", config={}) as run:
        run.record_topology(3, Topology.complete(3))
        yield run


RESULT = {
    "test_error": 0.0333,
    "baseline_test_error": 0.0278,
    "edges": 40,
    "edges_possible": 380,
    "modules": 2,
    "largest_module": 5,
    "seconds": 72.4,
    "converged": True,
    "baseline_epochs": [metrics(1), metrics(2)],
}


def test_a_whole_report(run):
    run.finish(RESULT)
    source, page = report(run)
    text = " ".join(page.text)
    assert page.headings == [
        "Training",
        "Adjacency matrix, ordered by module",
        "The graph",
        "Modules over time",
        "Rewiring",
        "Work of the solver",
        "How it was made",
    ]
    for said in (
        "neural-modules on digits", "3.33 %", "plain network: 2.78 %",
        "of 380 possible (10.53 %)", "largest: 5 nodes", "1 min 12 s", "This data is a subset.",
        "automatic", "instruction set", "of the saved network", "6 pruned",
    ):  # fmt: skip
        assert said in text
    assert len(source) < 1_500_000
    assert "failed" not in text


def test_it_is_self_contained_accessible_and_repeatable(run):
    run.finish(RESULT)
    source, page = report(run)
    assert report(run)[0] == source
    assert len(page.ids) == len(set(page.ids))
    pictures = [
        value for tag, key, value in page.attributes if tag == "svg" and key == "aria-label"
    ]
    assert len(pictures) == source.count("<svg") == 7
    assert all(len(text) > 20 for text in pictures)
    for _, key, value in page.attributes:
        if key in ("href", "src", "xlink:href"):
            assert value.startswith(("#", "data:image/png;base64,"))
            assert not value.startswith("#") or value[1:] in page.ids
    assert not re.search(r"url\((?!#)|@import|<script|<link", source)
    assert set(re.findall(r"url\(#([^)]+)\)", source)) <= set(page.ids)
    # Every colour that must change on a dark page is a variable.
    drawn = source[source.index("<body>") :]
    assert "#1b1b1d" not in drawn
    assert "var(--ink)" in drawn


def test_text_of_others_cannot_become_markup(tmp_path):
    evil = "<script>alert('$x_$')</script>\" $body"
    with Run.create(tmp_path, config={"dataset": evil, evil: evil, "messages": evil}) as run:
        run.record_epoch(1, {"train_loss": 1.0, evil: evil, "modules": evil, "module_sizes": []})
        run.finish({"method": evil, "test_error": evil, "edges": evil, "baseline_epochs": [evil]})
        source, page = report(run)
    assert "<script" not in source
    assert evil in " ".join(page.text)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (lambda run: run.fail("loss became nan"), "This run failed, so"),
        (lambda run: run.fail("", interrupted=True), "This run was interrupted"),
        (lambda run: run.finish({}, interrupted=True), "This run was interrupted"),
        (Run.epochs, "had not ended"),
    ],
)
def test_unfinished_runs_say_so(tmp_path, end, said):
    with Run.create(tmp_path, config={}) as run:
        end(run)
        assert said in " ".join(report(run)[1].text)


def test_an_empty_run_has_a_report(tmp_path):
    with Run.create(tmp_path, config={}) as run:
        run.fail("out of memory")
        _, page = report(run)
    assert page.headings == ["Training", "How it was made"]
    assert "out of memory" in " ".join(page.text)
    assert "No epoch was recorded." in page.text


@pytest.mark.parametrize(
    "topology",
    [Topology.dense_dag(5), Topology.complete(30), Topology.from_edges([], num_nodes=4)],
    ids=["no modules", "one module", "no edges"],
)
def test_odd_wirings_of_one_epoch(tmp_path, topology):
    with Run.create(tmp_path, config={}) as run:
        run.record_topology(1, topology)
        run.record_epoch(1, {"train_loss": 0.0, "balance": float("nan"), "modules": 0})
        text = " ".join(report(run)[1].text)
    assert "as recorded in epoch 1; weights were not saved" in text
    assert "Edges kept" in text


def test_epochs_of_regression_are_shown_in_units_of_the_target(tmp_path):
    config = {"task": "regression", "target_std": 40.0}
    with Run.create(tmp_path, config=config) as run:
        run.record_epoch(1, {"train_loss": 1.0, "validation_rmse": 0.75})
        baseline = [{"epoch": 1, "train_loss": 1.0, "validation_rmse": 0.5}]
        run.finish({"baseline_epochs": baseline})
        text = " ".join(report(run)[1].text)
    assert "Best validation RMSE 30" in text
    assert "training loss validation RMSE 1 1 30" in text


def test_regression(tmp_path):
    with Run.create(tmp_path, config={"task": "regression"}) as run:
        run.record_epoch(1, {"train_loss": 1.0, "validation_rmse": 0.75})
        run.finish({"test_rmse": 53.21, "baseline_test_rmse": 55.0})
        text = " ".join(report(run)[1].text)
    assert "Test RMSE" in text
    assert "53.21" in text
    assert "plain network: 55" in text


def test_a_model_that_cannot_be_read_is_a_message(small):
    small.model_path.write_bytes(b"broken")
    text = " ".join(report(small)[1].text)
    assert "cannot read the model" in text
    assert "as recorded in epoch 3" in text


def test_a_given_model_is_used(small):
    model = NeuralModules(4, 2, nodes=6, seed=0)
    assert "30 edges among 6 nodes" in report(small, model=model)[0]


def test_a_report_that_cannot_be_written(small):
    small.report_path.mkdir()
    with pytest.raises(RunError, match=r"cannot write .*report\.html"):
        write_report(small)
    assert not list(small.folder.glob("*.tmp"))


def test_words():
    assert [duration(s) for s in (0.04, 59, 72.4, 7300)] == [
        "0.0 s", "59 s", "1 min 12 s", "2 h 1 min",
    ]  # fmt: skip
    assert [number(v) for v in (12345, 0.012346, None, True, float("nan"), 3.0, "x")] == [
        "12,345", "0.01235", "–", "yes", "not a number", "3", "x",
    ]  # fmt: skip
    assert percent(0.0333) == "3.33\N{NO-BREAK SPACE}%"
