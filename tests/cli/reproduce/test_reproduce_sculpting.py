"""`nervure reproduce sculpting`, with pruning at random in the place of training."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nervure.cli import app
from nervure.data import composed, registry
from nervure.errors import EngineError
from nervure.reproduce import (
    Ledger,
    sculpting,
    sculpting_images,
    sculpting_quick,
    sculpting_runs,
    sculpting_variants,
)
from nervure.training.sculpting import Round, Sculpted

PARTS = ["structure", "validation", "levels", "two-digits"]


def pruned(starts, _, options, *, seeds):
    """Stand in for `sculpt`: half of the edges, and the merit that was asked for."""
    networks = []
    for start, seed in zip(starts, seeds, strict=True):
        kept = np.random.default_rng(seed).random(start.topology.num_edges) < 0.5
        weight = start.weight.detach().numpy()[kept]
        bias = np.zeros(start.topology.num_nodes, dtype=np.float32)
        first = Round("dense", 0.0, 0.97, True, 8, len(kept), options.epochs)
        limit = options.threshold
        topology = start.topology.keep(kept)
        whole = start.weight.detach().numpy()
        dense = Sculpted(start.topology, whole, bias, 0.97, limit, None, None, (first,))
        half = Sculpted(topology, weight, bias, limit, limit, 0.4, 0.1, (first,), dense)
        networks.append([half])
    return networks


@pytest.fixture
def cells_computed(monkeypatch):
    """Count the cells that are computed, which takes no time."""
    seen = []
    run = sculpting_runs.run
    # Forty ways would take most of the test's time; those of the table have their own test.
    ways = sculpting_variants.methods()[:2]
    monkeypatch.setattr(sculpting_variants, "methods", lambda: ways)
    monkeypatch.setattr(sculpting_runs, "sculpt", pruned)
    monkeypatch.setattr(sculpting_images, "sculpt", pruned)
    monkeypatch.setattr(sculpting_runs, "shortest_training", lambda *_, **__: 1)

    def counted(cell):
        seen.append(cell)
        return run(cell)

    monkeypatch.setattr(sculpting_runs, "run", counted)
    monkeypatch.setattr(sculpting_images, "two_digits", small_pairs)
    return seen


def small_pairs(**rows):
    """Pairs of scikit-learn's small digits, few of them."""
    return composed.two_digits(**{**rows, "train": 60}, images=registry.load("digits"))


def invoke(out, *arguments):
    given = ["reproduce", "sculpting", *arguments, "--jobs", "1", "--out", str(out)]
    return CliRunner().invoke(app.app, given)


def test_it_goes_on_where_it_stopped(tmp_path, cells_computed):
    small = ["--quick", "--width", "6", "--seeds", "1", "--validation-rows", "40", "--json"]
    first = invoke(tmp_path, "levels", *small)
    assert first.exit_code == 0, first.output
    assert len(cells_computed) == 2
    before = list(Ledger(tmp_path / "ledger.sqlite").results(sculpting.EXPERIMENT))
    found = invoke(tmp_path, *PARTS, *small)
    assert found.exit_code == 0, found.output
    assert len(cells_computed) == 2 + 4 + 4 * 3 + 1
    after = list(Ledger(tmp_path / "ledger.sqlite").results(sculpting.EXPERIMENT))
    assert after[: len(before)] == before
    values = json.loads(found.stdout)
    assert {path.rsplit("/", 1)[1] for path in values["figures"]} == {
        "figures-1-4.png", "figures-34-36.png", "figure-7.png", "figure-12.png",
        "structures.png", "two-digits-success.png", "two-digits-network.png",
        "two-digits-hierarchy.png",
    }  # fmt: skip
    for path in values["figures"]:
        assert Path(path).read_bytes().startswith(b"\x89PNG")
    counts = {name: len(values[name]) for name in ("table_1", "figure_7", "table_4", "figure_8")}
    assert counts == {"table_1": 9, "figure_7": 12, "table_4": 2, "figure_8": 0}
    assert values["image_trials"][0]["dense"] == 0.97
    assert values["settings"]["seeds"] == 1
    assert values["images"]["test"] == values["images"]["validation"] == 40


def test_what_is_done_is_said_and_tables_are_printed(tmp_path, cells_computed):
    small = ["--quick", "--width", "6", "--seeds", "1", "--validation-rows", "40", "--epochs", "3"]
    shown = invoke(tmp_path, "levels", "two-digits", *small)
    assert shown.exit_code == 0, shown.output
    assert "levels: Figure 12: more levels" in shown.stderr
    assert "(cells: 2)" in shown.stderr
    assert "Figure 12a" in shown.stdout
    assert "33 of 36" in shown.stdout
    assert "Figure 8" not in shown.stdout
    assert {cell["epochs"] for cell in cells_computed if "epochs" in cell} == {3}
    assert {cell["train"] for cell in cells_computed if "train" in cell} == {3000}


def test_without_a_part_all_are_run_or_the_quick_ones(tmp_path, monkeypatch):
    asked = []

    def cells(parts, settings, images):
        asked.append((tuple(parts), settings, images))
        return []

    monkeypatch.setattr(sculpting, "cells", cells)
    assert invoke(tmp_path).exit_code == 0
    assert invoke(tmp_path, "--quick").exit_code == 0
    assert invoke(tmp_path, "--train-rows", "7", "--seeds", "3", "levels", "levels").exit_code == 0
    (full, quick, given) = asked
    assert full == (tuple(sculpting.PARTS), sculpting.Settings(), sculpting.ImageSettings())
    assert quick[0] == sculpting_quick.PARTS
    assert quick[1:] == (sculpting_quick.SETTINGS, sculpting_quick.IMAGES)
    assert given[0] == ("levels",)
    assert (given[1].seeds, given[2].seeds, given[2].train) == (3, 3, 7)


def test_an_unknown_part_is_an_error(tmp_path):
    result = invoke(tmp_path, "figures")
    assert isinstance(result.exception, EngineError)
    assert "expected among structure" in str(result.exception)
