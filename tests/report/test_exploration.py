import numpy as np

from nervure.report import exploration
from nervure.report.exploration import LoggedUpdate, explored
from nervure.topology import Topology, layered
from nervure.training.run import RewiringRow

SIZES = [2, 2, 1]  # nodes 0 1 | 2 3 | 4; six cells


def edges(*pairs):
    return np.array(pairs, dtype=np.int32).reshape(-1, 2)


def wiring(*pairs):
    return Topology.from_edges(edges(*pairs), num_nodes=5)


def test_every_edge_is_followed():
    last = wiring((0, 2), (1, 2), (2, 4))
    rows = [
        RewiringRow(10, 1, edges((0, 3)), edges((1, 3))),
        RewiringRow(20, 2, edges((1, 3), (0, 2)), edges((1, 2), (0, 2))),
        RewiringRow(30, 3, edges(), edges((1, 3))),
        RewiringRow(40, 3, edges((1, 3)), edges()),
    ]
    # The start is known from what was pruned: (0, 2), (0, 3) and the untouched (2, 4).
    found = explored(SIZES, [(2, wiring((0, 2), (1, 2), (2, 4))), (3, last)], rows)
    assert found.updates == [
        LoggedUpdate(10, 1, 1, 1, 1),
        LoggedUpdate(20, 2, 2, 2, 1),
        LoggedUpdate(30, 3, 0, 1, 0),
        LoggedUpdate(40, 3, 1, 0, 0),
    ]
    assert found.start.tolist() == [2, 1]
    assert found.kept.tolist() == [1, 1]
    assert found.pruned.tolist() == [4, 0]
    assert found.grown.tolist() == [4, 0]
    assert found.tried.tolist() == [4, 1]


def test_it_agrees_with_sets():
    rng = np.random.default_rng(0)
    sizes = [20, 15, 4]
    topology = layered(sizes, density=0.3, seed=0)
    every = {tuple(edge) for edge in layered(sizes).edges.tolist()}
    start = {tuple(edge) for edge in topology.edges.tolist()}
    present, ever, rows = set(start), set(start), []
    snapshots = [(0, topology)]
    for step in range(1, 8):
        gone = [sorted(present)[i] for i in rng.choice(len(present), 12, replace=False)]
        absent = sorted(every - present)
        new = [absent[i] for i in rng.choice(len(absent), 12, replace=False)]
        present = (present - set(gone)) | set(new)
        ever |= set(new)
        rows.append(RewiringRow(step, step, edges(*gone), edges(*new)))
        snapshots.append((step, Topology.from_edges(sorted(present), num_nodes=39)))
    for known in (snapshots, snapshots[3:]):
        found = explored(sizes, known, rows)
        assert int(found.start.sum()) == len(start)
        assert int(found.tried.sum()) == len(ever)
        assert int(found.kept.sum()) == len(start & present)
        assert sum(update.new for update in found.updates) == len(ever) - len(start)


def test_what_cannot_be_followed_is_left_out(monkeypatch):
    snapshots = [(0, wiring((0, 2)))]
    rows = [RewiringRow(1, 1, edges(), edges((1, 2)))]
    assert explored(SIZES, snapshots, rows) is not None
    assert explored(SIZES, snapshots, []) is None
    for strange in ((0, 1), (0, 4), (0, 9), (-1, 2)):
        assert explored(SIZES, snapshots, [RewiringRow(1, 1, edges(strange), edges())]) is None
    monkeypatch.setattr(exploration, "MOST_CELLS", 5)
    assert explored(SIZES, snapshots, rows) is None
