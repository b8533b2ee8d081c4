"""The job `nervure train set`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, cast

from nervure.baselines import DenseMLP
from nervure.data import Prepared
from nervure.jobs.recording import LearnedNetwork, Recorder
from nervure.jobs.request import TrainRequest
from nervure.jobs.train import Experiment, Listener, TrainResult, run_job, sizes_of
from nervure.networks import SparseMLP, count_parameters
from nervure.networks.sparse_mlp import EPSILON
from nervure.rules.evolutionary import ZETA
from nervure.topology import Topology
from nervure.training import (
    Checkpoint,
    Fitted,
    Race,
    SparseOptions,
    TrainingOptions,
    fit_motif_race,
)
from nervure.training.motif_race import Listeners
from nervure.training.notes import Notes
from nervure.training.options import OptimizerName
from nervure.training.run import NETWORK
from nervure.training.sparse_rules import SparseRule, automatic_sparse_rate


@dataclass(frozen=True, kw_only=True)
class SparseMLPRequest(TrainRequest):
    """What to train as a sparse multilayer perceptron.

    Attributes
    ----------
    hidden, epsilon, tied, activation, rule, zeta, interval
        As for `SparseOptions`.
    motif_size : int, optional
        None chooses it during training, by `nervure.training.fit_motif_race`.
    epochs : int
    optimizer : {"sgd", "adam", "adamw"}
        `learning_rate` None means 0.05 for classes and 0.01 for regression.
    momentum, weight_decay : float
        As for `TrainingOptions`.
    """

    hidden: tuple[int, ...] = (300, 300)
    epsilon: float = EPSILON
    motif_size: int | None = 1
    tied: bool = False
    activation: str = "relu"
    rule: SparseRule = "set"
    zeta: float = ZETA
    interval: int | None = None
    epochs: int = 30
    optimizer: OptimizerName = "sgd"
    momentum: float = 0.9
    weight_decay: float = 2e-4


def train_sparse_mlp(request: SparseMLPRequest, listener: Listener | None = None) -> TrainResult:
    """Train a sparse network and the dense one of the same layers, and write the run folder.

    Parameters
    ----------
    request : SparseMLPRequest
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


def _experiment(request: SparseMLPRequest, data: Prepared) -> Experiment:
    inputs, outputs = sizes_of(data)
    rate = request.learning_rate
    options = TrainingOptions(
        epochs=request.epochs,
        batch_size=request.batch_size,
        learning_rate=automatic_sparse_rate(data.task) if rate is None else rate,
        momentum=request.momentum,
        weight_decay=request.weight_decay,
        optimizer=request.optimizer,
        seed=request.seed,
    )
    sparse = SparseOptions(
        hidden=request.hidden,
        epsilon=request.epsilon,
        motif_size=1 if request.motif_size is None else request.motif_size,
        tied=request.tied,
        activation=request.activation,
        rule=request.rule,
        zeta=request.zeta,
        interval=request.interval,
    )
    sizes = sparse.sizes(inputs, outputs)
    # As large as its layers: made only if it is wanted.
    dense = (
        DenseMLP(sizes, activation=request.activation, seed=request.seed)
        if request.baseline
        else None
    )
    race: list[Race] = []

    def train(recorder: Recorder) -> tuple[LearnedNetwork, Fitted]:
        if request.motif_size is None:
            network, fitted, found = _race(recorder, sparse, options, outputs)
            race.append(found)
            return network, fitted
        network = sparse.make_network(inputs, outputs, seed=request.seed)
        recorder.run.record_topology(0, network.topology)
        rule = sparse.make_rule(options, len(data.y_train))
        return network, recorder.fit(network, options, rule)

    def figures(final: LearnedNetwork, fitted: Fitted) -> dict[str, Any]:
        network = cast(SparseMLP, final)
        return {
            "parameters": count_parameters(final),
            **({} if dense is None else {"baseline_parameters": count_parameters(dense)}),
            "edges": final.topology.num_edges,
            "edges_possible": sum(n * m for n, m in pairwise(network.widths)),
            "pruned": sum(m.get("pruned", 0) for m in fitted.history),
            "grown": sum(m.get("grown", 0) for m in fitted.history),
            "motif_size": network.motif_size,
            **({"motif_trials": [asdict(trial) for trial in race[0].trials]} if race else {}),
            # What the wiring is recorded in: motifs, which are nodes where their size is 1.
            "sizes": list(network.widths),
            "feature_importances": network.input_importances().tolist(),
        }

    return Experiment(
        method="set",
        label=f"sparse network ({request.rule})",
        options=options,
        train=train,
        settings={
            "learning_rate": options.learning_rate,
            "image_shape": None if data.image_shape is None else list(data.image_shape),
        },
        figures=figures,
        baseline=None if dense is None else lambda: dense,
        baseline_label="dense network",
    )


def _race(
    recorder: Recorder, sparse: SparseOptions, options: TrainingOptions, outputs: int
) -> tuple[SparseMLP, Fitted, Race]:
    """Train with every motif size, and write of the one that is chosen."""
    data = recorder.data
    checkpoint = Checkpoint(recorder.run.checkpoint_path(NETWORK))
    notes: dict[int, tuple[Notes, Topology]] = {}

    def listen(size: int, network: SparseMLP) -> Listeners:
        label = f"motif size {size}"
        own = recorder.notes(network, options.epochs, label=label, held=True)
        notes[size] = own, network.topology
        return own.on_epoch, own.on_rewiring

    def chosen(size: int) -> None:
        own, start = notes[size]
        recorder.run.record_topology(0, start)
        own.release()
        checkpoint.join("notes", own)

    return fit_motif_race(
        sparse,
        data.x_train,
        data.y_train,
        outputs=outputs,
        task=data.task,
        options=options,
        validation=(data.x_validation, data.y_validation),
        listen=listen,
        on_chosen=chosen,
        checkpoint=checkpoint,
    )
