"""The part of a report on modules, from runs made by hand."""

import torch

from nervure import NeuralModules, SparseMLP, Topology
from nervure.training.model_file import save_model
from nervure.training.run import Run

from .test_writing import report

HEADING = "Modules of the pruned network"
SETTINGS = {"method": "sculpt", "dataset": "both", "boolean": True}


PAIRS = [(i, 6 + i // 2) for i in range(6)] + [(6, 9), (7, 9), (6, 10), (8, 10), (7, 11), (8, 11)]


def ands():
    """Three ANDs of two inputs, and ORs of two of them each."""
    net = SparseMLP([6, 3, 3], topology=Topology.from_edges(PAIRS), seed=0)
    with torch.no_grad():
        net.core.weight.fill_(1.0)
        net.core.bias.copy_(torch.tensor([0.0] * 6 + [-1.0] * 3 + [-0.5] * 3))
    return net


def page_of(folder, config, *, model=None, save=None, names=None, topology=None):
    with Run.create(folder, config=config, force=True) as run:
        if save is not None:
            save_model(run.model_path, save, metadata={"data": names or {}})
        if topology is not None:
            run.record_topology(1, topology)
        run.record_epoch(1, {"train_loss": 1.0})
        run.finish({"edges": 12, "modules": 6})
        return report(run, model=model)[1]


def test_modules_and_what_they_compute_are_shown(tmp_path):
    page = page_of(tmp_path, SETTINGS, model=ands())
    assert page.headings.index(HEADING) == page.headings.index("Training") + 1
    text = " ".join(page.text)
    for part in (
        "12 edges between 12 units, in 6 modules on 2 levels.",
        "M1: 3 nodes, layers 0 to 1. Takes in x0, x1. Feeds M4 (1 edge), M5 (1 edge).",
        "Computes y0 = M1 | M2 = (x0 & x1) | (x2 & x3).",
        "~ is not",
    ):
        assert part in text
    # In the boxes of the drawing, and in its description.
    assert "M1 = x0 & x1" in page.text
    assert "y2 = M2 | M3" in page.text
    labels = [value for _, key, value in page.attributes if key == "aria-label"]
    assert any("M1: 3 nodes" in label for label in labels)
    assert len(set(page.ids)) == len(page.ids)
    assert "on 2 levels" in page.text


def test_these_modules_are_not_those_of_cycles(tmp_path):
    text = " ".join(page_of(tmp_path, SETTINGS, model=ands()).text)
    assert "cycle" not in text
    assert "Each block of the staircase" in text or "they lead forwards" in text


def test_a_saved_model_gives_the_names(tmp_path):
    names = {"feature_names": list("abcdef"), "class_names": ["low", "mid", "<high>"]}
    page = page_of(tmp_path, SETTINGS, save=ands(), names=names)
    assert "M1 = a & b" in page.text
    assert "<high> = M2 | M3" in page.text
    odd = {"feature_names": ["a"], "class_names": ["low"]}
    page = page_of(tmp_path, SETTINGS, save=ands(), names=odd)
    assert "M1 = x0 & x1" in page.text


def test_formulas_are_for_boolean_inputs_only(tmp_path):
    config = {"method": "sculpt", "dataset": "digits"}
    page = page_of(tmp_path, config, model=ands())
    assert HEADING in page.headings
    assert not any("&" in text for text in page.text)


def test_settings_choose_the_thresholds(tmp_path):
    # A third of the edges into y0 and y1 is from the unit that both read.
    pairs = [(0, 8), (1, 8), (8, 9), (8, 10)] + [(i, 9 if i < 5 else 10) for i in range(2, 8)]
    topology = Topology.from_edges(pairs)
    strict = page_of(tmp_path, {"method": "sculpt"}, topology=topology)
    loose = page_of(tmp_path, {"method": "sculpt", "merge_share": 0.6}, topology=topology)
    assert "in 3 modules on 2 levels." in " ".join(loose.text)
    assert "in 3 modules on 2 levels." not in " ".join(strict.text)


def test_other_methods_have_no_such_part(tmp_path):
    page = page_of(tmp_path, {**SETTINGS, "method": "set"}, model=ands())
    assert HEADING not in page.headings


def test_what_cannot_be_told_is_a_note(tmp_path):
    config = {"method": "sculpt"}
    text = " ".join(page_of(tmp_path, config).text)
    assert "No wiring was recorded, so its modules are not known." in text
    dead = Topology.from_edges([(0, 1)], num_nodes=3, inputs=[0], outputs=[2])
    page = page_of(tmp_path, config, topology=dead)
    assert "Its modules are not known: no path leads from an input" in " ".join(page.text)
    assert HEADING not in page.headings
    # A network whose inputs are not those of the data still has a wiring.
    other = NeuralModules(3, 2, nodes=4, seed=0).compact()
    assert HEADING in page_of(tmp_path, SETTINGS, model=other).headings
