import csv

import numpy as np
import pytest

from nervure.errors import ModelFileError, RunError
from nervure.jobs.freenet import FreeNetRequest, train_freenet
from nervure.jobs.predict import check_output, model_file, predict_table, write_predictions
from nervure.training import Run
from nervure.training.model_file import load_model, save_model


def written(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def trained(tmp_path, target):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(60, 2)).round(3)
    table = written(
        tmp_path / "table.csv", ["a", "b", "y"], [[*row, target(*row)] for row in x.tolist()]
    )
    request = FreeNetRequest(
        data=str(table), target="y", neurons=4, epochs=1, out=tmp_path / "run", baseline=False
    )
    train_freenet(request)
    return tmp_path / "run", written(tmp_path / "new.csv", ["a", "b"], x[:5].tolist())


def damaged(run, **changes):
    path = run / "model.safetensors"
    loaded = load_model(path)
    about = {**loaded.metadata["data"], **changes}
    save_model(path, loaded.network, metadata={"data": about})


@pytest.mark.parametrize(
    "changes",
    [
        {"class_names": ["no"]},
        {"class_names": "no"},
        {"class_names": [1, 2]},
        {"task": "regression"},
        {"task": None},
    ],
)
def test_classes_that_do_not_fit_the_network_are_refused(tmp_path, changes):
    run, new = trained(tmp_path, lambda a, b: "yes" if a > b else "no")
    assert set(predict_table(run, new).labels) <= {"yes", "no"}
    damaged(run, **changes)
    with pytest.raises(ModelFileError, match=r"says of its outputs \(2\) does not fit"):
        predict_table(run, new)


@pytest.mark.parametrize(
    "changes", [{"target_std": "large"}, {"target_mean": None}, {"task": "classification"}]
)
def test_a_target_without_units_is_refused(tmp_path, changes):
    run, new = trained(tmp_path, lambda a, b: 100 * a + b)
    assert predict_table(run, new).labels.dtype == np.float64
    damaged(run, **changes)
    with pytest.raises(ModelFileError, match=r"of its outputs \(1\) does not fit"):
        predict_table(run, new)


def test_neither_model_nor_table_is_overwritten(tmp_path):
    run, new = trained(tmp_path, lambda a, b: "yes" if a > b else "no")
    model = run / "model.safetensors"
    for path in (new, tmp_path / "link.csv"):
        if not path.exists():
            path.symlink_to(new)
        with pytest.raises(RunError, match="is what the predictions are made from"):
            check_output(path, force=True, inputs=(new, model))
    with pytest.raises(RunError, match=r"ends in \.csv"):
        check_output(model, force=True, inputs=(new, model))


def test_a_folder_that_is_not_there_is_named(tmp_path):
    run, new = trained(tmp_path, lambda a, b: a + b)
    with pytest.raises(RunError, match="No such file or directory; choose a folder that is there"):
        write_predictions(predict_table(run, new), tmp_path / "nowhere" / "x.csv")


def test_what_has_no_model_says_how_it_stands(tmp_path):
    with pytest.raises(ValueError, match="bad"), Run.create(tmp_path / "run", config={}):
        raise ValueError("a bad end")
    with pytest.raises(RunError, match=r"it is failed \(a bad end\); go on with"):
        model_file(tmp_path / "run")
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "sweep.sqlite").touch()
    with pytest.raises(RunError, match="is a sweep"):
        model_file(tmp_path / "sweep")


def test_columns_keep_the_kind_they_had_in_training(tmp_path):
    rows = [
        [code, day, i / 7, "yes" if code == "A1" else "no"]
        for i, (code, day) in enumerate([("01", "2024-01-01"), ("02", "soon"), ("A1", "soon")] * 20)
    ]
    header = ["code", "day", "x", "y"]
    request = FreeNetRequest(
        data=str(written(tmp_path / "table.csv", header, rows)),
        target="y", neurons=4, epochs=1, out=tmp_path / "run", baseline=False,
    )  # fmt: skip
    train_freenet(request)
    run = tmp_path / "run"
    every = predict_table(run, tmp_path / "table.csv")
    few = predict_table(run, written(tmp_path / "new.csv", header[:3], [rows[0][:3], rows[3][:3]]))
    np.testing.assert_allclose(few.probabilities, every.probabilities[[0, 3]], rtol=1e-5)
    assert few.warnings == ()
    new = tmp_path / "new.csv"
    new.write_text("code;day;x\n01;2024-01-01;0\n01;2024-01-01;" + f"{3 / 7}\n")
    again = predict_table(run, new)
    np.testing.assert_allclose(again.probabilities, few.probabilities, rtol=1e-5)
    assert again.warnings == ("new.csv read with semicolons between columns",)
