"""What a report says of a network whose edges had a price."""

import numpy as np
import pytest
import torch

from nervure.networks import BlockDAG
from nervure.report import tradeoff_sections, write_report
from nervure.report.style import inline_svg
from nervure.topology import dense_dag
from nervure.training.model_file import save_model
from nervure.training.run import Run

START = dense_dag(6)
SWEEP = [
    {"threshold": 0.001, "edges": 15, "nodes": 6, "parameters": 900, "sparsity": 0.0,
     "validation_error": 0.1},
    {"threshold": 0.01, "edges": 12, "nodes": 5, "parameters": 800, "sparsity": 0.2,
     "validation_error": 0.1},
    {"threshold": 0.3, "edges": 0, "nodes": 0, "parameters": 0, "sparsity": 1.0,
     "validation_error": None},
]  # fmt: skip
RESULT = {
    "test_error": 0.05, "test_error_all_edges": 0.04, "baseline_test_error": 0.06,
    "parameters": 800, "parameters_start": 900, "baseline_parameters": 700, "edges": 12,
    "edges_possible": 15, "live_nodes": 5, "nodes_start": 6, "threshold": 0.01,
    "threshold_sweep": SWEEP, "notes": ["dead paths: 2 edges & a node"],
    "characteristics": {"sparsity": 0.2, "log_paths": 2.5, "nodes_stage_1": 2.0,
                        "pca_elongation": None},
    "characteristics_start": {"sparsity": 0.0, "log_paths": 2.7725887, "nodes_stage_1": 3.0,
                              "pca_elongation": 1e-12},
}  # fmt: skip
CONFIG = {
    "method": "tradeoff", "dataset": "digits", "task": "classification", "edge_start": 0.5,
    "threshold": None, "baseline_label": "chain of blocks",
}  # fmt: skip


@pytest.fixture
def pictures(monkeypatch):
    """The figures of the sections, by name."""
    drawn = {}

    def picture(figure, name, description, caption):
        drawn[name] = figure
        inline_svg(figure, name=name, description=description)
        return f"<p>{caption}</p>"

    monkeypatch.setattr(tradeoff_sections, "picture", picture)
    return drawn


def network():
    """Without node 3, so that the second stage has two nodes."""
    topology = START.drop([(0, 3), (1, 3), (2, 3)]).trimmed()
    dag = BlockDAG(START, 2, 3, node="mlp", inputs=4, seed=0)
    with torch.no_grad():
        dag.edge_weight.copy_(torch.linspace(-1, 1, 15))
    dag.rewire_(topology)
    return dag


def page_of(tmp_path, *, config=CONFIG, result=RESULT, model=True):
    with Run.create(tmp_path / "run", config=config) as run:
        run.record_topology(0, START)
        for epoch in (1, 2):
            run.record_epoch(epoch, {
                "seconds": 1.0, "train_loss": 1 / epoch, "validation_error": 0.2 / epoch,
                "pruned": 0, "grown": 0, "strengths": [0.1 * epoch] * 14 + [0.0],
            })  # fmt: skip
        if model:
            save_model(run.model_path, network(), metadata={})
            run.record_topology(2, network().topology)
        if result is not None:
            run.finish(result)
        return write_report(run).read_text()


def test_the_sections_show_what_was_learned(tmp_path, pictures):
    page = page_of(tmp_path)
    assert list(pictures) == ["graph", "strengths", "thresholds"]
    (graph,) = pictures["graph"].axes
    assert graph.get_title(loc="left").startswith("5 live nodes, ")
    assert [text.get_text() for text in graph.get_legend().get_texts()][2:] == [
        "stage 0", "stage 1",
    ]  # fmt: skip
    left, right = pictures["strengths"].axes
    edges = network().topology.num_edges
    assert left.get_title(loc="left") == f"{edges} edges retained"
    assert right.get_title(loc="left") == f"{15 - edges} edges eliminated"
    ends = {tuple(line.get_ydata()) for line in left.get_lines() if len(line.get_ydata()) == 3}
    assert (0.5, 0.1, 0.2) in ends
    accuracy, sparsity = pictures["thresholds"].axes
    np.testing.assert_allclose(accuracy.get_lines()[0].get_ydata(), [0.9, 0.9, np.nan])
    np.testing.assert_allclose(sparsity.get_lines()[0].get_ydata(), [0, 0.2, 1])
    assert accuracy.get_lines()[1].get_xdata() == [0.01, 0.01]
    assert "0.01 was chosen by them" in page


def test_tables_and_headline_have_both_networks(tmp_path):
    page = page_of(tmp_path).replace("\N{NO-BREAK SPACE}", " ")
    for cells in (
        ("0.01", "12", "20.00 %", "5", "800", "10.00 %"),
        ("0.3", "0", "100.00 %", "0", "0", "no path is left"),
        ("sparsity", "0.00 %", "20.00 %"),
        ("logarithm of the number of paths", "2.773", "2.5"),
        ("nodes of stage 1", "3", "2"),
        ("elongation (0: round, 1: a line)", "0", "–"),
    ):
        assert "".join(f"<td>{cell}</td>" for cell in cells) in page, cells
    assert "with all edges: 4.00 %; chain of blocks: 6.00 %" in page
    assert "of 900; chain of blocks: 700" in page
    assert "<dd>0.01<small>by validation</small>" in page
    assert "dead paths: 2 edges &amp; a node" in page
    # What the rule prunes in the end is no rewiring of epochs.
    assert "Rewiring" not in page
    assert "The wiring over time" not in page


def test_a_given_threshold_and_one_of_zero_are_told_apart(tmp_path, pictures):
    page = page_of(tmp_path / "1", config=CONFIG | {"threshold": 0.01})
    assert "0.01 was given" in page
    page = page_of(tmp_path / "2", result=RESULT | {"threshold": 0.0})
    assert "all edges were kept" in page
    assert "All edges were kept" in page
    assert len(pictures["thresholds"].axes[0].get_lines()) == 1


def test_of_a_number_to_predict_there_is_a_table_of_rmse(tmp_path, pictures):
    sweep = [{**row, "validation_rmse": row["validation_error"]} for row in SWEEP]
    for row in sweep:
        del row["validation_error"]
    page = page_of(tmp_path, result=RESULT | {"threshold_sweep": sweep})
    assert "thresholds" not in pictures
    assert "validation RMSE" in page
    assert "<td>800</td><td>0.1</td>" in page


def test_a_run_that_did_not_end_has_a_report_too(tmp_path, pictures):
    page = page_of(tmp_path, result=None, model=False)
    assert pictures == {}
    assert "Training" in page
    assert "Adjacency matrix" in page
