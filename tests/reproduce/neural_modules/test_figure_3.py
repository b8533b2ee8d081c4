"""Figure 3 on a few made-up images and posts."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from nervure.baselines import PlainNetwork
from nervure.data import Texts
from nervure.errors import ConvergenceError, EngineError
from nervure.networks import GraphLinear, count_parameters
from nervure.reproduce.neural_modules import figure_3, figure_3_data
from nervure.reproduce.neural_modules.figure_3_outcome import outcome
from nervure.reproduce.neural_modules.part import QUICK, Configuration
from nervure.reproduce.neural_modules.residual_network import ResidualNetwork
from nervure.reproduce.neural_modules.transformer import TextTransformer
from nervure.reproduce.neural_modules.words import PADDING, UNKNOWN, Vocabulary
from nervure.training import Fitted

TINY = {"train": 60, "validation": 30, "test": 40, "epochs": 2, "nodes": 12, "batch_size": 16}


def posts(count=200):
    generator = np.random.default_rng(0)
    y = np.arange(count) % 4
    # The class is a word, among others that say nothing.
    texts = [
        " ".join([*generator.choice(["and", "of", "the", "with"], size=5), f"topic{label}"])
        for label in y
    ]
    held = np.arange(count) >= count - 60
    return Texts("20newsgroups", tuple(texts), y, tuple("abcd"), held)


@pytest.fixture
def made_up(monkeypatch, coloured_squares):
    def images(name, *, train, validation, test, seed):
        whole = coloured_squares(name, train=train + validation, test=test, seed=seed)
        parts = [np.split(whole.x_train, [validation]), np.split(whole.y_train, [validation])]
        return dataclasses.replace(
            whole, x_validation=parts[0][0], x_train=parts[0][1],
            y_validation=parts[1][0], y_train=parts[1][1],
        )  # fmt: skip

    monkeypatch.setattr(figure_3_data, "colour_images", images)
    monkeypatch.setattr(figure_3_data, "load_texts", lambda _: posts())
    for kept in (figure_3_data._photographs, figure_3_data._posts):
        kept.cache_clear()
    yield
    for kept in (figure_3_data._photographs, figure_3_data._posts):
        kept.cache_clear()


def tiny(data, model, **options):
    cells = figure_3.cells(Configuration(seeds=1))
    cell = next(c for c in cells if (c["data"], c["model"]) == (data, model))
    small = {"channels": [4, 8]} if data == "cifar10" else {"words": 20, "length": 6, "width": 8}
    return {**cell, **TINY, **small, **options}


def test_cells_hold_what_their_result_depends_on():
    cells = figure_3.cells(Configuration(seeds=2))
    assert len(cells) == 8
    assert json.loads(json.dumps(cells)) == cells
    for one, other in zip(cells[::2], cells[1::2], strict=True):
        assert (one["model"], other["model"]) == ("unchanged", "graph")
        both = {**one, "model": "graph", "edges_per_node": 2, "alpha": other["alpha"]}
        assert both == other
    quick = figure_3.cells(QUICK)
    assert len(quick) == 8
    assert all(a["epochs"] < b["epochs"] for a, b in zip(quick, cells, strict=True))


@pytest.mark.usefixtures("made_up")
@pytest.mark.parametrize("data", ["cifar10", "20newsgroups"])
def test_a_cell_says_what_was_measured(data):
    results = {model: figure_3.run(tiny(data, model)) for model in ("unchanged", "graph")}
    for result in results.values():
        assert json.loads(json.dumps(result, allow_nan=False)) == result
        assert result["validation_accuracy"] == max(result["curve"])
        assert result["curve"][result["best_epoch"] - 1] == max(result["curve"])
        assert result["converged"]
        assert result["epoch_seconds"] > 0
    graphs = 1 if data == "cifar10" else 2
    assert results["graph"]["edges"] == [24] * graphs
    assert len(results["graph"]["module_sizes"]) == graphs
    # A graph adds its matrix, of which only edges and biases are kept.
    assert results["graph"]["parameters"] == results["unchanged"]["parameters"] + 144 * graphs
    kept = results["unchanged"]["parameters"] + (24 + 12) * graphs
    assert results["graph"]["parameters_kept"] == kept
    assert results["unchanged"]["parameters_kept"] == results["unchanged"]["parameters"]
    assert results["unchanged"]["module_sizes"] == []


@pytest.mark.usefixtures("made_up")
def test_a_cell_is_the_same_again():
    cell = tiny("20newsgroups", "graph")
    first, again = figure_3.run(cell), figure_3.run(cell)
    for key in ("curve", "test_accuracy", "module_sizes"):
        assert first[key] == again[key]


@pytest.mark.usefixtures("made_up")
def test_the_transformer_learns_from_words():
    """Only the words, cast to float and back by the loop, tell the classes."""
    for model in ("unchanged", "graph"):
        cell = tiny("20newsgroups", model, train=110, epochs=12, learning_rate=0.01, words=8)
        assert figure_3.run(cell)["test_accuracy"] > 0.9


@pytest.mark.usefixtures("made_up")
def test_both_models_of_a_seed_begin_alike_elsewhere():
    for data in ("cifar10", "20newsgroups"):
        cells = [tiny(data, model) for model in ("unchanged", "graph")]
        rows = figure_3_data.parts_of(cells[0])
        before = torch.get_rng_state()
        one, other = (figure_3.build(cell, rows) for cell in cells)
        assert torch.equal(before, torch.get_rng_state())
        shared = one.state_dict().keys() & other.state_dict().keys()
        replaced = ("head.", "feed_forward") if data == "cifar10" else ("feed_forward",)
        own = {key for key in shared if not any(word in key for word in replaced)}
        assert len(own) > 10
        for key in own:
            assert torch.equal(one.state_dict()[key], other.state_dict()[key])
        parts = [m for m in other.modules() if isinstance(m, GraphLinear)]
        if len(parts) > 1:
            assert not torch.equal(parts[0].encoder.weight, parts[1].encoder.weight)


@pytest.mark.usefixtures("made_up")
def test_a_graph_without_equilibria_is_a_result(monkeypatch):
    layer = figure_3.GraphLinear
    monkeypatch.setattr(
        figure_3, "GraphLinear",
        lambda *sizes, **options: layer(*sizes, **{**options, "activation": "relu"}),
    )  # fmt: skip
    build = figure_3.build

    def far_out(cell, rows):
        network = build(cell, rows)
        with torch.no_grad():
            network.head.core.weight.mul_(1e20)
        return network

    monkeypatch.setattr(figure_3, "build", far_out)
    monkeypatch.setattr(figure_3, "_graphs", lambda network: [network.head])
    result = figure_3.run(tiny("cifar10", "graph"))
    assert result == {"converged": False, "parameters": result["parameters"]}


@pytest.mark.usefixtures("made_up")
def test_test_rows_without_equilibria_cost_the_test_accuracy_alone(monkeypatch):
    def never(*_, **__):
        raise ConvergenceError("none", component=0, component_size=3, residual=1.0, samples=2)

    monkeypatch.setattr(figure_3, "evaluate", never)
    result = figure_3.run(tiny("cifar10", "graph"))
    assert result["converged"]
    assert result["test_accuracy"] is None
    assert result["validation_accuracy"] == max(result["curve"])
    came = outcome(QUICK, [*found([0.02, 0.03])[:3], (found([0, 0])[3][0], result)])
    assert came.values["cifar10"]["difference"]["pairs"] == 1
    assert came.tables[0].rows[1][4] == "72.00"
    assert any("graph: 1 of 2 had a test row without" in line for line in came.sentences)


@pytest.mark.usefixtures("made_up")
def test_a_loss_that_is_no_number_is_a_result(monkeypatch):
    def diverges(*_, **__):
        raise EngineError("the training loss became nan")

    monkeypatch.setattr(figure_3, "fit", diverges)
    result = figure_3.run(tiny("cifar10", "unchanged"))
    assert result == {"converged": False, "parameters": result["parameters"]}
    cell = {"data": "cifar10", "model": "unchanged", "seed": 0}
    came = outcome(QUICK, [(cell, result)])
    assert "unchanged: 1 of 1 trainings had a batch without equilibria" in came.sentences[0]


@pytest.mark.usefixtures("made_up")
def test_an_interrupted_training_is_no_result(monkeypatch):
    monkeypatch.setattr(figure_3, "fit", lambda *_, **__: Fitted(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        figure_3.run(tiny("cifar10", "graph"))


def test_the_residual_network_by_hand():
    network = ResidualNetwork(nn.Linear(8, 3), channels=[4, 8], blocks=2, seed=1).eval()
    x = torch.randn(2, 3, 16, 16)
    stem = network.stem[1](network.stem[0](x)).relu()
    assert stem.shape == (2, 4, 8, 8)
    first = (network.stages[0].inner(stem) + stem).relu()
    second = (network.stages[1].inner(first) + first).relu()
    wide = network.stages[2]
    third = (wide.inner(second) + wide.shortcut(second)).relu()
    assert third.shape == (2, 8, 4, 4)
    fourth = (network.stages[3].inner(third) + third).relu()
    expected = network.head(fourth.mean((2, 3)))
    torch.testing.assert_close(network(x), expected)


def transformer(length=7):
    parts = [PlainNetwork(8, 8, nodes=16, seed=i) for i in range(2)]
    return TextTransformer(
        parts, tokens=11, length=length, width=8, heads=2, classes=3, seed=0
    ).eval()


def test_a_layer_equals_torch_s_own():
    network = transformer()
    layer = network.layers[0]
    theirs = nn.TransformerEncoderLayer(
        8, 2, 16, dropout=0.0, activation=torch.tanh, batch_first=True
    ).eval()
    theirs.self_attn.load_state_dict(layer.attention.state_dict())
    theirs.linear1.load_state_dict(layer.feed_forward.hidden.state_dict())
    theirs.linear2.load_state_dict(layer.feed_forward.decoder.state_dict())
    x = torch.randn(3, 7, 8)
    padding = torch.arange(7).expand(3, 7) >= torch.tensor([[7], [4], [1]])
    ours = layer(x, padding)
    expected = theirs(x, src_key_padding_mask=padding)
    torch.testing.assert_close(ours[~padding], expected[~padding], rtol=1e-4, atol=1e-5)


def test_padding_changes_nothing():
    network = transformer()
    tokens = torch.tensor([[5, 2, 9, PADDING, PADDING, PADDING, PADDING]])
    torch.testing.assert_close(network(tokens), network(tokens[:, :3]))
    torch.testing.assert_close(network(tokens), network(tokens.float()))
    assert not torch.allclose(network(tokens), network(tokens[:, [1, 0, 2]]))
    # One hidden layer of 16 between 8 and 8 twice, and what is around it.
    around = (11 + 7) * 8 + 2 * (4 * 8 * 9 + 4 * 8) + 9 * 3
    assert count_parameters(network) == around + 2 * (9 * 16 + 17 * 8)


def test_words_are_those_of_the_texts_given():
    vocabulary = Vocabulary(["Red red blue", "blue RED a grey", "green"], 3)
    assert vocabulary.words == ("red", "blue", "green")
    assert len(vocabulary) == 5
    rows = vocabulary.rows(["grey! red, blue red", "", "green"], 3)
    assert rows.dtype == np.int64
    assert rows.tolist() == [[UNKNOWN, 2, 3], [UNKNOWN, PADDING, PADDING], [4, PADDING, PADDING]]


@pytest.mark.usefixtures("made_up")
def test_the_vocabulary_has_not_seen_what_is_measured(monkeypatch):
    texts = posts()
    marked = tuple(f"{text} row{i}" for i, text in enumerate(texts.texts))
    monkeypatch.setattr(
        figure_3_data, "load_texts", lambda _: dataclasses.replace(texts, texts=marked)
    )
    rows = figure_3_data.parts_of(tiny("20newsgroups", "graph", words=10**6, length=20))
    assert [len(part.y) for part in (rows.train, rows.validation, rows.test)] == [60, 30, 40]
    assert rows.tokens == 2 + 4 + 4 + 60
    assert not (rows.train.x == UNKNOWN).any()
    for part in (rows.validation, rows.test):
        assert ((part.x == UNKNOWN).sum(1) == 1).all()


def found(differences, data="cifar10", **graph):
    made = []
    for seed, difference in enumerate(differences):
        for model in ("unchanged", "graph"):
            result = {
                "converged": True, "parameters": 1000, "parameters_kept": 900,
                "test_accuracy": 0.7 + (difference if model == "graph" else 0.0),
                "epoch_seconds": 9.5, "module_sizes": [[3, 2], [4]],
            }  # fmt: skip
            result |= graph if model == "graph" else {"module_sizes": []}
            made.append(({"data": data, "model": model, "seed": seed}, result))
    return made


def test_the_outcome_is_scipy_s_test_in_words():
    differences = [0.01, 0.02, 0.015, 0.03]
    came = outcome(Configuration(), found(differences))
    expected = stats.ttest_rel(0.7 + np.array(differences), np.full(4, 0.7)).pvalue
    assert came.values["cifar10"]["difference"]["p_value"] == pytest.approx(expected)
    assert json.loads(json.dumps(came.values, allow_nan=False)) == came.values
    (table,) = came.tables
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert table.rows[0][4] == "70.00 ± 0.00"
    assert table.rows[1][-2:] == ("3, 3, 3, 3", "4, 4, 4, 4")
    assert table.rows[2][4].startswith("+1.88 ± 0.85, p = 0.02")
    assert "better, as in the paper" in came.sentences[0]
    assert any("no numbers" in sentence for sentence in came.sentences)
    worse = outcome(Configuration(), found([-d for d in differences]))
    assert "worse, unlike in the paper" in worse.sentences[0]
    none = outcome(Configuration(), found([0.01, -0.02, 0.015]))
    assert "no difference is shown" in none.sentences[0]


def test_what_is_missing_is_left_out(tmp_path):
    assert outcome(Configuration(), []).figures == {}
    assert any("a standard ResNet has not" in s for s in outcome(QUICK, found([0.02])).sentences)
    one = outcome(QUICK, found([0.02], "20newsgroups")[:1])
    assert not any("ResNet" in sentence for sentence in one.sentences)
    assert one.values["20newsgroups"]["difference"] is None
    assert len(one.tables[0].rows) == 1
    lost = outcome(
        QUICK, [*found([0.02]), *found([0.01], "20newsgroups", converged=False, test_accuracy=None)]
    )
    assert any("graph: 1 of 1 trainings had a batch" in sentence for sentence in lost.sentences)
    assert any("Quick form" in sentence for sentence in lost.sentences)
    assert lost.values["20newsgroups"]["difference"] is None
    figure = lost.figures["figure-3"]
    assert len(figure.axes) == 2
    # ResNet with both models, Transformer with one: as many dots in each panel.
    assert [sum(len(line.get_xdata()) for line in ax.lines) for ax in figure.axes] == [3, 3]
    figure.savefig(tmp_path / "figure.png")


def test_the_part_names_what_it_is():
    assert figure_3.PART.name == "figure-3"
    assert not figure_3.PART.timed
    (stage,) = figure_3.PART.stages
    assert {cell["part"] for cell in stage(QUICK, ())} == {"figure-3"}
