"""A training goes on from a file as if it had never stopped."""

import copy

import pytest
import torch
from sklearn.datasets import load_iris
from torch import nn

from nervure.baselines import PlainNetwork
from nervure.errors import EngineError, RunError
from nervure.networks import BlockDAG, FreeNet, GraphLinear, NeuralModules, SparseMLP
from nervure.rules import (
    SET,
    CoActivation,
    EdgePruning,
    MagnitudePruning,
    Repulsion,
    ResourceTradeoff,
    RigL,
    RuleGroup,
)
from nervure.topology import dense_dag
from nervure.training import Checkpoint, Training, TrainingOptions, carry_on
from nervure.training.checkpoint import load_state

X, Y = load_iris(return_X_y=True)
X = X.astype("float32")


def sparse(seed):
    return SparseMLP([4, 20, 20, 3], density=0.4, seed=seed)


def two_graphs(seed):
    return nn.Sequential(
        GraphLinear(4, 6, nodes=12, seed=seed), nn.Dropout(0.3), GraphLinear(6, 3, nodes=9, seed=1)
    )


def repulsions(network, optimizer):
    graphs = [module for module in network if isinstance(module, GraphLinear)]
    return RuleGroup(Repulsion(graph, optimizer, keep=20, alpha=0.1) for graph in graphs)


CASES = {
    "modules": (lambda s: NeuralModules(4, 3, nodes=15, seed=s),
                lambda n, o: Repulsion(n, o, keep=30, alpha=0.05)),
    "freenet": (lambda s: FreeNet(4, 3, neurons=15, seed=s),
                lambda n, o: CoActivation(n, o, interval=7, epsilon=0.1)),
    "set": (sparse, lambda n, o: SET(n, o, interval=5, seed=3)),
    "rigl": (sparse, lambda n, o: RigL(n, o, interval=5, end=60, seed=3)),
    "magnitude": (lambda s: SparseMLP([4, 20, 3], density=1.0, seed=s),
                  lambda n, o: MagnitudePruning(n, o, interval=5, end=30, keep=0.3)),
    "tradeoff": (lambda s: BlockDAG(dense_dag(4), 1, 4, inputs=4, outputs=3, node="mlp", seed=s),
                 lambda n, o: ResourceTradeoff(n, o, penalty=0.01, interval=5)),
    "two graphs and dropout": (two_graphs, repulsions),
    "none": (lambda s: PlainNetwork(4, 3, nodes=10, seed=s), None),
}  # fmt: skip


def begun(name, options, seed=0):
    build, rule = CASES[name]
    return Training(
        build(seed), X[::2], Y[::2], task="classification", options=options, rule=rule,
        validation=(X[1::2], Y[1::2]),
    )  # fmt: skip


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("name", CASES)
def test_it_goes_on_bit_for_bit(tmp_path, name, optimizer):
    schedule = {"sgd": "cosine", "adam": "steps", "adamw": "constant"}[optimizer]
    rate = 0.1 if optimizer == "sgd" else 0.01
    options = TrainingOptions(
        epochs=7, batch_size=16, learning_rate=rate, optimizer=optimizer, schedule=schedule
    )
    torch.manual_seed(5)
    whole = begun(name, options)
    carry_on(whole)
    for stop in (1, 4):
        path = tmp_path / f"{stop}.safetensors"
        torch.manual_seed(5)
        first = begun(name, options)
        for _ in range(stop):
            first.epoch()
        Checkpoint(path, {"training": first}).save()
        torch.manual_seed(99)
        second = begun(name, options, seed=1)
        carry_on(second, Checkpoint(path))
        assert second.fitted.best_epoch == whole.fitted.best_epoch
        losses = [[m["train_loss"] for m in t.fitted.history] for t in (whole, second)]
        assert losses[0] == losses[1]
        states = whole.network.state_dict(), second.network.state_dict()
        assert states[0].keys() == states[1].keys()
        for key, value in states[0].items():
            assert torch.equal(value, states[1][key]), key


def test_a_rule_says_where_it_stands_without_a_training(tmp_path):
    network = SparseMLP([4, 6, 3], density=1.0, seed=0)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    rule = EdgePruning(network, optimizer, measure=lambda: 1.0, threshold=0.5, step=0.2, interval=1)
    for _ in range(3):
        rule.step()
    path = tmp_path / "rule"
    Checkpoint(path, {"rule": rule}).save()
    other = copy.deepcopy(network)
    second = torch.optim.SGD(other.parameters(), lr=0.1)
    resumed = EdgePruning(
        other, second, measure=lambda: 1.0, threshold=0.5, step=0.1, interval=1, edges_of_start=42
    )
    Checkpoint(path, {"rule": resumed}).restore()
    assert resumed.rounds == rule.rounds
    assert resumed.search == rule.search


def test_another_training_is_refused(tmp_path):
    path = tmp_path / "state"
    options = TrainingOptions(epochs=3, learning_rate=0.1)
    first = begun("modules", options)
    first.epoch()
    Checkpoint(path, {"training": first}).save()
    with pytest.raises(EngineError, match="does not fit this training"):
        Checkpoint(path, {"training": begun("freenet", options)}).restore()
    with pytest.raises(EngineError, match="does not fit this training"):
        begun("none", options).load_state_dict({})
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunError, match="remove it to begin anew"):
        Checkpoint(path, {"training": begun("modules", options)}).restore()


def test_a_training_broken_off_in_mid_epoch_has_no_state():
    def broken(*_):
        raise KeyboardInterrupt

    training = Training(
        PlainNetwork(4, 3, nodes=5, seed=0), X, Y, task="classification", loss=broken,
        options=TrainingOptions(epochs=3),
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        training.epoch()
    with pytest.raises(EngineError, match="in its middle"):
        training.state_dict()


class Slow:
    """Takes its time to say where it stands."""

    def __init__(self, clock):
        self.clock = clock
        self.told = 0

    def state_dict(self):
        self.told += 1
        self.clock[0] += 2.0
        return {"told": self.told}

    def load_state_dict(self, state):
        self.told = state["told"]


def test_writing_takes_no_more_than_its_share_of_the_time(tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("nervure.training.checkpoint.time.perf_counter", lambda: clock[0])
    slow = Slow(clock)
    checkpoint = Checkpoint(tmp_path / "state", {"slow": slow}, share=0.1)
    for _ in range(100):
        clock[0] += 1.0
        checkpoint.save(due=False)
    # 2 seconds of writing after every 20 of training.
    assert slow.told == 5
    checkpoint.save()
    assert load_state(tmp_path / "state") == {"slow": {"told": 6}}


def test_nothing_is_there_at_first(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state", {})
    assert checkpoint.peek("training") is None
    assert not checkpoint.restore()


def test_a_state_taken_in_memory_serves_too():
    options = TrainingOptions(epochs=4, learning_rate=0.1)
    first, second = begun("set", options), begun("set", options)
    first.epoch()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert carry_on(first).history[1:] != []
    carry_on(second)
    for key, value in first.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[key]), key
