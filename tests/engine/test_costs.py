"""The model of costs: counts of a topology, the table and the choice."""

import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nervure
from nervure import Topology, engine, folders
from nervure.engine import calibration, costs
from nervure.errors import EngineError

from .graphs import fuzzed

# Rates of a plain machine: a dense cell is cheap, an edge costs more, each level a few calls.
_RATES = {
    "call": 1e-4, "native_node": 1e-9, "native_edge": 1e-10, "native_panel_edge": 5e-11,
    "native_load": 1e-9, "dense_level": 3e-5, "dense_node": 1e-9, "dense_cell": 1e-11,
    "dense_fill": 1e-9, "csr_level": 5e-5, "csr_node": 5e-9, "csr_edge": 1e-10,
    "csr_load": 1e-9,
}  # fmt: skip
TABLE = costs.CostTable(
    {dtype: dict.fromkeys(costs.MODES, _RATES) for dtype in costs.DTYPES},
    threads=1,
    machine="a plain one",
    version=nervure.__version__,
)


@pytest.fixture(autouse=True)
def cache_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    costs._default_table.cache_clear()
    yield
    costs._default_table.cache_clear()


def work_of(topology):
    return engine.plan(topology, "tanh").workload


def chosen(topology, *, batch=256, training=True, table=TABLE, dtype=torch.float32, threads=1):
    return costs.choose(work_of(topology), batch, dtype, threads, training, table)


def test_counts_of_a_full_layered_graph():
    work = work_of(Topology.layered([8, 16, 3]))
    edges = 8 * 16 + 16 * 3
    assert work == costs.Workload(27, edges, edges, 3, edges, acyclic=True)


@given(seed=st.integers(0, 10**6), nodes=st.integers(1, 30), share=st.floats(0, 1))
@fuzzed(40)
def test_counts_equal_plain_loops(seed, nodes, share):
    edges = int(share * nodes * (nodes - 1) / 2)
    topology = Topology.erdos_renyi(nodes, edges=edges, acyclic=True, seed=seed)
    work = work_of(topology)
    rows = [tuple(topology.sources[a:b]) for a, b in pairwise(topology.indptr)]
    alike = list(zip(topology.levels.tolist(), rows, strict=True))
    assert work.dense_cells == sum(
        sum(lv == level for lv, _ in alike)
        * len({s for lv, sources in alike if lv == level for s in sources})
        for level in range(work.levels)
    )
    assert work.acyclic


def test_cells_of_very_deep_graphs_are_bounded():
    nodes = 3000
    chain = Topology.from_edges([(i, i + 1) for i in range(nodes - 1)])
    assert work_of(chain).dense_cells == nodes - 1
    # Two targets a level, each with a source of its own: two of the four cells are bound to exist.
    pairs = [(i, i + 2) for i in range(nodes - 2)]
    assert 2 * (nodes - 2) <= work_of(Topology.from_edges(pairs)).dense_cells <= 2 * nodes


def test_cyclic_and_empty_graphs():
    cyclic = work_of(Topology.erdos_renyi(30, edges=200, acyclic=False, seed=0))
    assert not cyclic.acyclic
    assert set(costs.estimate(TABLE, cyclic, 32, torch.float32, 1, False)) == {"native"}
    none = np.zeros(0, np.int32)
    assert costs.workload(np.zeros(1, np.int32), none, none, 0).levels == 0


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_choice(training, dtype):
    options = {"training": training, "dtype": dtype}
    full = Topology.layered([512] * 4)
    assert chosen(full, **options) == "dense"
    assert chosen(Topology.layered([512] * 4, density=0.01, seed=0), **options) == "native"
    assert chosen(Topology.erdos_renyi(100, edges=5000, seed=0), **options) == "native"
    assert chosen(Topology.dense_dag(200), batch=1, **options) == "native"


@pytest.mark.parametrize("training", [False, True])
def test_choice_by_the_packaged_table(training):
    table = costs.load_table(costs.PACKAGED)
    sparse = Topology.layered([512] * 4, density=0.005, seed=0)
    assert chosen(sparse, training=training, table=table) == "native"
    cyclic = Topology.erdos_renyi(100, edges=5000, seed=0)
    assert chosen(cyclic, training=training, table=table) == "native"
    # Nearly full, yet no two nodes alike: what panels cannot help with and products can.
    crowded = Topology.layered([1024] * 4, density=0.8, seed=0)
    assert chosen(crowded, training=training, table=table, batch=512) == "dense"


