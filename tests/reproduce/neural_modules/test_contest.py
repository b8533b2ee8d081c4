"""Searches and trainings on equal terms, on digits."""

import json
import sys

import pytest

from nervure.errors import EngineError, MissingDependencyError
from nervure.reproduce.neural_modules import contest
from nervure.reproduce.neural_modules.contest_words import remarks
from nervure.reproduce.neural_modules.methods import METHODS, Method, Range
from nervure.reproduce.neural_modules.part import Configuration

pytestmark = pytest.mark.usefixtures("digits")
SMALL = Configuration(datasets=("codon",), sizes=(10,), seeds=2, trials=3, epochs=2)
PLACES = [("codon", 10)]


def search(method, **changes):
    (cell,) = contest.search_cells("table-1", {method: METHODS[method]}, PLACES, SMALL)
    return contest.run({**cell, **changes}, METHODS)


def test_a_search_tries_the_default_first_and_gives_the_best():
    pytest.importorskip("optuna")
    found = search("nms-nm")
    assert json.loads(json.dumps(found)) == found
    assert found["trials"][0]["values"] == pytest.approx({"learning_rate": 0.3, "alpha": 0.01})
    assert len(found["trials"]) == SMALL.trials
    assert found["validation_error"] == min(t["validation_error"] for t in found["trials"])
    for trial in found["trials"]:
        for name, where in METHODS["nms-nm"].ranges.items():
            assert where.low <= trial["values"][name] <= where.high
    again = search("nms-nm")
    rates = [t["values"]["learning_rate"] for t in found["trials"]]
    # All methods of one range try the same rates first.
    assert rates == [t["values"]["learning_rate"] for t in search("nn")["trials"]]
    assert rates == pytest.approx([0.3, 0.05 * 40**0.75, 0.05 * 40**0.25])
    assert [t["values"] for t in again["trials"]] == [t["values"] for t in found["trials"]]


def test_values_that_do_not_train_lose_and_are_no_crash():
    pytest.importorskip("optuna")

    def diverge(job):
        if job.values["learning_rate"] > 0.1:
            raise EngineError("the training loss became nan")
        return METHODS["nn"].train(job)

    methods = {"nn": Method("NN", diverge, {"learning_rate": Range(1e-3, 0.3, 1.0)})}
    (cell,) = contest.search_cells("table-1", methods, PLACES, SMALL)
    found = contest.run({**cell, "trials": 6}, methods)
    assert found["trials"][0]["validation_error"] == 1.0
    assert found["values"]["learning_rate"] <= 0.1


def test_every_training_takes_what_its_search_found_and_no_seed_of_the_search():
    two = {name: METHODS[name] for name in ("nn", "nms")}
    cells = contest.search_cells("table-1", two, PLACES, SMALL)
    found = [(cell, {"values": {"learning_rate": 0.1 * i}}) for i, cell in enumerate(cells, 1)]
    trainings = contest.training_cells(SMALL, found)
    assert [(c["method"], c["seed"], c["values"]["learning_rate"]) for c in trainings] == [
        ("nn", 0, 0.1), ("nms", 0, 0.2), ("nn", 1, 0.1), ("nms", 1, 0.2),
    ]  # fmt: skip
    assert contest.SEARCH_SEED not in {c["seed"] for c in trainings}


def training(method, **changes):
    found = [
        (cell, {"values": {"learning_rate": 0.3, "alpha": 0.01}})
        for cell in contest.search_cells("table-1", {method: METHODS[method]}, PLACES, SMALL)
    ]
    return {**contest.training_cells(SMALL, found)[0], **changes}


def test_a_training_says_what_was_measured():
    result = contest.run(training("nms-nm"), METHODS)
    assert json.loads(json.dumps(result)) == result
    assert 0 < result["test_error"] < 0.9
    # Encoder, 20 edges and 10 biases of the core, decoder.
    assert result["parameters"] == 65 * 10 + 20 + 10 + 11 * 10
    assert result["edges"] == 20
    assert result["epochs"] == 2
    assert not result["over_time"]
    assert contest.run(training("nn", seconds=1e-9), METHODS)["over_time"]


def test_a_training_that_fails_is_a_result():
    def fail(_):
        raise EngineError("the training loss became nan")

    result = contest.run(training("nn"), {"nn": Method("NN", fail)})
    assert result["failed"].startswith("EngineError: the training loss became nan")
    assert not contest.finished([(training("nn"), result)])


def test_a_solver_inside_a_network_is_accounted_for():
    pytest.importorskip("torchdeq")
    result = contest.run(training("deq"), METHODS)
    assert 0 <= result["unsolved"] <= 1
    assert 0 <= result["unsolved_backward"] <= 1
    found = [(training("deq"), {**result, "unsolved": 0.02, "unsolved_backward": 0.0})]
    assert "DEQ: 2 % of all solves missed the tolerance" in remarks(found, {"deq": "DEQ"})


def test_ranges_are_part_of_a_search():
    (cell,) = contest.search_cells("table-1", {"nms-nm": METHODS["nms-nm"]}, PLACES, SMALL)
    assert cell["ranges"] == {"learning_rate": [0.05, 0.3, 2.0], "alpha": [1e-3, 1e-2, 1e-1]}


def test_errors_by_seed_are_of_one_place():
    one, two = training("nn"), training("nn", seed=1)
    found = [
        (one, {"test_error": 0.1}),
        (two, {"test_error": 0.2}),
        ({**two, "nodes": 20}, {"test_error": 0.3}),
        ({**two, "target": "binary"}, {"test_error": 0.4}),
    ]
    assert contest.by_seed(found, "nn", "codon", 10) == {0: 0.1, 1: 0.2}


def test_methods_whose_packages_are_missing_are_named(monkeypatch):
    for package in ("qpth", "torchdeq"):
        monkeypatch.setitem(sys.modules, package, None)
    there, missing = contest.available(METHODS)
    assert there == ["nn", "dag", "nms", "nms-l2", "nms-nm"]
    assert missing["DEQ"] == 'needs torchdeq: pip install "nervure[reproduce]"'
    assert "--no-deps" in missing["OptNet"]


def test_without_optuna_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "nervure\[reproduce\]"'):
        search("nn")
