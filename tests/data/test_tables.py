"""Users' tables: reading, encoding, splitting, and every way they go wrong."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nervure.data import (
    ArrayEncoder,
    TableEncoder,
    detect_task,
    encoder_from_json,
    open_source,
    prepare,
    read_table,
    split_rows,
)
from nervure.errors import DataError

ROWS = 200


def write_csv(path, seed=0, rows=ROWS):
    rng = np.random.default_rng(seed)
    colours = np.array(["red", "green", "blue"])[rng.integers(0, 3, rows)]
    age = rng.normal(40, 10, rows).round(1)
    kind = np.where((age > 40) ^ (colours == "red"), "yes", "no")
    with path.open("w") as file:
        file.write("id,age,colour,flag,day,constant,empty,kind\n")
        for i in range(rows):
            shown = "" if i % 17 == 0 else age[i]
            colour = "" if i % 23 == 0 else colours[i]
            flag, day = "true" if i % 2 else "false", 1 + i % 28
            file.write(f"name{i},{shown},{colour},{flag},2024-01-{day:02d},7,,{kind[i]}\n")
    return path


def test_csv_end_to_end(tmp_path):
    source = open_source(str(write_csv(tmp_path / "people.csv")), target="kind")
    data = prepare(source, seed=0)
    assert data.task == "classification"
    assert data.class_names == ("no", "yes")
    assert data.feature_names == (
        "age", "age (missing)", "day",
        "colour=blue", "colour=green", "colour=red", "colour=(missing)",
        "flag=false", "flag=true",
    )  # fmt: skip
    notes = " ".join(data.messages)
    assert "id left out" in notes
    assert "constant left out" in notes
    assert "empty left out" in notes
    assert "different words" in notes
    train = data.x_train[:, 0]
    assert abs(train.mean()) < 1e-6
    assert train.std() == pytest.approx(1.0, rel=1e-5)
    parts = [len(y) for y in (data.y_train, data.y_validation, data.y_test)]
    assert parts == [140, 20, 40]


def test_scaling_sees_training_rows_only(tmp_path):
    path = tmp_path / "t.csv"
    values = np.arange(100.0)
    path.write_text("x,y\n" + "".join(f"{v},{v * 2 + 0.5}\n" for v in values))
    data = prepare(open_source(str(path), target="y"), seed=3)
    split = split_rows(values, seed=3, classes=False)
    assert data.task == "regression"
    assert data.target_mean == pytest.approx((values[split.train] * 2 + 0.5).mean())
    column = data.encoder.numeric[0]
    assert column.mean == pytest.approx(values[split.train].mean())


@pytest.mark.parametrize("suffix", ["parquet", "npz", "csv.gz"])
def test_other_formats_give_the_same(tmp_path, suffix):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 3)), rng.integers(0, 2, 50)
    path = tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        columns = {f"x{i}": x[:, i] for i in range(3)}
        pq.write_table(pa.table({**columns, "y": y}), path)
    elif suffix == "npz":
        np.savez(path, X=x, y=y)
    else:
        import gzip

        lines = ["x0,x1,x2,y", *(",".join(map(str, [*r, t])) for r, t in zip(x, y, strict=True))]
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
    table = read_table(path)
    assert list(table.columns) == ["x0", "x1", "x2", "y"]
    np.testing.assert_allclose(table.columns["x1"].values, x[:, 1])
    assert open_source(str(path), target="y").task == "classification"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("a,b\n1,2\n3\n", "cannot read"),
        ("a,b\n", "no rows"),
        ("a,a\n1,2\n", "several columns named a"),
    ],
)
def test_malformed_csv_is_refused(tmp_path, content, word):
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=word):
        read_table(path)


def test_missing_or_foreign_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="no file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "t.xlsx").write_text("x")
    with pytest.raises(DataError, match=r"expected a .csv"):
        read_table(tmp_path / "t.xlsx")
    (tmp_path / "t.parquet").write_text("x")
    with pytest.raises(DataError, match="cannot read"):
        read_table(tmp_path / "t.parquet")
    (tmp_path / "t.npz").write_text("x")
    with pytest.raises(DataError, match="cannot read"):
        read_table(tmp_path / "t.npz")
    np.savez(tmp_path / "u.npz", a=np.zeros(3), b=np.zeros(4))
    with pytest.raises(DataError, match="differ in length"):
        read_table(tmp_path / "u.npz")


def test_target_problems_are_named(tmp_path):
    path = str(write_csv(tmp_path / "people.csv"))
    with pytest.raises(DataError, match=r"did you mean kind\?"):
        open_source(path, target="knd")
    with pytest.raises(DataError, match="--target"):
        open_source(path)
    with pytest.raises(DataError, match="single value"):
        open_source(path, target="constant")
    with pytest.raises(DataError, match="is empty"):
        open_source(path, target="empty")
    with pytest.raises(DataError, match="regression needs numbers"):
        open_source(path, target="kind", task="regression")


def test_rows_without_target_are_left_out_and_counted(tmp_path):
    source = open_source(str(write_csv(tmp_path / "people.csv")), target="age")
    assert source.task == "regression"
    assert "12 rows left out" in source.messages[0]
    assert source.table.rows == ROWS - 12


def test_detection_of_the_task(tmp_path):
    path = tmp_path / "t.csv"
    rows = "".join(f"{i % 3},{i},{i % 3 + 0.5},{'a' if i % 2 else 'b'}\n" for i in range(60))
    path.write_text("few,many,halves,words\n" + rows)
    table = read_table(path)
    found = {name: detect_task(column)[0] for name, column in table.columns.items()}
    assert found == {
        "few": "classification",
        "many": "regression",
        "halves": "regression",
        "words": "classification",
    }


def test_encoders_survive_json_exactly(tmp_path):
    import json

    data = prepare(open_source(str(write_csv(tmp_path / "people.csv")), target="kind"), seed=0)
    table = read_table(write_csv(tmp_path / "more.csv", seed=1))
    twin = encoder_from_json(json.loads(json.dumps(data.encoder.to_json())))
    np.testing.assert_array_equal(twin.transform(table), data.encoder.transform(table))
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    x[:, 1] = 5.0
    array = ArrayEncoder.fit(x, ("a", "b", "c"))
    twin = encoder_from_json(json.loads(json.dumps(array.to_json())))
    np.testing.assert_array_equal(twin.transform(x), array.transform(x))
    assert (array.transform(x)[:, 1] == 0).all()


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"kind": "other"},
        {"kind": "array", "names": ["a"], "mean": [0.0, 1.0], "std": [1.0], "sparse": False},
        {"kind": "array", "names": ["a"], "mean": [0.0], "std": [-1.0], "sparse": False},
        {"kind": "table", "numeric": [["a", 1.0]], "categorical": []},
        {"kind": "table", "numeric": 3, "categorical": []},
    ],
)
def test_damaged_encoders_are_refused(state):
    with pytest.raises(DataError, match="damaged"):
        encoder_from_json(state)


def test_prediction_tables_are_checked_all_at_once(tmp_path):
    train = read_table(write_csv(tmp_path / "people.csv"))
    encoder = TableEncoder.fit(train, exclude="kind")
    (tmp_path / "new.csv").write_text("colour,flag,ages\npurple,true,3\nred,false,4\n")
    with pytest.raises(DataError) as caught:
        encoder.transform(read_table(tmp_path / "new.csv"))
    for word in ("column age is missing (did you mean ages?)", "column day is missing"):
        assert word in str(caught.value)
    (tmp_path / "new.csv").write_text("colour,flag,day,age\npurple,true,2024-01-01,old\n")
    with pytest.raises(DataError, match="age: expected numbers, got text"):
        encoder.transform(read_table(tmp_path / "new.csv"))


def test_unknown_categories_give_zeros_and_a_warning(tmp_path):
    encoder = TableEncoder.fit(read_table(write_csv(tmp_path / "people.csv")), exclude="kind")
    (tmp_path / "new.csv").write_text("age,colour,flag,day\n30,purple,true,2024-01-01\n")
    encoded = encoder.transform(read_table(tmp_path / "new.csv"))
    colours = [i for i, n in enumerate(encoder.feature_names) if n.startswith("colour=")]
    assert (encoded[0, colours] == 0).all()
    assert "purple" in encoder.warnings[0]


def test_rare_categories_are_taken_together(tmp_path):
    path = tmp_path / "t.csv"
    words = [f"w{i % 60:02d}" for i in range(600)] + ["w00"] * 5
    path.write_text("word,x\n" + "".join(f"{w},{i}\n" for i, w in enumerate(words)))
    encoder = TableEncoder.fit(read_table(path), exclude="x")
    assert len(encoder.feature_names) == 51
    assert "rarest of 60" in encoder.notes[0]


def test_array_encoder_reads_tables_by_feature_name(tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    encoder = ArrayEncoder.fit(x, ("a", "b"))
    path = tmp_path / "t.csv"
    path.write_text("b,extra,a\n" + "".join(f"{r[1]},0,{r[0]}\n" for r in x.tolist()))
    np.testing.assert_allclose(encoder.transform(read_table(path)), encoder.transform(x), atol=1e-6)
    path.write_text("b,c\n1,2\n")
    with pytest.raises(DataError, match="missing: a"):
        encoder.transform(read_table(path))


def test_nearly_constant_features_are_clipped():
    x = np.zeros((10_000, 1), dtype=np.float32)
    x[0] = 1.0
    assert ArrayEncoder.fit(x, ("pixel",)).transform(x).max() == 10.0


# -- splits ----------------------------------------------------------------------------------------


def test_split_is_stratified_complete_and_repeatable():
    y = np.repeat([0, 1, 2], [600, 300, 100])
    first, second = (split_rows(y, seed=5, classes=True) for _ in range(2))
    parts = (first.train, first.validation, first.test)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(1000))
    for part, size in zip(parts, (700, 100, 200), strict=True):
        assert len(part) == size
        np.testing.assert_allclose(np.bincount(y[part]) / size, [0.6, 0.3, 0.1], atol=0.01)
    assert np.array_equal(first.test, second.test)
    assert not np.array_equal(first.test, split_rows(y, seed=6, classes=True).test)


def test_split_by_group_keeps_groups_whole():
    groups = np.repeat(np.arange(8), 50)
    y = np.tile([0, 1], 200)
    split = split_rows(y, seed=0, classes=True, groups=groups)
    sides = [set(groups[p]) for p in (split.train, split.validation, split.test)]
    assert set.union(*sides) == set(range(8))
    assert sum(map(len, sides)) == 8
    with pytest.raises(DataError, match="3 groups"):
        split_rows(y, seed=0, classes=True, groups=groups % 2)


def test_official_test_part_is_used_as_it_is():
    official = np.zeros(100, dtype=bool)
    official[80:] = True
    split = split_rows(np.tile([0, 1], 50), seed=0, classes=True, official_test=official)
    assert split.test.tolist() == list(range(80, 100))


def test_lonely_classes_stay_in_training_and_few_rows_are_refused():
    y = np.array([0] * 30 + [1] * 30 + [2])
    assert 60 in split_rows(y, seed=0, classes=True).train
    with pytest.raises(DataError, match="at least 5 rows"):
        split_rows(y[:3], seed=0, classes=True)