def test_choice_changes_once_as_edges_are_added():
    choices = [
        chosen(Topology.layered([256] * 3, density=d, seed=0))
        for d in (0.005, 0.02, 0.1, 0.2, 0.4, 0.8, 1.0)
    ]
    changes = sum(a != b for a, b in pairwise(choices))
    assert (choices[0], choices[-1], changes) == ("native", "dense", 1)


def test_csr_is_chosen_where_it_wins_and_can_run(monkeypatch):
    rates = _RATES | {"csr_level": 0.0, "csr_node": 0.0, "csr_edge": 1e-12, "csr_load": 0.0}
    table = dataclasses.replace(
        TABLE, rates={dtype: dict.fromkeys(costs.MODES, rates) for dtype in costs.DTYPES}
    )
    sparse = Topology.layered([512] * 3, density=0.1, seed=0)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    assert chosen(sparse, table=table) == "csr"
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    assert chosen(sparse, table=table) != "csr"


def test_matrices_beyond_the_limit_are_not_chosen():
    work = dataclasses.replace(work_of(Topology.layered([64, 64])), edges=2**29, dense_cells=2**29)
    assert costs.choose(work, 256, torch.float32, 1, True, TABLE) != "dense"


def test_threads_and_batch_scale_the_estimates():
    work = work_of(Topology.layered([256] * 3))

    def seconds(batch, threads):
        return costs.estimate(TABLE, work, batch, torch.float32, threads, False)

    for backend in costs.CONSTANTS:
        assert seconds(256, 4)[backend] < seconds(256, 1)[backend]
        assert seconds(512, 1)[backend] > seconds(256, 1)[backend]
    # One chunk keeps one thread busy, whatever the others do.
    assert seconds(32, 4)["native"] == seconds(1, 1)["native"]
    with pytest.raises(EngineError, match="float16"):
        costs.estimate(TABLE, work, 1, torch.float16, 1, False)


def test_table_round_trip(tmp_path):
    assert costs.load_table(costs.save_table(TABLE, tmp_path / "folder" / "t.json")) == TABLE


def test_own_table_comes_first():
    assert costs.load_table() == costs.load_table(costs.PACKAGED)
    work = work_of(Topology.layered([256] * 3))
    costs.choose(work, 32, torch.float32, 1, False)
    slow = _RATES | {"native_edge": 1.0, "native_panel_edge": 1.0}
    own = dataclasses.replace(
        TABLE, rates={dtype: dict.fromkeys(costs.MODES, slow) for dtype in costs.DTYPES}
    )
    assert costs.save_table(own) == costs.user_table_path()
    assert costs.load_table() == own
    assert costs.choose(work, 1, torch.float32, 1, False) == "dense"


def _without_a_rate(found):
    del found["rates"]["float64"]["training"]["call"]


def _negative(found):
    found["rates"]["float32"]["inference"]["call"] = -1.0


def _other_version(found):
    found["version"] = "0.0.0"


@pytest.mark.parametrize("damage", [_without_a_rate, _negative, _other_version])
def test_damaged_own_table_is_reported_and_ignored(damage):
    path = costs.save_table(TABLE)
    found = json.loads(path.read_text())
    damage(found)
    path.write_text(json.dumps(found))
    with pytest.warns(UserWarning, match="packaged table of costs"):
        assert costs.load_table() == costs.load_table(costs.PACKAGED)


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_unreadable_tables(text):
    path = costs.save_table(TABLE)
    path.write_text(text)
    with pytest.raises(EngineError, match="not a table of costs"):
        costs.load_table(path)
    with pytest.warns(UserWarning, match="not a table of costs"):
        costs.load_table()


def test_calibration(monkeypatch):
    monkeypatch.setattr(
        calibration, "_SHAPES", (([1, 1], 1.0, 1), ([8] * 5, 1.0, 4), ([20] * 3, 0.3, 33))
    )
    calls = []
    table = calibration.calibrate(0.1, lambda done, total: calls.append((done, total)))
    assert calls == [(i + 1, 6) for i in range(6)]
    assert table.version == nervure.__version__
    assert costs.load_table(costs.save_table(table)) == table


def test_a_table_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = costs.save_table(TABLE, tmp_path / "t.json")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        costs.save_table(dataclasses.replace(TABLE, threads=2), path)
    assert costs.load_table(path) == TABLE
