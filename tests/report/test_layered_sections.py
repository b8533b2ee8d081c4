import numpy as np
import pytest
from torch import nn

from nervure import GraphLayer, NeuralModules, Topology
from nervure.report import adjacency_matrix
from nervure.report.adjacency import adjacency_history, is_crowded
from nervure.report.writing import _sizes
from nervure.topology import layered
from nervure.training.model_file import save_model
from nervure.training.run import RewiringRow, Run

from .test_writing import report

SIZES = [12, 10, 8, 3]
CONFIG = {"method": "set", "dataset": "toy", "sizes": SIZES, "image_shape": [3, 4]}


def rewired(folder, config=CONFIG, *, epochs=14, regrow=True, result=None):
    """Make a run in which every epoch edges of the inputs go and, with `regrow`, as many come."""
    rng = np.random.default_rng(0)
    sizes = SIZES
    start = layered(sizes, density=0.5, seed=0)
    every = {(source, target) for source in range(12) for target in range(12, 22)}
    present = {tuple(edge) for edge in start.edges.tolist()}
    count = 10 if regrow else 3
    with Run.create(folder, config=config) as run:
        run.record_topology(0, start)
        for epoch in range(1, epochs + 1):
            here = sorted(present & every)
            gone = [here[i] for i in rng.choice(len(here), count, replace=False)]
            absent = sorted(every - present)
            new = [absent[i] for i in rng.choice(len(absent), count, replace=False)]
            new = new if regrow else []
            present = (present - set(gone)) | set(new)
            pairs = [np.array(rows, dtype=np.int32).reshape(-1, 2) for rows in (gone, new)]
            run.record_rewirings([RewiringRow(7 * epoch, epoch, *pairs)])
            run.record_topology(epoch, Topology.from_edges(sorted(present), num_nodes=sum(sizes)))
            run.record_epoch(epoch, {"train_loss": 1 / epoch, "edges": len(present)})
        run.finish(result or {})
    return Run.open(folder)


IMPORTANCES = {"feature_importances": [0.5, *[0.5 / 11] * 11]}


def test_a_layered_run_has_its_sections(tmp_path):
    with rewired(tmp_path / "run", result=IMPORTANCES) as run:
        source, page = report(run)
    assert [h for h in page.headings if h not in ("Training", "The graph")] == [
        "Adjacency matrix", "Layers", "Degrees", "Importance of the features", "Rewiring",
        "Updates one by one", "How it was made",
    ]  # fmt: skip
    text = " ".join(page.text)
    for said in (
        "inputs → hidden 1", "hidden 2 (8)", "staircase", "same all along", "rewired in all",
        "The first and the last of 14 updates", "Of 224 possible edges", "of 224 possible",
        "the strongest tenth (2)", "Importance of each pixel", "binomial",
    ):  # fmt: skip
        assert said in text
    assert "pruned in all" not in text
    assert len(page.ids) == len(set(page.ids))
    labels = [v for tag, key, v in page.attributes if tag == "svg" and key == "aria-label"]
    assert len(labels) == source.count("<svg")
    assert any("strongest pixel is in row 0, column 0" in label for label in labels)


def test_edges_that_become_fewer_are_drawn(tmp_path):
    with rewired(tmp_path / "run", epochs=4, regrow=False) as run:
        text = " ".join(report(run)[1].text)
    for said in ("All in all, 112 edges in epoch 0 became 100 in epoch 4.", "All updates",
                 "pruned in all", "grown in all", "Density between the layers"):  # fmt: skip
        assert said in text
    assert "same all along" not in text


def test_without_fitting_sizes_there_are_no_layers(tmp_path):
    with rewired(tmp_path / "run", {**CONFIG, "sizes": [12, 8, 10, 3]}, epochs=2) as run:
        _, page = report(run)
    assert not {"Layers", "Degrees", "Updates one by one"} & set(page.headings)
    assert "All lie below the diagonal" in " ".join(page.text)


@pytest.mark.parametrize("sizes", [None, [3], 5, ["3", "2"], [3.0, 2.0], [True] * 5, {"a": 3}, []])
def test_sizes_may_be_anything(tmp_path, sizes):
    with Run.create(tmp_path, config={"sizes": sizes}) as run:
        assert _sizes(run, [(0, layered([3, 2]))]) == ()
        assert _sizes(run, []) == ()


def test_a_layered_run_without_updates(tmp_path):
    with Run.create(tmp_path, config={"sizes": [3, 2]}) as run:
        run.record_topology(1, layered([3, 2]))
        _, page = report(run)
    assert "Layers" in page.headings
    assert not {"Degrees", "Updates one by one"} & set(page.headings)
    assert "at some time" not in " ".join(page.text)


@pytest.mark.parametrize(
    "values", [None, "many", [0.5, "a"], [0.5, float("nan")], {"a": 1}], ids=str
)
def test_importances_that_are_none_are_left_out(tmp_path, values):
    with Run.create(tmp_path, config={}) as run:
        run.finish({"feature_importances": values})
        assert "Importance of the features" not in report(run)[1].headings


def test_features_have_the_names_of_the_model_file(tmp_path):
    importances = [0.1, 0.7, 0.2]
    names = ["age", "$height$", "<weight>"]
    with Run.create(tmp_path, config={"image_shape": None}) as run:
        run.finish({"feature_importances": importances})
        assert "feature 1" in report(run)[0]
        net = NeuralModules(3, 2, nodes=4, seed=0).compact()
        save_model(run.model_path, net, metadata={"data": {"feature_names": names}})
        source, page = report(run)
        assert "The strongest: $height$, &lt;weight&gt;, age." in source
        assert "All 3 features" in page.text
        save_model(run.model_path, net, metadata={"data": {"feature_names": ["a"]}})
        assert "feature 1" in report(run)[0]
        run.model_path.write_bytes(b"broken")
        assert "feature 1" in report(run)[0]


def test_a_report_of_a_network_in_blocks(tmp_path):
    model = nn.Sequential(GraphLayer(layered([2, 3, 2]), block=2))
    with Run.create(tmp_path, config={}) as run:
        assert "48 edges among 14 nodes" in report(run, model=model)[0]


def test_a_crowded_matrix_counts_edges():
    sparse = layered([400, 400, 10], density=0.01, seed=0)
    crowded = layered([400, 400, 10], density=0.9, seed=0)
    assert not is_crowded(sparse)
    assert not is_crowded(layered([100, 100]))
    assert not is_crowded(Topology.from_edges([], num_nodes=900))
    assert is_crowded(crowded)
    figure = adjacency_matrix(crowded, np.ones(crowded.num_edges))
    (label,) = (text.get_text() for text in figure.axes[0].get_legend().get_texts())
    assert label == f"{crowded.num_edges:,} edges (darker where there are more)"
    strength = np.asarray(figure.axes[0].images[0].get_array())[..., 3]
    # Nothing above the diagonal; the block of inputs to hidden nodes is filled.
    side = 3
    assert (strength[400 // side + 1 : 798 // side, : 398 // side] > 0).all()
    assert not strength[: 399 // side].any()
    assert len(adjacency_history([(0, crowded), (1, sparse)]).axes) == 2
