"""State that does not fit what it is loaded into is refused before anything goes on from it."""

import copy
import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

from nervure.errors import EngineError
from nervure.networks import FreeNet, NeuralModules, SparseMLP
from nervure.rules import SET, CoActivation, EdgePruning, Repulsion
from nervure.training import Training, TrainingOptions
from nervure.training.stored_state import expect_like

X, Y = load_iris(return_X_y=True)
X = X.astype("float32")
OPTIONS = TrainingOptions(epochs=4, batch_size=50, learning_rate=0.01, optimizer="adam")
CASES = {
    "modules": (
        lambda: NeuralModules(4, 3, nodes=6, seed=0), lambda n, o: Repulsion(n, o, keep=20)
    ),
    "freenet": (
        lambda: FreeNet(4, 3, neurons=6, seed=0), lambda n, o: CoActivation(n, o, interval=2)
    ),
    "set": (
        lambda: SparseMLP([4, 6, 3], density=0.5, seed=0), lambda n, o: SET(n, o, interval=2)
    ),
    "pruning": (
        lambda: SparseMLP([4, 6, 3], density=1.0, seed=0),
        lambda n, o: EdgePruning(n, o, measure=lambda: 1.0, threshold=0.5, step=0.1, interval=2),
    ),
}  # fmt: skip


def begun(name):
    build, rule = CASES[name]
    return Training(
        build(), X, Y, task="classification", options=OPTIONS, rule=rule, validation=(X, Y)
    )


@pytest.fixture(scope="module")
def states():
    found = {}
    for name in CASES:
        training = begun(name)
        training.epoch()
        found[name] = copy.deepcopy(training.state_dict())
    return found


@pytest.mark.parametrize("name", CASES)
def test_an_unchanged_state_fits(states, name):
    training = begun(name)
    training.load_state_dict(copy.deepcopy(states[name]))
    assert math.isfinite(training.epoch()["train_loss"])


def put(*path, to):
    def change(state):
        for key in path[:-1]:
            state = state[key]
        state[path[-1]] = to

    return change


ADAM = ("optimizer", "state", 0)
GROUP = ("optimizer", "param_groups", 0)
DAMAGES = {
    "step": ("modules", put("step", to="many"), r"training\.step: expected a int, got a str"),
    "converged": ("modules", put("converged", to=1), r"training\.converged"),
    "history": ("modules", put("history", to=["many"]), ""),
    "best": ("modules", put("best", "merit", to="low"), r"best\.merit: expected a tuple"),
    "best merit": ("modules", put("best", "merit", to=(1.0,)), "an error, a loss and the tensors"),
    "best state": ("modules", put("best", "state", to={"a": 1}), "and the tensors"),
    "generator": ("modules", put("generator", "state", "state", to=-1), ""),
    "moments missing": ("modules", lambda s: s["optimizer"]["state"][0].pop("exp_avg"), "keeps"),
    "moments": ("modules", put(*ADAM, "exp_avg", to=[1.0]), "exp_avg of the optimizer"),
    "moment shape": ("modules", put(*ADAM, "exp_avg", to=torch.zeros(1)), r"got a tensor of"),
    "negative step": ("modules", put(*ADAM, "step", to=torch.tensor(-1.0)), "at least 0"),
    "endless step": ("modules", put(*ADAM, "step", to=torch.tensor(math.inf)), "at least 0"),
    "rate": ("modules", put(*GROUP, "lr", to="fast"), "lr: expected"),
    "negative rate": ("modules", put(*GROUP, "lr", to=-1.0), "lr: expected"),
    "betas": ("modules", put(*GROUP, "betas", to=(2, 0)), "differ: betas"),
    "option": ("modules", put(*GROUP, "x", to=1), "differ: keys"),
    "rule": ("modules", put("rule", "step", to="mine"), "rule: expected keep"),
    "rule value": ("modules", put("rule", "alpha", to="x"), r"rule\.alpha: expected a float"),
    "interval": ("freenet", put("rule", "interval", to=0), "an interval of 0"),
    "pairs": ("freenet", put("rule", "kept", to=torch.ones(1, 1)), "no state of this rule"),
    "counts": ("freenet", put("rule", "statistics", "both", to=[1]), r"statistics\.both"),
    "fewer outputs": (
        "modules", put("network", "core.topology.outputs", to=torch.arange(5).int()),
        "6 inputs and 5 outputs, this one 6 and 6",
    ),
    "start": ("set", put("rule", "start", to=["x"]), r"rule\.start\[0\]: expected"),
    "start in fractions": ("set", put("rule", "start", to=[1.5]), "no state of this rule"),
    "search": ("pruning", put("rule", "search", "step", to=math.nan), "no state of a search"),
    "search step": ("pruning", put("rule", "search", "step", to=5.0), "no state of a search"),
    "proposal": ("pruning", put("rule", "search", "pruned", to=0.99), "no state of a search"),
    "tried": ("pruning", put("rule", "tried", to="x"), "no state of this pruning"),
    "nothing accepted": ("pruning", put("rule", "accepted", to=None), "no state of this pruning"),
    "accepted": ("pruning", put("rule", "accepted", to={"x": 1}), "no state of this pruning"),
    "best round": ("pruning", put("rule", "best", to=True), "no state of this pruning"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_state_that_does_not_fit(states, damage):
    name, change, words = DAMAGES[damage]
    state = copy.deepcopy(states[name])
    change(state)
    with pytest.raises(EngineError, match=f"does not fit this training: .*{words}"):
        begun(name).load_state_dict(state)


def test_repulsion_takes_its_own_values_only(states):
    network = NeuralModules(4, 3, nodes=6, seed=0)
    rule = Repulsion(network, torch.optim.SGD(network.parameters(), lr=0.1), keep=20)
    rule.load_state_dict({**states["modules"]["rule"], "alpha": 0.5, "step": "mine"})
    assert rule.alpha == 0.5
    assert callable(rule.step)


@pytest.mark.parametrize(
    ("own", "given"),
    [
        (None, object()),
        (1, 2.5),
        (True, False),
        ([], ["anything"]),
        ([1.0], []),
        (torch.zeros(2), torch.zeros(5)),
        ({"a": (1, 2)}, {"a": (3,)}),
    ],
)
def test_what_is_alike(own, given):
    expect_like(own, given, "x")


@pytest.mark.parametrize(
    ("own", "given"),
    [
        (1, True),
        (1, "1"),
        (True, 1),
        ("a", None),
        ([1], (1,)),
        ([1], [1, "x"]),
        ({"a": 1}, {"a": 1, "b": 1}),
        ({"a": 1}, [1]),
        (torch.zeros(2), torch.zeros(2, 1)),
        (torch.zeros(2), torch.zeros(2).double()),
        (torch.zeros(2), np.zeros(2, dtype=np.float32)),
    ],
)
def test_what_is_not_alike(own, given):
    with pytest.raises(ValueError, match=r"^x"):
        expect_like(own, given, "x")
