"""The job `nervure train freenet`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nervure.baselines import PlainNetwork, matched_hidden_size
from nervure.data import Prepared
from nervure.jobs.recording import LearnedNetwork, Recorder
from nervure.jobs.request import TrainRequest
from nervure.jobs.train import Experiment, Listener, TrainResult, run_job, sizes_of
from nervure.networks import FreeNet, count_parameters
from nervure.rules import CoActivationStatistics, Rewiring, pair_histograms
from nervure.rules.coactivation import EPSILON
from nervure.training import Fitted, TrainingOptions
from nervure.training.evolve import (
    StatisticsOver,
    automatic_freenet_rate,
    coactivation_rule,
)
from nervure.training.options import OptimizerName


@dataclass(frozen=True, kw_only=True)
class FreeNetRequest(TrainRequest):
    """What to train as a FreeNet.

    Attributes
    ----------
    neurons, activation
        Of the network.
    epsilon, interval, statistics
        Of its rule, as for `coactivation_rule`; `interval` None means one epoch.
    epochs : int
    optimizer : {"adam", "adamw", "sgd"}
        `learning_rate` None means 0.003 for classes and 0.001 for regression.
    """

    neurons: int = 100
    activation: str = "relu"
    epsilon: float = EPSILON
    interval: int | None = None
    statistics: StatisticsOver = "data"
    epochs: int = 30
    optimizer: OptimizerName = "adam"


def train_freenet(request: FreeNetRequest, listener: Listener | None = None) -> TrainResult:
    """Train a FreeNet and the plain network of as many parameters, and write the run folder.

    Parameters
    ----------
    request : FreeNetRequest
    listener : Listener, optional

    Returns
    -------
    TrainResult

    Raises
    ------
    DataError, EngineError, RunError
        With cause and remedy; the run folder keeps what was recorded up to then.
    """
    return run_job(request, lambda data: _experiment(request, data), listener)


class _Updates:
    """Counts updates, and keeps what figure 7 of the paper shows of the first and the last."""

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self.count = self.pruned = self.grown = 0
        self._new: list[dict[str, Any]] = []

    def __call__(self, rewiring: Rewiring, statistics: CoActivationStatistics) -> None:
        self.count += 1
        self.pruned += len(rewiring.pruned)
        self.grown += len(rewiring.grown)
        step = self.count * self._interval
        seen = {"step": step, **pair_histograms(rewiring.before, statistics)}
        # Only the latest of an epoch is kept, and the very first of all.
        self._new = [old for old in self._new if old["step"] == self._interval] + [seen]

    def of_this_epoch(self) -> dict[str, Any]:
        """Give what is to be recorded since the last call."""
        new, self._new = self._new, []
        return {"pairs": new} if new else {}

    def state_dict(self) -> dict[str, Any]:
        """Give the counts, for a checkpoint; what is new is recorded by then."""
        return {"count": self.count, "pruned": self.pruned, "grown": self.grown}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.count, self.pruned, self.grown = (state[k] for k in ("count", "pruned", "grown"))


def _experiment(request: FreeNetRequest, data: Prepared) -> Experiment:
    inputs, outputs = sizes_of(data)
    learning_rate = request.learning_rate
    if learning_rate is None:
        learning_rate = automatic_freenet_rate(data.task)
    options = TrainingOptions(
        epochs=request.epochs,
        batch_size=request.batch_size,
        learning_rate=learning_rate,
        optimizer=request.optimizer,
        seed=request.seed,
    )
    interval = request.interval
    if interval is None:
        interval = options.steps_per_epoch(len(data.y_train))
    network = FreeNet(
        inputs,
        outputs,
        neurons=request.neurons,
        activation=request.activation,
        seed=request.seed,
    )
    possible = network.topology.num_edges
    # Matched to the FreeNet as it starts: the plain network is at no time the smaller one.
    hidden = matched_hidden_size(inputs, outputs, network.num_parameters)
    plain = PlainNetwork(
        inputs, outputs, nodes=hidden, activation=request.activation, seed=request.seed
    )
    updates = _Updates(interval)
    rule = coactivation_rule(
        network,
        data.x_train,
        options,
        epsilon=request.epsilon,
        interval=interval,
        statistics=request.statistics,
        on_update=updates,
    )

    def train(recorder: Recorder) -> tuple[LearnedNetwork, Fitted]:
        recorder.run.record_topology(0, network.topology)
        return network, recorder.fit(
            network, options, rule, more=updates.of_this_epoch, parts={"updates": updates}
        )

    def figures(final: LearnedNetwork, _: Fitted) -> dict[str, Any]:
        return {
            "parameters": count_parameters(final),
            **({"baseline_parameters": count_parameters(plain)} if request.baseline else {}),
            "edges": final.topology.num_edges,
            "edges_possible": possible,
            "depth": final.topology.depth,
            "updates": updates.count,
            "pruned": updates.pruned,
            "grown": updates.grown,
        }

    return Experiment(
        method="freenet",
        label="FreeNet",
        options=options,
        train=train,
        settings={
            "interval": interval,
            "learning_rate": learning_rate,
            "baseline_neurons": hidden,
        },
        figures=figures,
        baseline=lambda: plain,
    )
