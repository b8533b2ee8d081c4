"""Figure 9 of the neural-modules paper, on digits and on made-up grids."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
import torch

from nervure.data import registry
from nervure.data.encoding import ArrayEncoder
from nervure.errors import ConvergenceError, EngineError
from nervure.networks import NeuralModules
from nervure.reproduce.neural_modules import figure_9, module_training
from nervure.reproduce.neural_modules.figure_9_claims import (
    contrast_of_edges,
    contrast_of_strength,
    sentences,
    spread_over_alpha,
)
from nervure.reproduce.neural_modules.figure_9_grid import (
    first_degree,
    giant_component,
    good_settings,
    grids,
    joint_settings,
)
from nervure.reproduce.neural_modules.job import data_of
from nervure.reproduce.neural_modules.part import QUICK, Configuration
from nervure.training import Fitted

FULL = Configuration(seeds=2)


@pytest.fixture
def digits(digits, monkeypatch):
    """Make networks and grid small."""
    del digits
    monkeypatch.setattr(figure_9, "NODES_QUICK", 12)
    monkeypatch.setattr(figure_9, "ALPHAS", (0.0, 0.1))
    monkeypatch.setattr(figure_9, "DEGREES", (0.5, 4.0))
    return replace(QUICK, datasets=("codon", "gas"), epochs=2)


def made_up(error, data="gas", seeds=2, **others):
    """Results over the whole grid: error(alpha, degree, seed), other entries fixed or by rule."""
    found = []
    for cell in figure_9.cells(replace(FULL, datasets=(data,), seeds=seeds)):
        place = cell["alpha"], cell["degree"], cell["seed"]
        wrong = error(*place)
        result = {
            "validation_error": wrong, "validation_loss": wrong, "test_error": 0.5,
            "validation_rows": 1000, "modules": 4, "largest_module": 6, "largest_share": 0.02,
            "balance": 0.9, "covered": 0.06, "wired_nodes": 200, "wired_degree": 6.0, "sweeps": 5.0,
        }  # fmt: skip
        result |= {k: v(*place) if callable(v) else v for k, v in others.items()}
        found.append((cell, result if wrong is not None else {"failed": "no equilibrium"}))
    return found


def grid_of(*args, **others):
    (grid,) = grids(made_up(*args, **others))
    return grid


def test_the_grid_is_that_of_the_configuration():
    cells = figure_9.cells(Configuration(seeds=3))
    assert len(cells) == 4 * 3 * 5 * 5
    assert len({json.dumps(cell, sort_keys=True) for cell in cells}) == len(cells)
    assert {cell["part"] for cell in cells} == {"figure-9"}
    # A split is loaded once: its cells follow each other.
    splits = [(cell["data"], cell["seed"]) for cell in cells]
    assert sum(a != b for a, b in pairwise(splits)) == 4 * 3 - 1
    quick = figure_9.cells(QUICK)
    assert {(c["nodes"], c["seed"], c["epochs"]) for c in quick} == {(100, 0, 6)}


def test_a_cell_says_what_was_measured(digits):
    cell = {**figure_9.cells(digits)[0], "degree": 2.0, "epochs": 3}
    result = figure_9.run(cell)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["validation_rows"] == len(data_of("codon", 0).y_validation)
    assert result == {**figure_9.run(cell), "seconds": result["seconds"]}
    data = data_of("codon", 0)
    network, fitted = module_training.train(cell)
    assert network.topology.num_edges == 24
    predicted = network(torch.from_numpy(data.x_test))
    expected = float((predicted.argmax(1).numpy() != data.y_test).mean())
    assert result["test_error"] == pytest.approx(expected)
    kept = fitted.history[fitted.best_epoch - 1]
    assert result["validation_error"] == kept["validation_error"]
    assert kept["validation_error"] == min(m["validation_error"] for m in fitted.history)
    assert (result["sweeps"], result["sweeps_max"]) == (kept["sweeps_mean"], kept["sweeps_max"])
    graph = nx.DiGraph(network.topology.edges.tolist())
    sizes = sorted(map(len, nx.strongly_connected_components(graph)), reverse=True)
    assert result["module_sizes"] == [size for size in sizes if size > 1]
    assert result["wired_nodes"] == len(graph)
    assert result["wired_degree"] == pytest.approx(2 * 24 / len(graph))
    assert result["largest_share"] == pytest.approx(sizes[0] / 12 if sizes[0] > 1 else 0)


@pytest.mark.usefixtures("digits")
def test_sweeps_are_those_of_the_epoch_that_is_kept():
    data = data_of("codon", 0)
    network = NeuralModules(data.x_train.shape[1], 10, nodes=4, seed=0)
    errors, sweeps = (0.2, 0.1, 0.3), (3.0, 5.0, 9.0)
    history = [
        {"validation_error": e, "validation_loss": e, "sweeps_mean": s, "sweeps_max": 2 * s}
        for e, s in zip(errors, sweeps, strict=True)
    ]
    found = module_training.errors(network, Fitted(history, best_epoch=2), data)
    assert (found["validation_error"], found["sweeps"], found["sweeps_max"]) == (0.1, 5.0, 10.0)


def test_what_one_seed_tests_on_no_seed_learns_from(digits, monkeypatch):
    """Settings are chosen by the mean over seeds, so that no seed may have seen a test row."""
    seen = []

    def fit(_, x, *__, validation, **___):
        seen.append({row.tobytes() for row in np.concatenate([x, validation[0]])})
        raise EngineError("looked at")

    monkeypatch.setattr(module_training, "fit", fit)
    cell = figure_9.cells(digits)[0]
    rows = registry.load("digits").x
    # As they are before scaling, which is fitted on training rows.
    monkeypatch.setattr(ArrayEncoder, "transform", lambda _, x: x)
    for seed in range(2):
        figure_9.run({**cell, "seed": seed})
    every = {row.tobytes() for row in rows}
    assert seen[0] == seen[1]
    assert len(every - seen[0]) > len(every) / 6


def test_an_interrupted_training_is_no_result(digits, monkeypatch):
    monkeypatch.setattr(module_training, "fit", lambda *_, **__: Fitted(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        figure_9.run(figure_9.cells(digits)[0])


def test_what_has_no_equilibrium_is_a_result(digits, monkeypatch):
    def never(*_, **__):
        raise ConvergenceError("none", component=0, component_size=3, residual=1.0, samples=2)

    cell = figure_9.cells(digits)[0]
    with monkeypatch.context() as patch:
        patch.setattr(module_training, "evaluate", never)
        only_test = figure_9.run(cell)
    assert only_test["test_error"] is None
    assert only_test["validation_error"] <= 1
    monkeypatch.setattr(module_training, "fit", never)
    assert figure_9.run(cell) == {"failed": "none"}


def test_the_outcome_takes_the_cells_of_its_configuration(digits):
    other = [({**c, "epochs": 99}, {"failed": "not to be seen"}) for c in figure_9.cells(digits)]
    assert figure_9.outcome(digits, other).tables == ()
    found = [(cell, figure_9.run(cell)) for cell in figure_9.cells(digits)]
    outcome = figure_9.outcome(digits, other + found)
    assert set(outcome.figures) == {
        "figure-9-codon", "figure-9-gas", "figure-9-percolation",
    }  # fmt: skip
    for table in outcome.tables:
        assert [row[0] for row in table.rows] == ["codon", "gas"]
        assert {len(row) for row in table.rows} == {len(table.columns)}
    assert not any("failed" in line for line in outcome.sentences)
    json.dumps(outcome.values, allow_nan=False)
    assert figure_9.heat_maps(grids(found)[0]).axes[0].get_xlim() == (-0.5, 1.5)
    written = {text.get_text() for text in outcome.figures["figure-9-gas"].axes[0].texts}
    assert written == {f"{100 * r['validation_error']:.2f}" for c, r in found if c["data"] == "gas"}


def test_validation_decides_and_loss_between_equals():
    grid = grid_of(
        lambda _alpha, degree, _: 0.05 if degree == 2 else 0.06,
        validation_loss=lambda alpha, *_: abs(alpha - 0.03),
        test_error=lambda alpha, *_: 0.9 - alpha,
    )
    assert (grid.alphas[grid.best[0]], grid.degrees[grid.best[1]]) == (0.03, 2.0)
    assert grid.standard_error == pytest.approx(math.sqrt(0.0505 * 0.9495 / 2000), rel=1e-3)


def test_a_setting_of_which_a_seed_failed_is_not_the_best():
    grid = grid_of(lambda a, d, s: None if (a, d, s) == (0.0, 4.0, 1) else 0.01 if d == 4 else 0.1)
    assert grid.degrees[grid.best[1]] == 4.0
    assert grid.alphas[grid.best[0]] != 0.0
    assert grid.failures == [(0.0, 4.0, 1)]
    assert not grid.near_best[0, 3]
    assert grid.near_best[1:, 3].all()
    (line, *_) = sentences([grid])
    assert line == "gas: 1 of 50 networks failed (alpha 0, k / nodes 4, seed 1)."
    nothing = grid_of(lambda *_: None)
    assert nothing.best is None
    assert good_settings(nothing) == []
    outcome = figure_9.outcome(replace(FULL, datasets=("gas",)), made_up(lambda *_: None))
    assert outcome.tables[0].rows[0][-1] == "50"


def test_good_settings_fulfil_every_condition_in_every_seed():
    conditions = {
        "modules": lambda _a, d, s: 2 if (d, s) == (1.0, 1) else 3,
        "largest_share": lambda _a, d, s: 0.1 if (d, s) == (2.0, 0) else 0.099,
    }
    grid = grid_of(lambda a, d, _: 0.1 - a / 100 + (0.05 if d > 2 else 0), **conditions)
    assert good_settings(grid) == [(a, 0.5) for a in (0.1, 0.03, 0.01, 0.001, 0.0)]
    # One standard error of 0.099 on 2000 rows is 0.0067.
    near = grid_of(lambda _a, d, _: 0.099 + 0.0013 * d)
    assert {d for _, d in good_settings(near)} == {0.5, 1.0, 2.0, 4.0}


def test_joint_settings_are_those_good_for_most():
    first = grid_of(lambda *_: 0.1, modules=lambda _a, d, _: 3 if d in (1.0, 2.0) else 1)
    second = grid_of(
        lambda a, *_: 0.1 + a / 1000, "codon", modules=lambda _a, d, _: 3 if d == 2 else 1
    )
    found = joint_settings([first, second])
    assert [setting for setting, _ in found] == [(a, 2.0) for a in (0.0, 0.001, 0.01, 0.03, 0.1)]
    assert all(good == ["gas", "codon"] for _, good in found)
    third = grid_of(lambda *_: 0.1, "facebook", modules=1)
    assert joint_settings([first, second, third])[0][1] == ["gas", "codon"]
    assert joint_settings([third]) == joint_settings([]) == []


def _where(grid):
    (line,) = (s for s in sentences([grid]) if "of the nodes or more forms" in s)
    return line


def test_where_networks_failed_nothing_is_said_of_their_modules():
    """Large modules are what makes them fail: none seen is not none formed."""
    grid = grid_of(
        lambda a, d, _: None if (a == 0 and d > 2) or a == 0.1 else 0.1, largest_share=0.01
    )
    line = _where(grid)
    assert "without penalty none up to 2, then none was solved;" in line
    assert "; at alpha 0.001, 0.01, 0.03 none;" in line
    assert "at alpha 0.1 not known, as no network was solved (" in line
    table = figure_9.percolation_table([grid])
    assert table.rows == [["gas", "?", "-", "-", "-", "?"]]


def test_where_the_largest_module_stops_being_small():
    def share(alpha, degree, _):
        return 0.5 if degree >= (2 if alpha == 0 else 4 if alpha < 0.1 else 99) else 0.01

    grid = grid_of(lambda *_: 0.1, largest_share=share)
    assert [first_degree(grid, i) for i in range(5)] == [2.0, 4.0, 4.0, 4.0, None]
    assert (
        "of the nodes or more forms: without penalty from 2 on; at alpha 0.001, 0.01, 0.03 from 4 "
        "on; at alpha 0.1 none (in a random digraph"
    ) in _where(grid)
    # A large module that falls apart again with more edges is no end of the claim.
    odd = grid_of(lambda *_: 0.1, largest_share=lambda _a, d, _: 0.5 if d in (1.0, 8.0) else 0.01)
    assert first_degree(odd, 0) == 8.0


@pytest.mark.parametrize("degree", [0.5, 1.5, 3.0])
def test_the_giant_component_is_that_of_random_digraphs(degree):
    n = 2000
    rng = np.random.default_rng(0)
    graph = nx.DiGraph(rng.integers(0, n, size=(int(degree * n), 2)).tolist())
    largest = max(map(len, nx.strongly_connected_components(graph)))
    assert giant_component(degree) == pytest.approx(largest / n, abs=0.03)


def test_differences_are_paired():
    def error(alpha, degree, seed):
        return 0.1 + 0.02 * seed + 0.01 * degree - (0.004 if alpha >= 0.03 else 0)

    grid = grid_of(error)
    strength, edges = contrast_of_strength(grid), contrast_of_edges(grid)
    assert (strength.mean, strength.pairs, strength.sign) == (pytest.approx(-0.004), 10, -1)
    assert strength.error == pytest.approx(0, abs=1e-12)
    assert (edges.mean, edges.pairs, edges.sign) == (pytest.approx(0.0525), 4, 1)
    assert contrast_of_strength(grid, "test_error").sign == 0
    assert math.isnan(contrast_of_edges(grid_of(error, seeds=1)).mean)
    # Better with few edges, worse with many: the mean is not 0, but within its error.
    mixed = grid_of(lambda a, d, _: 0.1 + (a >= 0.03) * (-0.002 if d < 2 else 0.001))
    undecided = contrast_of_strength(mixed)
    assert undecided.mean == pytest.approx(-0.0002)
    assert undecided.sign == 0
    assert spread_over_alpha(grid_of(lambda a, _d, _: 0.1 + a)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("data", "error", "verdict"),
    [
        ("gas", lambda a, _d, _s: 0.1 - a, "holds"),
        ("gas", lambda a, _d, _s: 0.1 + a, "does not hold"),
        ("gas", lambda _a, _d, _s: 0.1, "does not hold"),
        ("activity", lambda a, _d, _s: 0.1 + a, "holds"),
        ("activity", lambda a, _d, _s: 0.1 - a, "does not hold"),
        ("codon", lambda a, d, _s: 0.2 - a - d / 100, "holds"),
        ("codon", lambda a, d, _s: 0.2 - a + d / 100, "does not hold"),
        ("facebook", lambda a, d, _s: 0.1 + a / 100 + d, "holds"),
        ("facebook", lambda a, d, _s: 0.1 + a + d / 100, "does not hold"),
        ("codon", lambda _a, _d, _s: None, "cannot be said"),
        ("facebook", lambda _a, _d, _s: None, "cannot be said"),
        ("gas", lambda _a, _d, _s: None, "cannot be said"),
    ],
)
def test_each_statement_has_a_verdict(data, error, verdict):
    line = sentences([grid_of(error, data)])[-1]
    assert line.startswith(data)
    assert f": {verdict}" in line


def test_robust_is_less_spread_than_the_others():
    facebook = grid_of(lambda a, _d, _: 0.1 + a / 20, "facebook")
    assert "holds" in sentences([facebook])[-1]
    steadier = grid_of(lambda a, _d, _: 0.1 + a / 40, "gas")
    assert "does not hold; over alpha" in sentences([steadier, facebook])[-1]
