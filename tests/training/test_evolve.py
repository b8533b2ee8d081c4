"""Algorithm 1 of the FreeNets paper: training and rewiring in turns."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from nervure import FreeNet, Topology
from nervure.errors import EngineError
from nervure.rules import CoActivationStatistics, evolved
from nervure.training import TrainingOptions, evolve_until_fixed, fit
from nervure.training.evolve import coactivation_rule

OPTIONS = TrainingOptions(epochs=20, optimizer="adam", learning_rate=0.01, schedule="constant")
# A rate that leaves every weight where it is, to within rounding.
STILL = TrainingOptions(epochs=9, optimizer="sgd", learning_rate=1e-20)


def make_data(rows=200):
    rng = np.random.default_rng(0)
    # One sign, as pixels have: neurons are then often active together.
    x = rng.random((rows, 5)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] > 1).astype(np.int64)


def evolve(network, data=None, options=OPTIONS, **more):
    x, y = make_data() if data is None else data
    return evolve_until_fixed(network, x, y, task="classification", options=options, **more)


def alternating():
    """Two neurons that are active together on one half of the samples, inactive on the other."""
    network = FreeNet(1, 2, neurons=2, seed=0)
    with torch.no_grad():
        network.encoder.weight.fill_(1)
        network.encoder.bias.zero_()
        network.core.weight.fill_(0.5)
    x = np.array([[-1.0], [1.0]] * 8, dtype=np.float32)
    return network, (x, np.array([0, 1] * 8))


def test_it_ends_at_a_fixed_point_of_the_update():
    network = FreeNet(5, 2, neurons=15, seed=0)
    heard = []
    found = evolve(network, epsilon=0.3, on_round=heard.append)
    assert found.ended == "fixed point"
    assert found.period is None
    assert heard == found.rounds
    assert len(found.rounds) > 1
    assert found.rounds[0].edges == 105
    assert found.rounds[0].pruned > 0
    for before, after in zip(found.rounds, found.rounds[1:], strict=False):
        assert after.edges == before.edges - before.pruned + before.grown
    last = found.rounds[-1]
    assert (last.pruned, last.grown, last.edges) == (0, 0, network.topology.num_edges)
    statistics = CoActivationStatistics(15)
    statistics.add(network.activations(torch.from_numpy(make_data()[0])))
    update = evolved(network.topology, statistics, 0.3)
    assert update.after == network.topology
    # Theorem 2: what is to be grown and not to be pruned is there.
    assert not (update.augment & ~update.prune).any()


def test_a_round_lasts_until_the_loss_no_longer_falls():
    network, data = alternating()
    found = evolve(network, data, STILL, epsilon=0.25, patience=3)
    # The first epoch sets the mark, and three do not get below it.
    assert [done.epochs for done in found.rounds] == [4]
    found = evolve(network, data, STILL, epsilon=0.25, patience=50)
    assert [done.epochs for done in found.rounds] == [STILL.epochs]


def test_a_wiring_that_returns_is_a_cycle():
    network, data = alternating()
    found = evolve(network, data, STILL, epsilon=0.75, patience=1)
    assert (found.ended, found.period) == ("cycle", 2)
    # Away, back, and the wiring that came back is trained.
    assert [(done.pruned, done.grown) for done in found.rounds] == [(1, 0), (0, 1), (0, 0)]
    assert found.rounds[-1].edges == network.topology.num_edges == 1
    # Its weight came back with it.
    torch.testing.assert_close(network.core.weight.detach(), torch.tensor([0.5]))


def test_the_number_of_updates_is_limited():
    network, data = alternating()
    found = evolve(network, data, STILL, epsilon=0.75, patience=1, max_updates=1)
    assert (found.ended, found.period) == ("limit", None)
    assert [(done.pruned, done.edges) for done in found.rounds] == [(1, 1), (0, 0)]


def test_ctrl_c_ends_it_without_an_update(monkeypatch):
    network = FreeNet(5, 2, neurons=15, seed=0)
    forward, calls = FreeNet.forward, []

    def interrupted(self, x):
        calls.append(1)
        if len(calls) > 30:
            raise KeyboardInterrupt
        return forward(self, x)

    monkeypatch.setattr(FreeNet, "forward", interrupted)
    found = evolve(network)
    assert found.ended == "interrupted"
    assert [done.pruned for done in found.rounds] == [0]


def test_sparse_rows_give_the_same_as_dense():
    x, y = make_data()
    x[x < 0.5] = 0
    wirings = []
    for rows in (x, csr_matrix(x)):
        network = FreeNet(5, 2, neurons=12, seed=0)
        evolve(network, (rows, y), epsilon=0.4)
        wirings.append(network.topology)
    assert wirings[0] == wirings[1]
    assert wirings[0] != Topology.dense_dag(12, np.arange(12), np.arange(12))


def test_options_report_every_problem():
    with pytest.raises(EngineError) as caught:
        evolve(FreeNet(5, 2, neurons=3), max_updates=0, patience=0, tolerance=float("nan"))
    for word in ("max_updates", "patience", "tolerance"):
        assert word in str(caught.value)


@pytest.mark.parametrize("statistics", ["data", "batches"])
@pytest.mark.parametrize(("interval", "updates"), [(None, 3), (4, 7), (100, 0)])
def test_the_rule_updates_every_epoch_or_interval(statistics, interval, updates):
    x, y = make_data()
    options = TrainingOptions(epochs=3, batch_size=21, optimizer="adam", learning_rate=0.01)
    network = FreeNet(5, 2, neurons=10, seed=0)
    seen = []
    rule = coactivation_rule(
        network, x, options, epsilon=0.3, interval=interval, statistics=statistics,
        on_update=lambda _, counts: seen.append(counts.samples),
    )  # fmt: skip
    fit(network, x, y, task="classification", options=options, rule=rule)
    assert len(seen) == updates
    # Four batches of 21, or three and the last of an epoch with 11.
    assert set(seen) <= ({200} if statistics == "data" or interval is None else {84, 74})


def test_unknown_statistics_are_refused():
    with pytest.raises(EngineError, match="expected data or batches, got 'all'"):
        coactivation_rule(FreeNet(2, 2), np.zeros((3, 2)), OPTIONS, epsilon=0.3, statistics="all")


def test_metrics_of_a_freenet_do_not_speak_of_modules_or_solving():
    x, y = make_data()
    network = FreeNet(5, 2, neurons=10, seed=0)
    rule = coactivation_rule(network, x, OPTIONS, epsilon=0.3)
    fitted = fit(network, x, y, task="classification", options=OPTIONS, rule=rule)
    assert set(fitted.history[0]) == {
        "epoch", "seconds", "train_seconds", "train_loss", "edges", "pruned", "grown",
    }  # fmt: skip
    assert fitted.converged
